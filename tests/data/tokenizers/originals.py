"""Tokenizers of all kinds that Hyscale reads, trained with the original libraries, and the ids that those give."""
import base64
import json
import pathlib

import sentencepiece
import tiktoken
from tiktoken_ext import openai_public
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ByteLevel, Split = pre_tokenizers.ByteLevel, pre_tokenizers.Split
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
DEEPSEEK = [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
            r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""]


def openai_pattern(name):
    openai_public.load_tiktoken_bpe = openai_public.data_gym_to_mergeable_bpe_ranks = lambda *a, **k: {}  # not the ranks
    return getattr(openai_public, name)()["pat_str"]


PATTERNS = {"gpt2": openai_pattern("gpt2"), "cl100k": openai_pattern("cl100k_base"),
            "o200k": openai_pattern("o200k_base"), "llama3": LLAMA3, "qwen": QWEN}


def splits(patterns):
    stages = [Split(Regex(pattern), "isolated") for pattern in patterns]
    return pre_tokenizers.Sequence(stages + [ByteLevel(add_prefix_space=False, use_regex=False)])


def byte_level(texts, vocabulary, pre_tokenizer, special=(), normalizer=None, **options):
    tokenizer = Tokenizer(models.BPE(**options))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizer, decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=list(special), show_progress=False,
                                  initial_alphabet=ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def llama3(texts, vocabulary):
    tokenizer = byte_level(texts, vocabulary, splits([LLAMA3]), ignore_merges=True)
    tokenizer.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"])
    bos = "<|begin_of_text|>"
    template = processors.TemplateProcessing(single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))])
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    return tokenizer


def qwen(texts, vocabulary):
    tokenizer = byte_level(texts, vocabulary, splits([QWEN]), normalizer=normalizers.NFC())
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens([AddedToken("<think>", normalized=False, special=False), AddedToken("    ", normalized=True),
                          AddedToken("\u03a9!", normalized=True), AddedToken("<pad>", lstrip=True, rstrip=True, normalized=False)])
    return tokenizer


def llama2(texts, vocabulary):
    """As Hugging Face converts SentencePiece's byte pairs."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = Split("▁", "merged_with_next")
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=special,
                                                             show_progress=False, limit_alphabet=vocabulary // 10))
    content = json.loads(tokenizer.to_str())
    content["pre_tokenizer"] = None
    content["added_tokens"] = [token for token in content["added_tokens"] if not token["content"].startswith("<0x")]
    space = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
    strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    content["decoder"] = {"type": "Sequence", "decoders": [space, {"type": "ByteFallback"}, {"type": "Fuse"}, strip]}
    return content


def variants_of_llama2(content):
    def changed(**parts):
        return json.loads(json.dumps(content)) | parts

    mistral = changed(normalizer=None, pre_tokenizer={"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False})
    gemma = changed(normalizer={"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
                    pre_tokenizer={"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False})
    gemma["decoder"]["decoders"].pop()
    unknown = changed()
    unknown["model"]["byte_fallback"] = False
    return {"mistral.json": mistral, "gemma.json": gemma, "unknown.json": unknown}


def byte_of():
    shown = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    hidden = [b for b in range(256) if b not in shown]
    return {chr(b): b for b in shown} | {chr(256 + i): b for i, b in enumerate(hidden)}


def ranks_of(tokenizer):
    """The vocabulary of a byte-level tokenizer, as tiktoken's ranks."""
    alphabet = byte_of()
    order = sorted(tokenizer.get_vocab(with_added_tokens=False).items(), key=lambda item: item[1])
    return [bytes(alphabet[c] for c in token) for token, _ in order]


def make_tokenizers(directory, texts, vocabulary, which=None):
    """Writes each kind into `directory` and gives the names, as --tokenizer takes them."""
    directory = pathlib.Path(directory)
    made = {}
    kinds = {
        "gpt2.json": lambda: byte_level(texts, vocabulary, ByteLevel(add_prefix_space=False), ["<|endoftext|>"]),
        "llama3.json": lambda: llama3(texts, vocabulary),
        "qwen.json": lambda: qwen(texts, vocabulary),
        "deepseek.json": lambda: byte_level(texts, vocabulary, splits(DEEPSEEK), ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"]),
        "starcoder.json": lambda: byte_level(texts, vocabulary, pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), ByteLevel(add_prefix_space=True)]), ["<|endoftext|>"], normalizers.NFKC()),
    }
    for name, make in kinds.items():
        if which is None or name in which:
            made[name] = make()
            made[name].save(str(directory / name), pretty=False)
    byte_fallback = {"llama2.json": llama2(texts, vocabulary)} if which is None or "llama2.json" in which else {}
    if which is None:
        byte_fallback |= variants_of_llama2(byte_fallback["llama2.json"])
    for name, content in byte_fallback.items():
        (directory / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    ranks = ranks_of(made["llama3.json"])
    (directory / "own.tiktoken").write_bytes(b"".join(base64.b64encode(t) + b" %d\n" % i for i, t in enumerate(ranks)))
    return [*made, *byte_fallback, *(f"own.tiktoken@{pattern}" for pattern in PATTERNS)]


def make_sentencepiece(directory, texts, vocabulary):
    lines = [line[:4000] for text in texts for line in text.replace("\0", "").split("\n") if line.strip()]
    own = dict(normalization_rule_name="identity", add_dummy_prefix=False, remove_extra_whitespaces=False,
               allow_whitespace_only_pieces=True)
    kinds = {"own.model": dict(model_type="bpe", byte_fallback=True, **own), "bpe.model": dict(model_type="bpe", byte_fallback=True),
             "plain.model": dict(model_type="bpe", **own), "unigram.model": dict(model_type="unigram")}
    for name, options in kinds.items():
        with open(pathlib.Path(directory) / name, "wb") as out:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(lines), model_writer=out, vocab_size=vocabulary, character_coverage=0.98, unk_id=0, bos_id=1,
                eos_id=2, num_threads=1, minloglevel=2, **options)
    return list(kinds)


class Original:
    """A tokenizer by its own library."""

    def __init__(self, directory, name, special=False):
        path = str(pathlib.Path(directory) / name.split("@")[0])
        if name.endswith(".json"):
            tokenizer = Tokenizer.from_file(path)
            tokenizer.encode_special_tokens = not special
            self.encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
            self.decode = lambda ids: tokenizer.decode(ids, skip_special_tokens=True)
        elif name.endswith(".model"):
            processor = sentencepiece.SentencePieceProcessor(model_file=path)
            self.encode, self.decode = processor.encode, processor.decode
        else:
            pattern = name.split("@")[1]
            lines = pathlib.Path(path).read_bytes().splitlines()
            ranks = {base64.b64decode(token): int(rank) for token, rank in map(bytes.split, lines)}
            encoding = tiktoken.Encoding(name, pat_str=PATTERNS[pattern], mergeable_ranks=ranks, special_tokens={})
            normal = normalizers.NFC().normalize_str if pattern == "qwen" else str
            self.encode = lambda text: encoding.encode_ordinary(normal(text))
            self.decode = encoding.decode
