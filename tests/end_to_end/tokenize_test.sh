#!/bin/sh
# Tokenizer files of other libraries, as a person uses them: look at ids, decode them, prepare a corpus, get it wrong.
. "$HYSCALE_SOURCE_DIR/tests/end_to_end/support.sh"
files="$HYSCALE_SOURCE_DIR/tests/data/tokenizers"

# --- text in, ids out, and back again
printf "Hello world it's 2024" >text
expect 0 hybrid-worker tokenize --tokenizer "$files/llama3.json" text
cp said ids
expect 0 hybrid-worker tokenize --tokenizer "$files/llama3.json" --decode ids
says "Hello world it's 2024"
expect 0 hybrid-worker tokenize --tokenizer "$files/own.tiktoken@llama3" text
cmp -s said ids || fail "ranks and tokenizer.json of one vocabulary give different ids"
expect 0 hybrid-worker tokenize --tokenizer "$files/llama3.json" --json text
says '"bytes": 21' '"ids": ['
cp said ids.json
expect 0 hybrid-worker tokenize --tokenizer "$files/llama3.json" --decode --json ids.json
says '"text":"Hello world it'"'"'s 2024"'

# --- documents of a .jsonl file, one line each; special tokens only when asked
printf '{"text": "one"}\n{"text": "<|eot_id|>"}\n' >two.jsonl
expect 0 hybrid-worker tokenize --tokenizer "$files/llama3.json" two.jsonl
[ "$(wc -l <said)" = 2 ] || fail "two documents should give two lines"
[ "$(sed -n 2p said | wc -w)" -gt 1 ] || fail "a special token in a document is text"
expect 0 hybrid-worker tokenize --tokenizer "$files/llama3.json" --special two.jsonl
[ "$(sed -n 2p said)" = 422 ] || fail "--special should read <|eot_id|> as 422"

# --- a corpus keeps the tokenizer, and serves others
make_text 60 text.jsonl
expect 0 hybrid-worker data text.jsonl --tokenizer "$files/own.tiktoken@gpt2" --validation 0.2 --out store/corpora/ranks
says "tokenizer tiktoken, vocabulary 421" "one token begins and ends documents"
expect 0 hybrid-worker tokenize --corpus store/corpora/ranks text
cp said kept
expect 0 hybrid-worker tokenize --tokenizer store/corpora/ranks/tokenizer.tiktoken text
cmp -s said kept || fail "the corpus's tokenizer gives other ids"
expect 0 hybrid-worker data text.jsonl --tokenizer "$files/llama3.json" --eos '<|eot_id|>' --validation 0.2 --out store/corpora/json
says "tokenizer huggingface, vocabulary 423"

# --- what goes wrong
expect 2 hybrid-worker tokenize text
says "one of --tokenizer and --corpus"
expect 2 hybrid-worker tokenize --tokenizer "$files/own.tiktoken" text
says "cl100k, gpt2, llama3, o200k, qwen"
expect 2 hybrid-worker data text.jsonl --tokenizer nonsense --out x
says "nonsense names no tokenizer"
printf 'caf\351' >latin1
expect 2 hybrid-worker tokenize --tokenizer byte latin1
says "latin1: byte 4 is no UTF-8"
echo "5 99999" >ids
expect 2 hybrid-worker tokenize --tokenizer "$files/gpt2.json" --decode ids
says "ids:1" "'99999' is no id between 0 and 419"
head -c 3000 "$files/gpt2.json" >torn.json
expect 2 hybrid-worker data text.jsonl --tokenizer torn.json --out x
says "torn.json:1:3001" "too early"
expect 2 hybrid-worker tokenize --tokenizer byte --bos x text
expect 0 hybrid-worker tokenize --help
says Example
