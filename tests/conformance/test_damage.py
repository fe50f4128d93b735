"""Damaged, cut, manipulated and oversized files: always an error of the right class, never anything else."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import pemncodec
from pemncodec.coding.encoder import encode
from pemncodec.common.dtypes import BY_NAME, FLOAT32
from pemncodec.errors import (
    ChecksumError,
    FormatError,
    LimitError,
    MagicError,
    NotFoundError,
    TrailingBytesError,
    TruncatedError,
    VersionError,
)
from pemncodec.loading.file import PemnFile
from pemncodec.loading.verify import verify_file
from pemncodec.network.model import MaskedNetwork, Tensor

from ..networks import BUILDERS, assemble, first_content, second, second_content, split, u, words

pytestmark = pytest.mark.usefixtures("both_ways")  # with the compiled loops, and without

RICH = {name: encode(BUILDERS[name]()) for name in ("layers", "tasks")}
PAGE = 65536


def expected_error(offset: int, data: bytes) -> type[FormatError]:
    """Section 3: magic, then version, unless it is another known one; the rest of a file is under a CRC-32."""
    known = data[8] == 1 and data[9] <= 1
    return MagicError if offset < 8 else VersionError if offset < 10 and not known else ChecksumError


@pytest.mark.parametrize("name", RICH)
def test_every_prefix(name: str) -> None:
    data = RICH[name]
    for stop in range(len(data)):
        with pytest.raises(TruncatedError, match=f"ends after {stop} "):
            verify_file(data[:stop])
        with pytest.raises(second.DecodeError) as caught:
            second_content(data[:stop])
        assert caught.value.kind == "truncated"


def test_every_prefix_of_a_file_on_disk(tmp_path: Path) -> None:
    data = RICH["tasks"]
    path = tmp_path / "cut.pemn"
    for stop in range(len(data)):
        path.write_bytes(data[:stop])
        with pytest.raises(TruncatedError, match=f"ends after {stop} "):
            PemnFile(path)


@pytest.mark.parametrize("name", RICH)
@pytest.mark.parametrize("extra", [b"\0", b"\n", b"\x89PEMN\r\n\x1a"])
def test_bytes_at_the_end(name: str, extra: bytes) -> None:
    with pytest.raises(TrailingBytesError, match=f"{len(extra)} bytes follow"):
        verify_file(RICH[name] + extra)
    with pytest.raises(TrailingBytesError, match=f"{len(extra)} bytes follow"):
        PemnFile(RICH[name] + extra)


def damaged(data: bytes) -> Iterator[tuple[int, bytes]]:
    for offset in range(len(data)):
        for flip in (0x01, 0x80, 0xFF):
            other = bytearray(data)
            other[offset] ^= flip
            yield offset, bytes(other)


@pytest.mark.parametrize("name", RICH)
def test_every_byte(name: str) -> None:
    for offset, other in damaged(RICH[name]):
        error = expected_error(offset, other)
        with pytest.raises(FormatError) as caught:
            verify_file(other)
        assert type(caught.value) is error, offset
        with pytest.raises(second.DecodeError) as theirs:
            second_content(other)
        assert theirs.value.kind == error.kind, offset


@pytest.mark.parametrize("name", RICH)
def test_every_byte_in_the_lazy_reader(name: str) -> None:
    """Opening sees the front; reading sees the payload; what is read nevertheless is right."""
    data = RICH[name]
    start = len(data) - len(split(data)[1])
    tasks = [task for task in second_content(data) if task]
    right = first_content(data, tasks)
    for offset, other in damaged(data):
        if offset < start:
            with pytest.raises(expected_error(offset, other)):
                PemnFile(other, task=tasks[0] if tasks else None)
            continue
        refused = 0
        for task in right:
            with PemnFile(other, task=task or None) as file:
                for tensor, _, _, content in right[task]:
                    try:
                        assert file.get_numpy(tensor).tobytes() == content
                    except ChecksumError:
                        refused += 1
        assert refused > 0, offset


def test_only_the_pages_that_are_needed() -> None:
    """A tensor is read from its own pages; damage elsewhere is for `verify_file` to find."""
    uint8 = BY_NAME["uint8"]
    parts = [np.frombuffer(np.random.default_rng(seed).bytes(3 * PAGE + 1), dtype=np.uint8) for seed in range(2)]
    network = MaskedNetwork([Tensor(f"t{i}", uint8, part.shape, part) for i, part in enumerate(parts)])
    data = encode(network)
    start = len(data) - len(split(data)[1])
    boundary = 3 * PAGE + 1  # t0 ends in page 3, where t1 begins
    assert len(split(data)[1]) == 2 * boundary
    for where in (0, PAGE - 1, PAGE, boundary - 1, boundary, 4 * PAGE - 1, 4 * PAGE, 2 * boundary - 1):
        other = bytearray(data)
        other[start + where] ^= 0x10
        for index, (first, last) in enumerate(((0, 3), (3, 6))):
            with PemnFile(bytes(other)) as file:
                if first <= where // PAGE <= last:
                    with pytest.raises(ChecksumError, match=f"CRC-32 mismatch in page {where // PAGE}\\)"):
                        file.get_numpy(f"t{index}")
                else:
                    assert file.get_numpy(f"t{index}").tobytes() == parts[index].tobytes()
        with pytest.raises(ChecksumError, match=f"page {where // PAGE}\\)"):
            verify_file(bytes(other))


# --- manipulated: all checksums agree -------------------------------------------------------------------------

SMALL = 1 << 22  # max_bytes: what a manipulated length makes stays small


def outcome(decode: Callable[[], object], error: type[Exception]) -> object:
    """The content, or the class of the format error; any other exception goes through."""
    try:
        return decode()
    except error as reason:
        return f"error: {reason.kind}"  # type: ignore[attr-defined]


def by_the_package(data: bytes) -> object:
    verify_file(data, max_bytes=SMALL)
    return first_content(data, list(second.tasks(data)))


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes changed, removed, doubled or put in."""
    out = bytearray(data)
    for _ in range(int(rng.choice([1, 1, 1, 2, 4]))):
        if not out:
            break
        at = int(rng.integers(len(out)))
        kind = rng.integers(6)
        if kind < 3:
            others = [0, 1, 2, 3, 4, 0x7F, 0x80, 0xFF, out[at] ^ 1, (out[at] + 1) % 256, int(rng.integers(256))]
            out[at] = int(rng.choice(others))
        elif kind == 3:
            del out[at : at + int(rng.integers(1, 4))]
        elif kind == 4:
            out[at:at] = out[at : at + int(rng.integers(1, 9))]
        else:
            out[at:at] = rng.bytes(int(rng.integers(1, 10)))
    return bytes(out)


