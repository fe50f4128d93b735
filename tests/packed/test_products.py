"""Products of packed weights against float64 products of the dense ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pemncodec.packed import products

from .weights import KINDS, weight

SHAPES = [(1, 1), (3, 5), (8, 64), (13, 100), (30, 7), (65, 256), (9, 513), (70, 1024)]
BATCHES = (1, 2, 3, 4, 5, 11, 12, 17, 64, 65, 97, 400)
LIMITS = {torch.float32: 1e-6, torch.float64: 1e-14, torch.bfloat16: 1e-2, torch.float16: 2e-3}
WAYS = [way[0] for way in products.compiled.ways() if way is not None] if products.compiled is not None else []


@pytest.fixture(params=[*WAYS, "expanded"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each instruction set of this machine, and the way without compiled products."""
    if request.param == "expanded":
        monkeypatch.setattr(products, "compiled", None)
    monkeypatch.setenv("PEMNCODEC_SIMD", request.param)
    products._way.cache_clear()
    products._bfloat16_way.cache_clear()
    return str(request.param)


def close(found: torch.Tensor, x: torch.Tensor, dense: torch.Tensor, limit: float) -> None:
    """Each sum within its rounding: relative to the sum of magnitudes."""
    exact = x.double() @ dense.double().t()
    bound = x.double().abs() @ dense.double().abs().t()
    assert found.shape == exact.shape
    assert found.dtype == x.dtype
    assert bool(((found.double() - exact).abs() <= limit * bound + 1e-30).all())


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds_and_batches(shape: tuple[int, int], kind: str) -> None:
    for keep, period, scale in ((0.5, 13, None), (0.05, 0, 1.5), (1.0, 200, None), (0.0, 13, None)):
        packed, dense = weight(shape, kind, keep=keep, period=period, scale=None if kind == "kept" else scale)
        assert torch.equal(packed.dense(), dense)
        for batch in BATCHES:
            x = torch.randn(batch, shape[1])
            close(torch.nn.functional.linear(x, packed), x, dense, LIMITS[torch.float32])


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("dtype", LIMITS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_all_dtypes(dtype: torch.dtype, kind: str) -> None:
    packed, dense = weight((40, 192), kind, dtype=dtype, period=77)
    for batch in (1, 20, 130):
        x = torch.randn(batch, 192).to(dtype)
        close(torch.nn.functional.linear(x, packed), x, dense, LIMITS[dtype])
        g = torch.randn(batch, 40).to(dtype)
        close(g @ packed, g, dense.t(), LIMITS[dtype])
        close(x @ packed.t(), x, dense, LIMITS[dtype])
        close(torch.mm(packed, x.t()).t(), x, dense, LIMITS[dtype])
        close(torch.addmm(torch.zeros(40, dtype=dtype), x, packed.t()), x, dense, LIMITS[dtype])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("batch", [1, 3, 40, 200])
def test_the_same_bits_with_any_number_of_threads(batch: int, dtype: torch.dtype) -> None:
    packed, _ = weight((1111, 2048), period=5000, dtype=dtype)
    x = torch.randn(batch, 2048).to(dtype)
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3, 7):
            torch.set_num_threads(threads)
            found.append(torch.nn.functional.linear(x, packed))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one.view(torch.uint8), found[0].view(torch.uint8)) for one in found[1:])


def test_inputs_of_any_number_of_dimensions() -> None:
    packed, dense = weight((6, 10))
    for shape in ((10,), (2, 3, 10), (0, 10), (4, 0, 10)):
        x = torch.randn(shape)
        assert torch.nn.functional.linear(x, packed).shape == (*shape[:-1], 6)
    x = torch.randn(2, 3, 10)
    assert torch.allclose(torch.nn.functional.linear(x, packed, torch.ones(6)), x @ dense.t() + 1, atol=1e-5)
    with pytest.raises(RuntimeError, match=r"mat1 and mat2|size"):
        torch.nn.functional.linear(torch.randn(2, 9), packed)
    with pytest.raises(RuntimeError, match="dtype"):
        torch.nn.functional.linear(torch.randn(2, 10, dtype=torch.float64), packed)


def test_infinities_of_columns_that_are_padding() -> None:
    """Values behind the end of a row are not multiplied: 0 times an infinity would be NaN."""
    packed, dense = weight((5, 70), "negated", period=350)
    packed.stored[5 + 70 * 3 + 2] = float("inf")  # in row 3, whose phase is 5
    x = torch.ones(1, 70)
    found = torch.nn.functional.linear(x, packed)
    assert bool(torch.isfinite(found[0, [0, 1, 2, 4]]).all()), found
    assert not bool(torch.isfinite(found[0, 3]))
    assert dense.shape == packed.shape


