"""The peers: each a way to write a network into one file, and to read the dense tensors from that file alone."""

from __future__ import annotations

import io
import lzma
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import safetensors.torch
import torch
import zstandard

import pemncodec

from .network import Network

State = dict[str, torch.Tensor]
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Peer:
    """A format.

    Attributes:
        name: as a table calls it.
        pack: the bytes of a file.
        load: the dense tensors in a file.
        module: what must be importable, and is optional.
        most: dense megabytes beyond which it is skipped, because it would take many minutes.
    """

    name: str
    pack: Callable[[Network], bytes]
    load: Callable[[Path], State]
    module: str = ""
    most: int | None = None

    def obstacle(self, network: Network) -> str | None:
        """Why there can be no measurement, if so."""
        reason = absence(self.module) if self.module else None
        if reason is not None:
            return f"absent: {reason}"
        if self.most is not None and network.dense_bytes > self.most * MEGABYTE:
            return f"skipped: beyond {self.most} MB of dense weights it takes many minutes"
        return None


def absence(module: str) -> str | None:
    """Why a module cannot be imported, or None."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import_module(module)
    except Exception as reason:  # a package whose own dependencies do not fit raises anything
        return f"{module.split('.')[0]} cannot be imported ({str(reason).splitlines()[0]})" if str(reason) else module
    return None


def pemn() -> Peer:
    """This project."""
    return Peer(
        "pemn",
        lambda network: pemncodec.save(network.checkpoint, keep=network.keep, ties="stable"),
        lambda path: pemncodec.load_file(path),
    )


def torch_dense() -> Peer:
    """`torch.save` of the effective weights."""

    def pack(network: Network) -> bytes:
        return saved(network.tensors)

    return Peer("torch.save", pack, lambda path: loaded(path))


def torch_csr() -> Peer:
    """`torch.save` of CSR tensors, masked weights as matrices (out, rest), with indices of 32 bits."""

    def pack(network: Network) -> bytes:
        state: dict[str, object] = dict(network.tensors)
        shapes: dict[str, list[int]] = {}
        for name in network.masked:
            matrix = as_matrix(network.tensors[name])
            with warnings.catch_warnings():  # torch calls its sparse tensors beta
                warnings.simplefilter("ignore")
                sparse = matrix.to_sparse_csr()
                state[name] = torch.sparse_csr_tensor(
                    sparse.crow_indices().int(), sparse.col_indices().int(), sparse.values(), sparse.shape
                )
            shapes[name] = list(network.tensors[name].shape)
        return saved({"state": state, "shapes": shapes})

    def load(path: Path) -> State:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            whole = torch.load(path, weights_only=True)
        shapes = whole["shapes"]
        return {
            name: tensor.to_dense().view(shapes[name]) if name in shapes else tensor
            for name, tensor in whole["state"].items()
        }

    return Peer("CSR in torch.save", pack, load)


def safetensors_dense() -> Peer:
    """safetensors of the effective weights."""

    def pack(network: Network) -> bytes:
        return safetensors.torch.save(contiguous(network.tensors))

    return Peer("safetensors", pack, lambda path: safetensors.torch.load_file(path))


def zstd(peer: Peer, level: int, load: Callable[[bytes], State], most: int | None = None) -> Peer:
    """Another peer's file under zstd."""

    def pack(network: Network) -> bytes:
        return zstandard.ZstdCompressor(level=level).compress(peer.pack(network))

    def decompress(path: Path) -> State:
        return load(zstandard.ZstdDecompressor().decompress(path.read_bytes()))

    return replace(peer, name=f"{peer.name} + zstd -{level}", pack=pack, load=decompress, most=most)


def xz(peer: Peer, load: Callable[[bytes], State], most: int | None = None) -> Peer:
    """Another peer's file under xz -9e."""

    def pack(network: Network) -> bytes:
        return lzma.compress(peer.pack(network), preset=9 | lzma.PRESET_EXTREME)

    def decompress(path: Path) -> State:
        return load(lzma.decompress(path.read_bytes()))

    return replace(peer, name=f"{peer.name} + xz -9e", pack=pack, load=decompress, most=most)


def saved(content: object) -> bytes:
    """Return the bytes that torch.save writes."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def loaded(source: Path | bytes) -> State:
    """Return the state that torch.load reads with weights_only=True."""
    state: State = torch.load(io.BytesIO(source) if isinstance(source, bytes) else source, weights_only=True)
    return state


def contiguous(state: State) -> State:
    """As safetensors wants them."""
    return {name: tensor.contiguous() for name, tensor in state.items()}


def as_matrix(tensor: torch.Tensor) -> torch.Tensor:
    """(out, rest) for weights, (1, n) for vectors."""
    return tensor.reshape(len(tensor), -1) if tensor.dim() > 1 else tensor.reshape(1, -1)
