#!/usr/bin/env python3
"""Writes the fixtures of tests/data/tokenizer_golden_test.cpp: small tokenizers of each kind, and texts with the ids that the
original libraries give. Needs PyPI's tokenizers, tiktoken and sentencepiece (versions in compare.py).

    python3 tests/data/tokenizers/make_fixtures.py
"""
import json
import pathlib

from mixed_text import mixed_text
from originals import Original, make_tokenizers

HERE = pathlib.Path(__file__).parent
KINDS = ["gpt2.json", "llama3.json", "qwen.json", "llama2.json"]
TEXTS = ["", " ", "\n", "Hello, world! It's 12345 o'clock.", "  two  spaces\tand tabs \r\n\r\n  next ", "naïve cafe\u0301 \u03a9! \u2126! e\u0301! 漢字かな 한국어 עברית",
         "I'M we'll THEY'VE it'ſ x'S", "<s>a</s> <|endoftext|> <|begin_of_text|>x <think>y</think>  <pad>  z", "▁ a▁b ▁▁ c", "\u180e x\u2028y\x85z\xa0\u3000",
         "👩‍👩‍👧 🏳️‍🌈🇩🇪", "\x00\x01 zero", "\U0001E4D0\U0002EBF0\U00011930 \U00010D40", "a" * 60 + " " * 40 + "\n" * 9]


def training_texts():
    root = HERE.parents[2]
    return [(root / name).read_text(encoding="utf-8") for name in ("docs/data.md", "docs/formats.md")]


def main():
    texts = training_texts()
    names = make_tokenizers(HERE, texts, 420, KINDS)
    samples = TEXTS + [mixed_text(150, texts[0], seed)[:90] for seed in range(14)]
    with open(HERE / "golden.jsonl", "w", encoding="utf-8") as out:
        for text in samples:
            ids = {name: Original(HERE, name).encode(text) for name in names}
            special = {name: Original(HERE, name, special=True).encode(text) for name in KINDS}
            changed = {name: value for name, value in special.items() if value != ids[name]}
            print(json.dumps({"text": text, "ids": ids, "with_special": changed}, separators=(",", ":")), file=out)


if __name__ == "__main__":
    main()
