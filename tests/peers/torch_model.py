"""The models of core/mixers and core/model in PyTorch, for timing: same shapes, same arithmetic, fp32."""

import math
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import nn

# The fastest spelling of each part; `torch_cpu.py --variant NAME=VALUE` tries another one. CPU seconds of a step on one
# thread, torch 2.15, 256 channels, variants taking turns in one process (figures within 2 % do not differ):
#   transformer, eager 1.64: attention=blocked 1.67, gqa=expand 1.67, norm=library 1.66, loss=pieces 1.64, foreach AdamW 1.66
#   mamba2, eager, chunks of 64: 1.77; of 128 1.87, of 256 2.10; with 128: conv=library 2.08, norm=library 1.90
#   mamba2, compiled, chunks of 64: 1.81; of 32 1.89, of 128 1.85; conv=library 1.90
# The merged products (q|k|v, gate|up, z|x|B|C|dt; the states of all heads of a group) are not optional.
CHOICE = SimpleNamespace(
    norm="written",       # library: F.rms_norm
    conv="shifts",        # a sum of shifted rows; library: F.conv1d with one group per channel
    gqa="native",         # enable_gqa; expand: keys and values repeated
    attention="library",  # scaled_dot_product_attention; blocked: products and softmax over blocks of queries
    chunk=64,             # of the scan; 0: what the run says
    loss="whole",         # pieces: logits of 1024 tokens at a time
    stream=torch.float32,  # of the residual stream; torch_gpu.py: bf16
)


def matrix(rows, columns, shrink=1.0):
    return nn.Parameter(torch.randn(rows, columns) * (shrink / math.sqrt(columns)))


def rms_norm(x, weight, epsilon):
    if CHOICE.norm == "library":
        return F.rms_norm(x, x.shape[-1:], weight, epsilon)
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * weight


class RmsNorm(nn.Module):
    def __init__(self, width, epsilon=1e-5):
        super().__init__()
        self.weight, self.epsilon = nn.Parameter(torch.ones(width)), epsilon

    def forward(self, x):
        return rms_norm(x, self.weight, self.epsilon)


