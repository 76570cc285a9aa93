# Sourced by the end-to-end tests: a scratch directory, the built programs on PATH, and words for expectations.
set -eu
PATH="$HYSCALE_BIN_DIR:$PATH"
scratch=$(mktemp -d)
trap 'chmod -R u+w "$scratch" 2>/dev/null; rm -rf "$scratch"' EXIT
export HYSCALE_STORE="$scratch/store"
cd "$scratch"

fail() { printf 'FAILED: %s\n--- last output:\n' "$1" >&2; cat "$scratch/said" >&2; exit 1; }

# expect CODE COMMAND…: runs it, keeps stdout and stderr in $scratch/said, wants exit status CODE
expect() {
  wanted=$1; shift
  set +e; "$@" >"$scratch/said" 2>&1 </dev/null; got=$?; set -e
  [ "$got" = "$wanted" ] || fail "exit status $got instead of $wanted: $*"
}
# says TEXT…: the last output holds each of these
says() { for text in "$@"; do grep -qF -- "$text" "$scratch/said" || fail "the output does not say: $text"; done; }
says_not() { for text in "$@"; do ! grep -qF -- "$text" "$scratch/said" || fail "the output should not say: $text"; done; }
# count N TEXT: N lines of the last output hold it
count() { n=$(grep -cF -- "$2" "$scratch/said" || true); [ "$n" = "$1" ] || fail "$n lines instead of $1 hold: $2"; }

# make_text DOCUMENTS FILE: English-like documents, the same on every machine
make_text() {
  awk -v documents="$1" 'BEGIN {
    n = split("the a of and to in that it was he she for on with as his her at be this had not but from they which one you were all their there been have more when who will would what so no if about into than time only some could them other then now look like over such our man me even most made after also did many before must through years where much your way well should down because long each just state those people too mr how little", w, " ")
    seed = 7
    for (d = 0; d < documents; d++) {
      line = ""
      for (i = 0; i < 150; i++) { seed = (seed * 1103515245 + 12345) % 2147483648; line = line w[int(seed / 65536) % n + 1] (i % 15 == 14 ? ". " : " ") }
      printf "{\"text\": \"%s\"}\n", line
    } }' >"$2"
}

# write_base FILE: a tiny run config on corpus `tiny`
write_base() {
  cat >"$1" <<'END'
format: hyscale.run/1
model:
  vocabulary: 258
  context: 64
  d_model: 16
  mixers:
    A: {kind: attention, heads: 2, kv_heads: 1, head_dim: 8, rope: {theta: 10000}}
    M: {kind: mamba2, d_ssm: 32, head_dim: 16, d_state: 16, chunk: 32}
    H: {kind: hybrid, branches: [{kind: mamba2, d_ssm: 16, head_dim: 16, d_state: 16, chunk: 32},
                                 {kind: attention, heads: 2, kv_heads: 1, head_dim: 8}],
        norm: group, scale: none, fusion: subtract, value: separate, output: separate}
  stack: AM
  ffn: {kind: swiglu, d_ff: 32}
data: {corpus: tiny, seed: 0, cross_document: true}
train:
  tokens: 25600
  batch_tokens: 256
  optimizer: {kind: adamw, lr: 3e-3}
  schedule: {kind: trapezoid, warmup_tokens: 2560, cooldown_tokens: 5120}
  precision: fp32
  seed: 0
END
}

# write_study FILE NAME BUDGETS [FAMILY…]: a study of four sizes on base.yaml: transformer, mamba and the families given
write_study() {
  file=$1 name=$2 budgets=$3
  shift 3
  cat >"$file" <<END
format: hyscale.study/1
study: $name
base: base.yaml
families:
  transformer: {stack: A}
  mamba:       {stack: M}
$(for family in "$@"; do printf '  %s\n' "$family"; done)
sizes:
  - {name: s1, d_model: 16, layers: 2}
  - {name: s2, d_model: 24, layers: 2}
  - {name: s3, d_model: 32, layers: 2}
  - {name: s4, d_model: 48, layers: 2}
budgets: {flops: $budgets}
seeds: {default: [0]}
learning_rate: {at: 10K, value: 5e-3, exponent: -0.25}
batch: {tokens: 256}
schedule: {kind: trapezoid, warmup: 0.25, cooldown: 0.2, branch: true}
resources: {device: cpu, threads: 1}
END
}
