"""Writes a trained model as a checkpoint folder in the published layout, and packs it.

It knows config.json, safetensors and the chat template's file; it does not know how to train.
Every file is written aside and renamed, so a folder never holds half a file.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.training.recipe import HIDDEN_RATIO, Shape
from edge_sdk.training.vocabulary import CHAT_TEMPLATE, EOD, Vocabulary

Arrays = Mapping[str, npt.NDArray[np.float32]]


def write_surroundings(folder: Path, shape: Shape, vocabulary: Vocabulary) -> None:
    """config.json, tokenizer.json and chat.json: all of a checkpoint but its weights."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", published_config(shape))
    write_json(folder / "chat.json", CHAT_TEMPLATE)
    aside = folder / "tokenizer.json.partial"
    vocabulary.save(aside)
    aside.replace(folder / "tokenizer.json")


def published_config(shape: Shape) -> dict[str, Any]:
    """The fields of a released checkpoint's config.json (`model_type: "hgrn_bit"`)."""
    return {
        "architectures": ["HGRNBitForCausalLM"],
        "model_type": "hgrn_bit",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "attn_mode": "fused_recurrent",
        "num_heads": 1,
        "expand_ratio": 1,
        "use_short_conv": False,
        "conv_size": 4,
        "share_conv_kernel": True,
        "use_lower_bound": True,
        "hidden_ratio": HIDDEN_RATIO,
        "intermediate_size": shape.intermediate,
        "hidden_act": "swish",
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-6,
        "use_cache": True,
        "pad_token_id": None,
        "bos_token_id": None,
        "eos_token_id": EOD,
        "tie_word_embeddings": False,
        "initializer_range": 0.02,
        "fuse_cross_entropy": True,
        "torch_dtype": "float32",
    }


def write_safetensors(path: Path, tensors: Arrays) -> None:
    """Write float32 arrays as a safetensors file (little-endian, names sorted, header padded)."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name in sorted(tensors):
        size = tensors[name].size * 4
        header[name] = {
            "dtype": "F32",
            "shape": list(tensors[name].shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    packed = json.dumps(header, separators=(",", ":")).encode("utf-8")
    packed += b" " * (-len(packed) % 8)
    aside = path.with_name(path.name + ".partial")
    with aside.open("wb") as file:
        file.write(struct.pack("<Q", len(packed)) + packed)
        for name in sorted(tensors):
            file.write(np.ascontiguousarray(tensors[name], dtype="<f4").tobytes())
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def write_json(path: Path, value: object) -> None:
    """Write one JSON document, aside first."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, aside first."""
    aside = path.with_name(path.name + ".partial")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)


def pack(checkpoint: Path, packed: Path) -> int:
    """Convert the checkpoint to a packed model file with an int8 embedding; returns its bytes."""
    from edge_sdk.convert import convert_checkpoint

    convert_checkpoint(checkpoint, packed, embedding="int8", name=packed.stem)
    return packed.stat().st_size
