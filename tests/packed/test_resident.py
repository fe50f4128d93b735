"""Small weights whose dense values stay in memory: the same bits, no more memory than is allowed, and never stale."""

from __future__ import annotations

import copy
import gc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from pemncodec import PackedTensor
from pemncodec.packed import products, resident

from .test_products import arguments, needs_quick
from .weights import KINDS, weight

LINEAR = torch.nn.functional.linear
BATCHES = (1, 2, 3, 4, 5, 8, 12, 13, 17, 24, 25, 64, 150)


@pytest.fixture(autouse=True)
def _none_before() -> Iterator[None]:
    """Collect the weights of other tests, so that there is room."""
    gc.collect()
    with torch.no_grad():
        yield
    gc.collect()


def words(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous().view(torch.int32)


@needs_quick
@pytest.mark.parametrize("shape", [(64, 64), (37, 128), (100, 192), (9, 70), (70, 512)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_the_bits_are_those_of_packed_rows(kind: str, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    for keep, scale in ((0.5, None), (0.08, None), (0.5, 0.37)):
        packed, dense = weight(shape, kind, keep=keep, period=201, scale=None if kind == "kept" else scale)
        bias, inputs = torch.randn(shape[0]), [torch.randn(batch, shape[1]) for batch in BATCHES]
        monkeypatch.setattr(resident, "MOST", 0)
        LINEAR(inputs[0], packed)
        before = [LINEAR(x, packed, more) for x in inputs for more in (None, bias)]
        assert resident.taken() == 0
        monkeypatch.undo()
        packed.lane = None
        LINEAR(inputs[0], packed)
        assert resident.taken() > 0
        after = [LINEAR(x, packed, more) for x in inputs for more in (None, bias)]
        for one, two in zip(before, after, strict=True):
            assert torch.equal(words(one), words(two))
        for x, found in zip(inputs, after[::2], strict=True):
            assert torch.allclose(found.double(), x.double() @ dense.double().t(), atol=1e-4)


@needs_quick
def test_no_more_than_is_allowed_and_room_again() -> None:
    x = torch.randn(2, 256)
    made = [weight((256, 256), seed=seed)[0] for seed in range(40)]
    for one in made:
        LINEAR(x, one)
        assert resident.taken() <= resident.MOST
    full = resident.taken()
    assert full > resident.MOST // 2
    LINEAR(x, made[0])
    assert resident.taken() == full
    del made, one
    gc.collect()
    assert resident.taken() == 0


@needs_quick
def test_a_large_weight_is_read_as_it_is_packed() -> None:
    packed, _ = weight((1024, 1024))
    LINEAR(torch.randn(2, 1024), packed)
    assert resident.taken() == 0


@needs_quick
def test_aliases_share_the_values() -> None:
    packed, _ = weight((64, 64))
    x = torch.randn(3, 64)
    LINEAR(x, packed)
    taken = resident.taken()
    for other in (copy.deepcopy(packed), packed.detach(), packed.clone()):
        LINEAR(x, other)
    assert resident.taken() == taken


def test_another_dtype_has_values_of_its_own() -> None:
    packed, dense = weight((6, 5, 3, 3))
    x = torch.randn(1, 5, 9, 9)
    assert torch.equal(torch.conv2d(x, packed), torch.conv2d(x, dense))
    short = packed.to(torch.bfloat16)
    assert isinstance(short, PackedTensor)
    assert short.bits is packed.bits
    found = torch.conv2d(x.to(torch.bfloat16), short)
    assert torch.equal(found, torch.conv2d(x.to(torch.bfloat16), dense.to(torch.bfloat16)))


@pytest.mark.parametrize("kind", KINDS)
def test_convolutions_by_the_same_bits(kind: str) -> None:
    packed, dense = weight((6, 5, 3, 3), kind)
    x = torch.randn(2, 5, 9, 9)
    for _ in range(3):
        assert torch.equal(words(torch.conv2d(x, packed)), words(torch.conv2d(x, dense)))
    assert torch.equal(words(packed.lane), words(dense))


def test_a_weight_that_is_taken_over_leaves_nothing() -> None:
    """As a task is switched: the values of the one before would be wrong, and are room for the next."""
    packed, _ = weight((6, 5, 3, 3))
    other, dense = weight((6, 5, 3, 3), "negated", seed=3)
    x = torch.randn(2, 5, 9, 9)
    torch.conv2d(x, packed)
    taken = resident.taken()
    packed.copy_(other)
    assert resident.taken() == 0
    assert torch.equal(torch.conv2d(x, packed), torch.conv2d(x, dense))
    assert resident.taken() == taken


@needs_quick
def test_memory_that_is_too_small_is_refused() -> None:
    assert products.compiled is not None
    rows, short = np.zeros(8 * 64, np.float32), np.zeros(8 * 64 - 1, np.float32)
    lanes = np.zeros(8 * 64, np.float32)
    wide: dict[str, Any] = arguments() | {"columns": 64, "bits": np.zeros(64, np.uint8)}

    long = arguments() | {"columns": 1088, "bits": np.zeros(1088, np.uint8)}

    def hold(given: dict[str, Any], *memory: object) -> None:
        products.compiled.Matrix(*given.values()).hold(*memory)  # type: ignore[union-attr]

    hold(wide, rows, None)
    hold(wide, rows, lanes)
    for given, memory, reason in (
        (wide, (short, None), "too small"),
        (wide, (rows, short), "too small"),
        (wide, (rows.view(np.uint8)[1:-3], None), "half an item|aligned"),
        (arguments(), (rows, lanes), "no lanes"),
        (long, (np.zeros(8704, np.float32),) * 2, "no lanes"),
    ):
        with pytest.raises(ValueError, match=reason):
            hold(given, *memory)
    matrix = products.compiled.Matrix(*wide.values())
    matrix.hold(rows, None)
    with pytest.raises(ValueError, match="once"):
        matrix.hold(rows, None)
