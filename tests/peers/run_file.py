"""Reads a run.yaml as hybrid-worker does, as far as the timed models need it (docs in core/spec)."""

import re

import yaml


class _Loader(yaml.SafeLoader):
    """YAML 1.2 numbers: PyYAML takes 1e-3 for a word."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$"), list("-+0123456789."))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?\d+$"), list("-+0123456789"))


def _attention(block, d_model):
    heads = block["heads"]
    head_dim = block.get("head_dim", d_model // heads)
    rope = block.get("rope", "none")
    if "window" in block:
        raise SystemExit("torch_cpu: sliding windows are not timed here; use full attention")
    return {"kind": "attention", "heads": heads, "kv_heads": block.get("kv_heads", heads), "head_dim": head_dim,
            "value_dim": block.get("value_dim", heads * head_dim), "theta": None if rope == "none" else rope["theta"]}


def _mamba2(block, gated_norm=True):
    return {"kind": "mamba2", "d_ssm": block["d_ssm"], "head_dim": block.get("head_dim", 64),
            "d_state": block["d_state"], "groups": block.get("groups", 1), "conv": block.get("conv", 4),
            "chunk": block.get("chunk", 128), "norm_groups": block.get("norm_groups", 1),
            "a_init": block.get("a_init", [0.01, 2.0]), "dt_init": block.get("dt_init", [1e-3, 1e-1]),
            "gated_norm": gated_norm}


def _mixer(block, d_model):
    if block["kind"] == "attention":
        return _attention(block, d_model)
    if block["kind"] == "mamba2":
        return _mamba2(block)
    norm = block.get("norm", "group") == "group"
    branches = [_mamba2(b, norm) if b["kind"] == "mamba2" else _attention(b, d_model) for b in block["branches"]]
    return {"kind": "hybrid", "branches": branches, "norm": norm, "fusion": block.get("fusion", "subtract")}


def _width(ffn):
    return ffn["d_ff"] if ffn["kind"] == "swiglu" else 0


def read_run(path):
    """{'vocabulary', 'context', 'd_model', 'norm_epsilon', 'layers': [(mixer, d_ff)], 'batch_tokens', 'optimizer'}"""
    with open(path) as file:
        run = yaml.load(file, _Loader)
    model, train = run["model"], run["train"]
    mixers = {name: _mixer(block, model["d_model"]) for name, block in model["mixers"].items()}
    layers = []
    for item in model["stack"]:
        name, ffn = (item["mixer"], item.get("ffn", model.get("ffn"))) if isinstance(item, dict) else (item, model["ffn"])
        layers.append((mixers[name], _width(ffn)))
    optimizer = {"betas": (0.9, 0.95), "epsilon": 1e-8, "weight_decay": 0.1, "clip": 1.0} | train["optimizer"]
    return {"vocabulary": model["vocabulary"], "context": model["context"], "d_model": model["d_model"],
            "norm_epsilon": model.get("norm_epsilon", 1e-5), "layers": layers, "batch_tokens": train["batch_tokens"],
            "optimizer": optimizer}
