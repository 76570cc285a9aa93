#!/bin/sh
# A study of more than a hundred runs on a stand-in for Slurm's controller (fake_slurm), with a stand-in for the worker: arrays
# split at MaxArraySize, one ceiling over the arrays of several submissions, a controller that is away or slow, a submitter
# that is killed before it has put the report behind the arrays.
. "$HYSCALE_SOURCE_DIR/tests/end_to_end/support.sh"
command -v python3 >/dev/null || { echo "skipped: there is no python3"; exit 77; }
fake_slurm=$HYSCALE_SOURCE_DIR/tests/slurm/fake_slurm
"$fake_slurm" make "$scratch/slurm" 8 0
PATH="$scratch/slurm/bin:$PATH"
export HYSCALE_WORKER="$HYSCALE_TEST_DIR/stand_in_worker"
"$HYSCALE_TEST_DIR/large_store" spec "$HYSCALE_STORE" 60 >/dev/null
mv "$HYSCALE_STORE/large.yaml" "$HYSCALE_STORE/base.yaml" .
sed -i 's/throttle: .*/throttle: {runs: 12}, report: false}/' large.yaml

# --- 60 runs, 12 of them trunks; then as many again while Slurm still has the first: both together keep the ceiling
expect 0 study submit large.yaml --on slurm
says "60 new runs"
first=$(ls -d "$HYSCALE_STORE"/jobs/slurm/*-????????/job.sh | wc -l)
[ "$first" -ge 8 ] || fail "$first arrays hold 60 runs, of 8 indices each"
sed -i 's/^seeds: .*/seeds: {default: [0, 1, 2, 3, 4, 5]}/' large.yaml
expect 0 study submit large.yaml --on slurm
says "60 new runs"
for script in "$HYSCALE_STORE"/jobs/slurm/*-????????/job.sh; do
  last=$(sed -n 's/^#SBATCH --array=\(.*[-,]\)\{0,1\}\([0-9]*\)%.*/\2/p' "$script")
  [ "$last" -le 7 ] || fail "$script has index $last"
done

# --- while the controller is away nobody knows, and nothing is taken for failed or submitted anew
touch slurm/deaf
expect 0 study status large
says "120 submitted"
says_not "failed" "lost"
expect 0 study submit large.yaml --on slurm
rm slurm/deaf
echo 1 >slurm/slow
expect 0 study status large
says "120 submitted"
rm slurm/slow

# --- all runs once, never more than twelve at a time
"$fake_slurm" play slurm >said
says "120 tasks, at most 12 at once"
expect 0 study status large
says "120 done"
[ "$(grep -c '^start ' "$HYSCALE_STORE/witness.txt")" = 120 ] || fail "not every run was started once"
! grep -q '^twice ' "$HYSCALE_STORE/witness.txt" || fail "a run was trained twice at a time"

# --- killed between the arrays and the report: whoever looks next puts it behind them, once
sed -i -e 's/^seeds: .*/seeds: {default: [0, 1, 2, 3, 4, 5, 6]}/' -e 's/, report: false//' large.yaml
mkdir killer
printf '#!/bin/sh\ncase "$*" in *-report/job.sh) kill -KILL $PPID; exit 1 ;; esac\nexec "%s" "$@"\n' "$(command -v sbatch)" >killer/sbatch
chmod +x killer/sbatch
expect 137 env PATH="$scratch/killer:$PATH" study submit large.yaml --on slurm
reports() { squeue | grep -c 'hyscale-large-report'; }
[ "$(reports)" = 0 ] || fail "the report was submitted although its submitter was killed"
for look in 1 2; do
  expect 0 study status large
  says "20 submitted" "120 done"
  [ "$(reports)" = 1 ] || fail "$(reports) report jobs after look $look"
done
