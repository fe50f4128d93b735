"""Networks that were saved as weight × mask: the prototype is found from the kept values, and every bit comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import pemncodec
from pemncodec.checkpoints.draft import Draft, MaskedWeight
from pemncodec.checkpoints.options import PackOptions
from pemncodec.checkpoints.recognise import draft_of
from pemncodec.common.dtypes import BY_NAME
from pemncodec.network.mask import Mask
from pemncodec.network.model import KeptFill, TileFill
from pemncodec.packing.assemble import assemble
from pemncodec.packing.sharing.find import find_vectors
from pemncodec.packing.sharing.partial.find import find_partial
from pemncodec.packing.sharing.vector import Vector, Weight

from .. import published

Floats = NDArray[np.float32]

# 20 layers, 106,000 weights in all.
SIZES = (
    *(24576, 16384, 12288, 12288, 12288, 6144, 6144, 4000, 3072, 2731),
    *(1365, 847, 833, 576, 427, 233, 85, 64, 32, 15),
)
DENSITIES = (0.05, 0.1, 0.3, 0.5, 0.9)


def normal(count: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal(count, dtype=np.float32)


def signs(count: int, seed: int = 0) -> Floats:
    return np.sign(normal(count, seed))


def tiled(vector: Floats, sizes: Sequence[int] = SIZES) -> list[Floats]:
    """Random-vector padding; max-layer padding where the vector is as long as the largest layer."""
    return [np.resize(vector, size) for size in sizes]


def checkpoint(layers: Sequence[Floats], seed: int = 0) -> published.StateDict:
    """Weights and scores."""
    generator = torch.Generator().manual_seed(seed)
    state: published.StateDict = {}
    for number, values in enumerate(layers):
        state[f"{number}.weight"] = torch.from_numpy(values.copy()).reshape(-1, 1)
        state[f"{number}.scores"] = torch.rand(len(values), 1, generator=generator)
    return state


def network(layers: Sequence[Floats], density: float, seed: int = 0) -> published.StateDict:
    """Return the state_dict that these layers compute with: +0.0 where masked, no scores."""
    return published.effective(checkpoint(layers, seed), density)


def packed(state: published.StateDict) -> tuple[pemncodec.MaskedNetwork, pemncodec.PackReport]:
    """The network in the file of a state, which comes back in every bit."""
    data, report = pemncodec.pack(state)
    published.assert_equal(pemncodec.load(data), state)
    return pemncodec.load_network(data), report


def layers_of(draft: Draft) -> list[MaskedWeight]:
    return [entry for entry in draft.entries if isinstance(entry, MaskedWeight)]


def members(found: pemncodec.MaskedNetwork) -> list[int]:
    """Return the number of layers that each prototype fills."""
    fills = [layer.fill.prototype for layer in found.layers if isinstance(layer.fill, TileFill)]
    return [fills.count(number) for number in range(len(found.prototypes))]


# --- the bar ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vector", "finding"),
    [
        (normal(328), "random-vector padding: 328 values, tiled over 20 layers (from kept values)"),
        (normal(SIZES[0]), "max-layer padding: 20 layers are prefixes of 24576 values (from kept values)"),
        (
            np.random.default_rng(1).permutation(np.resize(normal(246), SIZES[0])),
            "random-vector padding, permuted: 246 distinct values in 24576, prefixes of it in 20 layers"
            " (from kept values)",
        ),
    ],
    ids=["random-vector", "max-layer", "permuted"],
)
def test_as_small_as_with_weights_and_scores(vector: Floats, finding: str) -> None:
    state = checkpoint(tiled(vector))
    with_scores = pemncodec.save(state, keep=0.5)
    effective = published.effective(state, 0.5)
    data, report = pemncodec.pack(effective)
    published.assert_equal(pemncodec.load(data), effective)
    assert len(data) <= 1.02 * len(with_scores)
    assert report.findings[0] == finding


@pytest.mark.parametrize("strategy", published.STRATEGIES)
@pytest.mark.parametrize("density", [0.3, 0.5, 0.9])
def test_strategies_of_the_published_code(strategy: str, density: float) -> None:
    state = published.checkpoint(strategy)
    with_scores, expected = pemncodec.pack(state, keep=density)
    effective = published.effective(state, density)
    data, report = pemncodec.pack(effective)
    published.assert_equal(pemncodec.load(data), effective)
    assert len(data) <= len(with_scores)
    said = expected.findings[0] if strategy == "full" else f"{expected.findings[0]} (from kept values)"
    assert report.findings[0] == said


# --- what is found ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("period", [1, 2, 41, 64, 1000, 3071, 24000])
def test_periods(period: int, density: float) -> None:
    found, report = packed(network(tiled(normal(period)), density))
    if density == 0.05 and period >= 3071:  # of the smallest layers nothing is kept that another keeps
        assert members(found)[0] >= 16
    else:
        assert members(found)[0] >= 19  # of 15 weights none may be kept
        assert found.prototypes[0].length == period
    assert "(from kept values)" in report.findings[0]


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("period", [5, 64, 1000, 3071, 20000, SIZES[0]])
def test_signed_constants(period: int, density: float) -> None:
    found, report = packed(network(tiled(signs(period) * np.float32(0.0707)), density))
    assert "signed constant" in report.findings[0]
    if density <= 0.1 and period >= 20000:
        return  # that of a bit a value some are shared saves less than it costs to say which are there
    assert found.prototypes[0].length == period
    assert members(found)[0] >= 15
    assert all(layer.fill.scale is None for layer in found.layers if isinstance(layer.fill, TileFill))


@pytest.mark.parametrize("period", [5, 1000, SIZES[0]])
def test_signed_constants_of_a_size_each(period: int) -> None:
    """Every layer has its own c: fl(s · c) need not give every other c, but c · ±1 does."""
    factors = np.sqrt(2 / np.array(SIZES, dtype=np.float32))
    layers = [layer * c for layer, c in zip(tiled(signs(period)), factors, strict=True)]
    found, report = packed(network(layers, 0.5))
    assert members(found)[0] >= 17
    scales = {layer.fill.scale for layer in found.layers if isinstance(layer.fill, TileFill)}
    assert scales <= set(factors.tolist())
    assert "signed constant" in report.findings[0]


@pytest.mark.parametrize("density", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("period", [41, 1000, SIZES[0]])
@pytest.mark.parametrize("original", [0, 7])
def test_scaled_copies(period: int, density: float, original: int) -> None:
    """One layer is the vector itself and all others are multiples, whichever it is."""
    factors = np.random.default_rng(4).uniform(0.05, 3, len(SIZES)).astype(np.float32)
    factors[original] = 1
    layers = [layer * c for layer, c in zip(tiled(normal(period)), factors, strict=True)]
    found, report = packed(network(layers, density))
    assert found.prototypes[0].length == period
    assert members(found)[0] >= (17 if density > 0.1 else 14)
    assert any("scaled copies" in line for line in report.findings)


@pytest.mark.parametrize("density", [0.05, 0.5, 0.9])
def test_one_layer(density: float) -> None:
    sizes = (900, 400, 900, 400, 400, 300, 900, 250)
    by_size = {size: normal(size, size) for size in sizes}
    found, report = packed(network([by_size[size] for size in sizes], density))
    if density > 0.05:
        assert members(found) == [3, 3]
        assert report.findings[0] == "one-layer: 6 layers share 2 sets of values, 2 have their own (from kept values)"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("period", [41, 5000, SIZES[0]])
def test_other_dtypes(dtype: str, period: int) -> None:
    layers = network(tiled(normal(period)), 0.5)
    found, report = packed({name: tensor.to(getattr(torch, dtype)) for name, tensor in layers.items()})
    assert found.prototypes[0].length == period
    assert members(found)[0] >= 18
    assert "(from kept values)" in report.findings[0]


@pytest.mark.parametrize("period", [1000, 50000])
def test_words_that_are_no_random_numbers(period: int) -> None:
    """Of 255 words each stands in many places of the period: that they are equal says little."""
    values = np.random.default_rng(5).integers(-127, 128, period).astype(np.float32)
    values[values == 0] = 1
    found, _ = packed(network(tiled(values, (400_000, 90_000, 70)), 0.4))
    assert members(found)[0] == 3
    assert found.prototypes[0].length == period


def test_two_prototypes_in_one_network() -> None:
    one, two = tiled(normal(300), SIZES[::2]), tiled(normal(500, 1), SIZES[1::2])
    layers = [layer for pair in zip(one, two, strict=True) for layer in pair]
    found, report = packed(network(layers, 0.5))
    assert sorted(prototype.length for prototype in found.prototypes) == [300, 500]
    assert members(found) == [10, 10]
    assert len([line for line in report.findings if "tiled over 10 layers" in line]) == 2


def test_two_prototypes_of_one_length() -> None:
    one, two = tiled(normal(300), SIZES[::2]), tiled(normal(300, 1), SIZES[1::2])
    found, _ = packed(network([*one, *two], 0.5))
    assert members(found) == [10, 10]


@pytest.mark.parametrize("whole", [[0], [4, 9], list(range(1, 20)), list(range(19))])
@pytest.mark.parametrize("vector", [normal(328), normal(SIZES[0]), signs(700)])
def test_layers_of_which_all_is_known_beside_others(vector: Floats, whole: list[int]) -> None:
    """More values may be known than kept: those that a layer kept by another mask before."""
    generator = np.random.default_rng(2)
    weights = []
    for number, values in enumerate(tiled(vector)):
        known = generator.random(len(values)) < 0.5
        mask = Mask.from_bool(known & (generator.random(len(values)) < 0.5))
        words = values.view(np.uint32) if number in whole else np.where(known, values, 7).view(np.uint32)
        weights.append(Weight(BY_NAME["float32"], words, mask, None if number in whole else Mask.from_bool(known)))
    found = find_vectors(weights)
    assert len(found[0].values) == len(vector)
    assert len(found[0].members) >= 19


def test_a_vector_a_layer() -> None:
    layers = [np.resize(normal(30 + number, number), 3000) for number in range(12)]
    found, report = packed(network(layers, 0.5))
    assert sorted(prototype.length for prototype in found.prototypes) == list(range(30, 42))
    assert report.findings[0].startswith("one vector a layer, tiled (lengths ")


def test_layers_too_small_to_show_anything_alone() -> None:
    """10 known values a layer: a period shows in all of them together, or not at all."""
    found, report = packed(network(tiled(normal(41), [200] * 200), 0.05))
    assert members(found)[0] >= 195
    assert found.prototypes[0].length == 41
    assert "tiled over" in report.findings[0]


# --- who is a member ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", [normal(328), normal(SIZES[0]), signs(328), signs(20000)])
@pytest.mark.parametrize("wrong", [0, 1, 9, 16])
def test_a_layer_of_which_one_kept_value_differs_is_no_member(vector: Floats, wrong: int) -> None:
    """And all others are: also where the wrong one is the largest, which they are compared with first."""
    state = network(tiled(vector), 0.5)
    flat, *others = (state[f"{number}.weight"].view(-1)[:15] for number in (wrong, 0, 2, 3, 5, 7, 8))
    place = int(torch.stack([layer != 0 for layer in others]).sum(0).mul(flat != 0).argmax())
    flat[place] *= -1 if len(np.unique(vector)) == 2 else 1.5
    found, _ = packed(state)
    assert max(members(found)) >= 18
    big = members(found).index(max(members(found)))
    fill = found.layers[wrong].fill
    assert isinstance(fill, KeptFill) or fill.prototype != big


def test_layers_that_have_nothing_to_do_with_it_are_no_members() -> None:
    layers = [*tiled(normal(328)), *(normal(size, number + 1) for number, size in enumerate(SIZES))]
    found, report = packed(network(layers, 0.5))
    assert members(found) == [20]
    assert report.findings[:2] == [
        "random-vector padding: 328 values, tiled over 20 layers (from kept values)",
        "20 layers have their own values",
    ]


@pytest.mark.parametrize("density", [0.02, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["float32", "bfloat16", "two values", "three values", "all above zero", "rows"])
def test_nothing_is_claimed_where_nothing_is_shared(kind: str, density: float) -> None:
    layers = [normal(size, number) for number, size in enumerate(SIZES)]
    if kind == "two values":
        layers = [np.sign(layer) for layer in layers]
    elif kind == "three values":
        layers = [np.where(np.abs(layer) > 1, 2, 1).astype(np.float32) * np.sign(layer) for layer in layers]
    elif kind == "all above zero":
        layers = [np.abs(layer) for layer in layers]
    state = network(layers, density)
    if kind == "bfloat16":
        state = {name: tensor.to(torch.bfloat16) for name, tensor in state.items()}
    if kind == "rows":  # whole filters pruned
        state = network([np.where(np.arange(len(layer)) // 50 % 3 == 0, 0, layer) for layer in layers], density)
    draft = draft_of(state, PackOptions())
    assert find_partial([Weight(w.dtype, w.values, w.mask, w.known) for w in layers_of(draft)]) == []
    assert not any("padding" in line or "one-layer" in line for line in assemble(draft).findings)


def test_magnitude_pruning_finds_nothing_and_costs_what_it_did() -> None:
    state: published.StateDict = {}
    for number, size in enumerate(SIZES[:12]):
        values = normal(size, number)
        values[np.abs(values) < 1.3] = 0
        state[f"{number}.weight"] = torch.from_numpy(values).reshape(-1, 1)
    data, report = pemncodec.pack(state)
    without = [replace(layer, known=None) for layer in layers_of(draft_of(state, PackOptions()))]
    assert data == pemncodec.save(assemble(Draft("dense", "nonzero", entries=list(without))).network)
    assert report.findings == [f"full: every layer has its own values ({len(state)} layers)"]


# --- adversaries --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["checkerboard", "one in seven", "first half", "last element", "nothing", "all"])
@pytest.mark.parametrize("vector", [normal(1), normal(41), signs(64), normal(1000)])
def test_masks_with_order(pattern: str, vector: Floats) -> None:
    sizes = (1000, 640, 300, 64, 7, 3, 2, 1)
    state: published.StateDict = {}
    for number, values in enumerate(tiled(vector, sizes)):
        places = np.arange(len(values))
        keep = {
            "checkerboard": places % 2 == 0,
            "one in seven": places % 7 == 3,
            "first half": places < len(values) // 2,
            "last element": places == len(values) - 1,
            "nothing": places < 0,
            "all": places >= 0,
        }[pattern]
        state[f"{number}.weight"] = torch.from_numpy(np.where(keep, values, np.float32(0))).reshape(-1, 1)
    packed(state)


def test_tiny_and_empty_layers() -> None:
    generator = np.random.default_rng(0)
    for sizes in ((0,), (1, 1), (2, 0, 3), (3, 3, 3, 2, 2, 1, 0)):
        for _ in range(20):
            chosen = generator.integers(-1, 2, sum(sizes)).astype(np.float32)
            layers = np.split(chosen, np.cumsum(sizes)[:-1])
            packed({f"{i}.weight": torch.from_numpy(layer).reshape(-1, 1) for i, layer in enumerate(layers)})


def test_words_that_are_no_numbers() -> None:
    """Payloads of NaN and infinities are words like others; a scaled copy of them is none."""
    vector = normal(200)
    vector.view(np.uint32)[3::50] = (0x7FC12345, 0xFF800001, 0x7F800000, 0xFF800000)
    state = network(tiled(vector, (5000, 3000, 700)), 0.5)
    found, _ = packed(state)
    assert members(found) == [3]
    with np.errstate(all="ignore"):
        packed(network([vector, np.resize(vector, 5000), np.resize(vector, 3000) * np.float32(0.3)], 0.5))


def test_products_that_overflow_or_vanish() -> None:
    vector = normal(500)
    vector[::50] *= np.float32(1e38)
    vector[1::50] *= np.float32(1e-38)
    for factor in (1e-5, 0.9, 2.5):
        with np.errstate(all="ignore"):
            layers = [np.resize(vector, 5000), np.resize(vector, 3000) * np.float32(factor)]
        packed(network([np.where(np.isfinite(layer), layer, 1).astype(np.float32) for layer in layers], 0.5))


def test_two_thousand_tiny_layers_of_two_values_do_not_take_long() -> None:
    generator = np.random.default_rng(0)
    weights = []
    for _ in range(2_000):
        values = generator.integers(1, 3, 30).astype(np.float32).view(np.uint32)
        known = Mask.from_bool(generator.random(30) < 0.3)
        weights.append(Weight(BY_NAME["float32"], values, known, known))
    assert find_partial(weights) == []


# --- every network --------------------------------------------------------------------------------------------


@st.composite
def weights_of_networks(draw: st.DrawFn) -> list[Weight]:
    """Layers of which some are made from a few vectors, some are wrong, and more or less is known."""
    dtype = BY_NAME[draw(st.sampled_from(["float32", "float32", "float16", "float64", "int8"]))]
    word: np.dtype[np.unsignedinteger] = np.dtype(f"u{dtype.itemsize}")
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["random", "signs", "few", "ones"]))
    vectors = []
    for _ in range(draw(st.integers(1, 2))):
        length = draw(st.integers(1, 120))
        if kind == "signs" or dtype.name == "int8":
            values = generator.choice([-0.25, 0.25], length)
        elif kind == "few":
            values = generator.choice(generator.standard_normal(3), length)
        else:
            values = np.ones(length) if kind == "ones" else generator.standard_normal(length)
        vectors.append((values * 4).astype(dtype.name))
    weights = []
    for _ in range(draw(st.integers(0, 8))):
        size = draw(st.integers(0, 400))
        scale = draw(st.sampled_from([1, 1, 1, 0.3, 2.7])) if dtype.name == "float32" else 1
        values = np.resize(draw(st.sampled_from(vectors)), size) * np.asarray(scale, dtype=dtype.name)
        words = np.ascontiguousarray(values).view(word)
        for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3])) if size else 0):
            words[generator.integers(size)] ^= word.type(1)
        known = generator.random(size) < draw(st.sampled_from([0.0, 0.05, 0.3, 0.7, 1.0]))
        mask = known & (generator.random(size) < draw(st.sampled_from([0.5, 1.0])))
        garbage = generator.integers(0, 3, size).astype(word) * draw(st.sampled_from([0, 1]))
        partly = draw(st.sampled_from([True, True, False]))
        chosen = np.where(known, words, garbage) if partly else words
        weights.append(Weight(dtype, chosen, Mask.from_bool(mask), Mask.from_bool(known) if partly else None))
    return weights


@settings(max_examples=300, deadline=None, derandomize=True)
@given(weights_of_networks())
def test_every_known_value_is_given_again(weights: list[Weight]) -> None:
    vectors = find_vectors(weights)
    assert sorted(number for vector in vectors for number in vector.members) == list(range(len(weights)))
    for vector in vectors:
        for number, scale in zip(vector.members, vector.scales, strict=True):
            weight = weights[number]
            if not len(weight.values):
                continue
            looked_at = _known_by(weight, vector)
            values = np.resize(vector.values, len(weight.values))
            if scale is not None:
                values = (values.view(np.float32) * np.float32(scale)).view(np.uint32)
            assert np.array_equal(values[looked_at], weight.values[looked_at])


def _known_by(weight: Weight, vector: Vector) -> NDArray[np.bool_]:
    if weight.known is None or vector.known is None:
        return np.ones(len(weight.values), dtype=np.bool_)
    return weight.known.to_bool()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(weights_of_networks())
def test_every_network_decodes_to_its_input_times_its_mask(weights: list[Weight]) -> None:
    entries = [
        MaskedWeight(str(number), weight.dtype, (len(weight.values),), weight.values, weight.mask, weight.known)
        for number, weight in enumerate(weights)
    ]
    data = pemncodec.save(assemble(Draft("dense", "explicit", entries=list(entries))).network)
    found = pemncodec.load_network(data)
    for entry in entries:
        expected = np.where(entry.mask.to_bool(), entry.values, np.zeros(1, dtype=entry.values.dtype))
        assert np.array_equal(found.words_of(entry.name), expected), entry.name


def test_what_is_all_known_is_found_as_it_was() -> None:
    """A mask of ones says the same as none."""
    for layers in (tiled(normal(41)), tiled(signs(SIZES[0])), [normal(size, size) for size in SIZES]):
        masks = [Mask.from_bool(normal(len(layer), 1) > 0) for layer in layers]
        words = [layer.view(np.uint32) for layer in layers]
        plain, full = (
            find_vectors(
                [
                    Weight(BY_NAME["float32"], values, mask, Mask.from_bool(values == values) if known else None)
                    for values, mask in zip(words, masks, strict=True)
                ]
            )
            for known in (False, True)
        )
        assert [(v.members, v.scales, v.shared) for v in plain] == [(v.members, v.scales, v.shared) for v in full]
