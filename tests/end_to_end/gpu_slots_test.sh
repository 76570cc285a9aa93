#!/bin/sh
# Runs that want GPUs, on a machine whose GPUs exist by name alone: a stand-in notes what each run is given and trains
# on the CPU. No GPU has more runs than it may, all are used, and nothing changes when the study's driver is killed.
. "$HYSCALE_SOURCE_DIR/tests/end_to_end/support.sh"
export OMP_NUM_THREADS=1 HYSCALE_GPU_LEASES="$scratch/leases"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_hwloc_base_binding_policy=none

make_text 100 text.jsonl
expect 0 hybrid-worker data text.jsonl --tokenizer byte --validation-tokens 4K --out "$HYSCALE_STORE/corpora/tiny"
write_base base.yaml
write_study s.yaml s "[6e9]"
cat >worker <<EOF
#!/bin/sh
out=\$(printf '%s\n' "\$@" | sed -n '/^--out\$/{n;p;}')
note() { [ "\${OMPI_COMM_WORLD_RANK-0}" != 0 ] || echo "\$1 \${CUDA_VISIBLE_DEVICES-none} \${out##*/}" >>"$scratch/witness"; }
note start
for word; do shift; [ "\$word" = cuda ] && word=cpu; set -- "\$@" "\$word"; done
"$HYSCALE_BIN_DIR/hybrid-worker" "\$@"
code=\$?
note end
exit \$code
EOF
chmod +x worker
export HYSCALE_WORKER="$scratch/worker"
# most: how many runs a GPU ever had at once
most() {
  awk '{ for (i = split($2, g, ","); i > 0; i--) { n[g[i]] += $1 == "start" ? 1 : -1; if (n[g[i]] > most) most = n[g[i]] } }
       END { print most + 0 }' witness
}
used() { awk '$1 == "start" { print $2 }' witness | tr , '\n' | sort -u | tr '\n' ' '; }

# --- one run a GPU; the driver dies twice
sed -i 's/^resources: .*/resources: {device: cuda, threads: 1}/' s.yaml
expect 0 study submit s.yaml --gpus a,b
for i in 1 2; do
  driver=$(study status s --json | sed -n '/"driver": {/,/}/s/.*"pid": \([0-9]*\).*/\1/p')
  [ -z "$driver" ] || kill -KILL "$driver" 2>/dev/null || true
done
expect 0 study submit s.yaml --gpus a,b --wait
says "8 done"
[ "$(used)" = "a b " ] || fail "the runs used $(used)"
[ "$(most)" = 1 ] || fail "a GPU had $(most) runs at once"
[ "$(grep -c ^start witness)" = 8 ] || fail "not one attempt for each run"

# --- two runs share one GPU, which the environment names
rm witness
sed -i -e 's/^study: .*/study: shared/' -e 's/^seeds: .*/seeds: {default: [1]}/' \
  -e 's/^resources: .*/resources: {device: cuda, threads: 1, runs_per_gpu: 2}/' s.yaml
expect 0 env CUDA_VISIBLE_DEVICES=GPU-7 study submit s.yaml --wait
says "8 done"
[ "$(used)" = "GPU-7 " ] || fail "the runs used $(used)"
[ "$(most)" -le 2 ] || fail "a GPU had $(most) runs at once"

# --- two GPUs a run
rm witness
sed -i -e 's/^study: .*/study: pairs/' -e 's/^seeds: .*/seeds: {default: [2]}/' \
  -e 's/^resources: .*/resources: {device: cuda, threads: 1, gpus: 2}/' s.yaml
expect 0 study submit s.yaml --gpus a,b,c --wait
[ "$(awk '$1 == "start" { print split($2, g, ",") }' witness | sort -u)" = 2 ] || fail "not two GPUs a run"
[ "$(most)" = 1 ] || fail "a GPU had $(most) runs at once"

# --- two studies of two stores meet on one GPU, and a waiting run can be cancelled
rm witness
cp -r "$HYSCALE_STORE" other
sed -i -e 's/^study: .*/study: left/' -e 's/^seeds: .*/seeds: {default: [3]}/' \
  -e 's/^resources: .*/resources: {device: cuda, threads: 1}/' s.yaml
sed 's/^study: .*/study: right/' s.yaml >right.yaml
study --store other submit right.yaml --gpus a >right.txt 2>&1
expect 0 study submit s.yaml --gpus a --wait
expect 0 study --store other watch right
[ "$(most)" = 1 ] || fail "two studies gave a GPU $(most) runs at once"
sed -i -e 's/^study: .*/study: waits/' -e 's/^seeds: .*/seeds: {default: [4]}/' s.yaml
exec 9>"$HYSCALE_GPU_LEASES/a.mode"
flock 9
expect 0 study submit s.yaml --gpus a
expect 0 study cancel waits
says "8 runs cancelled"
exec 9>&-

# --- more than there are
sed -i 's/^resources: .*/resources: {device: cuda, gpus: 2}/' s.yaml
expect 2 study submit s.yaml --gpus a
says "asks for 2 GPUs, this machine has 1"
