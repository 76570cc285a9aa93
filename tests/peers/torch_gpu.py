#!/usr/bin/env python3
"""Times training in PyTorch on a GPU: one run.yaml, compiled, bf16 autocast, fused AdamW, the library's attention.

Mamba-2 takes its scan from mamba_ssm and its convolution from fla, both Triton, found in the folder that --third names.
Needs torch and pyyaml.
"""

import argparse
import json
import os
import statistics
import sys
import types

import torch

import torch_model
from run_file import read_run
from torch_cpu import decayed_groups

WARM_UP = 4
SCAN_CHUNK = 256  # tokens, the fastest of the Triton kernels' choices


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="RUN.yaml")
    parser.add_argument("--batch", type=int, default=0, help="sequences of a step; default: the run's batch")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--third", default="", help="folder with mamba_ssm and fla")
    parser.add_argument("--attention", choices=["cudnn", "flash"], default="cudnn")
    return parser.parse_args()


def rms_norm(x, weight, epsilon):
    wide = x.float()
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + epsilon) * weight).to(x.dtype)


def use_triton_kernels(folder):
    """The package mamba_ssm asks for compiled parts when it is imported as a whole: only its Triton files are."""
    sys.path.insert(0, folder)
    package = types.ModuleType("mamba_ssm")
    package.__path__ = [os.path.join(folder, "mamba_ssm")]
    sys.modules["mamba_ssm"] = package
    from fla.modules.conv.causal_conv1d import causal_conv1d
    from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined

    @torch.compiler.disable
    def conv(u, weight, bias):
        return causal_conv1d(u.contiguous(), weight, bias, activation="silu")[0]

    @torch.compiler.disable
    def scan(x, dt, dt_bias, a_log, b, c, d, _):
        return mamba_chunk_scan_combined(x, dt, -a_log.float().exp(), b, c, chunk_size=SCAN_CHUNK, D=d, dt_bias=dt_bias, dt_softplus=True)

    torch_model.causal_conv_silu, torch_model.scan = conv, scan


def choose_attention(name):
    torch.backends.cuda.enable_cudnn_sdp(name == "cudnn")
    torch.backends.cuda.enable_flash_sdp(name == "flash")
    torch.backends.cuda.enable_mem_efficient_sdp(False)
    torch.backends.cuda.enable_math_sdp(False)


class Training:
    def __init__(self, run, batch):
        torch.manual_seed(1)
        self.model = torch_model.Model(run).to("cuda")
        options = run["optimizer"]
        self.clip = options["clip"]
        self.optimizer = torch.optim.AdamW(
            decayed_groups(self.model, options["weight_decay"]), lr=options["lr"], betas=tuple(options["betas"]),
            eps=options["epsilon"], fused=True)
        self.loss = torch.compile(self.model, dynamic=False)
        tokens = torch.randint(run["vocabulary"], (batch, run["context"] + 1), device="cuda")
        self.inputs, self.targets = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()

    def step(self):
        with torch.autocast("cuda", torch.bfloat16):
            loss = self.loss(self.inputs, self.targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss


def timed(training, steps):
    """Milliseconds of each step by the GPU's clock; nothing waits between them."""
    for _ in range(WARM_UP):
        loss = training.step()
    torch.cuda.synchronize()
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(steps + 1)]
    marks[0].record()
    for mark in marks[1:]:
        loss = training.step()
        mark.record()
    torch.cuda.synchronize()
    return [a.elapsed_time(b) for a, b in zip(marks, marks[1:])], loss.item()


def main():
    options = arguments()
    run = read_run(options.run)
    torch.set_float32_matmul_precision("high")
    torch_model.CHOICE.stream, torch_model.rms_norm = torch.bfloat16, rms_norm
    choose_attention(options.attention)
    if options.third and any(mixer["kind"] != "attention" for mixer, _ in run["layers"]):
        use_triton_kernels(options.third)
    batch = options.batch or run["batch_tokens"] // run["context"]
    training = Training(run, batch)
    milliseconds, loss = timed(training, options.steps)
    middle = statistics.median(milliseconds)
    print(json.dumps({"run": options.run, "torch": torch.__version__, "gpu": torch.cuda.get_device_name(), "batch": batch,
                      "parameters": sum(p.numel() for p in training.model.parameters()), "step_ms": middle, "all_ms": milliseconds,
                      "tokens_per_second": batch * run["context"] / middle * 1e3,
                      "peak_memory_bytes": torch.cuda.max_memory_allocated(), "loss": loss}))


if __name__ == "__main__":
    main()
