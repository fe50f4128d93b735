"""The base files of a delta, found by their digests (spec section 6.2)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from ...common.allowance import Allowance
from ...common.forks import ProcessLock, cached_property
from ...container.opening import PathOrBytes, naming, open_source, path_of, pickled
from ...container.ranges import is_stream
from ...container.reader import TABLES_PER_BYTE, Container, tables_allowance
from ...container.source import Source
from ...errors import BaseFileError, LimitError, OutputExistsError
from ...errors.quoting import shortened

# One file, or several if a base is itself a delta: in any order, because digests identify them.
BaseFiles = PathOrBytes | Sequence[PathOrBytes] | None

# Each base of a base is a decoder inside a decoder, so their number is limited.
MAX_CHAIN = 32
_CHUNK = 1 << 20


class BaseFile:
    """A file that was given as a base; opened when its digest is asked for.

    Args:
        tables: what the tables of this and other bases may take.

    Attributes:
        given: the path or the bytes.
        used: whether it has been some delta's base.
    """

    def __init__(self, given: PathOrBytes, tables: Allowance) -> None:
        self.given = given
        self._tables = tables
        self.used = False
        self._stream: Source | None = None

    @property
    def name(self) -> str:
        """The name of the file in messages."""
        return path_of(self.given) or f"a file of {self._opened().size} bytes"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all its bytes, read piece by piece.

        Raises:
            FileAccessError: it cannot be read.
        """
        from hashlib import sha256  # it loads a library of its own, which `pemn inspect` does without

        stream = self._opened()
        found = sha256()
        with naming(self.given):
            for start in range(0, stream.size, _CHUNK):
                found.update(stream.read(start, min(_CHUNK, stream.size - start)))
        return found.hexdigest()

    @cached_property
    def container(self) -> Container:
        """The file, opened; FormatError if it is none of this format."""
        stream = self._opened()
        self._tables.most += TABLES_PER_BYTE * stream.size
        with naming(self.given):
            return Container(stream, self._tables)

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()

    def _opened(self) -> Source:
        if self._stream is None:
            self._stream = open_source(self.given)
        return self._stream


class Bases:
    """The files that a caller gave as a base. None of them is opened before a base is needed.

    Args:
        given: one file, several, or none.
    """

    def __init__(self, given: BaseFiles = None) -> None:
        tables = tables_allowance(0)  # of all of them together: a chain has up to 32
        self._files = [BaseFile(one, tables) for one in listed(given)]
        self._paths = [one if path_of(one) is None else pickled(one) for one in listed(given)]
        self._lock = ProcessLock()

    def find(self, digest: str) -> BaseFile:
        """The file of this digest.

        Raises:
            BaseFileError: no file was given, or none that was given has this digest.
            LimitError: the base of a base of a base …, and so on.
            FileAccessError: a file cannot be read.
        """
        with self._lock:
            if sum(file.used for file in self._files) >= MAX_CHAIN:
                raise LimitError(f"the chain of deltas is longer than {MAX_CHAIN}: pack the network without a base")
            for file in self._files:
                if file.digest == digest:
                    file.used = True
                    return file
            raise BaseFileError(self._missing(digest))

    def newest(self) -> BaseFile | None:
        """Of the files that were given the one that is the base of none of the others; None if there are no files.

        Raises:
            BaseFileError: there are several.
            FormatError, FileAccessError: a file cannot be read.
        """
        files = list({file.digest: file for file in self._files}.values())
        below = {file.container.manifest.base for file in files}
        found = [file for file in files if file.digest not in below]
        if len(found) > 1:
            raise BaseFileError(
                f"{found[0].name} and {found[1].name} are not bases of other given files: pass one base, and "
                "the bases that it needs"
            )
        for file in found:
            file.used = True
        return found[0] if found else None

    def pickled(self) -> list[str | bytes]:
        """The files as another process is given them: by absolute path, or as bytes."""
        return [one if isinstance(one, str) else pickled(one) for one in self._paths]

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()

    def _missing(self, digest: str) -> str:
        others = [file for file in self._files if not file.used]
        if not others:
            more = " as well" if self._files else ""
            return f"the file is a delta against a base with SHA-256 {digest}: pass the base with --base (base=){more}"
        if len(others) == 1:
            found = f"its SHA-256 is {_begun(others[0].digest)}"
            return f"{others[0].name} is not the base: {found}, expected {digest}"
        names = [shortened(os.path.basename(file.name), 20) for file in others[:2]]  # noqa: PTH119 (bytes have none)
        first = ", ".join(f"{name} has {_begun(file.digest, 6)}" for name, file in zip(names, others, strict=False))
        more = f", and {len(others) - 2} more" if len(others) > 2 else ""
        return f"none of the given files is the base: expected SHA-256 {digest}, but {first}{more}"


def _begun(digest: str, count: int = 16) -> str:
    """Enough of a digest to tell it from another."""
    return f"{digest[:count]}…"


def listed(given: BaseFiles) -> list[PathOrBytes]:
    """The files, whether one or several were given."""
    if given is None:
        return []
    if isinstance(given, str | os.PathLike | bytes | bytearray | memoryview) or is_stream(given):
        return [cast("PathOrBytes", given)]
    return list(cast("Sequence[PathOrBytes]", given))


def refuse_base(output: Path, base: BaseFiles) -> None:
    """Raise OutputExistsError if the output is a base: the delta could not be read any more."""
    for one in listed(base):
        path = path_of(one)
        if path is not None and _same_file(output, Path(path)):
            raise OutputExistsError(f"{output} is the base itself: name another output")


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):  # one of them is missing: the reader or writer reports it
        return False
