#!/bin/sh
# What a store's keeper does with real runs: a finished study is extended, its old checkpoints are removed, its runs and
# studies go to another store; every command twice, and two at once.
. "$HYSCALE_SOURCE_DIR/tests/end_to_end/support.sh"
export OMP_NUM_THREADS=1

make_text 200 text.jsonl
expect 0 hybrid-worker data text.jsonl --tokenizer byte --validation-tokens 4K --out "$HYSCALE_STORE/corpora/tiny"
write_base base.yaml
write_study s.yaml s "[6e9, 1.2e10]"
records() { ls -l --time-style=full-iso "$HYSCALE_STORE"/runs/*/run.h5 | awk '{ print $7, $9 }' | sort; }
# kept FILE: every run listed there is still the file it was
kept() { records >now.txt; [ "$(comm -23 "$1" now.txt | wc -l)" = 0 ] || fail "a finished run was trained again"; }
points() { analyze points s --csv | sort; }
# both COMMAND…: the same command twice at once; both succeed
both() {
  "$@" >first.txt 2>&1 & first=$!
  "$@" >second.txt 2>&1 & second=$!
  wait $first || { cp first.txt said; fail "the first of two: $*"; }
  wait $second || { cp second.txt said; fail "the second of two: $*"; }
}
checkpoints() { ls "$HYSCALE_STORE"/runs/*/checkpoints/step-*.h5 2>/dev/null | wc -l; }

expect 0 study submit s.yaml --wait
says "16 done"
records >first_runs.txt

# --- a seed, a family, a larger and a smaller budget: each trains only what is new
sed -i 's/^seeds: .*/seeds: {default: [0], s1: [0, 1]}/' s.yaml
expect 0 study submit s.yaml --wait
says "4 new runs, 16 already done" "20 done"
kept first_runs.txt
sed -i 's/^  mamba: .*/&\n  mixed:       {stack: AM}/' s.yaml
expect 0 study submit s.yaml --wait
says "10 new runs, 20 already done" "30 done"
kept first_runs.txt
sed -i 's/^budgets: .*/budgets: {flops: [6e9, 1.2e10, 1.8e10]}/' s.yaml
expect 0 study diff s s.yaml
says "15 new"
expect 0 study submit s.yaml --wait
says "15 new runs, 30 already done" "45 done"
kept first_runs.txt
records >all_runs.txt
expect 0 study submit s.yaml --wait
says "0 new runs, 45 already done"
points >before.csv

# --- garbage: nothing is needed now but the last weights of each run
expect 0 study gc s --dry-run
[ "$(checkpoints)" -gt 45 ] || fail "the test has no branch points to remove"
before=$(checkpoints)
both study gc
[ "$(checkpoints)" = 45 ] || fail "$(checkpoints) checkpoints stay instead of one for each of 45 runs, of $before"
expect 0 study gc
says "0 checkpoints removed"
expect 1 study gc --quota 1K
says "--weights"
expect 0 study gc --quota 100G --weights
[ "$(checkpoints)" = 45 ] || fail "gc removed more than the quota asks for"
expect 0 hybrid-worker eval "$(ls -d "$HYSCALE_STORE"/runs/* | head -1)"
kept all_runs.txt

# --- a trunk keeps the branch points of branches that are to come: here those of a cancelled study
sed -e 's/^study: .*/study: stopped/' -e 's/^seeds: .*/seeds: {default: [7]}/' s.yaml >stopped.yaml
study submit stopped.yaml --slots 1
n=0
until [ "$(study status stopped --json | grep -c '"state": "done"')" -gt 0 ]; do n=$((n + 1)); [ $n -lt 600 ] || fail "no run ended"; sleep 0.1; done
expect 0 study cancel stopped
study status stopped --json >stopped.json
expect 0 study gc
expect 1 study gc --quota 0 --weights
for run in $(ls "$HYSCALE_STORE/runs"); do
  grep -q '"state": "stopped"' "$HYSCALE_STORE/runs/$run/status.json" || continue
  ls "$HYSCALE_STORE/runs/$run"/checkpoints/step-*.h5 >/dev/null || fail "gc took the checkpoint that $run resumes from"
done
expect 0 study retry stopped
expect 0 study watch stopped
says "36 done"
for run in "$HYSCALE_STORE"/jobs/*; do
  [ "$(grep -l '"exit_code": 0' "$run"/*/exit.json | wc -l)" = 1 ] || fail "${run##*/} was trained to its end twice"
done

# --- to another store: a run alone, then the whole store; twice, and two at once
other="$scratch/other"
one=$(sed -n '1s|.* ||; 1p' all_runs.txt)
expect 0 study --store "$other" adopt "${one%/run.h5}"
says "adopted"
expect 0 study --store "$other" adopt "${one%/run.h5}"
says "known already"
both study --store "$other" adopt "$HYSCALE_STORE" --study s
cp -r "$HYSCALE_STORE/corpora" "$other/corpora"
HYSCALE_STORE="$other" points >after.csv
sed "s|$HYSCALE_STORE|STORE|g" before.csv >before.txt
sed "s|$other|STORE|g" after.csv >after.txt
cmp before.txt after.txt || { diff before.txt after.txt >said; fail "the other store tells another story"; }
expect 0 study --store "$other" submit s.yaml --wait
says "0 new runs, 45 already done"
[ ! -d "$other/jobs" ] || fail "an adopted run was trained again"
expect 2 study --store "$other" adopt "$HYSCALE_STORE" --as b
expect 0 study --store "$other" adopt "$HYSCALE_STORE" --study stopped --as again
expect 0 study --store "$other" list
says "again" "s "

# --- what cannot be adopted
expect 2 study --store "$other" adopt "$other"
says "is this store"
expect 2 study --store "$other" adopt nowhere
says "there is no study nowhere"
mkdir -p empty
expect 2 study --store "$other" adopt empty
says "not finished"
cp -r "${one%/run.h5}" torn
truncate -s 100 torn/run.h5
expect 1 study --store "$other" adopt torn
