"""Dialects of PyTorch's generator: against what genuine builds gave, the C library, and the search in each of them."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pemncodec.container.cursor import Cursor
from pemncodec.container.manifest.patches import Patches, read_patches, write_patches
from pemncodec.errors import ManifestError
from pemncodec.generators.pytorch import arithmetic as pytorch_numbers
from pemncodec.generators.pytorch import cephes, libm
from pemncodec.generators.pytorch.arithmetic import DIALECTS
from pemncodec.generators.pytorch.generator import PytorchGenerator
from pemncodec.packing.seeds import Found, Target, search
from pemncodec.packing.seeds.target import tolerated

ROOT = Path(__file__).resolve().parents[2]
COUNT = 1 << 20
EXPONENT = 24  # of the fractions that a draw can be

# CRC-32 of the little-endian float32 of 2^20 elements after torch.manual_seed(3), as published wheels of torch gave
# them: 2.8.0 and 2.13.0 of Windows; sixteen releases from 1.6.0 to 2.15.0 of Linux on x86 (with AVX2, and without); six
# from 1.8.1 to 2.15.0 of Linux on Arm. Of older ones for Linux on x86 with AVX2, 1.2 to 1.5 round uniform numbers
# twice, and 1.0 and 1.1 fuse nothing.
PUBLISHED = [
    ("normal", 1.0, "fused", 0xB9AC2FE0, "Linux on x86, AVX2 and AVX-512"),
    ("normal", 0.0505, "fused", 0x29F7588D, "Linux on x86, AVX2 and AVX-512"),
    ("normal", 1.0, "separate", 0x92F4C34D, "Windows, AVX2 and AVX-512"),
    ("normal", 0.0505, "separate", 0x26E64BB7, "Windows, AVX2 and AVX-512"),
    ("normal", 1.0, "library", 0x66F70DEB, "Linux on Arm, and on x86 without AVX2"),
    ("normal", 0.0505, "library", 0x3DBECD86, "Linux on Arm, and on x86 without AVX2"),
    ("uniform", 0.0577350269, "fused", 0x865E66B5, "Linux on x86 with AVX2, and on Arm"),
    ("uniform", 1 / 28, "fused", 0xEA135FB4, "Linux on x86 with AVX2, and on Arm"),
    ("uniform", 0.0577350269, "separate", 0x984816DF, "Windows, and Linux on x86 without AVX2"),
    ("uniform", 1 / 28, "separate", 0xBFFACF71, "Windows, and Linux on x86 without AVX2"),
]


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize(("distribution", "size", "dialect", "digest", "where"), PUBLISHED)
def test_what_published_builds_gave(distribution: str, size: float, dialect: str, digest: int, where: str) -> None:
    low = -np.float32(size) if distribution == "uniform" else np.float32(0)
    scale = np.float32(size) - low if distribution == "uniform" else np.float32(size)
    made = PytorchGenerator(distribution, COUNT, 3, 0, float(scale), float(low), dialect=dialect)
    assert zlib.crc32(made.values().tobytes()) == digest, where


def fractions(step: int = 1) -> NDArray[np.float32]:
    """Every fraction that a draw can be, or some of them."""
    return np.arange(0, 1 << EXPONENT, step, dtype=np.uint32).astype(np.float32) * np.float32(2.0**-EXPONENT)


def test_functions_are_those_of_this_machines_c_library() -> None:
    name, version = platform.libc_ver()
    if name != "glibc" or tuple(map(int, version.split("."))) < (2, 28):
        pytest.skip(f"the C library is {name or 'unknown'} {version}, and not glibc 2.28 or later")
    library = ctypes.CDLL("libm.so.6")
    some = fractions(step=251)
    turns = libm.angle(some)
    ours = libm.log(1 - some), *libm.sin_cos(turns)
    for function, arguments, made in zip(("logf", "sinf", "cosf"), (1 - some, turns, turns), ours, strict=True):
        call = getattr(library, function)
        call.restype, call.argtypes = ctypes.c_float, [ctypes.c_float]
        theirs = np.array([call(x) for x in arguments.tolist()], dtype=np.float32)
        assert np.array_equal(made.view(np.uint32), theirs.view(np.uint32)), function


def test_signs_are_the_same_in_every_dialect() -> None:
    """So that the format needs no dialects of them."""
    for turns in np.array_split(fractions(), 16):
        waves = [
            cephes.sin_cos(cephes.angle(turns)),
            cephes.sin_cos(cephes.angle(turns), cephes.separate),
            libm.sin_cos(libm.angle(turns)),
        ]
        for half in (0, 1):
            assert np.array_equal(np.sign(waves[0][half]), np.sign(waves[1][half]))
            assert np.array_equal(np.sign(waves[0][half]), np.sign(waves[2][half]))


def test_dialects_differ() -> None:
    """Or nothing here tells them apart."""
    draws = np.random.default_rng(0).integers(0, 1 << 32, 1 << 16, dtype=np.uint32)
    normals = [pytorch_numbers.normal(draws, 1.0, dialect) for dialect in DIALECTS["normal"]]
    for first in range(3):
        for second in range(first):
            assert 0.005 < np.mean(normals[first] != normals[second]) < 0.5


def test_the_tests_of_draws_pass_without_avx2() -> None:
    """Without AVX2 torch calls the C library's functions and rounds uniform numbers twice."""
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip(f"{platform.machine()} has no AVX2 to be without")
    names = ("generators/test_pytorch_generator", "packing/test_seed_search", "packing/test_torch_seeds")
    files = [f"tests/{name}.py" for name in names]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header", *files]
    environment = {**os.environ, "ATEN_CPU_CAPABILITY": "default"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout


# --- search -----------------------------------------------------------------------------------------------------------


def target(values: NDArray[np.float32], density: float = 0.5) -> Target:
    wanted = np.random.default_rng(1).random(len(values)) < density
    return Target("t", np.where(wanted, values, np.float32(0)).view(np.uint32), wanted)


def check(one: Found | None, whole: Target, distribution: str, dialect: str, offset: int) -> Found:
    assert one is not None
    assert (one.distribution, one.dialect, one.offset) == (distribution, dialect, offset)
    scale, low = (float(np.uint32(word).view(np.float32)) for word in (one.scale, one.low))
    made = PytorchGenerator(distribution, len(whole.values), 5, offset, scale, low, dialect=dialect)
    bits = made.values().view(np.uint32)
    for index, word in one.differences:
        bits[index] += np.uint32(word)
    assert np.array_equal(bits[whole.wanted], whole.values[whole.wanted])
    return one


ALL = [(distribution, dialect) for distribution, dialects in DIALECTS.items() for dialect in dialects]


@pytest.mark.parametrize(("distribution", "dialect"), ALL)
@pytest.mark.parametrize("length", [1000, 4096, 30_001])
def test_every_dialect_is_found(distribution: str, dialect: str, length: int) -> None:
    low = -0.07 if distribution == "uniform" else 0.0
    scale = 2 * float(np.float32(0.07)) if distribution == "uniform" else 0.0505
    whole = target(PytorchGenerator(distribution, length, 5, 12_345, scale, low, dialect=dialect).values())
    one = check(search([whole], 5)[0], whole, distribution, dialect, 12_345)
    assert not one.differences


@pytest.mark.parametrize(("distribution", "dialect"), ALL)
def test_last_places_that_another_library_rounds_otherwise(distribution: str, dialect: str) -> None:
    low = -0.07 if distribution == "uniform" else 0.0
    scale = 2 * float(np.float32(0.07)) if distribution == "uniform" else 0.0505
    drawn = PytorchGenerator(distribution, 30_000, 5, 777, scale, low, dialect=dialect).values()
    for share in (0.015, 0.2):
        moved = np.random.default_rng(2).random(len(drawn)) < share
        bits = drawn.view(np.uint32) + np.where(moved, np.uint32(1), np.uint32(0))
        whole = target(bits.view(np.float32))
        one = check(search([whole], 5)[0], whole, distribution, dialect, 777)
        assert set(one.differences.words) == {1}
        assert list(one.differences.indices) == np.flatnonzero(moved & whole.wanted).tolist()


def test_other_elements_are_no_last_places() -> None:
    drawn = PytorchGenerator("normal", 30_000, 5, 777, 0.0505).values()
    whole = target(drawn)
    places = np.flatnonzero(whole.wanted)
    for few, found in ((tolerated(len(places)), True), (tolerated(len(places)) + 1, False)):
        changed = whole.values.copy()
        changed[places[:: len(places) // few][:few]] ^= np.uint32(1 << 31)
        (one,) = search([Target("t", changed, whole.wanted)], 5)
        assert (one is not None) == found


INTERVALS = [(0.0, 1.0), (0.0, 0.3), (-0.4, 0.0), (0.1, 0.73), (-0.3, 0.9), (-5.0, -4.5), (100.0, 101.0)]


@pytest.mark.parametrize("dialect", DIALECTS["uniform"])
@pytest.mark.parametrize(("low", "high"), INTERVALS)
@pytest.mark.parametrize("density", [0.3, 0.9])
def test_any_interval_of_a_uniform(low: float, high: float, density: float, dialect: str) -> None:
    begin = np.float32(low)
    scale = float(np.float32(high) - begin)
    drawn = PytorchGenerator("uniform", 100_000, 5, 4321, scale, float(begin), dialect=dialect).values()
    whole = target(drawn, density)
    (one,) = search([whole], 5)
    assert one is not None
    if low == 0.0 or scale in (0.5, 1.0):
        dialect = one.dialect  # nothing is rounded twice
    check(one, whole, "uniform", dialect, 4321)
    assert len(one.differences) <= 0.0001 * np.count_nonzero(whole.wanted)
    assert search([whole], 6) == [None]


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.0, 0.3), (-0.4, 0.0)])
def test_few_elements_from_zero_on(low: float, high: float) -> None:
    for length in (64, 900):
        scale = float(np.float32(high) - np.float32(low))
        made = PytorchGenerator("uniform", length, 5, 99, scale, float(np.float32(low)))
        whole = target(made.values(), 1.0)
        (one,) = search([whole], 5)
        assert one is not None
        assert one.offset == 99


