#!/bin/sh
# A person's own data, from files to losses: token ids that are there already, mixtures, and what is refused before training.
. "$HYSCALE_SOURCE_DIR/tests/end_to_end/support.sh"

# --- token ids in place: a raw .bin of uint16, out of text that is its own tokenizer (each byte followed by a zero byte)
make_text 60 text.jsonl
iconv -f LATIN1 -t UTF-16LE text.jsonl | head -c 60000 >ids.bin
expect 0 hybrid-worker data ids.bin --vocabulary 258 --validation-tokens 4K --out "$HYSCALE_STORE/corpora/ids"
says "raw uint16" "bytes of text not known"
[ ! -e "$HYSCALE_STORE/corpora/ids/train.tokens" ] || fail "the ids were copied"
write_base base.yaml
expect 0 hybrid-worker train base.yaml --out ids --set data.corpus=ids --set train.tokens=12800
says "bits per byte unknown without the tokenizer" "corpus ids:" "tokens are never seen" "epochs of ids"
expect 2 hybrid-worker data ids.bin --vocabulary 100 --out elsewhere
says "ids.bin: byte " "is outside the vocabulary of 100"
expect 2 hybrid-worker data ids.bin text.jsonl --vocabulary 258 --out elsewhere
says "some inputs are text and some are token ids"
printf x >>ids.bin
expect 1 hybrid-worker train base.yaml --out again --set data.corpus=ids --set train.tokens=12800
says "ids.bin has 60001 bytes"
[ ! -e elsewhere ] || fail "a refused corpus left something behind"

# --- a mixture: each corpus has its loss and its epochs; the order of the list is no other run
head -30 text.jsonl >a.jsonl
tail -30 text.jsonl >b.jsonl
for name in a b; do
  expect 0 hybrid-worker data $name.jsonl --tokenizer byte --validation-tokens 2K --out "$HYSCALE_STORE/corpora/$name"
done
sed 's/^data:.*/data: {mixture: [{corpus: a, weight: 3}, {corpus: b, weight: 1}]}/' base.yaml >mixed.yaml
expect 0 hybrid-worker train mixed.yaml --out mixed --set train.tokens=12800
says "corpus a (75% of the sequences)" "validation loss of a: " "validation loss of b: " "bits per byte"
grep -q '"corpora":\[{"corpus":' mixed/journal || fail "the journal does not hold the corpora's losses"
expect 0 hybrid-worker inspect mixed.yaml
grep -F "run id" said >first || true
sed 's/^data:.*/data: {mixture: [{corpus: b, weight: 0.25}, {corpus: a, weight: 0.75}]}/' base.yaml >turned.yaml
expect 0 hybrid-worker inspect turned.yaml
grep -F "run id" said >second || true
[ -s first ] && cmp -s first second || fail "the order of the list changes the run id"

# --- too many epochs are refused before anything is made
expect 2 hybrid-worker train base.yaml --out epochs --set data.corpus=a --set train.tokens=1280000
says "times over corpus a, more than --max-epochs 4" "--max-epochs"
[ ! -e epochs ] || fail "a refused run left something behind"
expect 0 hybrid-worker train base.yaml --out epochs --set data.corpus=a --set train.tokens=25600 --max-epochs none
expect 2 hybrid-worker train base.yaml --out few --set data.corpus=a --set train.tokens=25600 --max-epochs 0.5

# --- killed while it prepares: no corpus is there, and the same command gives the same corpus
awk '{ for (i = 0; i < 4000; i++) printf "%d %s\n", i, $0 }' a.jsonl | sed 's/^\([0-9]*\) {"text": "/{"text": "\1 /' >large.jsonl
prepare="hybrid-worker data large.jsonl --tokenizer byte --validation-tokens 200K --name large"
expect 0 $prepare --out whole
$prepare --out killed >said 2>&1 &
n=0; until [ -e killed.partial/state.json ]; do n=$((n + 1)); [ $n -lt 1000 ] || fail "no state was kept"; sleep 0.01; done
kill -9 $!
wait $! 2>/dev/null || true
[ ! -e killed ] || fail "a killed preparation left a corpus behind"
expect 0 $prepare --out killed
says "went on behind the"
cmp whole/manifest.json killed/manifest.json || fail "the corpus is another one"
[ ! -e killed.partial ] || fail "unfinished work was left behind"

# --- broken text: refused with its places, or let by as asked
printf '{"text": "fine"}\n{"text": "na\357ve"}\n' >>a.jsonl
expect 2 hybrid-worker data a.jsonl --tokenizer byte --out broken
says "a.jsonl:32:13: not UTF-8" "--invalid-utf8 replace"
expect 0 hybrid-worker data a.jsonl --tokenizer byte --out broken --invalid-utf8 skip --validation 0.3
says "1 documents left out that are no UTF-8 (first 32:13)"
: >table.parquet
expect 2 hybrid-worker data table.parquet --tokenizer byte --out elsewhere
says "table.parquet" "Parquet" # refused, or found empty, as this build reads it or not
