"""Generated prototypes: published and own known answers, numpy and torch and the second decoder, distributions."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import mpmath
import numpy as np
import pytest
import torch
from scipy import stats

from pemncodec.coding.encoder import encode
from pemncodec.common.dtypes import FLOAT32
from pemncodec.errors import NetworkError
from pemncodec.generators.philox import counter as philox
from pemncodec.generators.philox import distributions, generator
from pemncodec.generators.philox.generator import Generator
from pemncodec.network.mask import Mask
from pemncodec.network.model import GeneratedPrototype, Layer, MaskedNetwork, TileFill

from ..networks import SPEC, Array, assert_same, second
from . import torch_generator

TEXT = (SPEC / "pemn-v1.md").read_text("utf-8")
TABLE = [int(word, 16) for word in (SPEC / "normal-table.txt").read_text("ascii").split()]
NAMES = ("sign", "uniform", "normal")
SEEDS = [(0, 0), (2**32, 1), (0x0123456789ABCDEF, 0xFEDCBA9876543210), (2**64 - 1, 2**64 - 1)]
# Salmon et al., kat_vectors of Random123 for philox4x32-10: counter, key, result.
RANDOM123 = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


# --- section 8 in Python's integers -------------------------------------------------------------------------


def plain_word(seed: int, stream: int, index: int) -> int:
    """x(index)."""
    low = 0xFFFFFFFF
    c = [index // 4 & low, index // 4 >> 32, stream & low, stream >> 32]
    k = [seed & low, seed >> 32]
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [q >> 32 ^ c[1] ^ k[0], q & low, p >> 32 ^ c[3] ^ k[1], p & low]
        k = [(k[0] + 0x9E3779B9) & low, (k[1] + 0xBB67AE85) & low]
    return c[index % 4]


def rounded(value: float) -> float:
    """A double to binary32: a product of two binary32 numbers is exact as a double, so this rounds once."""
    result: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return result


def plain_element(name: str, x: int, scale: float) -> int:
    """The bits of an element made of x."""
    if name == "sign":
        value = scale
    elif name == "uniform":
        value = rounded((2 * (x // 256) + 1 - 2**24) / 2**24 * scale)
        return int.from_bytes(struct.pack("<f", value), "little")
    else:
        t = 2 * (x % 2**31) + 1
        e = 32 - t.bit_length()
        y = t << e
        j, f = 32 * (31 - e) + y // 2**26 % 32, y % 2**26
        z = TABLE[j] - (TABLE[j] - TABLE[j + 1]) * f // 2**26
        value = rounded(rounded(float(z)) / 2**28 * scale)
    return int.from_bytes(struct.pack("<f", value), "little") | x & 0x80000000


def bits(values: Array) -> list[int]:
    return list(map(int, values.view(np.uint32)))


def hexadecimal(text: str) -> list[int]:
    return [int(part, 16) for part in text.split()]


# --- known answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("counter", "key", "result"), RANDOM123)
def test_philox_known_answers(counter: str, key: str, result: str) -> None:
    assert f"{counter}; {key}; {result}" in TEXT
    c, k = hexadecimal(counter), hexadecimal(key)
    block, stream, seed = c[0] | c[1] << 32, c[2] | c[3] << 32, k[0] | k[1] << 32
    assert bits(philox.blocks(np.array([block], dtype=np.uint64), stream, seed)[0]) == hexadecimal(result)
    if block < 2**62:
        assert bits(philox.words(4 * block, 4 * block + 4, stream, seed)) == hexadecimal(result)
        assert [plain_word(seed, stream, 4 * block + i) for i in range(4)] == hexadecimal(result)


KNOWN = re.findall(r"^\| ([a-z ]+) \| (\w+) \| (\w+) \| ((?:[0-9A-F]{8} ?){6}) \|$", TEXT, re.MULTILINE)


def test_known_answers_are_in_the_specification() -> None:
    assert {row[0] for row in KNOWN} == {"signed constant", "uniform", "normal"}
    assert len({row[:3] for row in KNOWN}) == len(KNOWN) >= 6


@pytest.mark.parametrize("row", KNOWN, ids=" ".join)
def test_known_answers_of_the_specification(row: tuple[str, str, str, str]) -> None:
    name = {"signed constant": "sign"}.get(row[0], row[0])
    seed, stream, answers = int(row[1], 0), int(row[2], 0), hexadecimal(row[3])
    made = Generator(name, 6, seed, stream)
    assert bits(made.values()) == answers
    assert bits(made.elements(np.arange(6))) == answers
    assert bits(torch_generator.generate(made).numpy()) == answers
    assert [plain_element(name, plain_word(seed, stream, i), 1.0) for i in range(6)] == answers
    assert second.elements(NAMES.index(name) + 1, seed, stream, 0x3F800000, np.arange(6)).tolist() == answers
    assert zlib.crc32(struct.pack("<6I", *answers)) == made.digest()


def test_extreme_words() -> None:
    """The corners of the integers: no table index or shift is off by one."""
    words = [0, 1, 2, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFF, 0xFF, 0x100, 0x7FFFFF00, 0x80000100]
    words += [1 << k for k in range(2, 32)] + [(1 << k) - 1 for k in range(2, 33)]
    array = np.array(words, dtype=np.uint32)
    for name in NAMES:
        for scale in (1.0, 0.1, 2.0**-149, 2.0**-126 * 1.5, 1e30):
            number = np.float32(scale)
            expected = [plain_element(name, x, float(number)) for x in words]
            with np.errstate(under="ignore"):
                assert bits(distributions.FUNCTIONS[name](array, number)) == expected
            made = torch_generator._draw(Generator(name, 1, 0, 0, scale), torch.tensor(words, dtype=torch.int64))
            assert bits(made.numpy()) == expected


# --- the same bits on every path ------------------------------------------------------------------------------


@pytest.mark.parametrize(("seed", "stream"), SEEDS)
@pytest.mark.parametrize("name", NAMES)
def test_all_paths(name: str, seed: int, stream: int, monkeypatch: pytest.MonkeyPatch) -> None:
    patches = ((0, 0x7FC0BEEF), (13, 0x80000000), (4002, 0xFF800000), (4003, 1), (4999, 0))
    for scale in (1.0, 0.7, 1e-41):
        made = Generator(name, 5000, seed, stream, scale, patches)
        whole = bits(made.values())
        for index, pattern in patches:
            assert whole[index] == pattern
        indices = [*range(20), 2047, 4001, 4998]
        for i in indices:
            if i not in dict(patches):
                assert whole[i] == plain_element(name, plain_word(seed, stream, i), made.scale)
        number = int(np.float32(scale).view(np.uint32))
        theirs = second.elements(NAMES.index(name) + 1, seed, stream, number, np.arange(5000))
        theirs[[index for index, _ in patches]] = [pattern for _, pattern in patches]
        assert theirs.tolist() == whole
        assert made.digest() == zlib.crc32(theirs.astype("<u4").tobytes())
        shuffled = np.random.default_rng(0).permutation(5000)
        assert bits(made.elements(shuffled)) == [whole[i] for i in shuffled]
        assert bits(torch_generator.generate(made).numpy()) == whole
        for chunk in (1, 1003, 4096):  # borders that are not at multiples of four
            if chunk == 1 and scale != 1.0:
                continue
            monkeypatch.setattr(generator, "_CHUNK", chunk)
            monkeypatch.setattr(torch_generator, "_CHUNK", chunk)
            spans = ((0, 30), (3998, 4010)) if chunk == 1 else ((0, 5000), (1, 5000), (4002, 4003), (997, 4099), (7, 7))
            for start, stop in spans:
                assert bits(made.range(start, stop)) == whole[start:stop]
                assert bits(torch_generator.generate(made, "cpu", start, stop).numpy()) == whole[start:stop]
        monkeypatch.undo()


@pytest.mark.parametrize("name", NAMES)
def test_far_away_and_across_the_real_chunk(name: str) -> None:
    made = Generator(name, 1 << 48, 5, 6, 0.5)
    for start in (0, 3, (1 << 34) - 10, (1 << 48) - (1 << 18) - 9):
        stop = start + (1 << 18) + 9
        values = made.range(start, stop)
        other = torch_generator.generate(made, "cpu", start, stop).numpy()
        assert values.tobytes() == other.tobytes()
        for i in (start, start + 5, start + (1 << 18) - 1, start + (1 << 18), stop - 1):
            expected = plain_element(name, plain_word(5, 6, i), 0.5)
            assert bits(values[i - start : i - start + 1]) == bits(made.elements([i])) == [expected]


def test_streams_and_seeds_differ() -> None:
    drawn = [
        Generator("normal", 64, s, t).values().tobytes() for s in (0, 1, 2**32, 2**63) for t in (0, 1, 2**32, 2**63)
    ]
    assert len(set(drawn)) == 16


@pytest.mark.parametrize(
    ("make", "phrase"),
    [
        (lambda: Generator("cauchy", 1, 0), "'cauchy' is unknown: choose sign, uniform, normal"),
        (lambda: Generator("normal", 0, 0), "length ≥ 1"),
        (lambda: Generator("normal", 1, -1), "seed and stream in 0"),
        (lambda: Generator("normal", 1, 1 << 64), "seed and stream in 0"),
        (lambda: Generator("normal", 1, 0, 1 << 64), "seed and stream in 0"),
        *((lambda s=s: Generator("normal", 1, 0, 0, s), "not a float32 above 0") for s in (0.0, -1.0, 1e-60, 1e39)),
        (lambda: Generator("normal", 1, 0, 0, float("nan")), "not a float32 above 0"),
        (lambda: Generator("normal", 5, 0, 0, 1.0, ((1, 0), (1, 0))), "ascending order and inside"),
        (lambda: Generator("normal", 5, 0, 0, 1.0, ((2, 0), (1, 0))), "ascending order and inside"),
        (lambda: Generator("normal", 5, 0, 0, 1.0, ((5, 0),)), "ascending order and inside"),
        (lambda: Generator("normal", 5000, 0, 0, 3e38).values(), "a generated element is not finite"),
        (lambda: Generator("normal", 5000, 0, 0, 3e38).elements(range(5000)), "a generated element is not finite"),
    ],
)
def test_generators_that_cannot_be(make: Callable[[], object], phrase: str) -> None:
    with pytest.raises(NetworkError, match=phrase):
        make()


def test_scale_is_rounded_to_a_float32() -> None:
    made = Generator("uniform", 8, 1, 0, 0.1)
    assert made.scale == rounded(0.1) != 0.1
    data = encode(
        MaskedNetwork(
            [Layer("w", (8,), 0, TileFill(0))], [GeneratedPrototype(made)], [Mask.from_bool(np.ones(8, dtype=np.bool_))]
        )
    )
    assert assert_same(data)[""] == [("w", FLOAT32.name, (8,), made.values().tobytes())]


# --- distributions --------------------------------------------------------------------------------------------

N = 1 << 21


@cache
def sample(name: str, scale: float) -> Array:
    """2^21 elements in double precision."""
    return Generator(name, N, 2**40 + 3, 11, scale).values().astype(np.float64)


def test_normal() -> None:
    """Each bound is five standard errors at this sample size; that of the distance is passed once in 16,000."""
    x = sample("normal", 1.0)
    assert abs(x.mean()) < 5 / N**0.5
    assert abs(x.var() - 1) < 5 * (2 / N) ** 0.5
    assert abs(stats.skew(x)) < 5 * (6 / N) ** 0.5
    assert abs(stats.kurtosis(x)) < 5 * (24 / N) ** 0.5
    ordered = stats.norm.cdf(np.sort(x))
    grid = np.arange(N + 1) / N
    distance = max(np.max(grid[1:] - ordered), np.max(ordered - grid[:-1]))
    assert distance < 2.277 / N**0.5  # 2 exp(−2 · 2.277²) = 1 / 16,000
    for limit in (2, 3, 4):
        p = stats.norm.sf(limit)
        for tail in ((x > limit).sum(), (x < -limit).sum()):
            assert abs(tail - N * p) < 5 * (N * p) ** 0.5


def test_uniform() -> None:
    x = sample("uniform", 0.25) / 0.25
    assert np.abs(x).max() < 1
    assert np.abs(x).max() > 1 - 20 / N  # the chance of none so near an end is e^−20
    assert not (x == 0).any()
    assert abs(x.mean()) < 5 * (1 / 3 / N) ** 0.5
    assert abs(x.var() - 1 / 3) < 5 * (4 / 45 / N) ** 0.5
    odd = x * 2**24
    assert np.array_equal(odd % 2, np.ones(N))  # odd multiples of 2^−24
    counts = np.histogram(x, 64, (-1, 1))[0]
    assert stats.chi2.sf(((counts - N / 64) ** 2 / (N / 64)).sum(), 63) > 1e-5


def test_sign() -> None:
    x = sample("sign", 0.75)
    assert set(np.unique(x)) == {-0.75, 0.75}
    assert abs((x > 0).sum() - N / 2) < 5 * (N / 4) ** 0.5
    runs = np.count_nonzero(x[1:] != x[:-1])
    assert abs(runs - (N - 1) / 2) < 5 * (N / 4) ** 0.5


@pytest.mark.parametrize("name", NAMES)
def test_neighbours_are_independent(name: str) -> None:
    x = sample(name, {"normal": 1.0, "uniform": 0.25, "sign": 0.75}[name])
    for lag in (1, 2, 3, 4, 5, 1024):
        assert abs(np.corrcoef(x[lag:], x[:-lag])[0, 1]) < 5 / N**0.5


# --- the table --------------------------------------------------------------------------------------------------


def test_table_is_that_of_the_specification() -> None:
    assert distributions.normal_table().tolist() == TABLE
    assert len(TABLE) == 1025
    crc = zlib.crc32(struct.pack("<1025I", *TABLE))
    (text,) = re.findall(r"CRC-32 of the table as 1,025 `u32`:\s+0x([0-9A-F]{8})", TEXT)
    assert crc == int(text, 16)


def test_table_is_the_normal_distribution() -> None:
    """T[j] · 2^−28 is exceeded with p / 2, rounded to nearest: a half less is exceeded more often, a half more less."""
    with mpmath.workdps(40):
        for j in [*range(0, 1024, 9), 1, 31, 32, 33, 991, 992, 1022, 1023]:
            p = mpmath.mpf(32 + j % 32) * mpmath.mpf(2) ** (j // 32 - 37)
            low, high = ((2 * TABLE[j] + d) / (mpmath.mpf(2) ** 29 * mpmath.sqrt(2)) for d in (-1, 1))
            assert mpmath.erfc(low) > p > mpmath.erfc(high), j
    assert TABLE[1024] == 0
    assert all(a > b for a, b in pairwise(TABLE))


def test_both_paths_refuse_what_is_not_finite() -> None:
    generator = Generator("normal", 5000, 0, 0, 3e38)
    for make in (generator.values, lambda: torch_generator.generate(generator)):
        with pytest.raises(NetworkError, match="too large: a generated element is not finite"):
            make()
