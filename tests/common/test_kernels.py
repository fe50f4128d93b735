"""The compiled loops keep to their buffers, whatever they are called with. What they compute is tested elsewhere."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from pemncodec.common import kernels

ROW = np.zeros(256, dtype=np.uint32)
ROW[0] = 65_281
ROW[1:] = 1
U32, U16, U8 = np.dtype(np.uint32), np.dtype(np.uint16), np.dtype(np.uint8)


@pytest.fixture
def compiled() -> Any:
    if kernels.compiled is None:
        pytest.skip("the compiled loops were not built here")
    return kernels.compiled


def test_they_can_be_switched_off() -> None:
    code = "from pemncodec.common import kernels; print(kernels.compiled)"
    command = ["env", "PEMNCODEC_KERNELS=0", sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "None\n"


@pytest.mark.parametrize(
    ("frequencies", "phrase"),
    [
        (ROW[:255], "are not 256"),
        (np.zeros(256, U32), "do not add up"),
        (np.full(256, 256, U32) + (np.arange(256) == 9).astype(U32), "do not add up"),
        (np.full(256, 0xFFFFFFFF, U32), "do not add up"),
        (np.full(256, 255, U32), "do not add up"),
    ],
)
def test_frequencies(compiled: Any, frequencies: Any, phrase: str) -> None:
    with pytest.raises(ValueError, match=phrase):
        compiled.decode_rans(np.full(1, 65_536, U32), np.empty(0, U16), frequencies, np.empty(4, U8))


def test_rans_without_words(compiled: Any) -> None:
    for words in range(3):
        states = np.full(2, 65_536, U32)
        assert compiled.decode_rans(states, np.zeros(words, U16), ROW, np.empty(10_000, U8)) == -1
    assert compiled.decode_rans(np.full(2, 65_536, U32), np.zeros(9, U16), ROW, np.empty(0, U8)) == 0
    with pytest.raises(ValueError, match="too short"):
        compiled.decode_rans(np.empty(0, U32), np.empty(0, U16), ROW, np.empty(4, U8))


def test_encoding_rans(compiled: Any) -> None:
    with pytest.raises(ValueError, match="too short"):
        compiled.encode_rans(b"abc", ROW, np.empty(1, U32), np.empty(2, U16))
    with pytest.raises(ValueError, match="too short"):
        compiled.encode_rans(b"abc", ROW, np.empty(0, U32), np.empty(3, U16))
    with pytest.raises(ValueError, match="do not add up to 2"):
        compiled.encode_rans(b"abc", np.zeros(256, U32), np.empty(1, U32), np.empty(3, U16))


def fill(compiled: Any, **changed: Any) -> None:
    arguments: dict[str, Any] = {
        "out": np.empty(100, U32),
        "packed": np.zeros(13, U8),
        "width": 4,
        "zero": 0,
        "values": np.zeros(100, U32),
        "period": 100,
        "phase": 0,
        "others": np.zeros(100, U32),
        "other_period": 100,
        "other_phase": 0,
    }
    compiled.fill(*(arguments | changed).values())


@pytest.mark.parametrize(
    "changed",
    [
        {"packed": np.zeros(12, U8)},
        {"values": np.zeros(99, U32)},
        {"period": 0},
        {"period": 101},
        {"phase": 100},
        {"phase": -1},
        {"others": np.zeros(3, U32), "zero": 2},
        {"other_phase": 101, "zero": 2},
        {"width": 3},
        {"zero": 3},
        {"phase": 97},  # three elements to the end of the period, and nothing after it
        {"other_phase": 97, "zero": 2},
    ],
)
def test_what_does_not_fit(compiled: Any, changed: dict[str, Any]) -> None:
    fill(compiled)
    with pytest.raises(ValueError, match=r"too short|unknown|no such period"):
        fill(compiled, **changed)


def test_scatter(compiled: Any) -> None:
    packed = np.full(4, 0xFF, U8)
    for width in (1, 2, 4, 8):
        kind = np.dtype(f"u{width}")
        for kept in range(33):
            used = compiled.scatter(np.empty(32, kind), packed, width, np.ones(kept, kind))
            assert used == (-1 if kept < 32 else 32)
    with pytest.raises(ValueError, match="packed is too short"):
        compiled.scatter(np.empty(33, U8), packed, 1, np.ones(33, U8))
    with pytest.raises(ValueError, match="width is unknown"):
        compiled.scatter(np.empty(3, U8), packed, 5, np.ones(33, U8))
