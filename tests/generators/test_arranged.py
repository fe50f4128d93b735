"""Permuted random vectors and prototypes with zeros: format 1.1, and the networks that are trained with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import pemncodec
from pemncodec import errors
from pemncodec.checkpoints.options import PackOptions
from pemncodec.checkpoints.recognise import draft_of
from pemncodec.coding.encoder import encode
from pemncodec.generators.philox import counter as philox
from pemncodec.generators.philox.generator import Generator
from pemncodec.loading.compare import compare
from pemncodec.network.mask import Mask
from pemncodec.network.model import GeneratedPrototype, Layer, MaskedNetwork, TileFill
from pemncodec.nn import mask_network

from .. import published
from ..networks import assert_same, second
from ..nn.test_nn import Everything, values_of
from . import torch_generator
from .test_generators import NAMES, plain_word

MINOR = 9  # offset of the minor version in a file


def order(seed: int, stream: int, count: int) -> list[int]:
    """Spec section 8.7, in Python's integers."""
    return sorted(range(count), key=lambda i: (plain_word(seed, stream, i), i))


@given(
    name=st.sampled_from(NAMES),
    seed=st.integers(0, 2**64 - 1),
    stream=st.integers(0, 2**64 - 1),
    period=st.integers(1, 40),
    more=st.integers(0, 60),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_all_paths(name: str, seed: int, stream: int, period: int, more: int, data: st.DataObject) -> None:
    zeros = data.draw(st.integers(0, period - 1))
    patched = data.draw(st.sets(st.integers(0, period - 1), max_size=3))
    patches = tuple((index, data.draw(st.integers(0, 2**32 - 1))) for index in sorted(patched))
    length = period + more
    made = Generator(name, length, seed, stream, 0.3, patches, period, zeros)
    scale = int(np.float32(0.3).view(np.uint32))
    values = second.elements(NAMES.index(name) + 1, seed, stream, scale, np.arange(period)).tolist()
    for index, bits in patches:
        values[index] = bits
    for index in order(seed, stream ^ 1 << 63, period)[:zeros]:
        values[index] = 0
    places = order(seed, stream ^ 1 << 62, length) if more else range(length)
    expected = [values[place % period] for place in places]
    assert made.values().view(np.uint32).tolist() == expected
    assert made.range(period // 2, length).view(np.uint32).tolist() == expected[period // 2 :]
    assert made.elements([length - 1, 0]).view(np.uint32).tolist() == [expected[-1], expected[0]]
    for start, stop in ((0, None), (period // 2, length)):
        other = torch_generator.generate(made, "cpu", start, stop)
        assert other.view(torch.int32).numpy().view(np.uint32).tolist() == expected[start:stop]
    network = MaskedNetwork(
        prototypes=[GeneratedPrototype(made)], masks=[Mask.from_bool(np.arange(2 * length) % 3 > 0)]
    )
    network.entries.append(Layer("w", (2, length), 0, TileFill(0, length - 1)))
    encoded = encode(network)
    assert encoded[MINOR] == made.arranged
    assert_same(encoded)


def test_equal_words_keep_their_order() -> None:
    """Two of the first 100,000 words are equal (a birthday in 2^32), so that a sort that is not stable would show."""
    words = philox.words(0, 100_000, 1 << 62, 1).tolist()
    assert len(set(words)) < len(words), "otherwise this tests nothing"
    made = Generator("uniform", 100_000, 1, period=99_999)
    places = sorted(range(100_000), key=lambda i: (words[i], i))
    plain = Generator("uniform", 99_999, 1).values()
    assert np.array_equal(made.values(), plain[np.array(places) % 99_999])
    assert np.array_equal(torch_generator.generate(made).numpy(), made.values())


def test_a_permuted_vector_is_every_value_as_often_and_in_no_order() -> None:
    made = Generator("normal", 100_003, 5, period=41)
    values, counts = np.unique(made.values(), return_counts=True)
    assert len(values) == 41
    assert set(counts.tolist()) == {100_003 // 41, 100_003 // 41 + 1}
    drawn = made.values()
    # what stands 41 places on is another value but for chance: 1 in 41
    assert abs(np.mean(drawn[41:] == drawn[:-41]) - 1 / 41) < 0.003


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        ({"period": 11}, "a period of 11 with 0 zeros does not fit 10"),
        ({"period": -1}, "a period of -1"),
        ({"zeros": 10}, "a period of 10 with 10 zeros"),
        ({"zeros": -1}, "with -1 zeros"),
        ({"period": 4, "zeros": 4}, "a period of 4 with 4 zeros"),
        ({"period": 4, "patches": ((4, 0),)}, "inside the prototype"),
    ],
)
def test_what_does_not_fit(arguments: dict[str, Any], phrase: str) -> None:
    with pytest.raises(errors.NetworkError, match=phrase):
        Generator("normal", 10, 0, **arguments)


# --- layers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("permute", [False, True])
@pytest.mark.parametrize("zero", ["zero", "negated"])
@pytest.mark.parametrize("sampler", ["edge-popup", "bernoulli"])
@pytest.mark.parametrize("strategy", ["full", "one-layer", "max-layer", "random-vector"])
def test_zeros_pack_without_flags(strategy: str, sampler: str, zero: str, permute: bool) -> None:
    if permute and strategy != "random-vector":
        with pytest.raises(errors.NetworkError, match="permute requires the strategy 'random-vector'"):
            mask_network(Everything(), strategy=strategy, permute=True)
        return
    torch.manual_seed(0)
    model = mask_network(
        Everything(),
        strategy=strategy,
        sampler=sampler,
        zero=zero,
        zeros=0.6,
        permute=permute,
        ratio=0.1,
        keep=0.4,
        seed=5,
        rescale=True,
    )
    tokens = torch.arange(14).reshape(2, 7) % 7
    model(tokens).square().mean().backward()
    model.eval()
    data, report = pemncodec.pack(model)
    assert data[MINOR] >= 1  # 2 where grouped planes are the smallest for what is not masked
    assert report.sizes.prototypes == report.sizes.kept == 0, "the prototypes are seeds"
    stock = Everything().eval().requires_grad_(False)
    stock.load_state_dict(pemncodec.load(data), strict=True)
    with torch.no_grad():
        assert published.bits(stock(tokens)) == published.bits(model(tokens))
    assert compare(data, draft_of(model, PackOptions())).tensors == len(stock.state_dict())
    assert_same(data)
    filled = torch.cat([values.flatten() for values in values_of(model).values()])
    assert abs((filled == 0).float().mean().item() - 0.6) < 0.05
    opened = pemncodec.open(data)
    bits = sum(row.length for row in opened.decoder.manifest.masks)
    assert bits <= int((filled != 0).sum()), "no bits for zeros (equal masks are stored once)"


def test_keep_is_a_fraction_of_what_is_not_zero() -> None:
    model = mask_network(
        nn.Sequential(nn.Linear(100, 50, bias=False)), strategy="random-vector", ratio=0.5, zeros=0.5, keep=0.3
    )
    layer: Any = model[0]
    scores = layer.parametrizations.weight.original
    (values,) = values_of(model).values()
    d = int(5000 * 0.5) + 1
    assert int((values[:25].flatten() == 0).sum() + (values[25].flatten()[:1] == 0).sum()) == d // 2
    active = int((values != 0).sum())
    assert int((layer.weight != 0).sum()) == active - int(0.7 * active)
    kept = scores.abs()[layer.weight != 0]
    assert kept.min() >= scores.abs()[(values != 0) & (layer.weight == 0)].max()
    layer(torch.rand(4, 100)).sum().backward()
    assert not scores.grad[values == 0].any(), "a mask has nothing to say there"
    assert scores.grad[values != 0].any()


def test_distinct_values_of_a_permuted_vector() -> None:
    model = mask_network(
        nn.Sequential(nn.Linear(300, 100), nn.Linear(20, 300)), strategy="random-vector", ratio=0.01, permute=True
    )
    values = list(values_of(model).values())
    assert len(values[0].unique()) == int(30_000 * 0.01) + 1
    assert torch.equal(values[1].flatten(), values[0].flatten()[:6000]), "every layer is a prefix"


def test_a_share_of_zeros_has_to_leave_something() -> None:
    for zeros in (-0.1, 1.0):
        with pytest.raises(errors.NetworkError, match=f"zeros is {zeros}"):
            mask_network(nn.Linear(3, 3), zeros=zeros)
