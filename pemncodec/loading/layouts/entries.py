"""Tensors from decoded layers, in any of the layouts, and what they take."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from importlib import import_module
from types import ModuleType

import torch

from ...coding.decoder import Decoder
from ...coding.sections import SLACK
from ...common import torch_tensors
from ...common.allowance import Allowance
from ...container.manifest.rows import PlainRow
from ...errors import NetworkError
from .table import LAYOUTS, Layout

# What a tensor of torch takes beside its elements, about. It counts from so many tensors on.
TENSOR_BYTES, FREE_TENSORS = 2048, 1 << 13


def check_layout(layout: str) -> None:
    """Raise NetworkError for an unknown layout."""
    if layout not in LAYOUTS:
        other = " (for 'original', use load_original)" if layout == "original" else ""
        raise NetworkError(f"layout {layout!r} is unknown: choose {', '.join(LAYOUTS)}{other}")


def load_entry(decoder: Decoder, index: int, name: str, layout: Layout) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors that an entry becomes: one, or for `masked` layers two (weight and scores).

    Args:
        decoder: of an opened file.
        index: of the entry; an alias gives what it stands for.
        name: under which the tensors are returned.
        layout: one of `LAYOUTS`.

    Raises:
        FormatError: the file cannot be decoded.
        OutputError: the layout cannot say what the layer is.
        UnsupportedTensorError: the installed torch lacks the dtype, or sparse tensors of it.
    """
    row = decoder.manifest.resolve(index)
    if isinstance(row, PlainRow):
        yield name, torch_tensors.to_tensor(decoder.words(index), decoder.dtype(index), row.shape)
    else:
        yield from _module(layout).load(decoder, index, row, name)


def result_bytes(decoder: Decoder, index: int, layout: Layout) -> int:
    """Return the bytes of the tensors that `load_entry` makes of an entry, as the manifest says it."""
    row = decoder.manifest.resolve(index)
    if isinstance(row, PlainRow):
        return decoder.size(index)
    made: int = _module(layout).result_bytes(decoder, index, row)
    return made


def decoded_bytes(decoder: Decoder, index: int, layout: Layout) -> int:
    """Return the bytes that `load_entry` decodes, about."""
    row = decoder.manifest.resolve(index)
    if isinstance(row, PlainRow) or not LAYOUTS[layout].lazy:
        return decoder.size(index)
    made: int = _module(layout).decoded_bytes(decoder, index, row)
    return made


def check_result(decoder: Decoder, entries: Collection[int], layout: Layout) -> None:
    """Refuse, before anything is made, entries that become more than `max_bytes` of tensors.

    Raises:
        LimitError: they do.
    """
    made = sum(result_bytes(decoder, index, layout) for index in entries)
    if LAYOUTS[layout].lazy:  # the prototypes stay, however many layers they fill
        rows = enumerate(decoder.manifest.prototypes)
        made += sum(row.length * decoder.manifest.prototype_dtype(index).itemsize for index, row in rows)
    many = max(0, len(entries) * LAYOUTS[layout].tensors - FREE_TENSORS)
    decoder.check_limit(made + many * TENSOR_BYTES - SLACK, f"layout {layout!r}")


def result_allowance(max_bytes: int) -> Allowance:
    """Return the memory of tensors that are made one by one and kept, `TENSOR_BYTES` each beside elements."""
    reason = "the decoded tensors take {count} bytes, but {most} are allowed: raise max_bytes if you trust the file"
    return Allowance(max_bytes + FREE_TENSORS * TENSOR_BYTES, reason)


@cache
def _module(layout: Layout) -> ModuleType:
    return import_module(LAYOUTS[layout].module)
