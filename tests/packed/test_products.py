"""Products of packed weights against float64 products of the dense ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pemncodec.packed import products

from .weights import KINDS, weight

SHAPES = [(1, 1), (3, 5), (8, 64), (13, 100), (30, 7), (65, 256), (9, 513), (70, 1024)]
BATCHES = (1, 2, 3, 4, 5, 11, 12, 13, 17, 24, 64, 65, 97, 400)
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
@pytest.mark.parametrize("batch", [1, 3, 19, 40, 200])
@pytest.mark.parametrize("columns", [960, 2048])
def test_the_same_bits_with_any_number_of_threads(columns: int, batch: int, dtype: torch.dtype) -> None:
    packed, _ = weight((1111, columns), period=5000, dtype=dtype)
    x = torch.randn(batch, columns).to(dtype)
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


def arguments() -> dict[str, Any]:
    """A matrix of 8 × 50 in plain C."""
    return {
        "way": 0, "kind": 0, "rows": 8, "columns": 50, "bits": np.zeros(50, np.uint8),
        "first": np.zeros(40, np.float32), "period": 40, "phase": 3, "second": np.zeros(1, np.float32),
        "second_period": 1, "second_phase": 0, "starts": np.zeros(1, np.int64), "scale": 1.0,
        "wide": False, "narrow": False, "rare": False, "most": 100,
    }  # fmt: skip


@pytest.mark.skipif(products.compiled is None, reason="the compiled products are not built here")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"way": 9}, "instruction set"),
        ({"way": -1}, "instruction set"),
        ({"kind": 4}, "kind of weights"),
        ({"kind": -1}, "kind of weights"),
        ({"rows": 9}, "do not fit each other"),
        ({"rows": -1}, "do not fit each other"),
        ({"columns": 1 << 60}, "do not fit each other"),
        ({"columns": 0}, "do not fit each other"),
        ({"period": 0}, "prototype"),
        ({"period": 1000}, "prototype"),
        ({"phase": 40}, "prototype"),
        ({"phase": -1}, "prototype"),
        ({"kind": 2, "second_period": 2}, "prototype"),
        ({"kind": 3}, "starts"),
        ({"bits": np.zeros(3, np.uint8)}, "do not fit each other"),
        ({"first": np.zeros(161, np.uint8)[1:]}, "half an item|aligned"),
    ],
)
def test_matrices_that_would_leave_a_buffer_are_refused(change: dict[str, object], reason: str) -> None:
    assert products.compiled is not None
    if change == {"rows": 9}:
        change = {"rows": 9, "bits": np.zeros(50, np.uint8)}
    products.compiled.Matrix(*arguments().values())
    with pytest.raises(ValueError, match=reason):
        products.compiled.Matrix(*(arguments() | change).values())


@pytest.mark.skipif(products.compiled is None, reason="the compiled products are not built here")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"batch": 0}, "no such number"),
        ({"batch": 1 << 62}, "no such number"),
        ({"batch": 3}, "too short"),
        ({"begin": -1}, "no such number"),
        ({"end": 9}, "no such number"),
        ({"begin": 5, "end": 5}, "no such number"),
        ({"out": np.zeros(3, np.float32)}, "too short"),
        ({"x": np.zeros(3, np.float32)}, "too short"),
        ({"x": np.zeros(401, np.uint8)[1:]}, "half an item|aligned"),
        ({"bias": np.zeros(7, np.float32)}, "bias is too short"),
        ({"bias": np.zeros(33, np.uint8)[1:]}, "half an item|aligned"),
    ],
)
def test_vectors_that_would_leave_a_buffer_are_refused(change: dict[str, object], reason: str) -> None:
    assert products.compiled is not None
    matrix = products.compiled.Matrix(*arguments().values())
    right: dict[str, Any] = {
        "out": np.zeros((2, 8), np.float32), "x": np.zeros((2, 50), np.float32), "batch": 2, "bias": None, "begin": 0,
        "end": 8, "threads": 1,
    }  # fmt: skip
    matrix.multiply(*right.values())
    with pytest.raises(ValueError, match=reason):
        matrix.multiply(*(right | change).values())


@pytest.mark.skipif(products.compiled is None, reason="the compiled products are not built here")
def test_starts_that_lie_beyond_the_values() -> None:
    """Whatever starts and bits say, only values of the buffer are read, or zeros."""
    assert products.compiled is not None
    for start in (-(1 << 62), -1, 0, 3, 1 << 62):
        changed = {
            "kind": 3, "rows": 4, "columns": 64, "bits": np.full(32, 255, np.uint8), "first": np.ones(5, np.float32),
            "starts": np.full(4, start, np.int64),
        }  # fmt: skip
        out, x = np.full((1, 4), np.nan, np.float32), np.ones((1, 64), np.float32)
        products.compiled.Matrix(*(arguments() | changed).values()).multiply(out, x, 1, None, 0, 4, 1)
        assert np.isin(out, [0, 2, 5]).all()


# Only what sees tensors of torch reads weights that stay in memory, too (test_resident.py).
needs_quick = pytest.mark.skipif(
    products.compiled is None or not products._bound(), reason="torch shows no tensors to C here"
)


@needs_quick
class TestQuick:
    """The calls of `torch.nn.functional.linear` that are taken at first sight, and those that are declined."""

    def made(self) -> tuple[Any, torch.Tensor, torch.Tensor]:
        packed, dense = weight((8, 64))
        x = torch.randn(3, 64)
        assert products.quick((x, packed)) is None  # before the first product
        torch.nn.functional.linear(x, packed)
        return packed, dense, x

    def test_the_bits_are_those_of_the_other_way(self) -> None:
        packed, dense, x = self.made()
        bias = torch.nn.Parameter(torch.randn(8), requires_grad=False)
        for of in (x, x[0], torch.randn(2, 3, 64), torch.randn(100, 64), torch.nn.Parameter(x, requires_grad=False)):
            for more in ((), (None,), (bias,)):
                found = products.quick((of, packed, *more))
                expected = products.product(of.reshape(-1, 64), packed.weight, bias if more == (bias,) else None)
                assert type(found) is torch.Tensor
                assert found.shape == (*of.shape[:-1], 8)
                assert torch.equal(found.view(torch.uint8), expected.view(found.shape).view(torch.uint8))
                exact = of.double().reshape(-1, 64) @ dense.double().t()
                exact = exact + bias.double() if more == (bias,) else exact
                assert torch.allclose(expected.double(), exact, atol=1e-4)

    def test_all_else_is_declined(self) -> None:
        packed, _, x = self.made()
        bias = torch.randn(8)
        for arguments in (
            (x.double(), packed),
            (torch.randn(64, 3).t(), packed),
            (torch.randn(3, 63), packed),
            (torch.empty(0, 64), packed),
            (torch.tensor(1.0), packed),
            (x.to_sparse(), packed),
            (x.to("meta"), packed),
            (x, packed, bias[:7]),
            (x, packed, bias.double()),
            (x, packed, torch.randn(16)[::2]),
            (x, packed, 3),
            (3, packed),
            (x, x),
            (x, None),
            (x,),
            (packed, packed),
        ):
            assert products.quick(arguments) is None, arguments

    def test_gradients_are_recorded_elsewhere(self) -> None:
        packed, _, x = self.made()
        bias = torch.randn(8).requires_grad_()
        assert products.quick((x.requires_grad_(), packed)) is None
        assert products.quick((x.detach(), packed, bias)) is None
        assert products.quick((x.detach(), packed.requires_grad_())) is None
        with torch.no_grad():
            assert products.quick((x, packed, bias)) is not None

    def test_memory_that_moved_is_not_read(self) -> None:
        packed, dense, x = self.made()
        other = packed.replaced(packed.meaning)
        other.share_memory_()
        assert products.quick((x, packed)) is None
        assert torch.allclose(torch.nn.functional.linear(x, packed), x @ dense.t(), atol=1e-5)
        torch.nn.functional.linear(x, other)
        assert products.quick((x, other)) is not None

    def test_another_weight_that_is_taken_over(self) -> None:
        packed, _, x = self.made()
        other, dense = weight((8, 64), "negated", seed=3)
        packed.copy_(other)
        assert torch.allclose(torch.nn.functional.linear(x, packed), x @ dense.t(), atol=1e-5)

    def test_defaults_of_torch(self) -> None:
        packed, dense, x = self.made()
        torch.set_default_dtype(torch.float64)
        try:
            found = torch.nn.functional.linear(x, packed)
        finally:
            torch.set_default_dtype(torch.float32)
        assert found.dtype == torch.float32
        with torch.device("meta"):
            found = torch.nn.functional.linear(x, packed)
        assert torch.allclose(found, x @ dense.t(), atol=1e-5)


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
