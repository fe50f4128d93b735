"""The output layouts: a row each.

A layout is a module in this folder, a row here and its name in `Layout`; nothing else names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class OutputLayout:
    """A form in which masked layers are returned; other tensors are the same in all.

    Attributes:
        module: with `load(decoder, index, row, name)`, which yields the named tensors that a masked layer becomes, and
            `result_bytes(decoder, index, row)`, the bytes of their elements as the manifest says it.
        about: what a layer becomes, as the help of `pemn unpack` says it.
        tensors: how many tensors a layer becomes, at most.
        lazy: whether tensors read the file when they are used, which then stays open.
        written: whether `pemn unpack` can write it to a file.
    """

    module: str
    about: str
    tensors: int = 2
    lazy: bool = False
    written: bool = True


Layout = Literal["dense", "masked", "csr", "coo", "packed"]
LAYOUTS: dict[str, OutputLayout] = {
    "dense": OutputLayout("pemncodec.loading.layouts.dense", "effective weights", 1),
    "masked": OutputLayout("pemncodec.loading.layouts.masked", "filled prototypes and 0/1 scores"),
    "csr": OutputLayout("pemncodec.loading.layouts.csr", "compressed sparse rows"),
    "coo": OutputLayout("pemncodec.loading.layouts.coo", "sparse coordinates"),
    "packed": OutputLayout("pemncodec.loading.layouts.packed", "masks in memory as they are stored", 4, True, False),
}
