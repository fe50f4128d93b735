"""Peers that have to be installed: zipnn, compressed-tensors, NNCodec. Each is imported when it is used."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch

from . import handmade
from .formats import Peer, State, as_matrix, contiguous
from .network import Network
from .vectors import vectors


@contextmanager
def quiet() -> Iterator[None]:
    """Their imports warn of what torch and numpy will drop."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def zipnn() -> Peer:
    """The safetensors file under zipnn, told that it is float32."""

    def pack(network: Network) -> bytes:
        with quiet():
            from zipnn import ZipNN
        codec = ZipNN(input_format="byte", bytearray_dtype="float32", threads=torch.get_num_threads())
        return bytes(codec.compress(bytearray(safetensors.torch.save(contiguous(network.tensors)))))

    def load(path: Path) -> State:
        with quiet():
            from zipnn import ZipNN
        codec = ZipNN(input_format="byte", bytearray_dtype="float32", threads=torch.get_num_threads())
        return safetensors.torch.load(bytes(codec.decompress(path.read_bytes())))

    return Peer("zipnn (safetensors)", pack, load, module="zipnn")


_BITMASK = "compressed_tensors.compressors.sparse_compressors.sparse_bitmask"  # until 0.12; later ones read no sparsity


def compressed_tensors() -> Peer:
    """The sparse-bitmask format in safetensors; masked weights as matrices (out, rest)."""
    parts = ("compressed", "bitmask", "row_offsets", "shape")

    def pack(network: Network) -> bytes:
        with quiet():
            from compressed_tensors.compressors.sparse_compressors.sparse_bitmask import BitmaskTensor
        tensors = contiguous(network.plain)
        for name in network.masked:
            packed = BitmaskTensor.from_dense(as_matrix(network.tensors[name])).dict(name)
            tensors |= contiguous(packed)
        shapes = {name: list(network.tensors[name].shape) for name in network.masked}
        return safetensors.torch.save(tensors, {"shapes": json.dumps(shapes)})

    def load(path: Path) -> State:
        with quiet():
            from compressed_tensors.compressors.sparse_compressors.sparse_bitmask import BitmaskTensor
        with safetensors.safe_open(path, "pt") as file:
            shapes = json.loads(file.metadata()["shapes"])
        tensors = safetensors.torch.load_file(path)
        for name, shape in shapes.items():
            compressed, bitmask, offsets, matrix = (tensors.pop(f"{name}.{part}") for part in parts)
            tensors[name] = BitmaskTensor(matrix.tolist(), compressed, bitmask, offsets).decompress().view(shape)
        return tensors

    return Peer("compressed-tensors bitmask", pack, load, module=_BITMASK)


def nncodec() -> Peer:
    """Masks as integers under NNCodec (DeepCABAC, ISO/IEC 15938-17), lossless; the rest as in the home-made format.

    Where the kept values are two constants, the integers are 1 and -1, so that signs need nothing beside.
    """

    def pack(network: Network) -> bytes:
        with quiet():
            from nncodec import nnc
        found = vectors(network)
        symbols = {name: layer.mask.int() for name, layer in network.masked.items()}
        for vector in found:
            palette = handmade.two(vector.values)
            if palette is not None and len(palette) == 2 and not vector.shared:
                name = vector.users[0]
                symbols[name][network.masked[name].mask & (network.masked[name].fill == palette[1])] = -1
        arrays = {str(index): as_matrix(symbols[name]).numpy() for index, name in enumerate(network.masked)}
        with tempfile.TemporaryDirectory() as folder, quiet():
            coded = bytes(nnc.compress(arrays, str(Path(folder) / "masks.nnc"), return_bitstream=True, **_LOSSLESS))
        beside = handmade.compressed(handmade.rest(network, found, signs=False), handmade.header(network, found))
        return len(coded).to_bytes(8, "little") + coded + beside

    def load(path: Path) -> State:
        with quiet():
            from nncodec import nnc
        data = path.read_bytes()
        size = 8 + int.from_bytes(data[:8], "little")
        with quiet():
            arrays = nnc.decompress(bytearray(data[8:size]), verbose=False)
        tensors, head = handmade.decompressed(data[size:])
        layers = handmade.layers(head)
        symbols = [torch.from_numpy(np.asarray(arrays[str(i)])).view(layer.shape) for i, layer in enumerate(layers)]
        members = {layer.vector: one[one != 0] < 0 for layer, one in zip(layers, symbols, strict=True)}
        return handmade.rebuilt(tensors, head, [one != 0 for one in symbols], members)

    return Peer("NNCodec masks + prototype", pack, load, module="nncodec.nnc")


_LOSSLESS = {"qp": 0, "use_dq": False, "param_opt": True, "row_skipping": True, "verbose": False}
