"""Makes tiny random checkpoints and packed models for tests; nothing here checks anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.checkpoint import tensor_shapes
from edge_sdk.config import ModelConfig
from edge_sdk.convert import convert_checkpoint

GOLDEN = Path(__file__).parent / "data" / "golden_small"
TINY = ModelConfig(vocab_size=130, hidden_size=40, num_layers=2, intermediate_size=70)
"""No size is a multiple of 64, and the vocabulary is none of 4: all paddings are used."""

Tensors = dict[str, npt.NDArray[np.float32]]


def random_tensors(config: ModelConfig = TINY, seed: int = 0) -> Tensors:
    """Every tensor of a checkpoint, float32: matrices N(0, 0.05), norms around 1."""
    rng = np.random.default_rng(seed)
    tensors: Tensors = {}
    for name, shape in tensor_shapes(config).items():
        values = rng.standard_normal(shape, dtype=np.float32)
        if name.endswith("norm.weight"):
            values = np.clip(1 + 0.15 * values, 0.4, 1.8)
        elif name != "model.lower_bounds":
            values = 0.05 * values
        tensors[name] = values.astype(np.float32)
    return tensors


def encode(values: npt.NDArray[np.float32], dtype: str) -> bytes:
    """Values as the little-endian bytes of F32, F16 or BF16 (cut off, not rounded)."""
    if dtype == "BF16":
        return (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    return values.astype({"F32": "<f4", "F16": "<f2"}[dtype]).tobytes()


def write_safetensors(path: Path, tensors: Mapping[str, Any], dtype: str = "F32") -> None:
    """Write a well-formed safetensors file."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, values in tensors.items():
        encoded = encode(values, dtype)
        header[name] = {
            "dtype": dtype,
            "shape": list(values.shape),
            "data_offsets": [len(data), len(data) + len(encoded)],
        }
        data += encoded
    write_raw_safetensors(path, json.dumps(header).encode(), data)


def write_raw_safetensors(
    path: Path, header: bytes, data: bytes = b"", length: int | None = None
) -> None:
    """Write a safetensors file whose header may be anything; `length` is what it claims."""
    claimed = len(header) if length is None else length
    path.write_bytes(claimed.to_bytes(8, "little") + header + data)


def write_checkpoint(
    folder: Path,
    config: ModelConfig = TINY,
    *,
    tensors: Mapping[str, Any] | None = None,
    dtype: str = "F32",
    shards: int = 1,
    tokenizer: bytes | None = None,
    chat: object = None,
) -> Path:
    """Write a checkpoint folder in the published layout; by default with `random_tensors`."""
    folder.mkdir(parents=True, exist_ok=True)
    raw = {
        "model_type": "hgrn_bit",
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.num_layers,
        "intermediate_size": config.intermediate_size,
        "rms_norm_eps": config.norm_eps,
        "bos_token_id": config.bos_token_id,
        "eos_token_id": config.eos_token_id,
    }
    (folder / "config.json").write_text(json.dumps(raw))
    tensors = random_tensors(config) if tensors is None else tensors
    if shards == 1:
        write_safetensors(folder / "model.safetensors", tensors, dtype)
    else:
        index: dict[str, str] = {}
        for shard in range(shards):
            name = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
            part = dict(list(tensors.items())[shard::shards])
            write_safetensors(folder / name, part, dtype)
            index |= dict.fromkeys(part, name)
        text = json.dumps({"metadata": {}, "weight_map": index})
        (folder / "model.safetensors.index.json").write_text(text)
    if tokenizer is not None:
        (folder / "tokenizer.json").write_bytes(tokenizer)
    if chat is not None:
        (folder / "chat.json").write_text(json.dumps(chat))
    return folder


def packed_model(folder: Path, config: ModelConfig = TINY, **options: Any) -> Path:
    """Write a checkpoint (options of `write_checkpoint`) and pack it: the path of tiny.edge."""
    packing = {key: options.pop(key) for key in ("embedding", "bits") if key in options}
    source = write_checkpoint(folder / "checkpoint", config, **options)
    return convert_checkpoint(source, folder / "tiny.edge", name="tiny", **packing)


def tiny_tokenizer_json(controls: tuple[str, ...] = ("<|end|>", "<|user|>", "<|bot|>")) -> bytes:
    """A byte-level tokenizer.json without merges, with a-z only: it has to fit into TINY."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    vocab = {text: number for number, text in enumerate([*controls, *letters])}
    added = [
        {
            "id": number,
            "content": text,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for number, text in enumerate(controls)
    ]
    return json.dumps(
        {
            "version": "1.0",
            "added_tokens": added,
            "normalizer": None,
            "pre_tokenizer": {
                "type": "ByteLevel",
                "add_prefix_space": False,
                "trim_offsets": True,
                "use_regex": True,
            },
            "post_processor": None,
            "decoder": {"type": "ByteLevel"},
            "model": {
                "type": "BPE",
                "dropout": None,
                "unk_token": None,
                "continuing_subword_prefix": None,
                "end_of_word_suffix": None,
                "fuse_unk": False,
                "byte_fallback": False,
                "vocab": vocab,
                "merges": [],
            },
        }
    ).encode()
