#!/bin/sh
# What a person sees who gets it wrong: every problem at once, where it is, how to mend it, and the right exit status.
. "$HYSCALE_SOURCE_DIR/tests/end_to_end/support.sh"

# --- a run config with several mistakes
write_base good.yaml
sed -e 's/d_model: 16/d_modle: 16/' -e 's/head_dim: 16, d_state/head_dim: 7, d_state/' -e 's/tokens: 25600/tokens: 25601/' \
    -e 's/lr: 3e-3/lr: fast/' good.yaml >bad.yaml
expect 2 hybrid-worker inspect bad.yaml
says "unknown key 'model.d_modle'" "did you mean 'd_model'?" "bad.yaml:5:3" "lr should be a number, not 'fast'" "head_dim" "try:"

# --- a stack symbol that does not exist is pointed at
sed 's/stack: AM/stack: AXM/' good.yaml >stack.yaml
expect 2 hybrid-worker inspect stack.yaml
says "AXM" "^" "stack.yaml:12"

# --- missing and wrong corpus, wrong tokenizer
expect 2 hybrid-worker train good.yaml --out run
says "tiny" "hybrid-worker data"
make_text 60 text.jsonl
expect 0 hybrid-worker data text.jsonl --tokenizer byte --validation-tokens 4K --out "$HYSCALE_STORE/corpora/tiny"
sed 's/vocabulary: 258/vocabulary: 4096/' good.yaml >vocabulary.yaml
expect 2 hybrid-worker train vocabulary.yaml --out run
says 258 4096
expect 2 hybrid-worker data text.jsonl --tokenizer wordpiece --out elsewhere
says wordpiece byte bpe
printf '{"text": "fine"}\n{"text": 5}\nnot json\n' >broken.jsonl
expect 2 hybrid-worker data broken.jsonl --tokenizer byte --out elsewhere
says "broken.jsonl:2" "broken.jsonl:3"
[ ! -e elsewhere ] || fail "a refused corpus left something behind"

# --- a device that is not here
expect 2 hybrid-worker train good.yaml --out run --device cuda
says cuda

# --- a directory that cannot be written: a file stands in its way (root ignores permissions)
: >in-the-way
expect 1 hybrid-worker train good.yaml --out in-the-way/run
says in-the-way

# --- an existing run is never overwritten, and a resume of nothing is an error
expect 0 hybrid-worker train good.yaml --out run --checkpoint-every 20 --set train.tokens=12800
expect 2 hybrid-worker train good.yaml --out run --set train.tokens=12800
says "--resume"
expect 2 hybrid-worker train good.yaml --out run --resume
says train.tokens
mkdir empty
expect 2 hybrid-worker train good.yaml --out empty --resume
says run.yaml

# --- a torn checkpoint is named, and the one before it is used
mkdir torn
expect 75 hybrid-worker train good.yaml --out torn/run --checkpoint-every 10 --time-limit 0s
says_not Traceback
expect 75 env sh -c '(sleep 0.4; touch torn/run/stop) & exec hybrid-worker train good.yaml --out torn/run --resume --checkpoint-every 10 --set train.tokens=2560000 2>&1 || exit $?' || true
