#!/usr/bin/env python3
"""Writes core/data/unicode_tables.cpp: where the Unicode of PCRE2 and utf8proc is not that of the original tokenizers.

Needs Python 3.11 (its tables are Unicode 14, like PCRE2 10.42), perl, and PyPI's tiktoken and regex. PyPI's tokenizers
(Oniguruma) and tiktoken split by Unicode 16, but tokenizers normalises by Unicode 9.0: both are measured here, not looked up.
"""
import subprocess
import sys
import unicodedata

import regex
import tiktoken

assert unicodedata.unidata_version == "14.0.0", "run under Python 3.11"
TEXT = "".join(chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF)
CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co".split()


def matched(pattern):
    bytes_only = {bytes([i]): i for i in range(256)}
    encoding = tiktoken.Encoding("measure", pat_str=pattern, mergeable_ranks=bytes_only, special_tokens={})
    return {ord(c) for c in encoding.decode(encoding.encode_ordinary(TEXT))}


def stand_ins():
    """A code point that PCRE2 10.42 takes for another category -> one of the same category, script and UTF-8 length."""
    wanted = {c: category for category in CATEGORIES for c in matched(rf"\p{{{category}}}")}
    scripts = {c: s for s in ("Han", "Hiragana", "Katakana", "Hangul") for c in matched(rf"\p{{{s}}}")}
    known = {}
    for c in map(ord, TEXT):
        if unicodedata.category(chr(c)) == wanted.get(c, "Cn"):
            known.setdefault((wanted.get(c), scripts.get(c), len(chr(c).encode())), []).append(c)
    found = {0x180E: 0x200B}  # PCRE2 counts it as white space; both are Cf
    for c, category in sorted(wanted.items()):
        if unicodedata.category(chr(c)) == category:
            continue
        candidates = known[category, scripts.get(c), len(chr(c).encode())]
        found[c] = candidates[len(candidates) // 2]  # far from edges of blocks and from letters that fold to ASCII
    return found


def young():
    """What normalisation must leave alone: characters that it knows only after Unicode 9.0."""
    script = r'binmode STDOUT; for (0..0x10FFFF) { print pack("C", chr($_) =~ /\p{In=9.0}/ ? 1 : 0) }'
    old = subprocess.run(["perl", "-e", "no warnings; " + script], check=True, capture_output=True).stdout
    acts = regex.compile(r"[\p{dt=can}\p{dt=com}\p{dt=enc}\p{dt=fin}\p{dt=font}\p{dt=fra}\p{dt=init}\p{dt=iso}\p{dt=med}"
                         r"\p{dt=nar}\p{dt=nb}\p{dt=sml}\p{dt=sqr}\p{dt=sub}\p{dt=sup}\p{dt=vert}\p{dt=wide}"
                         r"\P{ccc=0}\p{NFC_QC=M}\p{NFC_QC=N}]", regex.V1)
    return [c for c in map(ord, TEXT) if not old[c] and acts.match(chr(c))]


def ranges(pairs):
    rows = []
    for c, value in sorted(pairs):
        if rows and rows[-1][1] == c - 1 and rows[-1][2] == value:
            rows[-1][1] = c
        else:
            rows.append([c, c, value])
    return rows


def table(rows, width):
    cells = ["{" + ", ".join(f"0x{n:X}" for n in row[:width]) + "}" for row in rows]
    return "".join(f"    {', '.join(cells[i:i + 4])},\n" for i in range(0, len(cells), 4))


def main():
    print("// Written by tools/make-unicode-tables.py.\n"
          '#include "core/data/unicode_tables.h"\n\n'
          "namespace hyscale::data {\n\n"
          "// clang-format off\n"
          "static constexpr StandIn kStandIns[] = {\n" + table(ranges(stand_ins().items()), 3) + "};\n\n"
          "static constexpr CodeRange kYoung[] = {\n" + table(ranges((c, 0) for c in young()), 2) + "};\n"
          "// clang-format on\n\n"
          "std::span<const StandIn> stand_in_table() { return kStandIns; }\n"
          "std::span<const CodeRange> young_table() { return kYoung; }\n\n"
          "}  // namespace hyscale::data")


if __name__ == "__main__":
    sys.exit(main())
