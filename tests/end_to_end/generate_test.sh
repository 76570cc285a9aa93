#!/bin/sh
# A trained model writes on behind a prompt: as its own tokens say, alone or beside others, past its training length.
. "$HYSCALE_SOURCE_DIR/tests/end_to_end/support.sh"

write_base run.yaml
make_text 60 text.jsonl
expect 0 hybrid-worker data text.jsonl --tokenizer byte --validation-tokens 4K --out "$HYSCALE_STORE/corpora/tiny"
expect 0 hybrid-worker train run.yaml --out run --set model.stack=AMH --set model.mixers.A.window=12

# --- standard output is the text alone, the same each time, and a longer one begins with it
hybrid-worker generate run --prompt "it was the" --tokens 40 >short 2>notes
hybrid-worker generate run --prompt "it was the" --tokens 120 --past-end >long 2>/dev/null # the context is 64
grep -q "^it was the ." short || fail "the text does not begin with its prompt: $(cat short)"
grep -q "read 11 tokens" notes || fail "no summary: $(cat notes)"
case "$(cat long)" in "$(cat short)"*) ;; *) fail "another text: $(cat short) / $(cat long)" ;; esac
hybrid-worker generate run --prompt "it was the" --tokens 40 --prefill-tokens 3 >pieces 2>/dev/null
cmp -s short pieces || fail "a prompt read in pieces is written on otherwise"

# --- a batch of unequal prompts, from the command line and a file
printf 'and so on and' >file
expect 0 hybrid-worker generate run --prompt "it was the" --prompt "no" --prompt-file file --tokens 40 --json
grep -q '"cache_bytes"' said || fail "no caches"
count 3 '"prompt"'
hybrid-worker generate run --prompt "it was the" --prompt "no" --prompt-file file --tokens 40 >batch 2>/dev/null
head -n "$(wc -l <short)" batch | cmp -s short - || fail "a sequence depends on those beside it: $(cat batch)"
for prompt in "no" "and so on and"; do
  hybrid-worker generate run --prompt "$prompt" --tokens 40 >alone 2>/dev/null
  grep -qF "$(head -1 alone)" batch || fail "'$prompt' is written on otherwise beside others"
done

# --- draws: by their seed
draw() { hybrid-worker generate run --prompt "so" --tokens 60 --temperature 1 --top-p 0.9 --seed "$1" 2>/dev/null; }
draw 1 >one; draw 1 >again; draw 2 >two
cmp -s one again || fail "a seed draws otherwise the second time"
! cmp -s one two || fail "two seeds draw alike"

# --- how fast: every figure is there
expect 0 hybrid-worker bench decode run.yaml --batch 2 --prompt 8 --total 24 --json
says '"prefill_tokens_per_second"' '"decode_tokens_per_second"' '"p99"' '"cache_bytes"' '"share_of_floor"'
expect 0 hybrid-worker bench decode run.yaml --batch 2 --prompt 8 --total 24
says "tokens/s" "floor"
expect 2 hybrid-worker bench decode run.yaml --prompt 24 --total 24
says "leaves nothing to write"

# --- bad input
expect 2 hybrid-worker generate run
says prompt
expect 2 hybrid-worker generate nowhere --prompt a
says "nowhere is no run directory"
expect 2 hybrid-worker generate run --prompt a --device cuda --checkpoint 3
says "on the CPU only"
expect 2 hybrid-worker generate run --prompt a --checkpoint 3
says "no checkpoint of step 3" "there is one of step"
expect 2 hybrid-worker generate run --prompt a --top-p 1.5
expect 0 hybrid-worker generate --help
says Example