# --- patches ----------------------------------------------------------------------------------------------------------

PAIRS = st.dictionaries(st.integers(0, 2**20), st.integers(1, 2**32 - 1), max_size=40).map(lambda d: sorted(d.items()))


@given(PAIRS, st.booleans())
def test_patches_as_bytes(pairs: list[tuple[int, int]], steps: bool) -> None:
    patches = Patches(pairs)
    data = write_patches(patches, steps)
    cursor = Cursor(data)
    assert read_patches(cursor, 2**20 + 1, steps, "t") == patches
    cursor.end("t")
    assert list(patches) == pairs
    assert patches == Patches.of(*zip(*pairs, strict=True)) if pairs else len(patches) == 0
    assert hash(patches) == hash(Patches(pairs))


@pytest.mark.parametrize(
    ("step", "difference"), [(1, -1), (2, 1), (3, -2), (2**32 - 2, 2**31 - 1), (2**32 - 1, -(2**31))]
)
def test_steps_are_as_specified(step: int, difference: int) -> None:
    data = bytearray([1, 0])
    while step > 127:
        data.append(step & 127 | 128)
        step >>= 7
    data.append(step)
    assert list(read_patches(Cursor(bytes(data)), 1, True, "t")) == [(0, difference % 2**32)]


def test_patches_that_are_none() -> None:
    for data, reason in (
        (b"\1\0\0", "changes nothing"),
        (b"\1\0\x80\x80\x80\x80\x10", "at most 4294967295 is allowed"),
        (b"\1\5\2", "patches element 5 of 5"),
        (b"\2\0\1\2", "bytes are left|needs 1 bytes"),
    ):
        with pytest.raises(ManifestError, match=reason):
            read_patches(Cursor(data), 5, True, "t")
