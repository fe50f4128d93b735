"""The search for periods, prefixes and scaled copies, against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pemncodec.packing.sharing import periods


def brute_force_period(values: np.ndarray) -> int:
    n = len(values)
    for d in range(1, n // 2 + 1):
        if all(values[i] == values[i - d] for i in range(d, n)):
            return d
    return n


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 2), min_size=0, max_size=40))
def test_minimal_period_of_few_symbols(symbols: list[int]) -> None:
    values = np.array(symbols, dtype=np.uint32)
    assert periods.minimal_period(values) == brute_force_period(values)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(1, 60), st.integers(0, 200), st.integers(0, 2**32 - 1))
def test_minimal_period_of_tiles(length: int, extra: int, seed: int) -> None:
    base = np.random.default_rng(seed).integers(0, 2, length, dtype=np.uint32)
    values = np.resize(base, 2 * length + extra)
    assert periods.minimal_period(values) == brute_force_period(values)


def test_one_different_element_far_away_is_seen() -> None:
    values = np.resize(np.arange(1, 42, dtype=np.uint32), 100_000)
    assert periods.minimal_period(values) == 41
    for position in (0, 41, 50_000, 99_999):
        changed = values.copy()
        changed[position] = 99
        assert periods.minimal_period(changed) == 100_000


def test_two_values_without_a_period_do_not_take_long() -> None:
    values = np.random.default_rng(0).integers(0, 2, 1_000_000, dtype=np.uint32)
    assert periods.minimal_period(values) == 1_000_000


@pytest.mark.parametrize("factor", [0.1, 1.0, 3.0, 1e-30, 0.7071068])
def test_scale_is_found_and_exact(factor: float) -> None:
    rng = np.random.default_rng(1)
    base = rng.standard_normal(1000, dtype=np.float32)
    scaled = base * np.float32(factor)
    found = periods.scale_between(base.view(np.uint32), scaled.view(np.uint32))
    assert found is not None
    assert np.array_equal((base * np.float32(found)).view(np.uint32), scaled.view(np.uint32))


@pytest.mark.parametrize("change", ["one element", "a NaN", "the sign", "zeros"])
def test_no_scale_where_there_is_none(change: str) -> None:
    base = np.random.default_rng(1).standard_normal(1000, dtype=np.float32)
    scaled = base * np.float32(0.3)
    if change == "one element":
        scaled[700] = np.nextafter(scaled[700], np.float32(9))
    elif change == "a NaN":
        scaled[700] = np.nan
    elif change == "the sign":
        scaled = -scaled
    else:
        base = np.zeros(1000, dtype=np.float32)
    assert periods.scale_between(base.view(np.uint32), scaled.view(np.uint32)) is None