class Attention(nn.Module):
    """Values of causal attention with grouped keys and values; queries, keys and values from one product."""

    def __init__(self, spec, d_model, context):
        super().__init__()
        self.heads, self.kv_heads, self.dim = spec["heads"], spec["kv_heads"], spec["head_dim"]
        self.width = spec["value_dim"]
        self.value_head = self.width // self.heads
        rows = (self.heads + self.kv_heads) * self.dim + self.kv_heads * self.value_head
        self.qkv = matrix(rows, d_model)
        self.rope = spec["theta"] is not None
        if self.rope:
            rate = spec["theta"] ** (-torch.arange(self.dim // 2, dtype=torch.float64) / (self.dim // 2))
            angle = torch.arange(context, dtype=torch.float64)[:, None] * rate
            self.register_buffer("cos", angle.cos().float()[:, None], persistent=False)  # [context, 1, dim / 2]
            self.register_buffer("sin", angle.sin().float()[:, None], persistent=False)

    def turned(self, x):  # [sequences, context, heads, dim]
        a, b = x.chunk(2, -1)
        return torch.cat([a * self.cos - b * self.sin, b * self.cos + a * self.sin], -1)

    def forward(self, x):
        sequences, length, _ = x.shape
        turning = (self.heads + self.kv_heads) * self.dim
        qkv = F.linear(x, self.qkv)
        qk = qkv[..., :turning].view(sequences, length, -1, self.dim)
        v = qkv[..., turning:].view(sequences, length, self.kv_heads, self.value_head).transpose(1, 2)
        q, k = (self.turned(qk) if self.rope else qk).transpose(1, 2).split([self.heads, self.kv_heads], 1)
        if CHOICE.gqa == "expand":
            k, v = (t.repeat_interleave(self.heads // self.kv_heads, 1) for t in (k, v))
        attend = blocked_attention if CHOICE.attention == "blocked" else library_attention
        return attend(q, k, v).transpose(1, 2).reshape(sequences, length, self.width)


def library_attention(q, k, v):
    def attend(v):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=q.shape[1] != k.shape[1])
    # The fused kernel wants one width: wider values go through it in pieces of the queries' width.
    return torch.cat([attend(piece) for piece in v.split(q.shape[-1], -1)], -1) if v.shape[-1] > q.shape[-1] else attend(v)


def blocked_attention(q, k, v, block=256):
    """Causal attention in blocks of queries, each a product with the keys up to its last one: no masked half."""
    n, heads, length, dim = q.shape
    kv_heads = k.shape[1]
    block = min(block, length)
    q = q.reshape(n, kv_heads, heads // kv_heads, length, dim) * dim ** -0.5
    future = torch.ones(block, block, dtype=torch.bool).triu(1)
    out = []
    for begin in range(0, length, block):
        end = min(begin + block, length)
        scores = q[:, :, :, begin:end].flatten(2, 3) @ k[:, :, :end].transpose(-1, -2)
        scores = scores.view(n, kv_heads, -1, end - begin, end)
        mask = F.pad(future[:end - begin, :end - begin], (begin, 0), value=False)
        weights = scores.masked_fill(mask, -torch.inf).softmax(-1)
        out.append((weights.flatten(2, 3) @ v[:, :, :end]).view(n, heads, end - begin, -1))
    return torch.cat(out, 2)


def causal_conv_silu(u, weight, bias):
    """u [sequences, length, channels], weight [channels, taps], oldest tap first."""
    taps, length = weight.shape[1], u.shape[1]
    if CHOICE.conv == "library":
        out = F.conv1d(u.transpose(1, 2), weight[:, None], bias, padding=taps - 1, groups=weight.shape[0])
        return F.silu(out[..., :length].transpose(1, 2))
    padded = F.pad(u, (0, 0, taps - 1, 0))
    out = bias
    for tap in range(taps):
        out = out + padded[:, tap:tap + length] * weight[:, tap]
    return F.silu(out)


def ssd(x, dt, a, b, c, chunk):
    """Mamba-2's scan (Dao & Gu 2024) in chunks, as matrix products.
    x [sequences, length, heads, dim], dt [sequences, length, heads] > 0, a [heads] < 0, b and c [sequences, length, groups, state]."""
    n, length, heads, dim = x.shape
    groups, state = b.shape[2:]
    chunks, per = length // chunk, heads // groups
    x = x * dt[..., None]
    sums = (dt * a).view(n, chunks, chunk, heads).cumsum(2)  # log of the decay since the chunk's start
    by_head = sums.transpose(2, 3)  # [n, chunks, heads, chunk]
    future = torch.ones(chunk, chunk, dtype=torch.bool).triu(1)
    decay = (by_head[..., :, None] - by_head[..., None, :]).masked_fill(future, -torch.inf).exp()
    b, c = (t.view(n, chunks, chunk, groups, state).transpose(2, 3) for t in (b, c))  # [n, chunks, groups, chunk, state]
    scores = c @ b.transpose(-1, -2)  # [n, chunks, groups, chunk, chunk]
    mixing = (scores[:, :, :, None] * decay.view(n, chunks, groups, per, chunk, chunk)).view(n, chunks, heads, chunk, chunk)
    x = x.view(n, chunks, chunk, heads, dim)
    inside = (mixing @ x.transpose(2, 3)).transpose(2, 3)
    # All heads of a group share b and c: their states are one product.
    wide = (x * (sums[:, :, -1:] - sums).exp()[..., None]).view(n, chunks, chunk, groups, per * dim).transpose(2, 3)
    local = b.transpose(-1, -2) @ wide  # [n, chunks, groups, state, per * dim]
    before = carried(local, sums[:, :, -1], per, dim)
    outside = (c @ before).transpose(2, 3).reshape(n, chunks, chunk, heads, dim) * sums.exp()[..., None]
    return (inside + outside).reshape(n, length, heads, dim)


def scan(x, dt, dt_bias, a_log, b, c, d, chunk):
    """ssd of softplus(dt + dt_bias), with the skip d · x. torch_gpu.py puts a fused kernel in its place."""
    return ssd(x, F.softplus(dt + dt_bias), -a_log.exp(), b, c, chunk) + d[:, None] * x


def carried(local, whole, per, dim):
    """States at each chunk's start: a walk over the chunks. local [n, chunks, groups, state, per·dim], whole [n, chunks, heads]."""
    n, chunks, groups, state, _ = local.shape
    keep = whole.exp().view(n, chunks, groups, 1, per, 1).expand(-1, -1, -1, -1, -1, dim).reshape(n, chunks, groups, 1, per * dim)
    at = torch.zeros_like(local[:, 0])
    states = [at]
    for i in range(chunks - 1):
        at = at * keep[:, i] + local[:, i]
        states.append(at)
    return torch.stack(states, 1)


def ssd_recurrence(x, dt, a, b, c):
    """The same map token by token: what ssd is checked against."""
    n, length, heads, dim = x.shape
    b, c = (t.repeat_interleave(heads // t.shape[2], 2) for t in (b, c))
    state = x.new_zeros(n, heads, b.shape[-1], dim)
    out = []
    for t in range(length):
        step = dt[:, t, :, None, None] * b[:, t, :, :, None] * x[:, t, :, None, :]
        state = state * (dt[:, t] * a).exp()[..., None, None] + step
        out.append((c[:, t, :, :, None] * state).sum(2))
    return torch.stack(out, 1)


class Mamba2(nn.Module):
    """Values of Mamba-2, after the gated norm."""

    def __init__(self, spec, d_model, _):
        super().__init__()
        self.spec, self.width = SimpleNamespace(**spec), spec["d_ssm"]
        self.heads = self.width // self.spec.head_dim
        self.bc = self.spec.groups * self.spec.d_state
        conv_width = self.width + 2 * self.bc
        self.inner = matrix(2 * self.width + 2 * self.bc + self.heads, d_model)
        bound = self.spec.conv ** -0.5
        self.conv_weight = nn.Parameter(torch.empty(conv_width, self.spec.conv).uniform_(-bound, bound))
        self.conv_bias = nn.Parameter(torch.empty(conv_width).uniform_(-bound, bound))
        low, high = map(math.log, self.spec.dt_init)
        dt = torch.empty(self.heads).uniform_(low, high).exp()
        self.dt_bias = nn.Parameter(dt + torch.log(-torch.expm1(-dt)))
        self.a_log = nn.Parameter(torch.empty(self.heads).uniform_(*self.spec.a_init).log())
        self.d = nn.Parameter(torch.ones(self.heads))
        if self.spec.gated_norm:
            self.norm_weight = nn.Parameter(torch.ones(self.width))

    def forward(self, x):
        n, length, _ = x.shape
        z, inner, dt = F.linear(x, self.inner).split([self.width, self.width + 2 * self.bc, self.heads], -1)
        inner = causal_conv_silu(inner, self.conv_weight, self.conv_bias)
        value, b, c = inner.split([self.width, self.bc, self.bc], -1)
        value = value.reshape(n, length, self.heads, self.spec.head_dim)
        b, c = (t.reshape(n, length, self.spec.groups, self.spec.d_state) for t in (b, c))
        chunk = min(CHOICE.chunk or self.spec.chunk, length)
        y = scan(value, dt, self.dt_bias, self.a_log, b, c, self.d, chunk)
        y = y.reshape(n, length, self.width) * F.silu(z)
        if not self.spec.gated_norm:
            return y
        if self.spec.norm_groups == 1:
            return rms_norm(y, self.norm_weight, 1e-5)
        grouped = y.view(n, length, self.spec.norm_groups, -1)
        return rms_norm(grouped, self.norm_weight.view(self.spec.norm_groups, -1), 1e-5).reshape(n, length, self.width)


class Projected(nn.Module):
    """A branch, a norm over its values where a hybrid asks for one, its out-projection."""

    def __init__(self, spec, d_model, context, shrink, norm=False, projected=True):
        super().__init__()
        self.branch = (Attention if spec["kind"] == "attention" else Mamba2)(spec, d_model, context)
        self.norm = RmsNorm(self.branch.width) if norm and spec["kind"] == "attention" else None
        self.out = matrix(d_model, self.branch.width, shrink) if projected else None

    def forward(self, x):
        value = self.branch(x)
        value = value if self.norm is None else self.norm(value)
        return value if self.out is None else F.linear(value, self.out)


class Hybrid(nn.Module):
    def __init__(self, spec, d_model, context, shrink):
        super().__init__()
        self.fusion = spec["fusion"]
        apart = self.fusion != "concat"
        self.first, self.second = (Projected(b, d_model, context, shrink, spec["norm"], apart) for b in spec["branches"])
        if not apart:
            self.out = matrix(d_model, self.first.branch.width + self.second.branch.width, shrink)

    def forward(self, x):
        if self.fusion == "concat":
            return F.linear(torch.cat([self.first(x), self.second(x)], -1), self.out)
        return self.first(x) - self.second(x) if self.fusion == "subtract" else self.first(x) + self.second(x)


class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, shrink):
        super().__init__()
        self.gate_up, self.down = matrix(2 * d_ff, d_model), matrix(d_model, d_ff, shrink)

    def forward(self, x):
        gate, up = F.linear(x, self.gate_up).chunk(2, -1)
        return F.linear(F.silu(gate) * up, self.down)


class Model(nn.Module):
    """Mean loss over the batch, in nats per token; the head is tied to the embedding."""

    def __init__(self, run):
        super().__init__()
        d_model, context, epsilon = run["d_model"], run["context"], run["norm_epsilon"]
        shrink = 1 / math.sqrt(sum(2 if d_ff else 1 for _, d_ff in run["layers"]))
        self.embedding = nn.Parameter(torch.randn(run["vocabulary"], d_model) * 0.02)
        parts = []
        for spec, d_ff in run["layers"]:
            mixer = Hybrid if spec["kind"] == "hybrid" else Projected
            parts += [RmsNorm(d_model, epsilon), mixer(spec, d_model, context, shrink)]
            if d_ff:
                parts += [RmsNorm(d_model, epsilon), FeedForward(d_model, d_ff, shrink)]
        self.parts = nn.ModuleList(parts)
        self.final_norm = RmsNorm(d_model, epsilon)

    def forward(self, inputs, targets):
        x = F.embedding(inputs, self.embedding).to(CHOICE.stream)
        for norm, layer in zip(self.parts[::2], self.parts[1::2]):
            x = x + layer(norm(x))
        x, targets = self.final_norm(x).flatten(0, 1), targets.flatten()
        if CHOICE.loss == "whole":
            return F.cross_entropy(F.linear(x, self.embedding), targets)
        pieces = zip(x.split(1024), targets.split(1024))
        return sum(F.cross_entropy(F.linear(a, self.embedding), t, reduction="sum") for a, t in pieces) / len(targets)
