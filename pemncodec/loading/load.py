"""The Python interface: load, from paths and from bytes; `packing` saves."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING, TypeVar

import torch

from ..checkpoints.names import scores_name, stripped
from ..coding.delta.base_files import BaseFiles
from ..coding.network_decoder import decode_network
from ..common.progress import Progress, Reporting, callback, silent
from ..container.manifest.rows import DEFAULT_MAX_BYTES, AliasRow
from ..container.opening import PathOrBytes, memory_errors, naming
from ..errors import NetworkError
from ..errors.quoting import quoted
from ..network.model import MaskedNetwork
from .file import PemnFile, open_decoder
from .layouts.entries import check_layout, check_result
from .layouts.table import LAYOUTS, Layout
from .tensors import load_entries
from .threads import available_threads

if TYPE_CHECKING:
    pass

PathLike = str | os.PathLike[str]
T = TypeVar("T")


def load(
    data: bytes | bytearray | memoryview,
    *,
    device: str | torch.device = "cpu",
    layout: Layout = "dense",
    task: str | None = None,
    strip_prefix: bool = False,
    verify: bool = False,
    max_bytes: int = DEFAULT_MAX_BYTES,
    base: BaseFiles = None,
    threads: int | None = None,
    progress: Reporting = silent,
) -> dict[str, torch.Tensor]:
    """Return the state_dict in the bytes of a `.pemn` file.

    Args:
        data: the file.
        device: where to put the tensors. CUDA expands dense masked layers itself; all else is decoded on the CPU.
        layout: `"dense"`: the effective weights. `"masked"`: for every masked layer the filled prototype as
            `X.weight` (zeros where it was not stored) and 0/1 `X.scores`, from which edge-popup code gets the
            same mask at the same fraction. `"csr"`, `"coo"`: masked layers as sparse tensors; CSR tensors are
            2-d, (out, in · kernel) for convolutions and (1, n) for vectors; COO tensors have the layer's shape.
            Layers whose zero bits do not stand for zero stay dense. `"packed"`: masked layers as `PackedTensor`s,
            which take one bit per weight in memory and run as they are. Raw masks are used where the file is mapped;
            the file stays open.
        task: the task to load, if the file holds several.
        strip_prefix: remove `module.` or `_orig_mod.` if every name has it.
        verify: for `"packed"`: check all checksums now, rather than those of a mask at its first use. All other layouts
            check everything that they read.
        max_bytes: refuse to decode more than this; the default is 16 GiB. A base may take as much again.
        base: for a delta, its base, a path or bytes; several, in any order, if the base is itself a delta. Other
            files need none.
        threads: how many threads decode on the CPU; by default one for each core of this process. The result does not
            depend on it.
        progress: called with (bytes done, bytes in total, name), by the calling thread; or `tqdm`, or one of its bars.

    Returns:
        Tensors by name, in the order of the original state_dict. Tied tensors are one tensor under two names.

    Raises:
        FormatError: the file is damaged, breaks the format, or decodes to more than `max_bytes`.
        NotFoundError: the task is not in the file, or none was chosen and there are several.
        BaseFileError: the file is a delta, and its base was not given, or is another file.
        OutputError: the device cannot be used, or the layout cannot express a layer.
        UnsupportedTensorError: the installed torch, or the device, lacks a dtype.
    """
    return _load(data, device, layout, task, strip_prefix, verify, max_bytes, base, threads, callback(progress))


def load_file(
    path: PathOrBytes,
    *,
    device: str | torch.device = "cpu",
    layout: Layout = "dense",
    task: str | None = None,
    strip_prefix: bool = False,
    verify: bool = False,
    max_bytes: int = DEFAULT_MAX_BYTES,
    base: BaseFiles = None,
    threads: int | None = None,
    progress: Reporting = silent,
) -> dict[str, torch.Tensor]:
    """Return the state_dict in a `.pemn` file; arguments, result and errors as `load`.

    Args:
        path: a path, a URL that fsspec knows (`https://…`, `s3://…`; only what is needed is read), a binary file object
            that can seek, or bytes.

    Raises:
        FileAccessError: `path` cannot be read.
    """
    return _load(path, device, layout, task, strip_prefix, verify, max_bytes, base, threads, callback(progress))


def _load(
    source: PathOrBytes,
    device: str | torch.device,
    layout: Layout,
    task: str | None,
    strip_prefix: bool,
    verify: bool,
    max_bytes: int,
    base: BaseFiles,
    threads: int | None,
    progress: Progress,
) -> dict[str, torch.Tensor]:
    check_layout(layout)
    file = PemnFile(source, task=task, max_bytes=max_bytes, base=base)
    with nullcontext() if LAYOUTS[layout].lazy else file:
        return tensors_of(file, source, device, layout, strip_prefix, verify, threads, progress)


def tensors_of(
    file: PemnFile,
    source: PathOrBytes,
    device: str | torch.device,
    layout: Layout,
    strip_prefix: bool,
    verify: bool,
    threads: int | None,
    progress: Progress,
) -> dict[str, torch.Tensor]:
    """Return the tensors of an opened file by name; arguments, result and errors as `load`."""
    workers = available_threads(threads)
    tensors: dict[str, torch.Tensor] = {}
    with naming(source), memory_errors():
        if not LAYOUTS[layout].lazy:
            file.decoder.check_limit(file.decoded_size, "the file")
        own = {name: file.index(name) for name in file if file.alias_of(name) is None}
        check_result(file.decoder, own.values(), layout)
        loaded = load_entries(file.decoder, own, layout, device, workers, progress)
        for name in file:
            target = file.alias_of(name)
            parts = loaded[target or name]
            if target is not None:  # the same tensors under other names
                keys = [name, scores_name(name)]
                parts = list(zip(keys, (tensor for _, tensor in parts), strict=False))
            for key, tensor in parts:
                if key in tensors:
                    raise NetworkError(f"two tensors would be named {quoted(key)} in layout {layout!r}: use 'dense'")
                tensors[key] = tensor
        if verify:
            for _ in file.decoder.container.check_pages():
                pass
    return stripped(tensors) if strip_prefix else tensors


def load_network(
    source: PathOrBytes,
    *,
    max_bytes: int = DEFAULT_MAX_BYTES,
    base: BaseFiles = None,
    progress: Reporting = silent,
) -> MaskedNetwork:
    """The network of a file as prototypes, masks, layers and tensors; all tasks, nothing filled.

    Raises:
        FormatError, BaseFileError, FileAccessError: as `load_file`.
    """
    with (
        open_decoder(source, max_bytes=max_bytes, base=base) as decoder,
        naming(source),
        memory_errors(),
    ):
        decoder.check_limit(decoder.manifest.decoded_bytes(None), "the file")
        own = [index for index, row in enumerate(decoder.manifest.entries) if not isinstance(row, AliasRow)]
        check_result(decoder, own, "dense")
        return decode_network(decoder, callback(progress))
