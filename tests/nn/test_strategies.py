"""Every strategy of the published code: pack, unpack, compare; and which prototype is found."""

from __future__ import annotations

import pytest
import torch

import pemncodec
from pemncodec.checkpoints.options import PackOptions
from pemncodec.checkpoints.recognise import draft_of
from pemncodec.loading.compare import compare

from .. import published

FINDINGS = {
    "full": "full: every layer has its own values (6 layers)",
    "one-layer": "one-layer: 4 layers share 2 sets of values, 2 have their own",
    "max-layer": "max-layer padding: 6 layers are prefixes of 768 values",
    "random-vector-copy": "random-vector padding: 39 values, tiled over 6 layers",
    "random-vector-rand": "random-vector padding, permuted: 39 distinct values in 768, prefixes of it in 6 layers",
    "signed-constant": "signed constant: two values a layer",
    "unsigned-constant": "unsigned constant: one value a layer",
    "scaled": "max-layer padding: 6 layers are prefixes of 768 values",
}


@pytest.mark.parametrize("strategy", published.STRATEGIES)
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 1.0])
def test_bit_identical(strategy: str, keep: float) -> None:
    state = published.checkpoint(strategy)
    data, report = pemncodec.pack(state, keep=keep)
    published.assert_equal(pemncodec.load(data), published.effective(state, keep))
    assert report.layers == 6
    assert report.findings[0] == FINDINGS[strategy]


def test_scaled_copies_share_one_prototype() -> None:
    data, report = pemncodec.pack(published.checkpoint("scaled"), keep=0.5)
    assert "5 layers are scaled copies" in report.findings
    assert len(pemncodec.load_network(data).prototypes) == 1


def test_scaled_copy_that_comes_first() -> None:
    base = published.kaiming((20, 30), torch.Generator().manual_seed(0))
    state = {"a.weight": base * 0.3, "a.scores": torch.rand(20, 30), "b.weight": base, "b.scores": torch.rand(20, 30)}
    data, report = pemncodec.pack(state, keep=0.5)
    published.assert_equal(pemncodec.load(data), published.effective(state, 0.5))
    assert "1 layers are scaled copies" in report.findings
    assert report.sizes.kept == 0
    state |= {"c.weight": base.clone(), "c.scores": torch.rand(20, 30), "d.weight": base[:9] * 0.3}
    state |= {"d.scores": torch.rand(9, 30)}
    fills = [layer.fill for layer in pemncodec.load_network(pemncodec.save(state, keep=0.5)).layers]
    assert [getattr(fill, "scale", 0) is None for fill in fills] == [False, True, True, False]


@pytest.mark.parametrize(
    ("strategy", "most"),
    [
        # bytes that the masked weights may cost beside the masks: what their information is, and 10 %
        ("random-vector-copy", 39 * 4 * 1.1),
        ("random-vector-rand", 39 * 4 + 768 * 6 / 8 * 1.1),
        ("unsigned-constant", 6 * 4 + 10),
        ("max-layer", 768 * 4 * 1.02),
        ("one-layer", (768 + 160) * 0.5 * 4 + (400 + 256) * 4),
        ("signed-constant", 2240 * 0.5 / 8 * 1.1 + 6 * 11),
    ],
)
def test_size_of_what_the_masks_do_not_say(strategy: str, most: float) -> None:
    sizes = pemncodec.pack(published.checkpoint(strategy), keep=0.5)[1].sizes
    assert sizes.prototypes + sizes.kept <= most


def test_values_that_no_layer_keeps_are_not_stored() -> None:
    state = published.checkpoint("one-layer")
    data = pemncodec.save(state, keep=0.3)
    network = pemncodec.load_network(data)
    stored = [prototype for prototype in network.prototypes if hasattr(prototype, "presence")]
    assert stored
    for prototype in stored:
        members = [layer for layer in network.layers if getattr(layer.fill, "prototype", None) is not None]
        assert members
        assert prototype.presence is not None
        assert prototype.presence.count < prototype.length
    published.assert_equal(pemncodec.load(data), published.effective(state, 0.3))