@pytest.mark.parametrize("part", ["manifest", "payload"])
@pytest.mark.parametrize("name", ["every_dtype", "layers", "tasks"])
def test_manipulated(name: str, part: str) -> None:
    manifest, payload = split(encode(BUILDERS[name]()))
    rng = np.random.default_rng([len(name), len(part)])
    seen = set()
    for _ in range(250 if part == "manifest" else 120):
        if part == "manifest":
            data = assemble(mutated(manifest, rng) or b"\0", payload)
        else:
            other = bytearray(payload)
            for at in rng.integers(len(other), size=int(rng.integers(1, 4))):
                other[at] = int(rng.choice([0, 1, 255, other[at] ^ 1, int(rng.integers(256))]))
            data = assemble(manifest, bytes(other))
        ours = outcome(partial(by_the_package, data), FormatError)
        theirs = outcome(partial(second_content, data, SMALL), second.DecodeError)
        assert ours == theirs, data.hex()
        seen.add(ours if isinstance(ours, str) else "content")
    assert seen <= {"content", "error: manifest", "error: payload", "error: limit"}
    assert {"content", "error: payload"} <= seen  # the mutations are not all of one kind


# --- size of the result ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["every_dtype", "layers", "tasks", "large"])
def test_max_bytes_is_exact(name: str) -> None:
    """Section 4.7: entries once, aliases not, and all prototypes."""
    network = BUILDERS[name]()
    size = sum(len(network.prototype_values(i)) * p.dtype.itemsize for i, p in enumerate(network.prototypes))
    size += sum(tensor.values.nbytes for tensor in network.tensors)
    size += sum(layer.numel * network.layer_dtype(layer).itemsize for layer in network.layers)
    data = encode(network)
    verify_file(data, max_bytes=size)
    assert second_content(data, size)
    with pytest.raises(LimitError, match=f"decodes to {size} bytes, but max_bytes allows {size - 1}"):
        verify_file(data, max_bytes=size - 1)
    with pytest.raises(second.DecodeError, match=f"decodes to {size} bytes"):
        second_content(data, size - 1)
    assert len(pemncodec.load_network(data, max_bytes=size).entries) == len(network.entries)
    with pytest.raises(LimitError, match=f"decodes to {size} bytes"):
        pemncodec.load_network(data, max_bytes=size - 1)


