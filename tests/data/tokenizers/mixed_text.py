"""Text that is hard for tokenizers: every script and plane, combining marks, white space of all kinds, long runs."""
import random
import unicodedata

CODE_POINTS = [c for c in range(0x110000) if unicodedata.category(chr(c)) != "Cs"]
ASSIGNED = [c for c in CODE_POINTS if unicodedata.category(chr(c)) not in ("Cn", "Co")]
MARKS = [c for c in ASSIGNED if unicodedata.category(chr(c)).startswith("M")]
SPACES = [" ", "  ", "\t", "\n", "\r\n", " \n", "\n ", "\x85", "\xa0", "\u3000", "\u2028", "\u180e", "\u200b", "\x0b", "\x0c"]
EMOJI = ["👩‍👩‍👧", "🏳️‍🌈", "👍🏽", "🇩🇪", "🎉", "❤️‍🔥", "🧑🏿‍🦱"]
SHORT_FORMS = ["I'm", "we'LL", "it'ſ", "they'RE", "o'd", "'tis", "x'S", "DON'T", "l'État", "'s's", "\u212a'm"]
LOOK_ALIKES = ["▁", "▁▁", "a▁b", " ▁ ", "Ġ", "Ċ", "<s>", "</s>", "<|endoftext|>", "<|begin_of_text|>", "<think>", "<0x41>",
               "<unk>", "\u03a9!", "\u2126!"]
COMPOSING = "\u1100\u1161\u11a8\u1112\u1175\u3099\u309a\u304b\u0308\u0344\u212b\u2126\ufb01\u1e9b\u0323\U00011935\U00011930"
RARE = [0x10400, 0x1F600, 0x20000, 0x2EBF0, 0x30000, 0xE0001, 0xE0100, 0xF0000, 0x10FFFD]


def mixed_text(size, prose, seed):
    """About `size` bytes of UTF-8; `prose` is ordinary text to take pieces of."""
    rng = random.Random(seed)

    def some(characters, n):
        return "".join(rng.choice(characters) for _ in range(n))

    def block(first, last, n):
        return "".join(chr(rng.randint(first, last)) for _ in range(n))

    def prose_piece(n):
        begin = rng.randrange(len(prose))
        return prose[begin:begin + 8 * n]

    def marked(n):
        return "".join(rng.choice("abcxyzéñü") + "".join(chr(c) for c in rng.choices(MARKS, k=rng.randrange(4))) for _ in range(n))

    kinds = [prose_piece] * 5 + [
        marked,
        lambda n: "".join(map(chr, rng.choices(ASSIGNED, k=n))),
        lambda n: "".join(map(chr, rng.choices(CODE_POINTS, k=n))),
        lambda n: block(0x4E00, 0x9FFF, n),
        lambda n: block(0x3040, 0x30FF, n),
        lambda n: block(0xAC00, 0xD7A3, n),
        lambda n: block(0x5D0, 0x5EA, n) + " " + block(0x620, 0x65F, n),
        lambda n: block(0, 0x1F, n),
        lambda n: rng.choice(EMOJI) * n,
        lambda n: rng.choice(SPACES) * n,
        lambda n: some("0123456789٠١٢³½Ⅷ零", n),
        lambda n: some('!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~…—“”«»', n),
        lambda n: some(COMPOSING, n),
        lambda n: "".join(chr(rng.choice(RARE) + rng.randrange(2)) for _ in range(n)),
        lambda n: rng.choice(SHORT_FORMS) + rng.choice([" ", "", "\n"]),
        lambda n: rng.choice(LOOK_ALIKES),
        lambda n: rng.choice("aZ 我\n.") * (10 * n),
    ]
    parts, bytes_so_far = [], 0
    while bytes_so_far < size:
        part = rng.choice(kinds)(rng.choice([1, 2, 3, 5, 10, 30, 200])) + rng.choice(["", " ", "\n"])
        part = part.encode("utf-8", "ignore").decode()
        bytes_so_far += len(part.encode())
        parts.append(part)
    return "".join(parts)