@pytest.mark.parametrize("strategy", published.STRATEGIES)
@pytest.mark.parametrize("keep", [0.2, 0.5])
def test_masked_layout_gives_the_same_logits(strategy: str, keep: float) -> None:
    state = published.checkpoint(strategy)
    masked = pemncodec.load(pemncodec.save(state, keep=keep), layout="masked")
    assert list(masked) == list(state)
    images = torch.rand((4, 3, 32, 32), generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        before = published.small_network(state, keep)(images)
        after = published.small_network(masked, keep)(images)
    assert torch.equal(before, after)
    for name in published.SHAPES:
        scores = masked[name[: -len("weight")] + "scores"]
        assert torch.equal(published.top_k_mask(scores, keep), published.top_k_mask(state[name[:-6] + "scores"], keep))
        assert set(scores.unique().tolist()) <= {0.0, 1.0}


def test_packing_the_masked_layout_again_gives_the_same_size() -> None:
    state = published.checkpoint("random-vector-copy")
    data = pemncodec.save(state, keep=0.5)
    assert pemncodec.save(pemncodec.load(data, layout="masked"), keep=0.5) == data


def test_zeros_in_the_prototype() -> None:
    """No bit is stored where the prototype is zero, and the original top k still finds every kept weight."""
    state = published.checkpoint("random-vector-copy")
    for name in published.SHAPES:
        flat = state[name].view(-1)
        flat[3::39] = 0.0
        flat[5::39] = -0.0  # not all-zero bits: has a mask bit, and survives where it is kept
    keep = 0.4
    data, report = pemncodec.pack(state, keep=keep)
    published.assert_equal(pemncodec.load(data), published.effective(state, keep))
    assert report.sizes.masked_weights == 2240
    network = pemncodec.load_network(data)
    assert len(network.prototypes) == 1
    masked = pemncodec.load(data, layout="masked")
    images = torch.rand((4, 3, 32, 32), generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        before, after = (published.small_network(s, keep)(images) for s in (state, masked))
    assert torch.equal(before, after)


def test_half_precision() -> None:
    state = published.checkpoint("random-vector-copy")
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        cast = {name: t.to(dtype) if t.is_floating_point() else t for name, t in state.items()}
        # half of a score's bits: equal ones at the cut are likely, and the published rule leaves them open
        data, report = pemncodec.pack(cast, keep=0.5, ties="stable")
        published.assert_equal(pemncodec.load(data), published.effective(cast, 0.5))
        assert report.findings[0] == FINDINGS["random-vector-copy"]


@pytest.mark.parametrize("dtype", [torch.complex128, torch.bool])
def test_weights_of_a_dtype_without_masks_are_stored_as_they_act(dtype: torch.dtype) -> None:
    state = {"l.weight": (torch.randn(40, 7, dtype=torch.float64) * 2).to(dtype), "l.scores": torch.rand(40, 7)}
    data, report = pemncodec.pack(state, keep=0.3)
    expected = torch.where(
        published.top_k_mask(state["l.scores"], 0.3) == 1, state["l.weight"], torch.zeros((), dtype=dtype)
    )
    published.assert_equal(pemncodec.load(data), {"l.weight": expected})
    assert report.layers == 0
    assert "1 masked tensors of a dtype without masks" in report.findings[-1]
    assert compare(data, draft_of(state, PackOptions(0.3))).tensors == 1


def test_nan_and_infinity_in_the_weights_are_bits_like_others() -> None:
    state = published.checkpoint("random-vector-copy")
    payload = torch.tensor([0x7FC12345, -0x00800000, 0x7F800001], dtype=torch.int32).view(torch.float32)
    for name in published.SHAPES:
        flat = state[name].view(-1)
        for offset, value in enumerate(payload):
            flat[offset::39] = value
    data = pemncodec.save(state, keep=0.5)
    published.assert_equal(pemncodec.load(data), published.effective(state, 0.5))
