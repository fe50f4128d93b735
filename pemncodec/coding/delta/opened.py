"""The base that an encoder finds differences from (spec section 6.2)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..decoder import Decoder
from .base_files import BaseFiles, Bases
from .base_values import BaseValues
from .matching import OpenedBase


@contextmanager
def open_base(given: BaseFiles) -> Iterator[OpenedBase | None]:
    """Open the base among the files that were given; the others are what it needs itself. None if there are no files.

    Raises:
        BaseFileError: it is not clear which one it is.
        FormatError, FileAccessError: a file cannot be read.
    """
    bases = Bases(given)
    try:
        file = bases.newest()
        if file is None:
            yield None
        else:
            yield OpenedBase(file.digest, BaseValues(Decoder(file.container, bases=bases), file.name))
    finally:
        bases.close()