@pytest.mark.skipif(products.compiled is None, reason="the compiled products are not built here")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"way": 9}, "instruction set"),
        ({"kind": 4}, "kind of weights"),
        ({"rows": 9}, "do not fit|too short"),
        ({"rows": -1}, "do not fit"),
        ({"columns": 1 << 60}, "do not fit"),
        ({"end": 9}, "do not fit"),
        ({"begin": 5, "end": 3}, "do not fit"),
        ({"batch": 100}, "too short"),
        ({"vectors": 3}, "do not fit"),
        ({"vectors": 0}, "do not fit"),
        ({"kind": 1, "order": 2, "batch": 16, "group": 8}, "stand for values|too short"),
        ({"batch": 0}, "do not fit"),
        ({"batch": 0, "vectors": 0}, "do not fit"),
        ({"batch": 1 << 62}, "do not fit|too short"),
        ({"period": 0}, "prototype"),
        ({"period": 1000}, "prototype"),
        ({"phase": 40}, "prototype"),
        ({"phase": -1}, "prototype"),
        ({"bits": np.zeros(3, np.uint8)}, "do not fit"),
        ({"kind": 3}, "starts"),
        ({"out": np.zeros(3, np.float32)}, "too short"),
        ({"x": np.zeros(3, np.float32)}, "too short"),
        ({"x": np.zeros(399, np.uint8)[1:]}, "half an item|aligned"),
        ({"order": 1, "batch": 9}, "multiple of the lanes"),
        ({"order": 3}, "order of summation"),
        ({"order": 2, "batch": 8, "group": 7}, "few registers"),
        ({"order": 2, "batch": 8, "group": 8 * 14}, "few registers"),
        ({"bias": np.zeros(7, np.float32)}, "bias is too short"),
        ({"bias": np.zeros(33, np.uint8)[1:]}, "half an item|aligned"),
    ],
)
def test_arguments_that_would_leave_a_buffer_are_refused(change: dict[str, object], reason: str) -> None:
    arguments: dict[str, object] = {
        "way": 0, "kind": 0, "out": np.zeros((2, 8), np.float32), "x": np.zeros((2, 64), np.float32), "batch": 2,
        "vectors": 2,
        "rows": 8, "columns": 50, "begin": 0, "end": 8, "bits": np.zeros(50, np.uint8),
        "first": np.zeros(40, np.float32), "period": 40, "phase": 3, "second": np.zeros(1, np.float32),
        "second_period": 1, "second_phase": 0, "starts": np.zeros(1, np.int64), "scale": 1.0, "bias": None,
        "order": 0, "group": 8, "threads": 1,
    }  # fmt: skip
    assert products.compiled is not None
    products.compiled.multiply(*arguments.values())
    with pytest.raises(ValueError, match=reason):
        products.compiled.multiply(*(arguments | change).values())


@pytest.mark.skipif(products.compiled is None, reason="the compiled products are not built here")
def test_starts_that_lie_beyond_the_values() -> None:
    """Whatever starts and bits say, only values of the buffer are read, or zeros."""
    assert products.compiled is not None
    for start in (-(1 << 62), -1, 0, 3, 1 << 62):
        out, x = np.full((1, 4), np.nan, np.float32), np.ones((1, 64), np.float32)
        products.compiled.multiply(
            0, 3, out, x, 1, 1, 4, 64, 0, 4, np.full(32, 255, np.uint8), np.ones(5, np.float32), 1, 0,
            np.zeros(1, np.float32), 1, 0, np.full(4, start, np.int64), 1.0, None, 0, 8, 1,
        )  # fmt: skip
        assert np.isin(out, [0, 2, 5]).all()


def test_without_the_extension() -> None:
    """As of an installation without a compiler."""
    code = (
        "import sys; sys.modules['pemncodec.packed._products'] = None\n"
        "import torch; from tests.packed.weights import weight; from pemncodec.packed import products\n"
        "assert products.compiled is None\n"
        "p, d = weight((40, 64)); x = torch.randn(3, 64)\n"
        "assert torch.allclose(torch.nn.functional.linear(x, p), x @ d.t(), atol=1e-5)\n"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, check=True)
