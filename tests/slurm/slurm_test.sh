#!/bin/sh
# A study on a real Slurm with real trainings of two ranks: the same results as on this machine alone, whatever is
# requeued, signalled or cancelled. Skipped where no Slurm can be started.
. "$HYSCALE_SOURCE_DIR/tests/slurm/support.sh"
start_cluster 2 4

make_text 200 text.jsonl
for store in calm store; do
  expect 0 hybrid-worker data text.jsonl --tokenizer byte --validation-tokens 4K --out "$scratch/$store/corpora/tiny"
done
write_base base.yaml
write_study s.yaml s "[6e9, 2e10]"
sed -i -e '/^  mamba/d' -e 's/^resources.*/resources: {device: cpu, threads: 1, ranks: 2, runs: 2}/' s.yaml
cat >>s.yaml <<'END'
slurm: {partition: main, time: "00:20:00", throttle: {runs: 3}, prologue: "export PROLOGUE=was-here"}
END

# --- the same study here, and on Slurm
expect 0 env HYSCALE_STORE="$scratch/calm" study submit s.yaml --wait
HYSCALE_STORE="$scratch/calm" losses >calm.csv
expect 0 study submit s.yaml --on slurm --test-only
says "to start at"
[ ! -e "$HYSCALE_STORE/results.db" ] || fail "--test-only submitted something"
expect 0 study submit s.yaml --on slurm
says "mpirun" "8 new runs"
expect 0 study watch s
says "8 done"
losses >slurm.csv
cmp calm.csv slurm.csv || fail "Slurm has changed a result"
count=$(ls -d "$HYSCALE_STORE"/jobs/slurm/*/job.sh | wc -l)
[ "$count" = 4 ] || fail "$count scripts instead of the test's, the trunks', the branches' and the report's"
eventually [ -f "$HYSCALE_STORE/reports/s/points.csv" ]
analyze points s --csv | cmp - "$HYSCALE_STORE/reports/s/points.csv" || fail "the report job saw other points"
grep -q "export PROLOGUE=was-here" "$HYSCALE_STORE"/jobs/slurm/*/job.sh || fail "the prologue is missing"
expect 0 study submit s.yaml --on slurm --wait
says "8 already done"

# --- one run requeued, one asked to checkpoint as before a time limit, one cancelled from outside: each goes its own way
write_study s.yaml s "[1e11]"
sed -i -e '/^  mamba/d' -e 's/^seeds: .*/seeds: {default: [1]}/' -e 's/branch: true/branch: false/' \
  -e 's/^resources.*/resources: {device: cpu, threads: 1, ranks: 2, runs: 2}/' s.yaml
echo 'slurm: {partition: main, time: "00:20:00", throttle: {runs: 3}}' >>s.yaml
# training N: at least N runs have begun to train under Slurm and have not ended
training() {
  : >training.txt
  for started in "$HYSCALE_STORE"/jobs/*/*/started.json; do
    job=${started%/started.json} run=${started%/*/*} 
    [ ! -f "$job/exit.json" ] && grep -q '"step": [1-9]' "$HYSCALE_STORE/runs/${run##*/}/status.json" 2>/dev/null || continue
    sed -n 's/.*"slurm_job": "\(.*\)".*/\1/p' "$started" >>training.txt
  done
  [ "$(wc -l <training.txt)" -ge "$1" ]
}
expect 0 study submit s.yaml --on slurm --no-report
[ -z "$(squeue -h --name=hyscale-s-report)" ] || fail "a report job in spite of --no-report"
eventually training 3
{ read -r requeued; read -r signalled; read -r cancelled; } <training.txt
expect 0 scontrol requeue "$requeued"
expect 0 scancel --batch --signal=USR1 "$signalled"
expect 0 scancel "$cancelled"
expect 1 study watch s
says "11 done" "1 cancelled" "cancelled from outside"
expect 1 study submit s.yaml --on slurm --wait
says "1 cancelled"
expect 0 study status s --json
[ "$(grep -c '"requeues": 1' said)" = 2 ] || fail "not two runs were started again by Slurm"
expect 0 study retry s
expect 0 study watch s
says "12 done"
expect 0 env HYSCALE_STORE="$scratch/calm" study submit s.yaml --wait
HYSCALE_STORE="$scratch/calm" losses >calm.csv
losses >slurm.csv
cmp calm.csv slurm.csv || fail "requeueing has changed a result"

# --- cancelled by us: running and waiting tasks end, and nothing stays with Slurm
sed -i 's/^seeds: .*/seeds: {default: [2]}/' s.yaml
expect 0 study submit s.yaml --on slurm
eventually training 1
# a database made anew knows which jobs are with Slurm, running and waiting ones
expect 0 study collect --rebuild
says "4 running"
expect 0 study status s --json
says_not '"planned": ' '"failed": '
expect 0 study cancel s
says "cancelled; study retry s runs them again"
eventually sh -c '[ -z "$(squeue -h)" ]'
