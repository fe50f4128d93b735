"""The Python interface: load, from paths and from bytes; `packing` saves."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import torch

from ..checkpoints.names import PREFIXES, scores_name, stripped
from ..coding.delta.base_files import BaseFiles
from ..coding.network_decoder import decode_network
from ..common.progress import Progress, Reporting, callback, silent
from ..container.manifest.rows import DEFAULT_MAX_BYTES, AliasRow
from ..container.opening import PathOrBytes, memory_errors, naming, path_of
from ..errors import MismatchError, NetworkError
from ..errors.quoting import listed, quoted
from ..network.model import MaskedNetwork
from .file import PemnFile, open_decoder
from .layouts.entries import check_layout, check_result
from .layouts.table import LAYOUTS, Layout
from .switching import remember
from .tensors import load_entries
from .threads import available_threads

if TYPE_CHECKING:
    from torch.nn.modules.module import _IncompatibleKeys

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
        return _loaded(file, source, device, layout, strip_prefix, verify, threads, progress)


def _loaded(
    file: PemnFile,
    source: PathOrBytes,
    device: str | torch.device,
    layout: Layout,
    strip_prefix: bool,
    verify: bool,
    threads: int | None,
    progress: Progress,
) -> dict[str, torch.Tensor]:
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


def load_model(
    model: torch.nn.Module,
    path: PathOrBytes,
    strict: bool = True,
    *,
    assign: bool = False,
    layout: Literal["dense", "packed"] = "dense",
    verify: bool = False,
    task: str | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    base: BaseFiles = None,
    threads: int | None = None,
    progress: Reporting = silent,
) -> _IncompatibleKeys:
    """Load a `.pemn` file into a model, as `model.load_state_dict(load_file(path), strict, assign)`.

    A prefix `module.` or `_orig_mod.` that all tensors of the file have, but not the model, is removed; one that only
    the model has is added.

    Args:
        model: whose parameters and buffers are set.
        path: a `.pemn` file: a path, a URL, a binary file object, or bytes.
        strict: whether the names must be the same.
        assign: put the tensors of the file into the model, with their dtype, rather than copy their values into those
            that it has. A model on the meta device needs it. What the model ties stays tied, and nothing else shares
            memory.
        layout: `"packed"`: masked layers become `PackedTensor`s, which the model runs as they are; this implies
            `assign`. The weights are constants then (`requires_grad` is False). `switch_task` gives the model another
            task of the file.

    The other arguments are as for `load_file`.

    Returns:
        Missing and unexpected keys.

    Raises:
        MismatchError: with `strict`: names differ; always: a shape differs, or two tensors that the model ties; without
            `assign`: a parameter or buffer is on the meta device, where copying does nothing.
        FormatError, NotFoundError, BaseFileError, FileAccessError: as `load_file`.
    """
    if layout not in ("dense", "packed"):
        raise NetworkError(f"layout {layout!r} is no layout of a model: choose dense or packed")
    packed = layout == "packed"
    assign = assign or packed
    own = model.state_dict(keep_vars=True)
    meta = next((name for name, tensor in own.items() if isinstance(tensor, torch.Tensor) and tensor.is_meta), None)
    if meta is not None and not assign:
        raise MismatchError(
            f"{quoted(meta)} of the model is on the meta device and cannot be copied to: use assign=True"
        )
    file = PemnFile(path, task=task, max_bytes=max_bytes, base=base)
    with nullcontext() if packed else file:
        tensors = _loaded(file, path, "cpu", layout, False, verify, threads, callback(progress))
    renamed = _renamed(own, tensors)
    tensors = {new: tensors[name] for name, new in renamed.items()}
    _check_ties(own, tensors, path)
    try:
        if assign:
            tensors = _tied_as(own, tensors)
        found = cast("_IncompatibleKeys", model.load_state_dict(tensors, strict=strict, assign=assign))
    except RuntimeError as reason:
        why = _differing_names(own, tensors) if strict else ""
        why = why or " ".join(str(reason).split("\n")[1:2]) or str(reason)  # below torch's headline
        raise MismatchError(f"{_called(path)} does not fit the model: {why}") from None
    if packed:
        _make_constant(model)
        remember(model, file, renamed)
    return found


def _renamed(own: Mapping[str, Any], tensors: Mapping[str, Any]) -> dict[str, str]:
    """Return the name in the model of each tensor, where a prefix is superfluous or missing."""
    same = {name: name for name in tensors}
    if not own or set(own) & set(tensors):
        return same
    bare = {name: new for new, name in stripped(same).items()}
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in own):
            bare = {name: prefix + new for name, new in bare.items()}
    return bare


def _make_constant(model: torch.nn.Module) -> None:
    from ..packed.tensor import PackedTensor

    for parameter in model.parameters():
        if isinstance(parameter, PackedTensor):
            parameter.requires_grad_(False)


def _differing_names(own: Iterable[str], names: Iterable[str]) -> str:
    there, given = dict.fromkeys(own), dict.fromkeys(names)
    missing, unexpected = [name for name in there if name not in given], [name for name in given if name not in there]
    parts = [f"Missing key(s) {listed(missing, 2)}"] if missing else []
    parts += [f"Unexpected key(s) {listed(unexpected, 2)}"] if unexpected else []
    return "; ".join(parts)


def _tied_as(own: dict[str, torch.Tensor], tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors to be assigned: one object where the model has one, and memory of its own everywhere else."""
    made: dict[int, torch.Tensor] = {}
    used: set[int] = set()
    out: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        mine = own.get(name)
        if mine is not None and id(mine) in made:
            out[name] = made[id(mine)]
            continue
        out[name] = tensor.clone() if id(tensor) in used else tensor
        used.add(id(tensor))
        if mine is not None:
            if isinstance(mine, torch.nn.Parameter):  # torch would make a parameter for each name
                out[name] = torch.nn.Parameter(out[name], requires_grad=mine.requires_grad)
            made[id(mine)] = out[name]
    return out


def _check_ties(own: dict[str, torch.Tensor], tensors: dict[str, torch.Tensor], path: PathOrBytes) -> None:
    """Check that tied names of the model get equal values: the last one loaded would silently win."""
    first: dict[int, str] = {}
    for name, tensor in own.items():
        other = first.setdefault(id(tensor), name)
        if other in tensors and name in tensors and not _same_bits(tensors[other], tensors[name]):
            raise MismatchError(
                f"{_called(path)} holds different values for {quoted(other)} and {quoted(name)}, which are one "
                "tensor in the model: load into a model that does not tie them"
            )


def _called(path: PathOrBytes) -> str:
    return path_of(path) or "the file"


def _same_bits(one: torch.Tensor, two: torch.Tensor) -> bool:
    if one is two or one.shape != two.shape or one.dtype != two.dtype:
        return one is two
    return torch.equal(*(tensor.contiguous().view(-1).view(torch.uint8) for tensor in (one, two)))


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
