"""The table of valid vectors: a file and what it holds, which is stated by hand or made from plain arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from writer.coders import D, utf8
from writer.writer import File

from cases.content import Array


@dataclass
class Expected:
    """One tensor that a decoder must return."""

    name: str
    dtype: D
    shape: Sequence[int]
    data: bytes


@dataclass
class Valid:
    """A file and its networks by task; the task of a file without tasks is the empty string.

    Of a delta `base` is the name of its base: a valid vector, or `../invalid/` and an invalid one. The tasks in
    `without_base` are decoded without it.
    """

    file: File
    networks: dict[str, list[Expected]]
    base: str | None = None
    without_base: Sequence[str] = ()


Make = Callable[[], Valid]
VALID: dict[str, tuple[str, Make]] = {}  # what is unusual about each valid vector, and what makes it


def case(name: str, about: str) -> Callable[[Make], Make]:
    """Return what registers the maker of a valid vector."""

    def register(make: Make) -> Make:
        if name in VALID:
            raise ValueError(f"two valid vectors have the name {name}")
        VALID[name] = about, make
        return make

    return register


def valid(make: Make) -> Make:
    """Register a function as the vector of its name; its docstring is what is unusual about it."""
    return case(make.__name__, make.__doc__ or "")(make)


def again(name: str) -> Valid:
    """Return a valid vector of before, made anew."""
    return VALID[name][1]()


def held(name: str, task: str = "") -> list[Expected]:
    """Return the tensors of a valid vector."""
    return again(name).networks[task]


def expect(name: str, dtype: D, shape: Sequence[int], data: bytes | Array) -> Expected:
    """Return an expected tensor; arrays are those of the little-endian elements."""
    return Expected(name, dtype, shape, data if isinstance(data, bytes) else data.tobytes())


def one(file: File, *network: Expected) -> Valid:
    """Return the case of a file without tasks."""
    return Valid(file, {"": list(network)})


def same(file: File, dtype: D, *rows: tuple[str, Sequence[int], bytes | Array]) -> Valid:
    """Return the case of a file without tasks, all of one dtype."""
    return one(file, *(expect(name, dtype, shape, data) for name, shape, data in rows))


def since(minor: int, made: Valid) -> Valid:
    """Return the case as a file of version 1.`minor`."""
    made.file.header = {"minor": minor}
    return made


def demand(condition: object, what: str) -> None:
    """Raise unless a vector shows what it is there for."""
    if not condition:
        raise AssertionError(what)


@cache
def digest(base: str) -> str:
    """Return what stands in the metadata of a delta upon this valid vector."""
    return hashlib.sha256(again(base).file.build()).hexdigest()


def named(file: File, value: str | bytes) -> File:
    """Return the file with this value as its `pemn.base`."""
    file.metadata = sorted([*file.metadata, ("pemn.base", value)], key=lambda pair: utf8(pair[0]))
    return file


def upon(base: str, made: Valid) -> Valid:
    """Return the case as a delta upon a valid vector, in a file of version 1.3."""
    named(made.file, digest(base)).header = {"minor": 3}
    return replace(made, base=base)
