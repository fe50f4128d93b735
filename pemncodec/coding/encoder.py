"""`MaskedNetwork` -> bytes: number what is shared, group small arrays, code each the smallest way.

The result is a function of the network alone (spec section 11): everything is numbered in the order of
first use, and ties go to the lowest id.
"""

from __future__ import annotations

from pathlib import Path

from ..common.progress import Progress, silent
from ..container.writer import EncodedFile, write_container
from ..network.model import MaskedNetwork
from ..network.validation import check_network
from .delta.base_files import BaseFiles
from .rows import encode_tables

# What the name of a base takes in the manifest, about. A delta that saves less is none.
_BASE_BYTES = 80


def encode(
    network: MaskedNetwork, progress: Progress = silent, base: BaseFiles = None, *, seekable: bool = False
) -> bytes:
    """Return the bytes of a `.pemn` file; arguments and errors as `encode_file`."""
    return encode_file(network, progress, base=base, seekable=seekable).to_bytes()


def encode_file(
    network: MaskedNetwork,
    progress: Progress = silent,
    folder: Path | None = None,
    base: BaseFiles = None,
    *,
    seekable: bool = False,
) -> EncodedFile:
    """Return a `.pemn` file, ready to be written.

    Args:
        folder: where a temporary file may be for what would take much memory; by default there is none.
        base: another `.pemn` file, and what it needs itself. What is smaller as a difference from it is stored as one,
            and the file is a delta then (spec section 6.2); if that saves little, the file has no base.
        seekable: whether large masks and blocks are in chunks, so that a part of a tensor does not take the whole one.

    Raises:
        NetworkError: the network contradicts itself or does not fit the format.
        FormatError, BaseFileError, FileAccessError: the base cannot be read.
    """
    check_network(network)
    tables = encode_tables(network, progress, folder, base, seekable=seekable)
    if 0 < tables.saved <= _BASE_BYTES:
        tables = encode_tables(network, progress, folder, None, seekable=seekable)
    return write_container(tables.manifest, tables.sections)
