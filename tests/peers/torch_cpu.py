#!/usr/bin/env python3
"""Times training in PyTorch on a CPU: one run.yaml, eager and compiled."""

import argparse
import json
import resource
import statistics
import time

import torch

import torch_check
import torch_model
from run_file import read_run

WARM_UP = 3


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="RUN.yaml")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--micro-batch", type=int, default=0, help="sequences of a step; default: the run's batch")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--mode", choices=["eager", "compiled", "both"], default="both")
    parser.add_argument("--optimizer", choices=["fused", "foreach"], default="fused")
    parser.add_argument("--variant", action="append", default=[], metavar="NAME=VALUE", help="another spelling of a part")
    parser.add_argument("--profile", action="store_true", help="print where the time of a step goes")
    parser.add_argument("--check", metavar="HYBRID-WORKER", help="check the model against the program's counts and plain formulae instead")
    return parser.parse_args()


def decayed_groups(model, weight_decay):
    """Weight decay on matrices alone, the convolution's among them, as in core/spec."""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


class Training:
    def __init__(self, run, micro_batch, optimizer, compiled):
        torch.manual_seed(1)
        self.model = torch_model.Model(run)
        options = run["optimizer"]
        self.clip = options["clip"]
        self.optimizer = torch.optim.AdamW(
            decayed_groups(self.model, options["weight_decay"]), lr=options["lr"], betas=tuple(options["betas"]),
            eps=options["epsilon"], **{optimizer: True})
        self.loss = torch.compile(self.model, fullgraph=True, dynamic=False) if compiled else self.model
        tokens = torch.randint(run["vocabulary"], (micro_batch, run["context"] + 1))
        self.inputs, self.targets = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()

    def step(self):
        loss = self.loss(self.inputs, self.targets)
        loss.backward()
        if self.clip > 0:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip, foreach=True)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()


def timed(training, steps, threads, tokens):
    """Medians over the steps, by wall clock and by CPU time: they differ when the cores were shared."""
    for _ in range(WARM_UP):
        loss = training.step()
    walls, cpus = [], []
    for _ in range(steps):
        wall, cpu = time.perf_counter(), time.process_time()
        loss = training.step()
        walls.append(time.perf_counter() - wall)
        cpus.append((time.process_time() - cpu) / threads)
    wall, cpu = statistics.median(walls), statistics.median(cpus)
    return {"loss": loss, "step_seconds": wall, "cpu_step_seconds": cpu, "tokens_per_second": tokens / wall,
            "tokens_per_cpu_second": tokens / cpu, "cpu_share": sum(cpus) / sum(walls),
            "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def profile(training):
    from torch.profiler import ProfilerActivity, profile as profiler
    for _ in range(WARM_UP):
        training.step()
    with profiler(activities=[ProfilerActivity.CPU]) as record:
        training.step()
    print(record.key_averages().table(sort_by="self_cpu_time_total", row_limit=25, max_name_column_width=60))


def main():
    options = arguments()
    run = read_run(options.run)
    if options.check:
        return torch_check.check(options.run, run, options.check)
    for variant in options.variant:
        name, value = variant.split("=")
        current = getattr(torch_model.CHOICE, name)
        setattr(torch_model.CHOICE, name, type(current)(value))
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    micro_batch = options.micro_batch or run["batch_tokens"] // run["context"]
    tokens = micro_batch * run["context"]
    result = {"run": options.run, "threads": options.threads, "micro_batch": micro_batch, "torch": torch.__version__}
    for mode in ["eager", "compiled"] if options.mode == "both" else [options.mode]:
        training = Training(run, micro_batch, options.optimizer, mode == "compiled")
        result["parameters"] = sum(p.numel() for p in training.model.parameters())
        if options.profile:
            profile(training)
            continue
        start = time.perf_counter()
        first = training.step()
        compile_seconds = time.perf_counter() - start
        result[mode] = {"first_loss": first, "first_step_seconds": compile_seconds} | timed(training, options.steps, options.threads, tokens)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
