"""Stacks for compare_logits.py: for every class the options that its config has to carry over."""

HEAD = """format: hyscale.run/1
model:
  vocabulary: 259
  context: 96
  d_model: {d_model}
  norm_epsilon: {epsilon}
  mixers:
{mixers}
  stack: {stack}
  ffn: {ffn}
data: {{corpus: {corpus}}}
train:
  tokens: 9600
  batch_tokens: 96
  optimizer: {{kind: adamw, lr: 1e-3}}
  schedule: {{kind: constant}}
"""

SWIGLU = "{kind: swiglu, d_ff: 80}"
NONE = "{kind: none}"
LLAMA3 = "{theta: 5e4, scaling: {kind: llama3, factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_context: 32}}"


def attention(rope="{theta: 10000}", heads=4, kv_heads=2, head_dim=16):
    return f"{{kind: attention, heads: {heads}, kv_heads: {kv_heads}, head_dim: {head_dim}, rope: {rope}}}"


def mamba2(d_ssm=128, head_dim=16, d_state=16, groups=1, conv=4, norm_groups=None):
    norm = f", norm_groups: {norm_groups}" if norm_groups else ""
    return f"{{kind: mamba2, d_ssm: {d_ssm}, head_dim: {head_dim}, d_state: {d_state}, groups: {groups}, conv: {conv}, chunk: 32{norm}}}"


def hybrid(fusion, first=mamba2(d_ssm=96, groups=2), second=attention(), output="separate"):
    return f"{{kind: hybrid, branches: [{first}, {second}], norm: none, scale: none, fusion: {fusion}, value: separate, output: {output}}}"


def run_yaml(corpus, mixers, stack, ffn=SWIGLU, d_model=64, epsilon=1e-5):
    lines = "\n".join(f"    {name}: {block}" for name, block in mixers.items())
    return HEAD.format(d_model=d_model, epsilon=epsilon, mixers=lines, stack=stack, ffn=ffn, corpus=corpus)


# (class, what is special, arguments of run_yaml)
STACKS = [
    ("LlamaForCausalLM", "heads share keys", dict(mixers={"A": attention()}, stack="AAA")),
    ("LlamaForCausalLM", "one key head, wide heads, epsilon 1e-3",
     dict(mixers={"A": attention(kv_heads=1, head_dim=24)}, stack="AA", epsilon=1e-3)),
    ("LlamaForCausalLM", "llama3 scaling", dict(mixers={"A": attention(rope=LLAMA3)}, stack="AA")),
    ("Mamba2ForCausalLM", "one group", dict(mixers={"M": mamba2()}, stack="MMM", ffn=NONE)),
    ("Mamba2ForCausalLM", "four groups, conv 3, epsilon 1e-3",
     dict(mixers={"M": mamba2(groups=4, norm_groups=4, conv=3, d_ssm=192)}, stack="MM", ffn=NONE, epsilon=1e-3)),
    ("BambaForCausalLM", "Mamba with FFN", dict(mixers={"M": mamba2(groups=2, norm_groups=2)}, stack="MMM")),
    ("BambaForCausalLM", "half of each head turns",
     dict(mixers={"M": mamba2(), "A": attention(rope="{theta: 10000, fraction: 0.5}")}, stack="AMMAM")),
    ("BambaForCausalLM", "whole heads turn, wide heads", dict(mixers={"M": mamba2(d_ssm=64), "A": attention(head_dim=24)}, stack="MMAMMA")),
    ("BambaForCausalLM", "llama3 scaling, attention alone, a quarter turns",
     dict(mixers={"A": attention(rope=LLAMA3.replace("theta", "fraction: 0.25, theta"), head_dim=32)}, stack="AA")),
    ("BambaForCausalLM", "attention alone, three heads for d_model 64", dict(mixers={"A": attention(heads=3, kv_heads=1)}, stack="AA")),
    ("GraniteMoeHybridForCausalLM", "no positions", dict(mixers={"M": mamba2(), "A": attention(rope="none")}, stack="MAMMA")),
    ("GraniteMoeHybridForCausalLM", "no positions, attention alone, epsilon 1e-3",
     dict(mixers={"A": attention(rope="none", head_dim=24)}, stack="AAA", epsilon=1e-3)),
    ("FalconH1ForCausalLM", "branches added", dict(mixers={"H": hybrid("add")}, stack="HHH")),
    ("FalconH1ForCausalLM", "attention subtracted", dict(mixers={"H": hybrid("subtract")}, stack="HH")),
    ("FalconH1ForCausalLM", "Mamba subtracted, wide heads",
     dict(mixers={"H": hybrid("subtract", first=attention(head_dim=24), second=mamba2(d_ssm=96, groups=3))}, stack="HH", epsilon=1e-3)),
    ("FalconH1ForCausalLM", "branches side by side before one projection",
     dict(mixers={"H": hybrid("concat", output="joint")}, stack="HH")),
    ("FalconH1ForCausalLM", "one projection of the difference, branches equally wide",
     dict(mixers={"H": hybrid("subtract", first=mamba2(d_ssm=64), output="joint")}, stack="HH")),
]
