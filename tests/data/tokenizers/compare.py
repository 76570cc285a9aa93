#!/usr/bin/env python3
"""Compares hybrid-worker's tokenizers with the original libraries, token for token, on 10 MB of mixed Unicode, and decodes again.

    tests/data/tokenizers/compare.py build/dev/bin/hybrid-worker [MEGABYTES]

Makes its own virtual environment beside the program; without PyPI it says SKIPPED and ends with status 77.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

# 0.2.2 and later of sentencepiece break ties of unigram models differently from the library in Debian and Ubuntu
PACKAGES = ["tokenizers==0.23.3", "tiktoken==0.14.0", "sentencepiece==0.2.1"]


def enter_environment(worker):
    """Runs this script again inside the environment; returns only there."""
    home = worker.parent.parent / "tokenizers-venv"
    python = home / "bin" / "python"
    if pathlib.Path(sys.prefix) == home:
        return
    steps = [[sys.executable, "-m", "venv", str(home)], [str(python), "-m", "pip", "install", "--quiet", *PACKAGES]]
    for step in steps:
        if subprocess.run(step, capture_output=True).returncode != 0:
            print(f"SKIPPED: cannot run {' '.join(step)} (is PyPI within reach?)")
            sys.exit(77)
    sys.exit(subprocess.run([str(python), *sys.argv]).returncode)


def run(worker, arguments, text):
    done = subprocess.run([str(worker), "tokenize", "--json", *arguments], input=text.encode(), capture_output=True)
    if done.returncode != 0:
        raise SystemExit(f"hybrid-worker tokenize {' '.join(arguments)}: {done.stderr.decode()}")
    return json.loads(done.stdout)


def compare(worker, directory, name, text, special):
    from originals import Original
    original = Original(directory, name, special)
    flags = ["--tokenizer", f"{directory}/{name}"] + (["--special"] if special else [])
    wanted, found = original.encode(text), run(worker, flags, text)["ids"]
    label = name + (" with special tokens" if special else "")
    if wanted != found:
        at = next((i for i, (a, b) in enumerate(zip(wanted, found)) if a != b), min(len(wanted), len(found)))
        print(f"DIFFERS {label}: token {at} of {len(wanted)}: {found[at:at + 6]}, the original has {wanted[at:at + 6]}"
                f" behind {original.decode(wanted[max(0, at - 8):at])!r}")
        return False
    if run(worker, flags + ["--decode"], " ".join(map(str, found)))["text"] != original.decode(found):
        print(f"DIFFERS {label}: {len(found)} equal tokens decode to another text")
        return False
    print(f"equal   {label}: {len(found)} tokens")
    return True


def main():
    worker = pathlib.Path(sys.argv[1]).resolve()
    megabytes = float(sys.argv[2]) if len(sys.argv) > 2 else 10
    enter_environment(worker)
    from mixed_text import mixed_text
    from originals import make_sentencepiece, make_tokenizers
    root = pathlib.Path(__file__).resolve().parents[3]
    prose = [path.read_text(encoding="utf-8") for pattern in ("docs/*.md", "core/**/*.h", "core/**/*.cpp") for path in sorted(root.glob(pattern))]
    text = mixed_text(int(megabytes * 1e6), "\n".join(prose), seed=1)
    training = prose + [mixed_text(300_000, prose[0], seed=2)]
    with tempfile.TemporaryDirectory() as directory:
        names = make_tokenizers(directory, training, 8000) + make_sentencepiece(directory, training, 8000)
        cases = [(name, special) for name in names for special in ((False, True) if name.endswith(".json") else (False,))]
        equal = [compare(worker, directory, name, text, special) for name, special in cases]
    print(f"{sum(equal)} of {len(equal)} equal on {len(text.encode()) / 1e6:.1f} MB")
    sys.exit(0 if all(equal) else 1)


if __name__ == "__main__":
    main()
