"""Small tokenizer.json files of both kinds, made with the `tokenizers` package, and nasty texts."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import Any

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

CONTROL = ["<|eod|>", "<|end|>", "<|user|>", "<|bot|>"]
MARK = "\u2581"

NASTY = [
    "",
    " ",
    "   ",
    "a  1",
    "a   b",
    "  12  34",
    "x  ½ y  ² z  Ⅷ",
    "1\x1c2 \x1d\x1e  \x1f7",
    "tab\t\t9\r\n\n  \n x",
    "I'm you're don't 'S 'sé 'é it’s",
    "👩‍👩‍👧‍👦 👍🏽🇫🇷 ❤️",
    "مرحبا بالعالم ١٢٣ שלום",
    "e\u0301 a\u0308\u0323 \u0301",
    "\u00a0\u2003\u3000\u2028\u2029\u0085x\u200b\u180e\ufeff",
    "一二三 〇 ㊿ 𝟙𝟚",
    "ﬁ ǅ ª º ʰ ⅓ ৴ \U0001f100",
    f"{MARK}{MARK} a{MARK}b",
    "\x00\x01\x7f",
    "<s></s><unk><0x41>",
    "naïve café Straße ΑΒΓ абв 日本語 한국어",
]


def corpus() -> list[str]:
    rng = random.Random(5)
    parts = ["the", "tern", "ing", "er", "flies", "é", "ü", "über", "don't", "12", "2026", "½"]
    parts += [
        "  ",
        "\n",
        "日本",
        "語",
        "прив",
        "ет",
        "👍",
        "...",
        "!?",
        "it's",
        "\t",
        "ﬁ",
        "1",
        "0",
    ]
    return [
        " ".join("".join(rng.choices(parts, k=rng.randint(1, 3))) for _ in range(12))
        for _ in range(800)
    ]


@cache
def byte_level_json(
    digits: str = "individual", prefix: bool = False, use_regex: bool = True
) -> str:
    """A small byte-level tokenizer.json, trained with the package."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    level = pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=use_regex)
    if digits == "none":
        tokenizer.pre_tokenizer = level
    else:
        split = pre_tokenizers.Digits(individual_digits=digits == "individual")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, level])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=CONTROL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    return str(tokenizer.to_str())


@cache
def llama_json(fallback: bool = True, fuse: bool = True, crossing: bool = False) -> str:
    """A small Llama-kind tokenizer.json: trained merges, pieces for bytes, <s> in front."""
    trained = tokenizers.Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace(split=not crossing)
    trainer = trainers.BpeTrainer(vocab_size=500, show_progress=False, limit_alphabet=40)
    trained.train_from_iterator(corpus(), trainer)
    raw = json.loads(trained.to_str())["model"]
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    vocab = {name: index for index, name in enumerate([*names, *raw["vocab"]])}
    model = models.BPE(
        vocab=vocab,
        merges=[tuple(merge) for merge in raw["merges"]],
        byte_fallback=fallback,
        unk_token="<unk>",
        fuse_unk=fuse,
    )
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace(MARK, " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)]
    )
    return str(tokenizer.to_str())


def package_oracle(text: str) -> Any:
    """The package's tokenizer, which must not find control tokens in the text either."""
    raw = json.loads(text)
    raw["added_tokens"] = []
    return tokenizers.Tokenizer.from_str(json.dumps(raw))


def random_texts(count: int) -> list[str]:
    """Mixtures of the nasty pieces, of words and of any character at all."""
    rng = random.Random(11)
    atoms = [*NASTY, *corpus()[:40], *"0123456789 \n'½²Ⅷ\x1c\x1f", "  ", "'s", "<|end|>"]
    texts = []
    for _ in range(count):
        chosen = rng.choices(atoms, k=rng.randint(1, 6))
        chosen += [chr(rng.choice([rng.randrange(0x250), rng.randrange(0xD800)]))]
        rng.shuffle(chosen)
        texts.append("".join(chosen))
    return texts
