"""Shows that the PyTorch model is the one hybrid-worker trains, as far as that goes without its weights."""

import json
import math
import subprocess

import torch
import torch.nn.functional as F

import torch_model
from torch_model import CHOICE


def scan_inputs(groups, length=192, heads=4, dim=16, state=8):
    g = torch.Generator().manual_seed(7)
    def normal(*shape):
        return torch.randn(*shape, generator=g, dtype=torch.float64).requires_grad_()
    dt = (torch.rand(2, length, heads, generator=g, dtype=torch.float64) * 0.5 + 1e-3).requires_grad_()
    a = (-torch.rand(heads, generator=g, dtype=torch.float64) - 0.01).requires_grad_()
    return normal(2, length, heads, dim), dt, a, normal(2, length, groups, state), normal(2, length, groups, state)


def value_and_gradients(function, inputs):
    out = function(*inputs)
    weight = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    return [out, *torch.autograd.grad((out * weight).sum(), inputs)]


def expect_close(what, left, right):
    worst = max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(left, right))
    print(f"{'ok ' if worst < 1e-9 else 'BAD'} {what}: largest relative difference {worst:.1e}")
    return worst < 1e-9


def check_scan():
    fine = True
    for groups in (1, 2):
        inputs = scan_inputs(groups)
        expected = value_and_gradients(torch_model.ssd_recurrence, inputs)
        for chunk in (32, 64, 192):
            got = value_and_gradients(lambda *i: torch_model.ssd(*i, chunk), inputs)
            fine &= expect_close(f"scan in chunks of {chunk}, {groups} groups, and its gradients, against the recurrence", got, expected)
    return fine


def check_attention():
    g = torch.Generator().manual_seed(8)
    q, k, v = (torch.randn(2, h, 96, d, generator=g, dtype=torch.float64).requires_grad_() for h, d in ((4, 16), (2, 16), (2, 32)))
    def plain(q, k, v):
        k, v = (t.repeat_interleave(2, 1) for t in (k, v))
        scores = (q @ k.transpose(-1, -2) / 4).masked_fill(torch.ones(96, 96, dtype=torch.bool).triu(1), -torch.inf)
        return scores.softmax(-1) @ v
    expected = value_and_gradients(plain, (q, k, v))
    library = value_and_gradients(lambda q, k, v: torch_model.library_attention(q, k, v), (q, k, v))
    blocked = value_and_gradients(lambda q, k, v: torch_model.blocked_attention(q, k, v, 32), (q, k, v))
    return expect_close("library attention, grouped, wide values", library, expected) & expect_close("attention in blocks of queries", blocked, expected)


def check_convolution():
    g = torch.Generator().manual_seed(9)
    u, weight, bias = (torch.randn(*s, generator=g, dtype=torch.float64).requires_grad_() for s in ((2, 50, 6), (6, 4), (6,)))
    def plain(u, weight, bias):
        rows = [F.silu(bias + sum(weight[:, 3 - i] * u[:, t - i] for i in range(min(4, t + 1)))) for t in range(u.shape[1])]
        return torch.stack(rows, 1)
    expected, fine = value_and_gradients(plain, (u, weight, bias)), True
    chosen = CHOICE.conv
    for CHOICE.conv in ("shifts", "library"):
        fine &= expect_close(f"convolution by {CHOICE.conv}", value_and_gradients(torch_model.causal_conv_silu, (u, weight, bias)), expected)
    CHOICE.conv = chosen
    return fine


def check_model(path, run, worker):
    account = json.loads(subprocess.run([worker, "inspect", path, "--json"], check=True, capture_output=True, text=True).stdout)
    torch.manual_seed(1)
    model = torch_model.Model(run)
    count, expected = sum(p.numel() for p in model.parameters()), account["params"]["total"]
    print(f"{'ok ' if count == expected else 'BAD'} parameters: {count}, hybrid-worker counts {expected}")
    tokens = torch.randint(run["vocabulary"], (2, run["context"] + 1))
    with torch.no_grad():
        loss = model(tokens[:, :-1], tokens[:, 1:]).item()
    uniform = math.log(run["vocabulary"])
    near = abs(loss - uniform) < 0.2
    print(f"{'ok ' if near else 'BAD'} first loss: {loss:.4f}, ln(vocabulary) is {uniform:.4f}")
    return count == expected and near


def check(path, run, worker):
    results = [check_scan(), check_attention(), check_convolution(), check_model(path, run, worker)]
    raise SystemExit(0 if all(results) else 1)
