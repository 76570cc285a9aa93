#!/bin/sh
# What a cluster does to a study, on a real Slurm with real trainings of two ranks: every run must end done, once, with
# the very losses of an undisturbed study, and with its interruptions counted by cause. Only with HYSCALE_LONG_TESTS=1.
#
#   slurm_matrix_test.sh [SCENARIO…]      default: all
#
# Set: HYSCALE_SOURCE_DIR, HYSCALE_BIN_DIR, HYSCALE_TEST_DIR; HYSCALE_RANDOM_SEED chooses other times.
[ "${HYSCALE_LONG_TESTS:-0}" = 1 ] || { echo "skipped: HYSCALE_LONG_TESTS=1 runs it"; exit 77; }
. "$HYSCALE_SOURCE_DIR/tests/end_to_end/support.sh"
. "$HYSCALE_SOURCE_DIR/tests/end_to_end/faults.sh"
PATIENCE=2400
cluster=$HYSCALE_SOURCE_DIR/tests/slurm/cluster
trap 'down; chmod -R u+w "$scratch" 2>/dev/null; rm -rf "$scratch"' EXIT
export OMP_NUM_THREADS=1 PORT="${PORT:-28650}"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1

down() { [ ! -d "$scratch/slurm" ] || "$cluster" down "$scratch/slurm"; rm -rf "$scratch/slurm"; }
# up [NAME=VALUE…]: a fresh cluster of two nodes with four cores each
up() {
  down
  env "$@" "$cluster" up "$scratch/slurm" 2 4 || return 77
  . "$scratch/slurm/env.sh"
}
answers() { scontrol ping >ping 2>&1; }

