#!/usr/bin/env python3
"""Exports models of every class, loads them with transformers and compares logits; imports them again and compares bits.

    tests/exchange/compare_logits.py [BUILD]        BUILD is build/dev unless given; needs torch and transformers

Each model has random weights, every tensor of it perturbed. Foreign models, made by transformers itself, are imported and
compared as well; so are token ids. Where torch or transformers are missing it says SKIPPED and ends with status 77.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

try:
    import torch
    import transformers
except ImportError as missing:
    print(f"SKIPPED: {missing}; pip install torch transformers")
    sys.exit(77)

HERE = pathlib.Path(__file__).resolve()
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE.parents[1] / "data" / "tokenizers"))
from foreign import FOREIGN  # noqa: E402
from mixed_text import mixed_text  # noqa: E402
from stacks import STACKS, run_yaml  # noqa: E402

LARGEST = 1e-3  # |Δlogit|
LENGTH = 77     # tokens: no multiple of any chunk
BUILD = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parents[2] / "build/dev").resolve()
WORKER, PROBE = BUILD / "bin/hybrid-worker", BUILD / "tests/exchange_probe"
failures = []


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, words))}\n{done.stderr}")
    return done.stdout


def check(good, what):
    if not good:
        failures.append(what)
        print(f"FAILED: {what}")


def ids_of(vocabulary, seed):
    return torch.randint(0, vocabulary, (1, LENGTH), generator=torch.Generator().manual_seed(seed))


def our_logits(directory, ids, place):
    (place / "ids").write_text(" ".join(map(str, ids[0].tolist())))
    run(PROBE, "logits", directory, place / "ids", place / "logits")
    return torch.frombuffer(bytearray((place / "logits").read_bytes()), dtype=torch.float32).view(LENGTH, -1)


def their_model(directory, label):
    model, info = transformers.AutoModelForCausalLM.from_pretrained(directory, output_loading_info=True, dtype=torch.float32)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        check(not info.get(kind), f"{label}: {kind}: {info.get(kind)}")
    return model.eval()


def row(name, label, ours, model, ids):
    with torch.no_grad():
        theirs = model(ids).logits[0].float()
    largest, scale = (ours - theirs).abs().max().item(), theirs.abs().max().item()
    count = sum(p.numel() for p in model.parameters())
    print(f"| {name} | {label} | {count} | {largest:.1e} | {scale:.1f} |", flush=True)
    check(largest <= LARGEST, f"{name}, {label}: logits differ by {largest}")
    return theirs


def same_weights(one, other, place):
    """Exported again, two run directories give the same bytes."""
    texts = []
    for index, directory in enumerate((one, other)):
        out = place / f"again-{index}"
        run(WORKER, "export", directory, "--to", "hf", out)
        content = (out / "model.safetensors").read_bytes()
        header = 8 + int.from_bytes(content[:8], "little")
        names = json.loads(content[8:header])
        names.pop("__metadata__", None)
        texts.append((names, content[header:]))
    return texts[0] == texts[1]


def compare_own(index, name, label, arguments, root):
    place = root / f"own-{index}"
    place.mkdir()
    (place / "run.yaml").write_text(run_yaml("bytes", **arguments))
    run(PROBE, "make", place / "run.yaml", place / "run", index + 1)
    report = json.loads(run(WORKER, "export", place / "run", "--to", "hf", place / "hf", "--json"))
    check(report["class"] == name, f"{label}: exported as {report['class']}, not {name}")
    ids = ids_of(259, index)
    ours = our_logits(place / "run", ids, place)
    model = their_model(place / "hf", label)
    check(type(model).__name__ == name, f"{label}: loaded as {type(model).__name__}")
    row(name, label, ours, model, ids)
    generated = model.generate(ids[:, :9], max_new_tokens=4, min_new_tokens=4, do_sample=False, pad_token_id=0)
    check(generated.shape[1] == 13, f"{label}: transformers generates nothing with it")
    run(WORKER, "import", place / "hf", "--out", place / "back")
    check((place / "back/run.yaml").read_text() == (place / "run/run.yaml").read_text(), f"{label}: run.yaml came back changed")
    check(same_weights(place / "run", place / "back", place), f"{label}: weights came back changed")
    check(torch.equal(our_logits(place / "back", ids, place), ours), f"{label}: logits of the import differ")
    # saved by transformers itself, without our run.yaml
    model.save_pretrained(place / "resaved", max_shard_size="40KB")
    run(WORKER, "import", place / "resaved", "--out", place / "foreign", "--base", place / "run.yaml")
    check((our_logits(place / "foreign", ids, place) - ours).abs().max().item() <= 1e-4, f"{label}: what transformers saved again differs")


def compare_foreign(index, name, label, make, root):
    place = root / f"foreign-{index}"
    place.mkdir()
    torch.manual_seed(index)
    model = make().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(place / "hf")
    (place / "base.yaml").write_text(run_yaml("bytes", {"A": "{kind: attention, heads: 4, head_dim: 16}"}, "A"))
    run(WORKER, "import", place / "hf", "--out", place / "run", "--base", place / "base.yaml")
    run(WORKER, "inspect", place / "run")
    ids = ids_of(model.config.vocab_size, index)
    row(name, label + " (made by transformers)", our_logits(place / "run", ids, place), model, ids)


def compare_tokens(place):
    """Ids of bytes, of byte pairs that SentencePiece trained, and of a byte-level BPE, each the tokenizer of a corpus."""
    prose = "\n".join((HERE.parents[2] / name).read_text() for name in ("README.md", "docs/data.md", "docs/exchange.md"))
    mixed = prose + mixed_text(200_000, prose, seed=5)
    plain = mixed.replace("▁", "")  # SentencePiece's space
    for token in ("<unk>", "<s>", "</s>"):
        plain = plain.replace(token, "")
    (place / "text").write_text(mixed)
    (place / "documents.txt").write_text("\n\f\n".join([f"Document {i} of a small corpus." for i in range(40)] + prose.split("\n\n")))
    for kind in ("byte", "bpe:2000", "bpe.json"):
        tokenizer, text = kind, plain if kind.startswith("bpe:") else mixed
        if kind == "bpe.json":
            from tokenizers import ByteLevelBPETokenizer
            trained = ByteLevelBPETokenizer()
            trained.train([str(place / "text")], vocab_size=600, special_tokens=["<s>", "</s>"])
            tokenizer = place / kind
            trained.save(str(tokenizer))
        store = place / f"store-{kind}"
        os.environ["HYSCALE_STORE"] = str(store)
        run(WORKER, "data", place / "documents.txt", "--tokenizer", tokenizer, "--validation", "0.5", "--out", store / "corpora/bytes")
        vocabulary = json.loads((store / "corpora/bytes/manifest.json").read_text())["vocabulary"]
        (place / "run.yaml").write_text(run_yaml("bytes", {"A": "{kind: attention, heads: 4, head_dim: 16, rope: {theta: 10000}}"}, "A").replace("vocabulary: 259", f"vocabulary: {vocabulary}"))
        run(PROBE, "make", place / "run.yaml", place / f"run-{kind}", 1)
        run(WORKER, "export", place / f"run-{kind}", "--to", "hf", place / f"hf-{kind}")
        if "tokenizer.json" not in os.listdir(place / f"hf-{kind}"):
            raise SystemExit(f"tokenizer {kind} was not exported")
        theirs = transformers.AutoTokenizer.from_pretrained(place / f"hf-{kind}")
        (place / "text").write_text(text)
        wanted = theirs(text, add_special_tokens=False)["input_ids"]
        special = ["--special"] if kind == "bpe.json" else []  # the other two never take text for a special token
        found = json.loads(run(WORKER, "tokenize", "--corpus", store / "corpora/bytes", *special, "--json", place / "text"))["ids"]
        check(wanted == found, f"tokenizer {kind}: ids differ")
        check(theirs.decode(found) == text, f"tokenizer {kind}: the text does not come back")
        manifest = json.loads((store / "corpora/bytes/manifest.json").read_text())
        check((theirs.bos_token_id, theirs.eos_token_id) == (manifest["bos"], manifest["eos"]), f"tokenizer {kind}: BOS or EOS differ")
        if wanted == found:
            print(f"tokenizer {kind}: {len(found)} ids of {len(text.encode())} bytes of mixed text are equal")


def main():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    print(f"transformers {transformers.__version__}, torch {torch.__version__}\n")
    print("| class | stack | parameters | max abs Δlogit | max abs logit |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for index, (name, label, arguments) in enumerate(STACKS):
            compare_own(index, name, label, arguments, root)
        for index, (name, label, make) in enumerate(FOREIGN):
            compare_foreign(index, name, label, make, root)
        print()
        place = root / "tokens"
        place.mkdir()
        compare_tokens(place)
    print(f"{len(STACKS)} exported, imported again and equal bit for bit; {len(FOREIGN)} foreign models imported" if not failures
          else f"{len(failures)} FAILED")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