def test_max_bytes_of_one_tensor() -> None:
    """The lazy reader applies the limit to what it decodes at a time."""
    data = encode(MaskedNetwork([Tensor("t", FLOAT32, (5,), words(FLOAT32, 5, 0))]))
    with PemnFile(data, max_bytes=20) as file:
        assert file.get_numpy("t").nbytes == 20
    with PemnFile(data, max_bytes=19) as file, pytest.raises(LimitError, match=r"decodes to 20 bytes"):
        file.get_numpy("t")


def huge() -> dict[str, bytes]:
    """Files of some hundred bytes that say they hold 2^48 elements."""
    n = u(1 << 48)
    no, end, block = b"\x00\x00", b"\x00", b"\x01\x02\x03\x03"  # no metadata, no tasks; a palette of one uint8
    one = b"\x00\x00\x01"
    mask = b"\x01\x00" + n + n + b"\x00"  # all ones, no bytes
    generator = b"\x01\x01" + n + b"\x01\x02" + bytes(16) + b"\x00\x00\x80\x3f" + bytes(5)
    entry = b"\x01\x00\x01t"
    tiled = b"\x00\x00\x00\x00\x00"  # mask, prototype, phase, zero, scaled
    return {
        "tensor": assemble(no + end + block + end + entry + b"\x00\x01" + n + b"\x00", one),
        "kept layer": assemble(no + mask + block + end + entry + b"\x01\x01" + n + b"\x00\x00", one),
        "tiled layer": assemble(no + mask + block + b"\x01\x00\x01\x00\x00" + entry + b"\x02\x01" + n + tiled, one),
        "generator": assemble(no + mask + end + generator + entry + b"\x02\x01" + n + tiled),
    }


@pytest.mark.parametrize("name", huge())
def test_huge(name: str) -> None:
    """Refused from the manifest alone: nothing of that size is ever allocated."""
    data = huge()[name]
    calls: list[Callable[[], object]] = [
        partial(verify_file, data),
        partial(pemncodec.load, data),
        partial(pemncodec.load_network, data),
        partial(lambda file: file.get_tensor("t"), PemnFile(data)),
        partial(lambda file: file.get_numpy("t"), PemnFile(data)),
    ]
    if name != "tensor":
        calls.append(partial(lambda file: file.get_mask("t"), PemnFile(data)))
    for call in calls:
        tracemalloc.start()
        try:
            with pytest.raises(LimitError, match=r"decodes to \d{15,} bytes, but max_bytes allows 17179869184"):
                call()
            assert tracemalloc.get_traced_memory()[1] < 1 << 20
        finally:
            tracemalloc.stop()
    with pytest.raises(second.DecodeError) as caught:
        second_content(data)
    assert caught.value.kind == "limit"


def test_a_wrong_task_is_no_error_of_the_file() -> None:
    with PemnFile(RICH["tasks"]) as file, pytest.raises(NotFoundError, match="choose one of 'one', 'zwei'"):
        file.keys()
    with pytest.raises(NotFoundError, match="there is no task 'drei'"):
        PemnFile(RICH["tasks"], task="drei")
    with pytest.raises(NotFoundError, match="it has none"):
        PemnFile(RICH["layers"], task="one")