# study_of KIND [SLURM-KEY: VALUE…]: s.yaml. long: four stand-alone runs of some seconds, longer: of more than half a
# minute; branching: trunks with branches
study_of() {
  kind=$1
  shift
  case $kind in
    long) budgets="[1e11]" branch=false ;;
    longer) budgets="[5e11]" branch=false ;;
    branching) budgets="[6e9, 2e10]" branch=true ;;
  esac
  write_study s.yaml s "$budgets"
  sed -i -e '/^  mamba/d' -e "s/branch: true/branch: $branch/" \
    -e "s/^resources.*/resources: {device: cpu, threads: 1, ranks: 2, runs: 2, runs_per_gpu: ${SIDE_BY_SIDE:-1}}/" s.yaml
  more=$(printf ', %s' "$@")
  echo "slurm: {partition: main, report: false, time: \"${TIME:-00:20:00}\"${more%, }}" >>s.yaml
}
# calm KIND: the losses of that study when nothing disturbs it
calm() {
  [ -f "calm-$1.csv" ] && return
  study_of "$1"
  corpus_in "$scratch/calm-$1"
  expect 0 env HYSCALE_STORE="$scratch/calm-$1" study submit s.yaml --wait
  HYSCALE_STORE="$scratch/calm-$1" losses >"calm-$1.csv"
}
corpus_in() {
  [ -f text.jsonl ] || make_text 200 text.jsonl
  expect 0 hybrid-worker data text.jsonl --tokenizer byte --validation-tokens 4K --out "$1/corpora/tiny"
}
# is_clean KIND: all done, once each, with the losses of the calm study
is_clean() {
  runs=$(($(wc -l <"calm-$1.csv") - 1))
  expect 0 study status s
  says "$runs done"
  losses | cmp - "calm-$1.csv" || fail "a loss has changed"
  same_curves "$scratch/calm-$1"
  [ "$(counter own_faults)" = 0 ] || fail "somebody else's fault counts as the run's own"
  # the workers' own count of their attempts
  worked=$(sed -n 's/.*"attempt": \([0-9]*\).*/\1/p' "$HYSCALE_STORE"/runs/*/status.json | awk '{ n += $1 } END { print n }')
  known=$(($(counter requeues) + $(counter node_faults) + ${retried:-0} + runs))
  [ "$worked" -le "$known" ] || fail "workers have begun $worked times, $known times are accounted for"
  eventually sh -c '[ -z "$(squeue -h)" ]'
}
attempts_are() {
  [ "$(counter attempts)" = "$1" ] || fail "$(counter attempts) attempts instead of $1"
}
# jobs_training N: at least N jobs have begun to train and have not ended; training.txt: their tasks and hosts
jobs_training() {
  : >training.txt
  for started in "$HYSCALE_STORE"/jobs/*/*/started.json; do
    job=${started%/started.json} run=${started%/*/*}
    [ ! -f "$job/exit.json" ] && grep -q '"step": [1-9]' "$HYSCALE_STORE/runs/${run##*/}/status.json" 2>/dev/null || continue
    sed -n -e 's/.*"host": "\(.*\)".*/\1/p' -e 's/.*"slurm_job": "\(.*\)".*/\1/p' "$started" | paste -s -d ' ' >>training.txt
  done
  [ "$(wc -l <training.txt)" -ge "$1" ]
}

# --- scenarios
node_crash() {
  calm long
  up SLURMD_TIMEOUT=5 || return 77
  study_of long
  expect 0 study submit s.yaml --on slurm
  eventually jobs_training 3
  hit=$(grep -c '^node1 ' training.txt) || fail "nothing trains on node1"
  "$cluster" crash "$scratch/slurm" node1
  expect 0 study watch s
  is_clean long
  attempts_are 4
  [ "$(counter node_faults)" = "$hit" ] || fail "$(counter node_faults) node faults instead of $hit"
  [ "$(counter requeues)" = 0 ] || fail "a node's fault counts as a requeue"
}

preemption() {
  calm long
  up PREEMPT=1 || return 77
  study_of long
  expect 0 study submit s.yaml --on slurm
  eventually jobs_training 3
  expect 0 sbatch --partition=urgent --nodes=2 --exclusive --output=/dev/null --wrap='sleep 4'
  expect 0 study watch s
  is_clean long
  attempts_are 4
  [ "$(counter node_faults)" = 0 ] || fail "a preemption counts as a node's fault"
  [ "$(counter requeues)" -ge 3 ] || fail "$(counter requeues) requeues"
}

# With time to make room: the ranks checkpoint where they are, and no step is computed twice.
preemption_with_grace() {
  calm long
  up PREEMPT=1 || return 77
  expect 0 scontrol update partition=main GraceTime=60
  study_of long
  expect 0 study submit s.yaml --on slurm
  eventually jobs_training 3
  expect 0 sbatch --partition=urgent --nodes=2 --exclusive --output=/dev/null --wrap='sleep 4'
  expect 0 study watch s
  is_clean long
  [ "$(counter node_faults)" = 0 ] || fail "a preemption counts as a node's fault"
  [ "$(counter requeues)" -ge 3 ] || fail "$(counter requeues) requeues"
  ! grep -h '"from"' "$HYSCALE_STORE"/runs/*/journal | grep -q '"attempt":[2-9],"from":0' || fail "a run began anew"
}

# When it has saved that they run: what it has not saved it forgets.
controller_killed() {
  calm longer
  up || return 77
  study_of longer
  expect 0 study submit s.yaml --on slurm
  eventually jobs_training 4
  expect 0 scontrol update jobid="$(cut -d ' ' -f 2 training.txt | head -1)" comment=all-of-them-train
  eventually grep -q all-of-them-train "$scratch/slurm/state/job_state"
  "$cluster" kill "$scratch/slurm" ctld
  expect 0 study status s
  says_not "failed" "lost" "cancelled"
  "$cluster" start "$scratch/slurm" ctld
  eventually answers
  expect 0 study watch s
  is_clean longer
  attempts_are 4
}

# Its state is written late, so that it may forget what it has just taken.
controller_killed_at_once() {
  calm branching
  up || return 77
  study_of branching
  expect 0 study submit s.yaml --on slurm
  "$cluster" kill "$scratch/slurm" ctld
  "$cluster" start "$scratch/slurm" ctld
  eventually answers
  expect 0 study watch s
  is_clean branching
}

# The shortest limit there is, and the earliest signal before it: half a minute.
time_limit() {
  calm longer
  up || return 77
  TIME=00:01:00 study_of longer "signal_seconds: 30"
  expect 0 study submit s.yaml --on slurm
  expect 0 study watch s
  is_clean longer
  attempts_are 4
  [ "$(counter requeues)" -ge 1 ] || fail "no requeue: the limit was never felt"
  [ "$(counter node_faults)" = 0 ] || fail "a time limit counts as a node's fault"
}

# What squeue has forgotten sacct still knows, also when the controller has been killed meanwhile. It has no record of a
# task that was cancelled before Slurm split it off its array, here the last trunk; but then it has one of the others.
accounts() {
  calm branching
  up WITH_DBD=1 MIN_JOB_AGE=2 || return 77
  study_of branching "throttle: {runs: 1}"
  expect 0 study submit s.yaml --on slurm
  trunks=$(squeue -h --array -o %F | sort -n | head -1)
  forgotten_cancellation "^${trunks}_"
  : >cancelled
  eventually sh -c "find '$scratch/slurm/state/job_state' -newer cancelled | grep -q ."
  "$cluster" kill "$scratch/slurm" ctld
  "$cluster" start "$scratch/slurm" ctld
  eventually answers
  eventually sh -c "[ -z \"\$(squeue -h --array)\" ]"
  expect 1 study watch s
  says "2 cancelled" "cancelled from outside"
  expect 0 study retry s
  expect 0 study watch s
  is_clean branching
}
# forgotten_cancellation [PATTERN]: the last of the tasks that wait is cancelled outside, and nobody looks before Slurm has
# forgotten it
forgotten_cancellation() {
  waits=$(squeue -h --array --states=PENDING -o '%F_%K' | grep "${1:-.}" | sort -t_ -k1,1n -k2,2n | tail -1)
  expect 0 scancel "$waits"
  eventually sh -c "squeue -h --array --states=all -o '%F_%K' >queue && ! grep -qx '$waits' queue"
}

# With sacct off it tells that the controller that took the jobs still lives: it has lost nothing.
no_accounts() {
  calm branching
  up MIN_JOB_AGE=2 || return 77
  study_of branching "throttle: {runs: 1}"
  expect 0 study submit s.yaml --on slurm
  forgotten_cancellation
  eventually sh -c "[ -z \"\$(squeue -h --array)\" ]"
  n=0
  until study watch s >said 2>&1 || grep -q "1 cancelled" said; do n=$((n + 1)); [ $n -lt 10 ] || fail "the end never came"; done
  says "1 cancelled" "cancelled from outside"
  expect 0 study retry s
  expect 0 study watch s
  is_clean branching
}

srun() {
  calm branching
  up || return 77
  study_of branching "mpi: srun"
  command srun --mpi=list 2>&1 | grep -q pmix || { echo "srun: skipped: Slurm has no PMIx here"; return 77; }
  expect 0 study submit s.yaml --on slurm
  says "ranks are started by srun: PMIx"
  expect 0 study watch s
  is_clean branching
  attempts_are 8
}

packed() {
  calm branching
  up || return 77
  SIDE_BY_SIDE=2 study_of branching "pack: 2"
  expect 0 study submit s.yaml --on slurm
  tasks=$(squeue -h --array --states=all | wc -l)
  [ "$tasks" = 2 ] || fail "$tasks tasks for two arrays of four runs in one allocation each"
  expect 0 study watch s
  is_clean branching
  attempts_are 8
}

# By hand, one run: it stays cancelled whatever is asked of the study, until `study retry`.
scancel_by_hand() {
  calm long
  up || return 77
  study_of long
  expect 0 study submit s.yaml --on slurm
  eventually jobs_training 3
  one_of $(cut -d ' ' -f 2 training.txt)
  pause_below 20
  expect 0 scancel "$chosen"
  expect 1 study watch s
  says "3 done" "1 cancelled" "cancelled from outside"
  expect 1 study submit s.yaml --on slurm --wait
  says "1 cancelled"
  expect 0 study retry s
  expect 0 study watch s
  retried=1 is_clean long
}

# By hand: Slurm kills the task without a word and starts it again.
requeue_by_hand() {
  calm long
  up || return 77
  study_of long
  expect 0 study submit s.yaml --on slurm
  eventually jobs_training 3
  one_of $(cut -d ' ' -f 2 training.txt)
  pause_below 20
  expect 0 scontrol requeue "$chosen"
  expect 0 study watch s
  is_clean long
  attempts_are 4
}

# A node's daemon dies under its jobs, which go on, and comes back before anybody misses it.
daemon_killed() {
  calm longer
  up || return 77
  study_of longer
  expect 0 study submit s.yaml --on slurm
  eventually jobs_training 3
  pause_below 20
  "$cluster" kill "$scratch/slurm" node1
  expect 0 study status s
  says_not "failed" "lost" "cancelled"
  pause_below 30
  "$cluster" start "$scratch/slurm" node1
  expect 0 study watch s
  is_clean longer
  attempts_are 4
}

failing_trunk() {
  calm branching
  up || return 77
  study_of branching
  corpus_in "$HYSCALE_STORE"
  study plan s.yaml --json >plan.json
  bad=$(sed -n 's/.*"run_id":"\([0-9a-f]*\)".*/\1/p' plan.json | head -1)
  printf '#!/bin/sh\ncase "$*" in */runs/%s*) echo "no such device" >&2; exit 2 ;; esac\nexec hybrid-worker "$@"\n' "$bad" >worker
  chmod +x worker
  expect 0 env HYSCALE_WORKER="$scratch/worker" study submit s.yaml --on slurm
  expect 1 env HYSCALE_WORKER="$scratch/worker" study watch s
  says "2 failed" "6 done" "bad configuration" "its trunk"
  eventually sh -c '[ -z "$(squeue -h)" ]'
  expect 0 study retry s
  expect 0 study watch s
  is_clean branching
}

write_base base.yaml
[ $# -gt 0 ] || set -- node_crash preemption preemption_with_grace controller_killed \
  controller_killed_at_once time_limit accounts no_accounts srun packed failing_trunk scancel_by_hand requeue_by_hand \
  daemon_killed
echo "seed ${HYSCALE_RANDOM_SEED:-20260301} (HYSCALE_RANDOM_SEED chooses other times)"
skipped=
for scenario in "$@"; do
  began=$(date +%s)
  export HYSCALE_STORE="$scratch/store-$scenario"
  corpus_in "$HYSCALE_STORE"
  if (set -eu; "$scenario"); then
    echo "$scenario: clean, $(($(date +%s) - began)) s"
  else
    [ $? = 77 ] || exit 1
    echo "$scenario: skipped" && skipped="$skipped $scenario"
  fi
  rm -rf "$HYSCALE_STORE"
done
[ -z "$skipped" ] || echo "skipped:$skipped"
