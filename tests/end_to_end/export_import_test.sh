#!/bin/sh
# A trained model goes out in Hugging Face's format and comes back: the same weights, the same loss; what cannot go is told.
. "$HYSCALE_SOURCE_DIR/tests/end_to_end/support.sh"

write_base run.yaml
make_text 60 text.jsonl
expect 0 hybrid-worker data text.jsonl --tokenizer byte --validation-tokens 4K --out "$HYSCALE_STORE/corpora/tiny"

# --- train, export, import: the run config and the loss are those of before
short="--set train.tokens=12800 --checkpoint-every 20 --keep 5"
expect 0 hybrid-worker train run.yaml --out run $short
expect 0 hybrid-worker export run --to hf out
says BambaForCausalLM run/checkpoints/step-000000050.h5 model.safetensors config.json tokenizer.json generation_config.json
expect 0 hybrid-worker import out --out back
says BambaForCausalLM back/checkpoints/step-000000050.h5
cmp -s run/run.yaml back/run.yaml || fail "run.yaml came back changed"
hybrid-worker eval run --json | grep -v step >before
hybrid-worker eval back --json | grep -v step >after
grep loss before >/dev/null || fail "eval tells no loss"
[ "$(grep -o '"loss":[^,]*' before)" = "$(grep -o '"loss":[^,]*' after)" ] || fail "the import has another loss"
expect 0 hybrid-worker inspect back/checkpoints/step-000000050.h5
says "run id  imported" imported_from "weights/embedding.weight"
expect 0 hybrid-worker inspect back --json
expect 0 hybrid-worker export back --to hf twice
cmp -s out/config.json twice/config.json || fail "config.json changes on the second way"

# --- the byte tokenizer as tokenizer.json gives the bytes
printf 'Grüße, 東京!' >bytes
expect 0 hybrid-worker tokenize --tokenizer byte bytes
cp said wanted
expect 0 hybrid-worker tokenize --tokenizer out/tokenizer.json bytes
cmp -s said wanted || fail "the exported tokenizer gives other ids"

# --- an earlier checkpoint, in bf16, as JSON
expect 0 hybrid-worker export run --to hf early --checkpoint 20 --dtype bf16 --json
says '"step": 20' '"dtype": "bf16"' '"class": "BambaForCausalLM"'
grep -q '"dtype": "bfloat16"' early/config.json || fail "config.json does not say bfloat16"

# --- imported weights are no run: training does not carry them on
expect 2 hybrid-worker train run.yaml --out back --resume --set train.tokens=12800
says "holds imported weights" "another --out"

# --- what has no home is refused with every reason and its place, and leaves nothing behind
expect 0 hybrid-worker train run.yaml --out intra $short --set model.stack=HH --set 'model.ffn={kind: none}'
expect 2 hybrid-worker export intra --to hf refused
says "FalconH1ForCausalLM has no norm of each branch" "norm: none" "positions: branch 1 of H has rope none" \
     "feed-forward layer behind every mixer" "intra/run.yaml:8:" "intra/run.yaml:10:"
[ ! -e refused ] || fail "a refused export left something behind"

# --- getting it wrong
expect 2 hybrid-worker export run --to hf out
says "out exists already"
expect 2 hybrid-worker export run --to gguf elsewhere
expect 2 hybrid-worker export nowhere --to hf elsewhere
says "no run directory"
expect 2 hybrid-worker export run --to hf elsewhere --checkpoint 21
says "no checkpoint of step 21" "20, 40, 50"
expect 2 hybrid-worker import nowhere --out elsewhere
says "config.json is missing"
expect 2 hybrid-worker import out --out back
says "back exists already"
rm out/run.yaml
expect 2 hybrid-worker import out --out elsewhere
says "--base"
expect 0 hybrid-worker import out --out foreign --base run.yaml
sed 's/"attention_bias": false/"attention_bias": true/; s/"tie_word_embeddings": true/"tie_word_embeddings": false/' out/config.json >changed
mv changed out/config.json
expect 2 hybrid-worker import out --out elsewhere --base run.yaml
says "attention_bias is true" "tie_word_embeddings is false" out/config.json
head -c 20000 twice/model.safetensors >torn && mv torn twice/model.safetensors
expect 1 hybrid-worker import twice --out elsewhere
says "twice/model.safetensors is damaged"
[ ! -e elsewhere ] || fail "a refused import left something behind"
