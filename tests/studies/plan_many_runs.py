#!/usr/bin/env python3
"""Plans a study of very many runs and says what that takes: plan_many_runs.py PATH/TO/study [RUNS]

Five families, ten sizes, ten budgets, two settings of an axis; as many seeds as the number of runs asks for (100,000
unless given). Prints one line for the tables and one for --json: runs, seconds, memory.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

BASE = """format: hyscale.run/1
model:
  vocabulary: 32768
  context: 1024
  d_model: 256
  mixers:
    A: {kind: attention, heads: 4, kv_heads: 2, head_dim: 64, rope: {theta: 500000}}
    M: {kind: mamba2, d_ssm: 512, head_dim: 64, d_state: 64}
    H: {kind: hybrid, branches: [{kind: mamba2, d_ssm: 256, head_dim: 64, d_state: 64},
                                 {kind: attention, heads: 2, kv_heads: 1, head_dim: 64, value_dim: 128}],
        norm: group, scale: none, fusion: subtract, value: separate, output: separate}
  stack: AM
  ffn: {kind: swiglu, d_ff: 704}
data: {corpus: many}
train:
  tokens: 20054016
  batch_tokens: 65536
  optimizer: {kind: adamw, lr: 3e-3}
  schedule: {kind: trapezoid, warmup_tokens: 983040, cooldown_tokens: 3997696}
"""

SPEC = """format: hyscale.study/1
study: many
base: base.yaml
families:
  transformer: {{stack: A}}
  mamba: {{stack: M}}
  inter: {{family: inter, ratio: "1:5", placement: middle}}
  intra: {{family: intra, ratio: "1:5", placement: scatter}}
  thirds: {{family: inter, ratio: "1:2", placement: middle}}
sizes: [20M, 35M, 60M, 100M, 170M, 300M, 500M, 900M, 1.5B, 3B]
budgets: {{flops: [1e20, 1.5e20, 2e20, 3e20, 4e20, 6e20, 9e20, 1.3e21, 2e21, 3e21]}}
axes: {{train.optimizer.weight_decay: [0.1, 0.01]}}
seeds: {seeds}
learning_rate: {{at: 100M, value: 3e-3, exponent: -0.25}}
batch: {{tokens: 262144}}
schedule: {{kind: trapezoid, warmup: 0.25, cooldown: 0.2, branch: true}}
resources: {{device: cuda, gpus: 1, gpu_kind: H200}}
"""


def write_store(root, runs):
    corpus = root / "store/corpora/many"
    corpus.mkdir(parents=True)
    manifest = {"format": "hyscale.corpus/1", "name": "many", "tokenizer": "bpe", "vocabulary": 32768, "bos": 0, "eos": 1,
                "train_tokens": 10**13, "validation_tokens": 10**7, "train_documents": 10**9, "validation_documents": 100,
                "train_bytes": 4 * 10**13, "validation_bytes": 4 * 10**7, "unigram_entropy": 7.0,
                "corpus_sha256": "a" * 64, "tokenizer_sha256": "b" * 64}
    (corpus / "manifest.json").write_text(json.dumps(manifest))
    (root / "base.yaml").write_text(BASE)
    (root / "many.yaml").write_text(SPEC.format(seeds=list(range(max(1, runs // 1000)))))


def measure(study, root, *options):
    with open(root / "out", "w") as out:
        start = time.monotonic()
        child = subprocess.Popen([study, "--store", root / "store", "plan", root / "many.yaml", *options], stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - start
    if status != 0:
        sys.exit("study plan failed")
    return seconds, usage


def main():
    study, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        write_store(root, runs)
        for options in ([], ["--json"]):
            seconds, usage = measure(study, root, *options)
            text = (root / "out").read_text()
            planned = len(json.loads(text)["runs"]) if options else text.count(" branch of ") + text.count("  trunk")
            print(f"plan {' '.join(options):6} {planned} runs: {seconds:.2f} s ({usage.ru_utime + usage.ru_stime:.2f} s of CPU), "
                  f"{usage.ru_maxrss / 1024:.0f} MiB")


main()
