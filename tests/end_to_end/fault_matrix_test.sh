#!/bin/sh
# Faults of this machine under studies of real trainings (two ranks, 200 steps and more) at random times: every run ends done,
# once, with the curve to the bit that it has in peace; status tells the truth at every poll; nothing stays behind.
#
#   fault_matrix_test.sh [FAULT…]     default: four of them; with HYSCALE_LONG_TESTS=1 all
#
# Set: HYSCALE_SOURCE_DIR, HYSCALE_BIN_DIR, HYSCALE_TEST_DIR; HYSCALE_RANDOM_SEED chooses other times.
. "$HYSCALE_SOURCE_DIR/tests/end_to_end/support.sh"
. "$HYSCALE_SOURCE_DIR/tests/end_to_end/faults.sh"
export OMP_NUM_THREADS=1
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 \
       OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_hwloc_base_binding_policy=none
mounted=
trap 'touch stop; [ -z "$mounted" ] || umount "$mounted"; chmod -R u+w "$scratch" 2>/dev/null; rm -rf "$scratch"' EXIT

train() { study submit s.yaml >/dev/null 2>&1 || true; }
training() { [ -n "$(processes hybrid-worker)" ] && grep -qs '"step": [1-9]' "$HYSCALE_STORE"/runs/*/status.json; }
# at_some_time: a while after training has begun
at_some_time() { eventually training; pause_below 15; eventually training; }

# --- faults; each leaves the study so that `submit` and `retry` carry it on
rank_killed() {
  at_some_time
  one_of $(processes hybrid-worker) && kill -KILL "$chosen" 2>/dev/null || true
}
mpirun_terminated() {
  at_some_time
  one_of $(processes mpirun) && kill -TERM "$chosen" 2>/dev/null || true
}
study_killed() {
  for command in "submit s.yaml --wait" "collect s" "watch s" "submit s.yaml" "collect s"; do
    study $command >/dev/null 2>&1 & victim=$!
    pause_below 8
    kill -KILL $victim 2>/dev/null || true
    wait $victim 2>/dev/null || true
    kill_driver
  done
}
two_of_each() {
  at_some_time
  kill_driver
  for command in "submit s.yaml" "submit s.yaml" "collect s" "collect s"; do
    study $command >said.$command 2>&1 & others="${others:-} $!"
  done
  for other in $others; do wait "$other" || fail "one of two failed"; done
}
database_locked() {
  at_some_time
  { printf '.timeout 20000\nBEGIN EXCLUSIVE;\n'; sleep 8; printf 'ROLLBACK;\n'; } | sqlite3 "$HYSCALE_STORE/results.db"
}
database_corrupt() {
  at_some_time
  draw 8
  dd if=/dev/urandom of="$HYSCALE_STORE/results.db" bs=4096 seek="$number_drawn" count=4 conv=notrunc 2>/dev/null
  rebuilds
}
database_deleted() {
  at_some_time
  rm -f "$HYSCALE_STORE/results.db"
  rebuilds
}
# rebuilds: refused while a driver lives that holds the database
rebuilds() { eventually study collect s --rebuild >said 2>&1; }
# Root writes where it likes: only a mount stops it, one that is read-only from the start. What has the file open goes on.
database_unwritable() {
  at_some_time
  database=$HYSCALE_STORE/results.db view=$scratch/view
  touch "$view"
  mount --bind "$database" "$view" 2>/dev/null || return 77
  mount -o remount,bind,ro "$view" && mount --bind "$view" "$database" || fail "the mount cannot be made"
  umount "$view"
  mounted=$database
  kill_driver
  ! study collect s >said 2>&1 || fail "the database could be written"
  says "results.db"
  sleep 3
  umount --lazy "$database"
  mounted=
}
run_directory_deleted() {
  at_some_time
  one_of "$HYSCALE_STORE"/runs/* && rm -rf "$chosen"
}
before_disk_full() {
  mkdir -p "$HYSCALE_STORE/runs"
  mount -t tmpfs -o size=24m tmpfs "$HYSCALE_STORE/runs" 2>/dev/null && mounted=$HYSCALE_STORE/runs
}
disk_full() {
  at_some_time
  ! dd if=/dev/zero of="$HYSCALE_STORE/runs/filler" bs=1K 2>said || fail "the disk is not full"
  sleep 3
  rm "$HYSCALE_STORE/runs/filler"
}
heartbeat_stale() {
  at_some_time
  stopped=$(processes hybrid-worker)
  kill -STOP $stopped 2>/dev/null || true
  sleep 12
  kill -CONT $stopped 2>/dev/null || true
}

# --- one fault: the study is submitted, disturbed, and carried to its end
carried_on() {
  eventually study submit s.yaml >said 2>&1
  study watch s >said 2>&1 || study retry s >said 2>&1 || true
  [ "$(count_states done)" = "$runs" ]
}
disturb() {
  export HYSCALE_STORE="$scratch/store-$1"
  cp -r "$scratch/corpora-only" "$HYSCALE_STORE"
  [ "$1" != disk_full ] || before_disk_full || return 77
  rm -f stop
  train
  watch_truth & poller=$!
  "$1" || { code=$?; touch stop; wait $poller; return $code; }
  began=$(date +%s)
  rounds=0
  until carried_on; do rounds=$((rounds + 1)); [ $rounds -lt 20 ] || fail "$1: the study never ends"; done
  recovered=$(($(date +%s) - began))
  touch stop
  wait $poller
  cp untruths said
  [ ! -s untruths ] || fail "$1: status did not tell the truth"
  losses | cmp - calm.csv || fail "$1: a result has changed"
  same_curves "$scratch/calm"
  [ "$1" = run_directory_deleted ] || trained_once
  database_equals_directories
  nothing_stays
  echo "$1: clean; $(wc -l <polls) polls were true, done $recovered s after it"
}

write_base base.yaml
make_text 200 text.jsonl
expect 0 hybrid-worker data text.jsonl --tokenizer byte --validation-tokens 4K --out "$scratch/corpora-only/corpora/tiny"
write_study s.yaml s "[3e10, 6e10]"
sed -i -e '/^  mamba/d' -e 's/^resources.*/resources: {device: cpu, threads: 1, ranks: 2, runs: 2}/' s.yaml
cp -r corpora-only calm
expect 0 env HYSCALE_STORE="$scratch/calm" study submit s.yaml --wait
HYSCALE_STORE="$scratch/calm" losses >calm.csv
runs=$(($(wc -l <calm.csv) - 1))
[ "$runs" = 8 ] || fail "$runs runs instead of 8"
for run in calm/runs/*; do [ "$("$HYSCALE_TEST_DIR/curve" "$run/run.h5" | grep -vc eval)" -ge 200 ] || fail "a run is too short"; done

echo "seed ${HYSCALE_RANDOM_SEED:-20260301} (HYSCALE_RANDOM_SEED chooses another)"
if [ $# = 0 ]; then
  set -- rank_killed study_killed database_deleted run_directory_deleted
  [ "${HYSCALE_LONG_TESTS:-0}" = 0 ] || set -- "$@" mpirun_terminated two_of_each database_locked database_corrupt \
    database_unwritable disk_full heartbeat_stale
fi
for fault in "$@"; do
  if disturb "$fault"; then :; else
    [ $? = 77 ] || exit 1
    echo "$fault: skipped: this machine mounts nothing"
  fi
  [ -z "$mounted" ] || { umount "$mounted"; mounted=; }
  rm -rf "$HYSCALE_STORE"
done
