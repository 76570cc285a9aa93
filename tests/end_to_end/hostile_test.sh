#!/bin/sh
# Specs, names, paths and files that mean harm or are simply not ours: refused or taken as plain text, never run, and nothing
# leaves the store.
. "$HYSCALE_SOURCE_DIR/tests/end_to_end/support.sh"
export OMP_NUM_THREADS=1

# --- a store whose path a shell would read much into, and files for nobody but their owner
umask 077
HYSCALE_STORE="$scratch/it's a \$(touch owned) \"store\";"
make_text 200 text.jsonl
expect 0 hybrid-worker data text.jsonl --tokenizer byte --validation-tokens 4K --out "$HYSCALE_STORE/corpora/tiny"
write_base base.yaml

# --- names as paths, commands and options; NUL; a megabyte of name
write_study s.yaml s "[6e9]"
for given in ../up a/b '$(touch owned)' '`touch owned`' "q'uote" 'two words' . .. -rf 'new\\nline' 'nul\\0x'; do
  sed "s|^study: s$|study: \"$given\"|" s.yaml >named.yaml
  expect 2 study submit named.yaml
  sed "s|name: s1|name: \"$given\"|" s.yaml >named.yaml
  expect 2 study submit named.yaml
done
{ printf 'format: hyscale.study/1\nstudy: '; head -c 1000000 /dev/zero | tr '\0' x; echo; sed 1,2d s.yaml; } >named.yaml
expect 2 study submit named.yaml
[ "$(wc -c <said)" -lt 5000 ] || fail "the message is as long as what it complains of"
for alias in 'axes: {train.optimizer.weight_decay: &a [*a, 1]}' 'extra: &a {b: *a}'; do
  { cat s.yaml; printf '%s\n' "$alias"; } >alias.yaml
  expect 2 timeout 20 study plan alias.yaml
  says "holds itself"
done

# --- families are free text: a whole study of theirs, with its report
write_study free.yaml free "[6e9]"
sed -i -e 's|^  transformer:|  "$(touch owned)":|' -e "s|^  mamba: |  \"<script>alert('../x')</script>\":|" free.yaml
expect 0 study submit free.yaml --wait
says "8 done"
expect 0 analyze report free --out report
! grep -q "<script>alert" report/*.html || fail "the report runs a family's name"
expect 0 study status free --json
expect 0 study list
[ -z "$(find "$scratch" -name owned)" ] || fail "a shell has read a name"
[ "$(ls -A "$scratch" | grep -cvE '^(it.s a .*|said|text.jsonl|.*\.yaml|report)$')" = 0 ] || { ls -A >said; fail "something was left outside the store"; }
open=$(find "$HYSCALE_STORE" report -perm /077 ! -type l | head -5)
[ -z "$open" ] || { echo "$open" >said; fail "files do not honour umask"; }

# --- files that are not ours in the place of ours: named, and left as they are
database=$HYSCALE_STORE/results.db
cp "$database" kept.db
sqlite3 other.db 'CREATE TABLE recipes (name TEXT); INSERT INTO recipes VALUES ("soup")'
head -c 100 "$database" >short.db
head -c 8192 /dev/urandom >noise.db
printf 'not a database\n' >text.db
for foreign in other short noise text; do
  cp $foreign.db "$database"
  expect 1 study status free
  says results.db
  cmp $foreign.db "$database" || fail "a foreign database was written to"
done
cp kept.db "$database"
run=$(ls -d "$HYSCALE_STORE"/runs/* | head -1)
cp "$run/run.h5" kept.h5
other=$(ls -d "$HYSCALE_STORE"/runs/* | tail -1)
for foreign in "$other/run.h5" text.db noise.db; do
  cp "$foreign" "$run/run.h5"
  expect 0 study collect free --rebuild
  expect 0 study status free
  says "7 done"
done
cp kept.h5 "$run/run.h5"
expect 0 study collect free --rebuild
expect 0 study status free
says "8 done"
