"""A published checkpoint folder: config.json, safetensors (one or sharded), optional extras.

It knows the file names of the published layout and which tensors a config implies; it does not know
how weights are quantised or packed. Pickle files are refused by name and never opened.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from edge_sdk.chat_template import PLAIN, ChatTemplate
from edge_sdk.config import ModelConfig
from edge_sdk.errors import AccessError, ModelRejected, NotFound, UsageError
from edge_sdk.safetensors_file import MAX_JSON, SafetensorsFile, TensorInfo, parse_json
from edge_sdk.tokenizer_file import MAX_BYTES as MAX_TOKENIZER

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
MAX_CONFIG = 1 << 20
MAX_SHARDS = 256
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


class Checkpoint:
    """An opened and fully checked checkpoint. Close it, or use it as a context manager."""

    def __init__(self, folder: str | Path) -> None:
        """Open and check every header; raises NotFound, AccessError, UsageError, ModelRejected."""
        folder = Path(folder)
        try:
            is_folder = stat.S_ISDIR(folder.stat().st_mode)
        except FileNotFoundError:
            raise NotFound(
                f"there is no checkpoint folder {str(folder)!r}.",
                hint="name a folder with config.json and model.safetensors; "
                "`edge-sdk pull OWNER/NAME` downloads and converts a published one.",
            ) from None
        except (OSError, ValueError) as error:
            raise AccessError(
                f"{str(folder)!r} could not be opened: {error}.",
                hint="name a folder that you may read.",
            ) from None
        if not is_folder:
            raise UsageError(
                f"{str(folder)!r} is a file; expected a checkpoint folder.",
                hint="name the folder that holds config.json and model.safetensors.",
            )
        self.folder = folder
        self.config = ModelConfig.from_checkpoint(self._object("config.json"))
        self._files: dict[str, SafetensorsFile] = {}
        try:
            self._where = self._open_files()
            self._check()
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> int:
        """Bytes of all tensors."""
        return sum(info.end - info.start for info in self._infos().values())

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The stored dtypes, sorted."""
        return tuple(sorted({info.dtype for info in self._infos().values()}))

    @property
    def chat_template(self) -> ChatTemplate:
        """chat.json, or the plain transcript where there is none."""
        if not (self.folder / "chat.json").exists():
            return PLAIN
        return ChatTemplate.from_dict(self._object("chat.json"))

    @property
    def tokenizer_json(self) -> bytes | None:
        """The bytes of tokenizer.json, or None where there is none."""
        path = self.folder / "tokenizer.json"
        return _read(path, MAX_TOKENIZER) if path.exists() else None

    def tensor(self, name: str) -> npt.NDArray[np.float32]:
        """A whole tensor as float32; raises ModelRejected if a value is no finite number."""
        values = self._where[name].read(name)
        _check_finite(name, values)
        return values

    def rows(self, name: str) -> Iterator[npt.NDArray[np.float32]]:
        """A matrix as float32 slabs of whole rows, a few MB each, checked like `tensor`."""
        for slab in self._where[name].rows(name):
            _check_finite(name, slab)
            yield slab

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _infos(self) -> dict[str, TensorInfo]:
        return {name: file.tensors[name] for name, file in self._where.items()}

    def _object(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        value = parse_json(path, _read(path, MAX_CONFIG if name != INDEX else MAX_JSON))
        if not isinstance(value, dict):
            raise _bad(f"{name!r} is no JSON object")
        return value

    def _open_files(self) -> dict[str, SafetensorsFile]:
        """Tensor name -> the file that holds it."""
        if (self.folder / INDEX).exists():
            return self._open_shards()
        if (self.folder / SINGLE).exists():
            file = self._files[SINGLE] = SafetensorsFile(self.folder / SINGLE)
            return dict.fromkeys(file.tensors, file)
        pickles = sorted(p.name for p in self.folder.iterdir() if p.suffix in _PICKLES)
        if pickles:
            raise ModelRejected(
                f"{pickles[0]!r} was refused: it is a pickle, which can run any code when opened.",
                hint="save the checkpoint as safetensors, with "
                "model.save_pretrained(folder, safe_serialization=True).",
            )
        raise NotFound(
            f"{str(self.folder)!r} has no {SINGLE}.", hint="name a folder with a whole checkpoint."
        )

    def _open_shards(self) -> dict[str, SafetensorsFile]:
        index = self._object(INDEX).get("weight_map")
        if not isinstance(index, dict) or not all(isinstance(v, str) for v in index.values()):
            raise _bad(f"{INDEX!r} has no 'weight_map' from tensor names to file names")
        shards = sorted(set(index.values()))
        if len(shards) > MAX_SHARDS:
            raise _bad(f"{INDEX!r} names {len(shards)} files; at most {MAX_SHARDS} are read")
        for shard in shards:
            # A path would reach outside the folder.
            if shard != Path(shard).name or "\\" in shard or not shard.endswith(".safetensors"):
                raise _bad(f"{INDEX!r} names {shard[:80]!r}, which is no plain *.safetensors name")
            if not (self.folder / shard).exists():
                raise _bad(f"{shard!r} is missing, which {INDEX!r} names")
            self._files[shard] = SafetensorsFile(self.folder / shard)
        found = {name: shard for shard in shards for name in self._files[shard].tensors}
        total = sum(len(file.tensors) for file in self._files.values())
        if found != index or total != len(index):
            wrong = sorted(set(found.items()) ^ set(index.items()))
            name = wrong[0][0] if wrong else "of two shards"
            raise _bad(f"{INDEX!r} and its shards disagree on where tensor {name[:80]!r} is")
        return {name: self._files[shard] for name, shard in found.items()}

    def _check(self) -> None:
        expected = tensor_shapes(self.config)
        infos = self._infos()
        if missing := [name for name in expected if name not in infos]:
            raise _bad(f"{_some(missing)} missing")
        if unknown := sorted(name for name in infos if name not in expected):
            raise _bad(f"{_some(unknown)} not part of a MatMul-free LM of this config")
        for name, shape in expected.items():
            info = infos[name]
            if info.shape != shape:
                raise _bad(
                    f"tensor {name!r} has the shape {list(info.shape)}; expected {list(shape)}"
                )
            if info.dtype not in ("F32", "F16", "BF16"):
                raise _bad(f"tensor {name!r} is {info.dtype}; expected F32, F16 or BF16")


def tensor_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Every tensor of the published layout and its shape: 15 L + 5 of them."""
    d, i, v = config.hidden_size, config.intermediate_size, config.vocab_size
    shapes: dict[str, tuple[int, ...]] = {
        "model.embeddings.weight": (v, d),
        "model.lower_bounds": (config.num_layers, d),
    }

    def bit_linear(name: str, out: int, width: int) -> None:
        shapes[f"{name}.weight"] = (out, width)
        shapes[f"{name}.norm.weight"] = (width,)

    for layer in range(config.num_layers):
        at = f"model.layers.{layer}"
        for norm in ("attn_norm", "attn.g_norm", "mlp_norm"):
            shapes[f"{at}.{norm}.weight"] = (d,)
        for projection in "ifgo":
            bit_linear(f"{at}.attn.{projection}_proj", d, d)
        bit_linear(f"{at}.mlp.gate_proj", 2 * i, d)
        bit_linear(f"{at}.mlp.down_proj", d, i)
    shapes["model.norm.weight"] = (d,)
    bit_linear("lm_head", v, d)
    return shapes


def _read(path: Path, limit: int) -> bytes:
    try:
        # A pipe would block.
        if not stat.S_ISREG(path.stat().st_mode):
            raise _bad(f"{path.name!r} is no regular file")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise NotFound(
            f"{str(path.parent)!r} has no {path.name}.",
            hint="name a folder with a whole checkpoint: config.json and model.safetensors.",
        ) from None
    except OSError as error:
        raise AccessError(
            f"{str(path)!r} could not be read: {error.strerror}.",
            hint="make the folder and its files readable.",
        ) from None
    if len(data) > limit:
        raise _bad(f"{path.name!r} has more than {limit} bytes")
    return data


def _check_finite(name: str, values: npt.NDArray[np.float32]) -> None:
    if not np.isfinite(values).all():
        raise _bad(f"tensor {name!r} holds NaN or infinity; expected finite numbers")


def _some(names: list[str]) -> str:
    shown = ", ".join(repr(name[:80]) for name in names[:3])
    if len(names) == 1:
        return f"the tensor {shown} is"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"the tensors {shown}{more} are"


def _bad(detail: str) -> ModelRejected:
    return ModelRejected(
        f"the checkpoint was refused: {detail}.",
        hint="download or export the checkpoint again.",
    )
