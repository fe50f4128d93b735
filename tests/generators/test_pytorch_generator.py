"""Generator 3: against torch itself, the specification's known answers, the second decoder, and by hand."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pemncodec
from pemncodec.errors import LimitError, NetworkError
from pemncodec.generators.pytorch import cephes, mt19937
from pemncodec.generators.pytorch.arithmetic import DIALECTS
from pemncodec.generators.pytorch.generator import PytorchGenerator
from pemncodec.network.mask import Mask
from pemncodec.network.model import GeneratedPrototype, Layer, MaskedNetwork, TileFill

from ..networks import SPEC, assert_same
from . import torch_drawn

pytestmark = pytest.mark.usefixtures("both_ways")  # with the compiled loops, and without

SEEDS = (0, 1, 11, 5489, 2**32 - 1)


def dialect_here(distribution: str) -> str:
    """In which of the specification's dialects this machine's torch draws; skips the test if in none."""
    low = np.float32(-1 / 28) if distribution == "uniform" else np.float32(0)
    scale = 1.0 if distribution == "normal" else float(np.float32(1 / 28) - low)
    torch.manual_seed(3)
    drawn = torch.empty(4096)
    theirs = (drawn.normal_() if distribution == "normal" else drawn.uniform_(-1 / 28, 1 / 28)).numpy()
    for dialect in DIALECTS[distribution]:
        ours = PytorchGenerator(distribution, 4096, 3, 0, scale, float(low), dialect=dialect)
        if np.array_equal(ours.values(), theirs):
            return dialect
    reason = f"torch {torch.__version__} draws {distribution} numbers in no known dialect on this machine"
    print(reason)
    pytest.skip(reason)


def bits(values: np.ndarray) -> list[int]:
    return [int(word) for word in np.ascontiguousarray(values).view(np.uint32)]


def after(seed: int, draws: int) -> None:
    torch.manual_seed(seed)
    if draws:
        torch.rand(draws)


PLACES = pytest.mark.parametrize(("seed", "offset"), [(s, o) for s in SEEDS for o in (0, 1, 623, 100_003)])
BOUNDS = (1.0, 0.0577350269, 1 / 28, 3.7)


@PLACES
def test_uniforms_are_torchs(seed: int, offset: int) -> None:
    dialect = dialect_here("uniform")
    for bound in BOUNDS:
        after(seed, offset)
        theirs = torch.empty(5001).uniform_(-bound, bound).numpy()
        low = np.float32(-bound)
        width = float(np.float32(bound) - low)
        ours = PytorchGenerator("uniform", 5001, seed, offset, width, float(low), dialect=dialect)
        assert bits(ours.values()) == bits(theirs)
        assert bits(ours.range(4000, 4013)) == bits(theirs[4000:4013])


@PLACES
def test_signs_of_uniforms_are_torchs(seed: int, offset: int) -> None:
    """On every machine."""
    for bound in BOUNDS:
        after(seed, offset)
        theirs = torch.empty(5001).uniform_(-bound, bound).numpy()
        signs = PytorchGenerator("signs of uniform", 5001, seed, offset, 0.25).values()
        assert bits(signs) == bits(np.sign(theirs) * np.float32(0.25))


@pytest.mark.parametrize("length", [16, 17, 23, 31, 32, 33, 4096, 100_007])
def test_normals_are_torchs(length: int) -> None:
    dialect = dialect_here("normal")
    for seed, offset in ((0, 0), (11, 7), (2**32 - 1, 70_001)):
        for std in (1.0, 0.0505):
            after(seed, offset)
            theirs = torch.empty(length).normal_(0, std).numpy()
            ours = PytorchGenerator("normal", length, seed, offset, std, dialect=dialect)
            assert bits(ours.values()) == bits(theirs)
            assert bits(ours.range(3, 14)) == bits(theirs[3:14])
        signs = PytorchGenerator("signs of normal", length, seed, offset, 0.5).values()
        assert bits(signs) == bits(np.sign(theirs) * np.float32(0.5))


def test_known_answers_of_the_specification() -> None:
    text = (SPEC / "pemn-v1.md").read_text()
    rows = re.findall(
        r"^\| (uniform, low −0\.5|normal|) \| (\d+) \| (\d+) \| 20 \| (\d+) … \d+ \| ([0-9A-F ]+) \|$", text, re.M
    )
    assert len(rows) == 12
    name = ""
    for kind, seed, offset, first, words in rows:
        name = kind.split(",")[0] or name
        low = -0.5 if name == "uniform" else 0.0
        values = PytorchGenerator(name, 20, int(seed), int(offset), 1.0, low).values()
        expected = [int(word, 16) for word in words.split()]
        assert bits(values)[int(first) : int(first) + len(expected)] == expected


def test_known_answers_of_the_dialects() -> None:
    """The values are those of torch 2.13 without AVX2, and of torch 2.8 on Windows."""
    text = (SPEC / "pemn-v1.md").read_text()
    text = text[text.index("### 8.9") : text.index("## 9.")]
    known = {
        "uniform rounded twice": "separate",
        "normal of the C library": "library",
        "normal with nothing fused": "separate",
    }
    rows = re.findall(r"^\| ([a-zC][a-zC ]*)?\s*\| (\d*) ?\| (\d*) ?\| (\d+) … \d+ \| ([0-9A-F ]+) \|$", text, re.M)
    assert len(rows) == 16
    name, seed, offset = "", 0, 0
    for kind, given_seed, given_offset, first, words in rows:
        if kind:
            name, seed, offset = kind.strip(), int(given_seed), int(given_offset)
        length = 16 if name == "normal with nothing fused" else 20
        uniform = name.startswith("uniform")
        scale, low = (float_of(0x3D924925), float_of(0xBD124925)) if uniform else (1.0, 0.0)
        distribution = name.split()[0]
        values = PytorchGenerator(distribution, length, seed, offset, scale, low, dialect=known[name]).values()
        expected = [int(word, 16) for word in words.split()]
        assert bits(values)[int(first) : int(first) + len(expected)] == expected


def float_of(pattern: int) -> float:
    return float(np.uint32(pattern).view(np.float32))


def test_draws_are_those_of_the_published_generator() -> None:
    draws = mt19937.stream(5489).draws(0, 10_000)
    assert draws[:4].tolist() == [3499211612, 581869302, 3890346734, 3586334585]
    assert int(draws[9999]) == 4123659995  # ISO C++, [rand.predef]: the 10,000th of mt19937


def test_any_stretch_of_the_draws() -> None:
    whole = mt19937.Stream(77).draws(0, 3 * mt19937.STEP + 5)
    stream = mt19937.Stream(77)
    for start, stop in (
        (2 * mt19937.STEP - 3, 3 * mt19937.STEP + 5),
        (0, 1),
        (5, 5),
        (mt19937.STEP - 1, mt19937.STEP + 1),
    ):
        assert np.array_equal(stream.draws(start, stop), whole[start:stop])


def rounded(value: Fraction) -> np.float32:
    """The float32 nearest to a fraction, ties to even, by integers."""
    if value == 0:
        return np.float32(0)
    magnitude, exponent = abs(value), 0
    while magnitude >= 2:
        magnitude, exponent = magnitude / 2, exponent + 1
    while magnitude < 1:
        magnitude, exponent = magnitude * 2, exponent - 1
    unit = Fraction(2) ** (max(exponent, -126) - 23)
    count = round(abs(value) / unit)  # Python rounds halves to even
    return np.float32(float(count * unit) * (1 if value > 0 else -1))


_FLOATS = st.floats(width=32, min_value=-(2.0**40), max_value=2.0**40).filter(lambda x: x == 0 or abs(x) > 2.0**-60)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(_FLOATS, _FLOATS, _FLOATS)
def test_multiply_add_is_rounded_once(a: float, b: float, c: float) -> None:
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    found = cephes.fused(np.array([a], np.float32), b, c)[0]
    assert found == rounded(exact)


def test_a_case_that_two_roundings_get_wrong() -> None:
    """1 + 2^−24 + 2^−47: in float64 and then to float32 it would be 1."""
    a, b, c = np.float32(1 + 2.0**-23), np.float32(2.0**-24), np.float32(1)
    assert np.float32(np.float64(a) * np.float64(b) + np.float64(c)) == np.float32(1 + 2.0**-23)
    a = np.float32(2.0**-24 * (1 + 2.0**-23))
    exact = Fraction(float(a)) * Fraction(float(np.float32(1 - 2.0**-24))) + 1
    assert cephes.fused(np.array([a]), 1 - 2.0**-24, 1.0)[0] == rounded(exact)


# --- in files ---------------------------------------------------------------------------------------------------------


def network(*generators: PytorchGenerator) -> MaskedNetwork:
    found = MaskedNetwork(prototypes=[GeneratedPrototype(generator) for generator in generators])
    for number, generator in enumerate(generators):
        flags = np.random.default_rng(number).random(generator.length) < 0.5
        found.masks.append(Mask.from_bool(flags))
        found.entries.append(Layer(f"l{number}", (generator.length,), number, TileFill(number)))
    return found


GENERATORS = (
    PytorchGenerator("normal", 1000, 11, 12_345, 0.05),
    PytorchGenerator("normal", 77, 11, 3, 0.05, patches=((0, 0x80000000), (76, 0x7FC00001))),
    PytorchGenerator("uniform", 33, 2**32 - 1, 0, 0.5, -0.25, patches=((5, 1),)),
    PytorchGenerator("signs of uniform", 3, 0, 99, 0.125),
    PytorchGenerator("signs of normal", 40, 7, 50_000, 2.0),
)
LATER = (
    PytorchGenerator("normal", 1000, 11, 12_345, 0.05, dialect="library"),
    PytorchGenerator("normal", 77, 11, 3, 0.05, dialect="separate", steps=((0, 1), (1, 2**32 - 1), (76, 2**31))),
    PytorchGenerator("normal", 16, 11, 3, 0.05, steps=((5, 70_000),)),
    PytorchGenerator("uniform", 33, 2**32 - 1, 0, 0.7, -0.25, dialect="separate", steps=((32, 3),)),
    PytorchGenerator("uniform", 33, 2**32 - 1, 0, 0.7, -0.25, steps=((0, 2**31 - 1),)),
)


@pytest.mark.parametrize(("generators", "minor"), [(GENERATORS, 4), (LATER, 5), (GENERATORS + LATER, 5)])
def test_files_in_both_decoders(generators: tuple[PytorchGenerator, ...], minor: int) -> None:
    data = pemncodec.save(network(*generators))
    assert data[9] == minor
    assert_same(data)
    again = pemncodec.load_network(data)
    assert [p.generator for p in again.prototypes if isinstance(p, GeneratedPrototype)] == list(generators)
    assert pemncodec.save(again) == data


@pytest.mark.parametrize("generator", [*GENERATORS, *LATER], ids=lambda g: f"{g.distribution}, {g.dialect}")
def test_torch_operations_make_the_same_bits(generator: PytorchGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    longer = replace(generator, length=generator.length + 40_000)
    monkeypatch.setattr(torch_drawn, "_CHUNK", 4096)
    for each in (generator, longer):
        assert bits(torch_drawn.generate(each).numpy()) == bits(each.values())
    with pytest.raises(NetworkError, match="not finite"):
        torch_drawn.generate(PytorchGenerator("normal", 100, 1, 0, 3e38, dialect="library"))


def test_steps_are_added_to_the_bits() -> None:
    plain = PytorchGenerator("normal", 50, 1, 0, 1.0, dialect="library")
    stepped = replace(plain, steps=((0, 1), (49, 2**32 - 3)))
    expected = bits(plain.values())
    expected[0], expected[49] = expected[0] + 1, expected[49] - 3
    assert bits(stepped.values()) == expected
    assert (
        bits(replace(plain, length=64, steps=((49, 1),)).range(48, 51))[1]
        == bits(replace(plain, length=64).values())[49] + 1
    )


def test_the_limit_counts_the_draws() -> None:
    generator = PytorchGenerator("normal", 100, 1, 1_000_000, 1.0)
    data = pemncodec.save(network(generator))
    needed = 4 * (100 + 100 + 1_000_000 + 100 + 16)
    pemncodec.load(data, max_bytes=needed)
    with pytest.raises(LimitError):
        pemncodec.load(data, max_bytes=needed - 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gamma", 20, 1, 0, 1.0), "distribution 'gamma' is unknown"),
        (("normal", 15, 1, 0, 1.0), "a length of at least 16"),
        (("uniform", 0, 1, 0, 1.0), "a length of at least 1"),
        (("uniform", 20, 1 << 32, 0, 1.0), "a seed in 0"),
        (("uniform", 20, 1, 1 << 40, 1.0), "at most 2\\^40 draws"),
        (("uniform", 20, 1, -1, 1.0), "at most 2\\^40 draws"),
        (("uniform", 20, 1, 0, 0.0), "must be a float32 above 0"),
        (("uniform", 20, 1, 0, float("nan")), "must be a float32 above 0"),
        (("uniform", 20, 1, 0, 1.0, float("inf")), "and low inf a float32"),
        (("uniform", 20, 1, 0, 1.0, 0.0, ((20, 0),)), "patches must be"),
        (("uniform", 20.0, 1, 0, 1.0), "must be integers"),
        (("uniform", 20, 1, 0, 1.0, 0.0, ((2, 1), (2, 1))), "patches must be"),
        (("uniform", 20, 1, 0, 1.0, 0.0, ((2, 1 << 32),)), "a word of 32 bits"),
        (("uniform", 20, 1, 0, 1.0, 0.0, ((-1, 1),)), "a word of 32 bits"),
        (("uniform", 20, 1, 0, 1.0, 0.0, (), "library"), "uniform of PyTorch has no dialect 'library'"),
        (("signs of normal", 20, 1, 0, 1.0, 0.0, (), "separate"), "has no dialect 'separate'"),
        (("normal", 20, 1, 0, 1.0, 0.0, ((1, 1),), "library"), "express them as steps"),
        (("normal", 20, 1, 0, 1.0, 0.0, ((1, 1),), "fused", ((2, 1),)), "express them as steps"),
        (("normal", 20, 1, 0, 1.0, 0.0, (), "fused", ((2, 0),)), "no step is 0"),
        (
            ("signs of uniform", 20, 1, 0, 1.0, 0.0, (), "fused", ((2, 1),)),
            "only normal and uniform elements have steps",
        ),
        (("normal", 20, 1, 0, 1.0, 0.0, (), "fused", ((20, 1),)), "patches must be"),
    ],
)
def test_what_no_generator_is(arguments: tuple, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(NetworkError, match=message):
        PytorchGenerator(*arguments)


def test_an_infinite_element_is_refused() -> None:
    with pytest.raises(NetworkError, match="not finite"):
        PytorchGenerator("normal", 100, 1, 0, 3e38).values()
