#!/bin/sh
# Real studies with real workers while something is killed, cancelled, deleted: every run ends once, with the curve that
# it would have had in peace, and no process stays behind.
. "$HYSCALE_SOURCE_DIR/tests/end_to_end/support.sh"
. "$HYSCALE_SOURCE_DIR/tests/end_to_end/faults.sh"
export OMP_NUM_THREADS=1

make_text 200 text.jsonl
for store in calm store; do
  expect 0 hybrid-worker data text.jsonl --tokenizer byte --validation-tokens 4K --out "$scratch/$store/corpora/tiny"
done
write_base base.yaml
write_study s.yaml s "[6e9, 2e10]"

some_running() { [ "$(count_states running)" -gt 0 ]; }
# the worker of the newest job that has not ended
kill_worker() {
  for job in $(ls -td "$HYSCALE_STORE"/jobs/*/*); do
    [ -f "$job/started.json" ] && [ ! -f "$job/exit.json" ] || continue
    worker=$(number "$job/started.json" pid)
    kill -KILL "$worker" 2>/dev/null && return 0
  done
  return 1
}
# --- in peace
expect 0 env HYSCALE_STORE="$scratch/calm" study submit s.yaml --wait
HYSCALE_STORE="$scratch/calm" losses >calm.csv
[ "$(wc -l <calm.csv)" = 17 ] || fail "not a line for each of 16 runs"

# --- submit, its driver and a worker killed at odd moments; then two submits at once carry on to the end
for pause in 0.05 0.3 0.7 0.2 0.9 0.4; do
  study submit s.yaml --wait >/dev/null 2>&1 &
  submit=$!
  sleep $pause
  kill -KILL $submit 2>/dev/null || true
  wait $submit 2>/dev/null || true
  [ $pause = 0.2 ] || kill_driver
done
study submit s.yaml --wait >first.txt 2>&1 & first=$!
study submit s.yaml --wait >second.txt 2>&1 & second=$!
kill_worker || true
wait $first || { cp first.txt said; fail "the first submit failed"; }
wait $second || { cp second.txt said; fail "the second submit failed"; }
expect 0 study status s
says "16 done"
trained_once
losses >killed.csv
cmp calm.csv killed.csv || fail "killing changed a result"
eventually nothing_left

# --- a worker killed in a study of its own is tried again once; cancel, a deleted directory, a lost database, retry
sed -i 's/^seeds: .*/seeds: {default: [1]}/' s.yaml
expect 0 study submit s.yaml
eventually some_running
eventually kill_worker
expect 0 study status s --json
eventually some_running
expect 0 study cancel s
says "cancelled; study retry s runs them again"
nothing_left || fail "cancel left a process behind"
cancelled=$(count_states cancelled)
[ "$cancelled" -gt 0 ] || fail "nothing was cancelled"
expect 1 study submit s.yaml --wait
[ "$(count_states cancelled)" = "$cancelled" ] || fail "submit woke cancelled runs"
stopped=$(grep -l '"state": "stopped"' "$HYSCALE_STORE"/runs/*/status.json | wc -l)
done=$(count_states done)
rm "$HYSCALE_STORE/results.db"
expect 2 study status s
says "--rebuild"
expect 0 study collect s --rebuild
[ "$(count_states done)" = "$done" ] || fail "the rebuilt database lost or gained results"
[ "$(count_states cancelled)" -ge "$stopped" ] || fail "stopped runs did not come back as cancelled"
for status in $(grep -l '"state": "stopped"' "$HYSCALE_STORE"/runs/*/status.json | head -1); do rm -rf "${status%/*}"; done
expect 0 study retry s
expect 0 study watch s
says "32 done"
trained_once
eventually nothing_left

# --- cancelled before its worker has made a directory: a database made anew knows it too
printf '#!/bin/sh\nsleep 3\nexec hybrid-worker "$@"\n' >slow-worker
chmod +x slow-worker
write_study early.yaml early "[6e9, 2e10]"
sed -i 's/^seeds: .*/seeds: {default: [2]}/' early.yaml
export HYSCALE_WORKER="$scratch/slow-worker"
expect 0 study submit early.yaml
early_submitted() { [ "$(count_states submitted early)" -gt 0 ]; }
eventually early_submitted
submitted=$(count_states submitted early)
expect 0 study cancel early
expect 0 study status early
says "16 cancelled"
expect 0 study collect early --rebuild
[ "$(count_states cancelled early)" -ge "$submitted" ] || fail "the rebuilt database would run cancelled runs again"
