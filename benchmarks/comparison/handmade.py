"""The obvious home-made format: bit-packed masks, the values that fill the layers, everything else as it is; then zstd.

It gets all that a user knows: values that no layer keeps are not stored, and which these are follows from the masks;
of values that are two constants one bit each is stored; of a constant nothing but itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
import zstandard

from .formats import Peer, State, contiguous
from .network import Network
from .vectors import Vector, kept_somewhere, tiled, vectors

LEVEL = 22
_MASKS, _MEMBERS, _PALETTE, _VALUES = "#masks", "#bits", "#palette", "#values"


@dataclass(frozen=True)
class Layer:
    """A masked layer, as the header of the file says it."""

    name: str
    shape: list[int]
    vector: int


def peer() -> Peer:
    """Masks and the rest in safetensors, under zstd -22 --ultra."""

    def pack(network: Network) -> bytes:
        found = vectors(network)
        tensors = rest(network, found)
        masks = np.concatenate([layer.mask.numpy().ravel() for layer in network.masked.values()] or [np.zeros(0, bool)])
        tensors[_MASKS] = torch.from_numpy(np.packbits(masks))
        return compressed(tensors, header(network, found))

    def load(path: Path) -> State:
        tensors, head = decompressed(path.read_bytes())
        counts = [int(np.prod(layer.shape)) for layer in layers(head)]
        ones = np.unpackbits(tensors.pop(_MASKS).numpy(), count=sum(counts)).view(np.bool_)
        masks = torch.from_numpy(ones).split(counts) if counts else ()
        return rebuilt(tensors, head, [masks[index].view(layer.shape) for index, layer in enumerate(layers(head))])

    return Peer(f"bit masks + prototype, zstd -{LEVEL}", pack, load)


def header(network: Network, found: list[Vector]) -> str:
    """Layers, and the length of each vector."""
    number = {name: index for index, vector in enumerate(found) for name in vector.users}
    return json.dumps(
        {
            "layers": [[name, list(layer.fill.shape), number[name]] for name, layer in network.masked.items()],
            "lengths": [len(vector.elements) for vector in found],
            "names": list(network.tensors),
        },
        separators=(",", ":"),
    )


def layers(head: dict[str, list[list[object]]]) -> list[Layer]:
    """The layers of a header."""
    return [Layer(*row) for row in head["layers"]]  # type: ignore[arg-type]


def rest(network: Network, found: list[Vector], signs: bool = True) -> State:
    """Plain tensors, and the values of the vectors.

    Args:
        network: the network.
        found: its vectors.
        signs: whether to store which of two constants a value is; a format that codes it with the masks need not.
    """
    tensors = contiguous(network.plain)
    for index, vector in enumerate(found):
        palette = two(vector.values)
        if palette is None:
            tensors[f"{_VALUES}{index}"] = vector.values
            continue
        tensors[f"{_PALETTE}{index}"] = palette
        if len(palette) == 2 and signs:
            tensors[f"{_MEMBERS}{index}"] = torch.from_numpy(np.packbits((vector.values == palette[1]).numpy()))
    return tensors


def two(values: torch.Tensor) -> torch.Tensor | None:
    """The distinct values, if there are one or two; the greater first."""
    distinct = values.unique()
    return distinct.flip(0).contiguous() if 1 <= len(distinct) <= 2 else None


def compressed(tensors: State, head: str) -> bytes:
    """safetensors under zstd."""
    return zstandard.ZstdCompressor(level=LEVEL).compress(safetensors.torch.save(tensors, {"head": head}))


def decompressed(data: bytes) -> tuple[State, dict[str, list[list[object]]]]:
    """Tensors and header of `compressed`."""
    raw = zstandard.ZstdDecompressor().decompress(data)
    size = int.from_bytes(raw[:8], "little")
    head: dict[str, list[list[object]]] = json.loads(json.loads(raw[8 : 8 + size])["__metadata__"]["head"])
    return safetensors.torch.load(raw), head


def rebuilt(
    tensors: State,
    head: dict[str, list[list[object]]],
    masks: list[torch.Tensor],
    members: dict[int, torch.Tensor] | None = None,
) -> State:
    """The dense state_dict.

    Args:
        tensors: what `rest` made.
        head: the header.
        masks: bool, one a layer.
        members: by vector, which of two constants each of its values is, where `tensors` does not hold it.
    """
    lengths: list[int] = head["lengths"]  # type: ignore[assignment]
    used = [torch.zeros(length, dtype=torch.bool) for length in lengths]
    for layer, mask in zip(layers(head), masks, strict=True):
        used[layer.vector] |= kept_somewhere(mask.flatten(), lengths[layer.vector])
    elements = []
    for index, where in enumerate(used):
        count = int(where.sum())
        values = tensors.pop(f"{_VALUES}{index}", None)
        if values is None:
            palette = tensors.pop(f"{_PALETTE}{index}")
            member = (members or {}).get(index)
            if f"{_MEMBERS}{index}" in tensors:
                packed = tensors.pop(f"{_MEMBERS}{index}").numpy()
                member = torch.from_numpy(np.unpackbits(packed, count=count))
            values = palette[:1].expand(count) if member is None else palette[member.long()]
        whole = torch.zeros(len(where), dtype=values.dtype)
        whole[where] = values
        elements.append(whole)
    for layer, mask in zip(layers(head), masks, strict=True):
        fill = tiled(elements[layer.vector], mask.numel()).view(layer.shape)
        tensors[layer.name] = torch.where(mask, fill, torch.zeros((), dtype=fill.dtype))
    names: list[str] = head["names"]  # type: ignore[assignment]
    return {name: tensors[name] for name in names}
