#!/bin/sh
# study doctor on a real Slurm: all is well until something is taken away, and then that is what it names.
. "$HYSCALE_SOURCE_DIR/tests/slurm/support.sh"
export PORT="${PORT:-28650}"
start_cluster 2 2

make_text 100 text.jsonl
expect 0 hybrid-worker data text.jsonl --tokenizer byte --validation-tokens 4K --out "$HYSCALE_STORE/corpora/tiny"
write_base base.yaml
write_study plain.yaml s "[6e9]"
sed -i 's/^resources.*/resources: {device: cpu, threads: 1, ranks: 2}/' plain.yaml
# spec TEXT: s.yaml with that slurm: section
spec() { cp plain.yaml s.yaml; echo "slurm: {$1}" >>s.yaml; }
# finds LEVEL CHECK TEXT REMEDY: the last output has such a finding, and behind it such a remedy
finds() {
  grep -A1 -E "^$1 +$2 .*$3" said >found || fail "no $1 of $2 says: $3"
  grep -qE "^ +try: .*$4" found || fail "the remedy of $2 does not say: $4"
}

# --- all is well, seen from here and from inside a job, by mpirun and by srun
spec 'partition: main, time: "00:20:00", prologue: "export HERE=there"'
expect 0 study doctor s.yaml --on slurm
says "2 ranks see each other" "to start at"
expect 0 study doctor s.yaml --on slurm --job
says "a lock that another host holds is seen here"
count 2 "by mpirun: 2 ranks see each other"
grep -q "^on " said || fail "nothing was seen from inside a job"
[ -z "$(ls "$HYSCALE_STORE/jobs/slurm")" ] || fail "the job has left something"
[ ! -e "$HYSCALE_STORE/results.db" ] || fail "looking has made a database"
expect 0 study doctor s.yaml --on slurm --json
says '"ready": true'
if srun --mpi=list 2>&1 | grep -q pmix; then
  spec 'partition: main, time: "00:20:00", mpi: srun'
  expect 0 study doctor s.yaml --on slurm --job
  says "by srun: 2 ranks see each other"
fi

# --- what a spec asks that is not there
spec 'partition: nowhere, time: "00:20:00"'
expect 1 study doctor s.yaml --on slurm
finds failure partition "no partition 'nowhere'" "main"
finds failure job "Invalid partition" "slurm:"
spec 'partition: main, nodes: 2, time: "00:20:00", constraint: golden'
expect 1 study doctor s.yaml --on slurm
finds failure job "Invalid feature" "slurm:"
expect 0 scontrol update partition=main MaxTime=5
spec 'partition: main, time: "00:20:00"'
expect 1 study doctor s.yaml --on slurm
finds failure partition "more time than allowed" "resources.time"
expect 0 scontrol update partition=main MaxTime=60 State=DOWN
expect 1 study doctor s.yaml --on slurm
finds failure partition "not up: main" "wait for it"
expect 0 scontrol update partition=main State=UP

# --- what only a job can see: surroundings that the nodes do not have, and a queue that does not move
spec 'partition: main, time: "00:20:00", modules: [no-such-module]'
expect 1 study doctor s.yaml --on slurm --job
finds failure job "ended before it could look: .*module" "prologue, modules"
spec 'partition: main, time: "00:20:00", prologue: "export PATH=/nowhere"'
expect 1 study doctor s.yaml --on slurm --job
finds failure mpi "no mpirun" "OpenMPI"
for node in node1 node2; do expect 0 scontrol update nodename=$node state=drain reason=test; done
spec 'partition: main, time: "00:20:00"'
expect 1 study doctor s.yaml --on slurm --job --patience 1
finds failure job "has not ended after 1 s: PENDING" "patience"
[ -z "$(squeue -h)" ] || [ "$(squeue -h -o %T)" = CANCELLED ] || fail "the job still waits"
study doctor s.yaml --on slurm --job >said 2>&1 &
n=0
until squeue -h --states=PENDING | grep -q .; do n=$((n + 1)); [ $n -lt 600 ] || fail "the job was never submitted"; sleep 0.1; done
kill -TERM $!
wait $! && fail "an interrupted doctor is content" || [ $? = 143 ] || fail "not the exit status of an interrupted program"
says "interrupted"
[ -z "$(squeue -h --states=PENDING)" ] || fail "the job still waits"

# --- the programs, the store and the controller
mkdir bin
expect 1 env PATH="$scratch/bin" "$HYSCALE_BIN_DIR/study" doctor s.yaml --on slurm
finds failure slurm "there is no scontrol" "login node"
expect 1 env PATH="$scratch/bin" "$HYSCALE_BIN_DIR/study" doctor s.yaml
finds failure mpi "no mpirun" "OpenMPI"
expect 1 env HYSCALE_WORKER="$scratch/no-worker" study doctor s.yaml
finds failure worker "does not start" "HYSCALE_WORKER"
expect 1 study --store /proc/store doctor
finds failure store "/proc/store" "--store"
"$cluster" kill "$scratch/slurm" ctld
expect 1 study doctor s.yaml --on slurm
finds failure slurm "does not answer" "scontrol ping"
