"""Both decoders, and the compiled loops and numpy, side by side: the same bits, or the same error class.

Where the specification leaves the order of errors free (6.2: a delta from its pages on, its base, and errors of the
base), other classes of one refused file are no fault; nothing else is let through:

- `_free_order`: header, manifest, digest and limit of the delta itself are right, and both decoders refuse it.
- `_large_references`: 4.7 lets a decoder refuse, as `limit`, a block of coder 6 whose users need more of the base than
  the limit allows; the reference decoder does so and the second one does not.
- `_broken_base`: what only users refer to that are not decoded need not be decoded (6.2), so a decoder may, and may
  find it broken. Where the package does and the second decoder does not, the base as a whole is one that the second
  decoder refuses, in the same class.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import decoder as second

from pemncodec.common import kernels
from pemncodec.errors import BaseFileError, FormatError
from pemncodec.loading.file import PemnFile
from pemncodec.loading.verify import verify_file

from .harness import ACCEPTED, Wrong

MAX_BYTES = 1 << 18
BASE = "base"  # the class of what is the caller's error: no base, or another one

Row = tuple[str, str, tuple[int, ...], bytes]
Content = dict[str, tuple[dict[str, str], list[str], list[Row]]]
"""For every task ("" where there are none): metadata, tasks, and of each tensor name, dtype, shape, bytes."""


def limit_of(data: bytes) -> int:
    """`max_bytes` for a case: most of the time the same, now and then one that may be exceeded by a byte."""
    number = zlib.crc32(data)
    return number // 16 % 3000 if number % 16 == 0 else MAX_BYTES


@contextmanager
def without_kernels() -> Iterator[None]:
    """Let numpy do what the compiled loops do."""
    compiled, kernels.compiled = kernels.compiled, None
    try:
        yield
    finally:
        kernels.compiled = compiled


def by_the_package(data: bytes, max_bytes: int, bases: Sequence[bytes] = (), *, verify: bool = True) -> Content | str:
    """The content of all tasks by the package, or the class of its FormatError."""
    base = list(bases) or None
    try:
        if verify:
            verify_file(data, max_bytes=max_bytes, base=base)
        with PemnFile(data, max_bytes=max_bytes, base=base) as file:
            tasks = file.tasks
            if not tasks:
                return {"": _rows(file)}
        content: Content = {}
        for task in tasks:
            with PemnFile(data, task=task, max_bytes=max_bytes, base=base) as file:
                content[task] = _rows(file)
        return content
    except FormatError as reason:
        return reason.kind
    except BaseFileError:
        return BASE


def _rows(file: PemnFile) -> tuple[dict[str, str], list[str], list[Row]]:
    rows = [(name, file.dtype(name), file.shape(name), file.get_numpy(name).tobytes()) for name in file]
    return file.metadata, file.tasks, rows


def by_the_second(data: bytes, max_bytes: int, bases: Sequence[bytes] = ()) -> Content | str:
    """The same by the decoder beside the specification."""
    digests = {hashlib.sha256(base).hexdigest(): base for base in bases}
    try:
        try:
            made = {"": second.decode(data, None, max_bytes, digests)}
        except (second.DecodeError, second.BaseError):
            raise
        except ValueError:  # none of several tasks was chosen
            made = {task: second.decode(data, task, max_bytes, digests) for task in second.tasks(data)}
    except second.DecodeError as reason:
        return str(reason.kind)
    except second.BaseError:
        return BASE
    return {
        task: (
            network.metadata,
            network.tasks,
            [(name, one.dtype, one.shape, bytes(one.data)) for name, one in network.tensors.items()],
        )
        for task, network in made.items()
    }


def compare(data: bytes, bases: Sequence[bytes] = (), max_bytes: int | None = None) -> str:
    """Read a file in all ways: `ACCEPTED`, or the error class; Wrong if they differ."""
    limit = limit_of(data) if max_bytes is None else max_bytes
    ours = by_the_package(data, limit, bases)
    if kernels.compiled is not None:
        with without_kernels():
            by_numpy = by_the_package(data, limit, bases, verify=isinstance(ours, str))
        _same(ours, by_numpy, "compiled", "numpy")
    theirs = by_the_second(data, limit, bases)
    if ours != theirs and not (
        _large_references(data, limit, ours)
        or _free_order(data, limit, ours, theirs)
        or _broken_base(bases, limit, ours, theirs)
    ):
        _same(ours, theirs, "package", "second")
    return ours if isinstance(ours, str) else ACCEPTED


def _same(one: Content | str, two: Content | str, first: str, other: str) -> None:
    if one == two:
        return
    if isinstance(one, str) or isinstance(two, str):
        words = [found if isinstance(found, str) else "content" for found in (one, two)]
        raise Wrong(f"{first}-{words[0]}-{other}-{words[1]}", f"{first}: {words[0]}; {other}: {words[1]}")
    raise Wrong(f"{first}-{other}-values", _difference(one, two))


def _difference(one: Content, two: Content) -> str:
    if list(one) != list(two):
        return f"tasks {list(one)!a} and {list(two)!a}"
    for task in one:
        if one[task][:2] != two[task][:2]:
            return f"metadata or tasks of task {task!a}"
        for ours, theirs in zip(one[task][2], two[task][2], strict=False):
            if ours != theirs:
                return f"task {task!a}: {ours!a:.200} and {theirs!a:.200}"
    return "the number of tensors"


def _free_order(data: bytes, limit: int, ours: Content | str, theirs: Content | str) -> bool:
    """Return whether both refuse a delta of which no rule before its pages is broken."""
    if not isinstance(ours, str) or not isinstance(theirs, str):
        return False
    try:
        manifest, _, _ = second.read_file(data)
        second.check_limit(manifest, manifest.entries, limit)
    except second.DecodeError:
        return False
    return manifest.base is not None


def _broken_base(bases: Sequence[bytes], limit: int, ours: Content | str, theirs: Content | str) -> bool:
    """Return whether the package found a fault in a base of which the second decoder decodes less."""
    if not isinstance(ours, str) or isinstance(theirs, str):
        return False
    return any(by_the_second(base, limit, bases[number + 1 :]) == ours for number, base in enumerate(bases))


def _large_references(data: bytes, limit: int, ours: Content | str) -> bool:
    """Return whether it was refused because a block of coder 6 may need more of the base than the limit allows."""
    if ours != "limit":
        return False
    try:
        manifest, _, _ = second.read_file(data)
    except second.DecodeError:
        return False
    blocks = [block for block in manifest.blocks if block.coder == second.XOR]
    return any(sum(u.count for u in block.users) * second.DTYPES[block.dtype][1] > limit for block in blocks)
