"""`Mask` for servers of federations: counts, means, majorities and draws, beside numpy on whole arrays."""

from __future__ import annotations

import numpy as np
import pytest

from pemncodec import Mask, NetworkError


def masks_of(flags: np.ndarray) -> list[Mask]:
    return [Mask.from_bool(row) for row in flags]


@pytest.mark.parametrize("clients", [1, 2, 3, 4, 7, 8, 9, 31, 64])
@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 1003])
def test_counts_are_sums(clients: int, length: int) -> None:
    flags = np.random.default_rng(clients).random((clients, length)) < 0.4
    masks = masks_of(flags)
    before = [mask.packed.tobytes() for mask in masks]
    counts = Mask.counts(iter(masks))
    assert counts.dtype == np.int64
    assert np.array_equal(counts, flags.sum(axis=0))
    assert [mask.packed.tobytes() for mask in masks] == before
    mean = Mask.mean(masks)
    assert mean.dtype == np.float64
    assert np.array_equal(mean, flags.mean(axis=0))
    assert np.array_equal(Mask.majority(masks).to_bool(), flags.mean(axis=0) > 0.5)
    assert np.array_equal(Mask.majority(masks, ties=True).to_bool(), flags.mean(axis=0) >= 0.5)


def test_all_clients_agree() -> None:
    ones = masks_of(np.ones((200, 77), dtype=np.bool_))
    assert set(Mask.counts(ones)) == {200}
    assert Mask.majority(ones) == ones[0]


def test_lengths_that_differ_and_nothing_are_refused() -> None:
    with pytest.raises(NetworkError, match="masks of 9 and 8 bits cannot be combined"):
        Mask.counts(masks_of(np.ones((2, 9), dtype=np.bool_)) + masks_of(np.ones((1, 8), dtype=np.bool_)))
    for function in (Mask.counts, Mask.mean, Mask.majority):
        with pytest.raises(NetworkError, match="there is no mask to count"):
            function([])


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_draws(kind: type[np.floating]) -> None:
    """The frequencies are those asked for: 6 standard deviations of 4,000 draws."""
    wanted = np.array([[0, 1, 0.5], [0.1, 0.9, 0.25]], dtype=kind)
    rng = np.random.default_rng(3)
    mean = Mask.mean(Mask.sample(wanted, rng) for _ in range(4000))
    assert mean[0] == 0
    assert mean[1] == 1
    deviation = np.sqrt(wanted.ravel().astype(float) * (1 - wanted.ravel().astype(float)) / 4000)
    assert (np.abs(mean - wanted.ravel()) <= 6 * deviation).all()


def test_draws_depend_on_the_generator_alone() -> None:
    wanted = np.full(1000, 0.5)
    first = Mask.sample(wanted, np.random.default_rng(1))
    assert first == Mask.sample(wanted.reshape(10, 100), np.random.default_rng(1))
    assert first != Mask.sample(wanted, np.random.default_rng(2))
    assert np.array_equal(first.to_bool(), np.random.default_rng(1).random(1000) < 0.5)


@pytest.mark.parametrize("wrong", [-0.1, 1.5, np.nan, np.inf])
def test_what_is_no_probability_is_refused(wrong: float) -> None:
    with pytest.raises(NetworkError, match="NaN or outside"):
        Mask.sample(np.array([0.5, wrong]), np.random.default_rng(0))


def test_deltas_by_xor() -> None:
    last, now = masks_of(np.random.default_rng(0).random((2, 501)) < 0.5)
    delta = last ^ now
    assert delta.count == last.distance(now)
    assert last ^ delta == now
