# For the tests on a real Slurm: what all end-to-end tests share, and a cluster of fake nodes on this machine.
. "$HYSCALE_SOURCE_DIR/tests/end_to_end/support.sh"
. "$HYSCALE_SOURCE_DIR/tests/end_to_end/faults.sh"
cluster=$HYSCALE_SOURCE_DIR/tests/slurm/cluster
export OMP_NUM_THREADS=1
# start_cluster NODES CORES: its commands are on PATH, and it ends with the test; where none can be started, the test is skipped
start_cluster() {
  "$cluster" up "$scratch/slurm" "$1" "$2" || exit $?
  trap '"$cluster" down "$scratch/slurm"; chmod -R u+w "$scratch" 2>/dev/null; rm -rf "$scratch"' EXIT
  . "$scratch/slurm/env.sh"
}
