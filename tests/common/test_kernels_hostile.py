"""Whatever the compiled loops are called with: a right result or an error, and nothing outside of the buffers."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pemncodec.common import kernels

from ..kernel_calls import CALLS, STREAMED, fill, numbers
from ..kernel_play import anything, fail, play, succeed


@pytest.fixture
def compiled() -> Any:
    if kernels.compiled is None:
        pytest.skip("the compiled loops were not built here")
    return kernels.compiled


@pytest.mark.parametrize("seed", range(30))
def test_play(compiled: Any, seed: int) -> None:
    """216 calls each."""
    play(compiled, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(20))
def test_large_tensors_at_any_address(compiled: Any, seed: int) -> None:
    """Those that are written past the cache, which takes an address of its own."""
    rng = np.random.default_rng(seed)
    succeed(compiled, rng, fill(rng, most=STREAMED + 1000))


@pytest.mark.parametrize("offset", range(9))
@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_every_address(compiled: Any, width: int, offset: int) -> None:
    """Bytes of a file, as they lie; output, mask and values each at their own."""
    values = numbers(np.random.default_rng(width), f"u{width}", 40)
    packed = bytes(offset) + b"\x5a\xff\x00\x81\xfe"
    kept = bytes(offset) + values.tobytes()
    out = bytearray(b"\xee" * (offset + 40 * width + 3))
    used = compiled.scatter(memoryview(out)[offset:-3], memoryview(packed)[offset:], width, memoryview(kept)[offset:])
    flags = np.unpackbits(np.frombuffer(packed[offset:], np.uint8), bitorder="little").astype(bool)
    expected = np.zeros(40, values.dtype)
    expected[flags] = values[: flags.sum()]
    assert used == flags.sum()
    assert bytes(out) == b"\xee" * offset + expected.tobytes() + b"\xee" * 3
    tile = memoryview(kept)[offset:], 40, 0
    compiled.fill(memoryview(out)[offset:-3], packed[offset:], width, 0, *tile, *tile)
    assert bytes(out) == b"\xee" * offset + np.where(flags, values, 0).astype(values.dtype).tobytes() + b"\xee" * 3


def test_nothing_is_left_behind(compiled: Any) -> None:
    """Memory and references after calls that succeed and that fail."""
    rng = np.random.default_rng(0)
    calls = [make(rng) for make in CALLS]

    def calls_of_each() -> tuple[int, int]:
        """Traced memory and references to None after the same calls."""
        for seed in range(10):
            rng = np.random.default_rng(seed)
            for call in calls:
                succeed(compiled, rng, call)
                fail(compiled, rng, call)
                anything(compiled, rng, call)
        gc.collect()
        return tracemalloc.get_traced_memory()[0], sys.getrefcount(None)

    tracemalloc.start()
    try:
        calls_of_each()
        before = calls_of_each()
        for _ in range(3):
            after = calls_of_each()
    finally:
        tracemalloc.stop()
    assert after[0] - before[0] < 32_768  # the table of a decoder is 65,536, a view 80
    assert abs(after[1] - before[1]) < 10


def test_buffers_that_change_during_a_call(compiled: Any) -> None:
    """The lock is released: another thread may write where frequencies, states and masks were checked."""
    count, rng = 1_000_000, np.random.default_rng(0)
    frequencies, content = np.full(256, 256, np.uint32), numbers(rng, "u1", count).copy()
    states, words = np.full(100, 65_536, np.uint32), np.empty(count, np.uint16)
    packed, values, out = numbers(rng, "u1", count // 8).copy(), numbers(rng, "u4", count), np.empty(count, np.uint32)
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            for value in (0, 0xFFFFFFFF):
                frequencies[:] = value
                states[:] = value
                frequencies[:] = 256  # for longer, so that most calls begin
                packed[:] = value & 0xFF

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(40):
            for call in (
                partial(compiled.encode_rans, content, frequencies, states, words),
                partial(compiled.decode_rans, states, words, frequencies, content),
            ):
                try:
                    assert -1 <= call() <= count
                except ValueError as error:
                    assert "do not add up" in str(error)  # noqa: PT017
            assert -1 <= compiled.scatter(out, packed, 4, values[: count // 2]) <= count // 2
    finally:
        done.set()
        thread.join()


def test_no_compiler_is_one_line() -> None:
    """`make sanitize` where nothing has the sanitizers."""
    script = Path(__file__).parents[1] / "sanitize.py"
    environment = {"PATH": "", "CC": "no-such-compiler"}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "needs gcc or clang with -fsanitize=undefined,address" in done.stderr
