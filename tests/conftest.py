"""Fixtures of several test modules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from pemncodec.coding import sections as decode_sections
from pemncodec.coding.blocks import coders as tensors
from pemncodec.coding.masks import coders as masks
from pemncodec.common import kernels


@pytest.fixture(scope="module", params=["compiled", "numpy"])
def both_ways(request: pytest.FixtureRequest) -> Iterator[str]:
    """With the compiled loops, and without."""
    if request.param == "compiled":
        if kernels.compiled is None:
            pytest.skip("the compiled loops were not built here")
        yield request.param
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "compiled", None)
        yield request.param


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often masks and blocks were decoded, and how many elements were multiplied by a scale."""
    counter: Counter[str] = Counter()

    def counted(name: str, function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            counter[name] += 1
            return function(*arguments)

        return call

    monkeypatch.setattr(decode_sections, "decode_mask", counted("mask", masks.decode_mask))
    monkeypatch.setattr(decode_sections, "decode_block", counted("block", tensors.decode_block))
    return counter
