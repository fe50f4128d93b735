"""Fixtures of several test modules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pemncodec import kernels


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
