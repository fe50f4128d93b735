"""Memory of packing and unpacking beside the checkpoint: a bit a weight and a few buffers."""

from __future__ import annotations

from pathlib import Path

import pytest
import scaling  # benchmarks/scaling.py

WEIGHTS = 20_000_000


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks are read from Linux's /proc")
def test_memory_of_every_step() -> None:
    """A layer has 67 MB of weights and as many of scores; the checkpoint 160 MB."""
    rows = {row["step"]: row for row in scaling.measure(WEIGHTS)}
    dense = 4 * WEIGHTS
    assert rows["pack"]["checkpoint_bytes"] > 2 * dense
    assert rows["pack"]["anonymous_bytes"] < 40_000_000
    assert rows["pack"]["peak_bytes"] < 2 * dense + 60_000_000
    assert rows["unpack"]["peak_bytes"] < 30_000_000
    assert dense < rows["load"]["peak_bytes"] < 1.1 * dense
