"""compressed-tensors (neuralmagic, now vllm-project): compressors/sparse_bitmask.py and sparse_compressors/base.py.

The format sparse-bitmask, in .safetensors. For a tensor: `shape` (int64), `compressed` (the values that are != 0, in
row-major order, in the tensor's dtype), `bitmask` (uint8: every row along the last axis on its own, little-endian bits,
ceil(columns / 8) bytes) and `row_offsets` (int64: where each row's values begin; for one dimension a scalar, for more
than two the running sum is along the first axis only). Decompression reads `bitmask`, `shape` and `compressed`, and
leaves the rest at +0.0: −0.0 counts as zero.

- up to 0.8: every tensor of the state_dict, of any shape, is compressed, and X of `X.shape` is its whole name;
- from 0.9: names in .weight alone, of the layers that are targets, and `.weight` is not in X: `fc.shape` is of
  `fc.weight`. The others are stored as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from .case import Bad, Case, StateDict, Tasks, saved_safetensors
from .parts import Shapes, mask_without, seeded

PARTS = ("shape", "compressed", "bitmask", "row_offsets")
OPT: Shapes = {
    "model.embed_tokens.weight": (13, 20),
    "model.layers.0.self_attn.q_proj.weight": (20, 20),
    "model.layers.0.self_attn.q_proj.bias": (20,),
    "model.layers.0.mlp.down_proj.weight": (20, 37),
    "model.layers.0.input_layernorm.weight": (20,),
    "lm_head.weight": (13, 20),
}
SPARSE = [name for name in OPT if "proj.weight" in name]


def compressed(prefix: str, tensor: torch.Tensor) -> StateDict:
    kept = tensor != 0
    counts = kept.sum(dim=-1)
    return {
        f"{prefix}.shape": torch.tensor(tensor.shape),
        f"{prefix}.compressed": tensor[kept],
        f"{prefix}.bitmask": torch.from_numpy(np.packbits(kept.numpy(), axis=-1, bitorder="little")),
        f"{prefix}.row_offsets": torch.cumsum(counts, 0) - counts,
    }


def decompressed(shape: list[int], values: torch.Tensor, bitmask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The mask and the tensor."""
    rows = np.unpackbits(bitmask.numpy(), axis=-1, count=shape[-1], bitorder="little")
    mask = torch.from_numpy(rows.reshape(shape).astype(bool))
    tensor = torch.zeros(shape, dtype=values.dtype)
    tensor[mask] = values
    return mask, tensor


def read(path: Path) -> tuple[StateDict, StateDict]:
    """The masks of what is compressed, and all tensors of the network, by dense name."""
    stored = load_file(path)
    masks: StateDict = {}
    tensors: StateDict = {}
    for name in stored:
        prefix, _, part = name.rpartition(".")
        if part not in PARTS or f"{prefix}.bitmask" not in stored:
            tensors[name] = stored[name]
        elif part == "bitmask":
            dense = prefix if prefix in OPT else f"{prefix}.weight"
            shape = stored[f"{prefix}.shape"].tolist()
            masks[dense], tensors[dense] = decompressed(shape, stored[f"{prefix}.compressed"], stored[name])
    return {name: masks[name] for name in OPT if name in masks}, {name: tensors[name] for name in OPT}


def network(dtype: torch.dtype, seed: int) -> StateDict:
    """Tensors of which the sparse ones hold zeros of both signs."""
    g = seeded(seed)
    tensors: StateDict = {}
    for name, shape in OPT.items():
        tensors[name] = (torch.randn(shape, generator=g) + 0.001).to(dtype)
        if name in SPARSE:
            tensors[name] *= mask_without(shape, tensors[name].numel() // 2, g)
    return tensors


def older(tensors: StateDict) -> StateDict:
    return {key: part for name, tensor in tensors.items() for key, part in compressed(name, tensor).items()}


def newer(tensors: StateDict) -> StateDict:
    found: StateDict = {}
    for name, tensor in tensors.items():
        found |= compressed(name.removesuffix(".weight"), tensor) if name in SPARSE else {name: tensor}
    return found


def some(tensors: StateDict) -> StateDict:
    """The older names, beside tensors that are as they were."""
    found: StateDict = {}
    for name, tensor in tensors.items():
        found |= compressed(name, tensor) if name in SPARSE else {name: tensor}
    return found


def _case(name: str, dtype: torch.dtype, how: Callable[[StateDict], StateDict], seed: int) -> Case:
    tensors = network(dtype, seed)

    def masks(path: Path) -> Tasks:
        return {"": read(path)[0]}

    def evaluate(path: Path) -> Tasks:
        return {"": read(path)[1]}

    effective = {"": {name: tensor + 0.0 if name in SPARSE else tensor for name, tensor in tensors.items()}}
    title = f"compressed-tensors sparse-bitmask, {name}, {str(dtype).removeprefix('torch.')}"
    return Case(title, {}, None, saved_safetensors(how(tensors)), effective, masks, evaluate)


def cases() -> list[Case]:
    dtypes = (torch.float32, torch.float16, torch.bfloat16)
    return [
        *(_case("some tensors, X.weight.bitmask", dtype, some, 170 + i) for i, dtype in enumerate(dtypes)),
        *(_case("0.8, all tensors, X.weight.bitmask", dtype, older, 180 + i) for i, dtype in enumerate(dtypes)),
        *(_case("0.9, sparse layers, X.bitmask of X.weight", dtype, newer, 190 + i) for i, dtype in enumerate(dtypes)),
    ]


def bad() -> list[Bad]:
    good = some(network(torch.float32, 199))
    name = SPARSE[1]
    rows, columns = OPT[name]

    def but(part: str, tensor: torch.Tensor) -> StateDict:
        return good | {f"{name}.{part}": tensor}

    bitmask, offsets, values = (good[f"{name}.{part}"] for part in ("bitmask", "row_offsets", "compressed"))
    wrong = offsets.clone()
    wrong[3] += 1
    found = [
        ("bitmask of too few columns", but("bitmask", bitmask[:, :-1].contiguous()), "bitmask of another size"),
        ("bitmask of too few rows", but("bitmask", bitmask[:-1].clone()), "bitmask of another size"),
        ("row_offsets that are not the counts", but("row_offsets", wrong), "row_offsets that are not the mask's"),
        ("row_offsets of another length", but("row_offsets", offsets[:-1].clone()), "row_offsets of another size"),
        ("fewer values than bits", but("compressed", values[:-1].clone()), "another number of values than of ones"),
        ("more values than bits", but("compressed", torch.cat([values, values[:1]])), "another number of values"),
        ("another shape", but("shape", torch.tensor([rows, columns + 8])), "bitmask of another size than the shape"),
        *(
            (f"no {part}", {key: t for key, t in good.items() if key != f"{name}.{part}"}, f"{part} is missing")
            for part in PARTS
        ),
    ]
    return [Bad(f"compressed-tensors, {what}", {}, saved_safetensors(state), reason) for what, state, reason in found]
