"""The inference profile: BatchNorms folded, tensors rounded, and what the file says of it."""

from __future__ import annotations

import copy
import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

import pemncodec
from pemncodec import errors
from pemncodec.checkpoints.options import PackOptions
from pemncodec.checkpoints.recognise import draft_of
from pemncodec.common.dtypes import BY_NAME
from pemncodec.container.opening import metadata_of
from pemncodec.loading.compare import compare
from pemncodec.packing.lossy.convert import convert, convert_again
from pemncodec.packing.lossy.rounding import narrow
from pemncodec.packing.options import InferenceOptions

from .. import published
from ..cli.test_cli import fails, pemn

FLOAT32, FLOAT64 = BY_NAME["float32"], BY_NAME["float64"]
NARROW = ["float16", "bfloat16"]
DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16}
State = dict[str, torch.Tensor]
AnyModule = TypeVar("AnyModule", bound=nn.Module)
Bits = np.typing.NDArray[Any]


# --- rounding -----------------------------------------------------------------------------------------------


def every_upper_half() -> Bits:
    """Every sign, exponent and 7 bits of fraction, with lower bits at and around every halfway case."""
    lower = np.array([0, 1, 0x0FFF, 0x1000, 0x1001, 0x2FFF, 0x3000, 0x3001, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)
    upper = np.arange(1 << 16, dtype=np.uint32) << 16
    return np.ascontiguousarray((upper[:, None] | lower).reshape(-1))


def by_torch(words: Bits, name: str) -> Bits:
    floats = torch.from_numpy(words.view(np.int32)).view(torch.float32)
    return floats.to(DTYPES[name]).view(torch.int16).numpy().view(np.uint16)


@pytest.mark.parametrize("name", NARROW)
def test_float32_is_rounded_as_torch_does(name: str) -> None:
    words = every_upper_half()
    found, expected = narrow(words, FLOAT32, BY_NAME[name]), by_torch(words, name)
    assert found.dtype == np.uint16
    number = (words & 0x7FFFFFFF) <= 0x7F800000
    assert np.array_equal(found[number], expected[number])
    if name == "float16":  # where torch gives NaNs in bfloat16 depends on the instructions that the machine has
        assert np.array_equal(found, expected)
    else:
        assert np.array_equal(found[~number], words[~number] >> 16 | 0x40)


@pytest.mark.parametrize("name", NARROW)
def test_subnormals_are_rounded_where_a_library_flushes_them(name: str) -> None:
    words = np.concatenate(
        [
            np.arange(0xFF0, dtype=np.uint32) << 19,
            np.arange(1 << 12, dtype=np.uint32) << 11,
            every_upper_half()[:3000],
        ]
    )
    expected = by_torch(words, name)
    assert expected.any()
    if not torch.set_flush_denormal(True):
        pytest.skip("this machine cannot flush subnormals")
    try:
        found = narrow(words, FLOAT32, BY_NAME[name])
    finally:
        torch.set_flush_denormal(False)
    assert np.array_equal(found, expected)


def nearest(value: float, numbers: list[Fraction]) -> int:
    """Index of the nearest of ascending numbers, the even one of two; the last one stands for infinity."""
    exact = Fraction(value)
    above = int(np.searchsorted(np.array([float(n) for n in numbers]), value))
    candidates = [index for index in (above - 1, above, above + 1) if 0 <= index < len(numbers)]
    return min(candidates, key=lambda index: (abs(numbers[index] - exact), index & 1))


@pytest.mark.parametrize("name", NARROW)
def test_float64_is_rounded_once(name: str) -> None:
    patterns = torch.arange(0x7F80 if name == "bfloat16" else 0x7C00, dtype=torch.int16)
    numbers = [Fraction(value) for value in patterns.view(DTYPES[name]).to(torch.float64).tolist()]
    numbers.append(2 * numbers[-1] - numbers[-2])  # where infinity begins, as if the exponents went on
    rng = np.random.default_rng(0)
    values = [float(numbers[index]) for index in (0, 1, 2, 100, len(numbers) - 2)]
    for index in [0, 1, 2, 3, len(numbers) - 2, *rng.integers(0, len(numbers) - 1, 150).tolist()]:
        middle = float((numbers[index] + numbers[index + 1]) / 2)  # float32 cannot tell its neighbours from it
        values += [middle, math.nextafter(middle, 0), math.nextafter(middle, math.inf)]
    values += (np.exp(rng.uniform(-90, 11, 200))).tolist()
    words = np.array([*values, *(-value for value in values)]).view(np.uint64)
    found = narrow(words, FLOAT64, BY_NAME[name])
    expected = [nearest(value, numbers) for value in values]
    assert found.tolist() == expected + [0x8000 | index for index in expected]
    far = np.array([1e300, np.inf, -np.inf, 5e-324, -0.0]).view(np.uint64)
    infinity = len(patterns)
    assert narrow(far, FLOAT64, BY_NAME[name]).tolist() == [infinity, infinity, infinity | 0x8000, 0, 0x8000]


def test_float64_to_float32_is_what_numpy_does() -> None:
    rng = np.random.default_rng(0)
    words = rng.integers(0, 1 << 64, 1 << 16, dtype=np.uint64)
    words[::2] = words[::2] & 0x800FFFFFFFFFFFFF | rng.integers(860, 1160, 1 << 15).astype(np.uint64) << 52
    words[::4] &= 0xFFFFFFFFF0000000
    with np.errstate(all="ignore"):
        expected = words.view(np.float64).astype(np.float32).view(np.uint32)
    number = (words & 0x7FFFFFFFFFFFFFFF) <= 0x7FF0000000000000
    assert np.array_equal(narrow(words, FLOAT64, FLOAT32)[number], expected[number])


# --- networks -----------------------------------------------------------------------------------------------


def network(eps: float = 1e-5, width: int = 24) -> nn.Sequential:
    """Convolutions, BatchNorms and a classifier."""
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width, eps=eps),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, groups=4),
        nn.BatchNorm2d(width, eps=eps),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, 10),
        nn.BatchNorm1d(10, eps=eps),
    )


def trained(model: AnyModule, seed: int = 0) -> AnyModule:
    """Statistics as of a trained network: scales of any sign, variances over some orders of magnitude."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("running_var"):
                tensor.copy_(torch.exp(torch.randn(tensor.shape, generator=generator) * 2 - 2))
            elif name.endswith("num_batches_tracked"):
                tensor.fill_(1234)
            else:
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.5)
    return model.eval()


IMAGES = torch.randn(8, 3, 12, 12, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def outputs(model: nn.Module, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    result: torch.Tensor = copy.deepcopy(model).to(dtype)(IMAGES.to(dtype)).to(torch.float64)
    return result


def said(data: bytes, key: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(metadata_of(data)[f"pemn.{key}"])
    return value


def reloaded(data: bytes, like: AnyModule) -> AnyModule:
    """A fresh network of the same classes that has loaded the file, strictly."""
    model = copy.deepcopy(like)
    for tensor in model.state_dict().values():
        tensor.fill_(7)
    model.load_state_dict(pemncodec.load(data), strict=True)
    return model.eval()


def affine(state: State, prefix: str, eps: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Scale, shift and running mean of a BatchNorm, in float64."""
    weight, bias, mean, var = (
        state[prefix + role].to(torch.float64) for role in ("weight", "bias", "running_mean", "running_var")
    )
    scale = weight / torch.sqrt(var + eps)
    return scale, bias - mean * scale, mean


NORMS = ("1.", "4.", "9.")


@pytest.mark.parametrize("eps", [1e-5, 1e-3, 0.3, 0.0])
def test_a_folded_network_computes_the_same(eps: float) -> None:
    model = trained(network(eps))
    data, report = pemncodec.pack(model.state_dict(), fold_batchnorm=True, batchnorm_eps=eps)
    state, before = pemncodec.load(data), model.state_dict()
    assert [(k, v.shape, v.dtype) for k, v in state.items()] == [(k, v.shape, v.dtype) for k, v in before.items()]
    for prefix in NORMS:
        assert not state[prefix + "running_mean"].any()
        assert not state[prefix + "running_mean"].signbit().any()
        assert len(state[prefix + "running_var"].unique()) == 1
        assert state[prefix + "num_batches_tracked"] == 0
        assert not torch.equal(state[prefix + "weight"], before[prefix + "weight"])
    for name in set(before) - {name for name in before if name.startswith(NORMS)}:
        assert published.bits(state[name]) == published.bits(before[name])
    exact = outputs(model, torch.float64)
    own_error = (outputs(model) - exact).abs().max()
    error = (outputs(reloaded(data, model)) - exact).abs().max()
    assert 0 < error < 2 * own_error, "no worse than what float32 does to the original"
    assert report.conversions[0].startswith(f"3 BatchNorms folded into weight and bias, eps {eps:g} (as given)")


def test_the_forward_pass_multiplies_by_the_folded_weight_itself() -> None:
    model = trained(nn.BatchNorm1d(4000))
    folded = reloaded(pemncodec.save(model, fold_batchnorm=True), model)
    with torch.no_grad():
        folded.bias.zero_()
        assert torch.equal(folded(torch.ones(1, 4000))[0], folded.weight)


@pytest.mark.parametrize("name", [None, *NARROW])
def test_the_largest_errors_of_folding_are_those_in_the_file(name: str | None) -> None:
    model = trained(network())
    data = pemncodec.save(model, fold_batchnorm=True, tensor_dtype=name)
    before, after = model.state_dict(), pemncodec.load(data)
    scale_errors, shift_errors = [], []
    for prefix in NORMS:
        scale, shift, mean = affine(before, prefix, 1e-5)
        # what the forward pass adds up in float32
        total = (after[prefix + "running_var"].to(torch.float32) + 1e-5).to(torch.float64)
        found = after[prefix + "weight"].to(torch.float64) / torch.sqrt(total)
        scale_errors.append(((found - scale) / scale).abs().max().item())
        there = found * mean + after[prefix + "bias"].to(torch.float64)
        shift_errors.append((there - (scale * mean + shift)).abs().max().item())
    stated = said(data, "fold_batchnorm")
    assert stated["layers"] == 3
    assert stated["eps"] == 1e-5
    assert stated["scale_error"] == pytest.approx(max(scale_errors), rel=1e-6)
    assert stated["shift_error"] == pytest.approx(max(shift_errors), rel=1e-6)
    bound = {None: 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}[name]
    assert 0 < stated["scale_error"] <= bound, "rounded once"


def test_folding_again_changes_nothing() -> None:
    for name in (None, *NARROW):
        once = pemncodec.load(pemncodec.save(trained(network()), fold_batchnorm=True, tensor_dtype=name))
        published.assert_equal(pemncodec.load(pemncodec.save(once, fold_batchnorm=True)), once)


def test_signs_of_zeros_stay() -> None:
    model = nn.BatchNorm1d(4)
    for tensor, values in ((model.weight, [-0.0, 0.0, -1.0, 2.0]), (model.bias, [-0.0, -0.0, -0.0, -0.0])):
        tensor.data = torch.tensor(values)
    state = pemncodec.load(pemncodec.save(model, fold_batchnorm=True))
    assert state["weight"].signbit().tolist() == [True, False, True, False]
    assert state["bias"].signbit().all()


def test_every_float_type_of_a_batchnorm() -> None:
    for dtype, bound in ((torch.float64, 1e-14), (torch.bfloat16, 2.0**-8), (torch.float16, 2.0**-11)):
        model = trained(nn.BatchNorm1d(500)).to(dtype)
        state = pemncodec.load(data := pemncodec.save(model, fold_batchnorm=True))
        assert {tensor.dtype for tensor in state.values()} == {dtype, torch.int64}
        assert said(data, "fold_batchnorm")["scale_error"] <= bound
        scale = affine(dict(model.state_dict()), "", 1e-5)[0]
        found = affine(state, "", 1e-5)[0]
        assert torch.allclose(found, scale, rtol=max(bound, 1e-7) * 1.01, atol=0)


def test_running_statistics_of_instance_norm_are_folded_too() -> None:
    model = trained(nn.Sequential(nn.Conv2d(3, 6, 3), nn.InstanceNorm2d(6, affine=True, track_running_stats=True)))
    data = pemncodec.save(model, fold_batchnorm=True)
    assert said(data, "fold_batchnorm")["layers"] == 1
    assert torch.allclose(outputs(reloaded(data, model)), outputs(model), rtol=1e-4, atol=1e-5)


# --- which eps ----------------------------------------------------------------------------------------------


def test_the_module_says_its_eps_and_a_state_dict_does_not() -> None:
    model = trained(network(1e-3))
    data, report = pemncodec.pack(model, fold_batchnorm=True)
    assert "eps 0.001 (as in the module)" in report.conversions[0]
    nested = pemncodec.load(pemncodec.save({"model": model}, fold_batchnorm=True))
    assert all(torch.equal(tensor, nested[name]) for name, tensor in pemncodec.load(data).items())
    assert data == pemncodec.save(model.state_dict(), fold_batchnorm=True, batchnorm_eps=1e-3)
    assumed, report = pemncodec.pack(model.state_dict(), fold_batchnorm=True)
    assert "eps 1e-05 (PyTorch's default, assumed)" in report.conversions[0]
    assert assumed != data
    assert assumed == pemncodec.save(model, fold_batchnorm=True, batchnorm_eps=1e-5)


def test_layers_with_an_eps_of_their_own() -> None:
    model = network()
    model[4] = nn.BatchNorm2d(24, eps=0.01)
    trained(model)
    data, report = pemncodec.pack(model, fold_batchnorm=True)
    assert "eps 1e-05 and 0.01 (as in the module)" in report.conversions[0]
    assert said(data, "fold_batchnorm")["eps"] == {"1.": 1e-5, "4.": 0.01, "9.": 1e-5}
    exact = outputs(model, torch.float64)
    assert (outputs(reloaded(data, model)) - exact).abs().max() < 2 * (outputs(model) - exact).abs().max()
    again = convert_again(draft_of(model.state_dict(), PackOptions()), metadata_of(data))
    assert compare(data, again).tensors == len(model.state_dict())


# --- what cannot be folded ----------------------------------------------------------------------------------


def left(model: nn.Module | State, reason: str, count: int = 1, folded: int = 0) -> State:
    """Pack it: the layers are left as they are, and a note says why."""
    data, report = pemncodec.pack(model, fold_batchnorm=True)
    assert any(note.startswith(f"{count} BatchNorm") and reason in note for note in report.notes), report.notes
    assert len(report.conversions) == bool(folded)
    assert ("pemn.fold_batchnorm" in metadata_of(data)) == bool(folded)
    if not folded:
        assert any(note.startswith("nothing was folded") for note in report.notes)
        state = dict(model.state_dict()) if isinstance(model, nn.Module) else model
        published.assert_equal(pemncodec.load(data), state)
    again = convert_again(
        draft_of(model.state_dict() if isinstance(model, nn.Module) else model, PackOptions()), metadata_of(data)
    )
    assert compare(data, again).tensors
    return pemncodec.load(data)


def test_statistics_without_weight_and_bias_are_left() -> None:
    model = trained(nn.Sequential(nn.BatchNorm2d(5, affine=False), nn.BatchNorm2d(5, affine=False)))
    left(model, "(first: '0'): no weight and bias to fold into", count=2)
    mixed = trained(nn.Sequential(nn.BatchNorm2d(5, affine=False), nn.BatchNorm2d(5)))
    state = left(mixed, "no weight and bias", folded=1)
    assert state["0.num_batches_tracked"] == 1234
    assert state["1.num_batches_tracked"] == 0
    assert torch.equal(state["0.running_var"], mixed.state_dict()["0.running_var"])


def test_vectors_that_do_not_fit_are_left() -> None:
    good: State = dict(trained(nn.BatchNorm1d(3)).state_dict())
    for name, value in (
        ("weight", torch.ones(4)),
        ("weight", torch.ones(3, dtype=torch.int32)),
        ("running_var", torch.ones(())),
        ("bias", torch.ones(1, 3)),
    ):
        left({**good, name: value}, "do not fit together")
    data, report = pemncodec.pack({"running_var": torch.rand(3), "xrunning_var": torch.rand(3)}, fold_batchnorm=True)
    assert [note for note in report.notes if "folded" in note] == [
        "nothing was folded: there is no BatchNorm with weight, bias, running_mean and running_var"
    ]
    assert len(pemncodec.load(data)) == 2


def test_values_that_are_not_finite_are_left() -> None:
    good: State = dict(trained(nn.BatchNorm1d(3)).state_dict())
    for name, value in (
        ("running_mean", math.inf),
        ("running_var", math.nan),
        ("running_var", -1.0),
        ("weight", -math.inf),
        ("bias", math.nan),
    ):
        left({**good, name: torch.tensor([1.0, value, 2.0])}, "would not be finite when folded")
    left({**good, "weight": torch.tensor([1.0, 3e38, 2.0]), "running_var": torch.full((3,), 1e-9)}, "not be finite")


def test_a_masked_weight_is_left() -> None:
    model = trained(nn.Sequential(nn.Linear(4, 100), nn.BatchNorm1d(100)))
    prune.l1_unstructured(model[1], "weight", 0.5)
    _, report = pemncodec.pack(model, fold_batchnorm=True)
    assert "1 BatchNorm not folded (first: '1'): a masked weight or bias" in report.notes


def test_a_module_that_is_used_twice_is_folded_once() -> None:
    norm = nn.BatchNorm2d(6)
    model = trained(nn.Sequential(nn.Conv2d(3, 6, 1), norm, nn.Conv2d(6, 6, 1), norm))
    data = pemncodec.save(model, fold_batchnorm=True)
    state = pemncodec.load(data)
    assert state["1.weight"].data_ptr() == state["3.weight"].data_ptr()
    assert state["1.num_batches_tracked"] == state["3.num_batches_tracked"] == 0
    exact = outputs(model, torch.float64)
    assert (outputs(reloaded(data, model)) - exact).abs().max() < 2 * (outputs(model) - exact).abs().max()


def test_tensors_in_common_are_left() -> None:
    model = nn.Sequential(nn.BatchNorm2d(6), nn.BatchNorm2d(6))
    model[1].weight = model[0].weight  # one scale for the statistics of two domains
    trained(model)
    state = left(model, "tensors shared with a layer", count=2)
    assert state["0.weight"].data_ptr() == state["1.weight"].data_ptr()
    other = trained(nn.Sequential(nn.BatchNorm2d(6), nn.LayerNorm(6)))
    other[1].bias = other[0].bias
    left(other, "tensors shared with a layer")
    same = nn.BatchNorm2d(6)
    same.bias = same.weight
    left(trained(same), "tensors shared with a layer")
    counted = trained(nn.Sequential(nn.BatchNorm2d(6), nn.BatchNorm2d(6, affine=False)))
    counted[1].num_batches_tracked = counted[0].num_batches_tracked
    assert left(counted, "no weight and bias", folded=1)["0.num_batches_tracked"] == 1234


def test_one_module_with_two_eps_is_left() -> None:
    one, two = nn.BatchNorm2d(6), nn.BatchNorm2d(6, eps=0.1)
    two.load_state_dict(trained(one).state_dict())
    for name in ("weight", "bias"):
        setattr(two, name, getattr(one, name))
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        setattr(two, name, getattr(one, name))
    left(nn.Sequential(one, two), "tensors shared with a layer", count=2)
    left(trained(nn.Sequential(one, two, nn.BatchNorm2d(6))), "tensors shared with a layer", count=2, folded=1)


# --- tensor dtype -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize("name", NARROW)
def test_a_rounded_network_loads_strictly_and_computes_nearly_the_same(name: str, fold: bool) -> None:
    model = trained(network())
    data = pemncodec.save(model, tensor_dtype=name, fold_batchnorm=fold)
    state = pemncodec.load(data)
    before = dict(model.state_dict())
    assert [(key, tensor.shape) for key, tensor in state.items()] == [(k, t.shape) for k, t in before.items()]
    folded = {f"{prefix}{role}" for prefix in NORMS for role in ("weight", "bias", "running_mean", "running_var")}
    for key, tensor in state.items():
        assert tensor.dtype == (torch.int64 if key.endswith("tracked") else DTYPES[name])
        if not fold or key not in folded | {f"{prefix}num_batches_tracked" for prefix in NORMS}:
            assert published.bits(tensor) == published.bits(before[key].to(tensor.dtype)), key
    exact, found = outputs(model, torch.float64), outputs(reloaded(data, model))
    error = ((found - exact).norm() / exact.norm()).item()
    assert 1e-6 < error < (0.003 if name == "float16" else 0.03)
    assert reloaded(data, model).state_dict()["1.weight"].dtype == torch.float32


@pytest.mark.parametrize("name", NARROW)
def test_the_largest_errors_of_rounding_are_those_in_the_file(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    state = {f"t{n}": torch.randn(400, generator=generator) * 10**n for n in range(-2, 3)}
    state["tied"] = state["t0"]
    state["double"] = torch.randn(50, generator=generator, dtype=torch.float64)
    state["large"] = torch.randn(300_000, generator=generator)
    absolute, relative = {}, {}
    for key, tensor in state.items():
        wide = tensor.to(torch.float64)
        difference = (tensor.to(DTYPES[name]).to(torch.float64) - wide).abs()
        absolute[key], relative[key] = difference.max().item(), (difference / wide.abs()).max().item()
    data, report = pemncodec.pack(state, tensor_dtype=name)
    stated = said(data, "tensor_dtype")
    assert stated == {
        "dtype": name,
        "tensors": 7,
        "absolute_error": max(absolute.values()),
        "absolute_error_in": max(absolute, key=absolute.__getitem__),
        "relative_error": max(relative.values()),
        "relative_error_in": max(relative, key=relative.__getitem__),
    }
    assert report.conversions == [
        f"7 tensors without a mask rounded to {name}; largest error {stated['absolute_error']:.2g} in 't2' (absolute), "
        f"{stated['relative_error']:.2g} in {stated['relative_error_in']!r} (relative)"
    ]
    loaded = pemncodec.load(data)
    assert loaded["tied"].data_ptr() == loaded["t0"].data_ptr()


def test_what_is_no_float_or_narrow_or_masked_stays() -> None:
    masked = torch.randn(40, 40) * (torch.rand(40, 40) > 0.5)
    state = {
        "int": torch.arange(5),
        "bool": torch.tensor([True]),
        "half": torch.rand(3).half(),
        "brain": torch.rand(3).bfloat16(),
        "complex": torch.rand(3, dtype=torch.complex64),
        "float8": torch.rand(3).to(torch.float8_e4m3fn),
        "masked": torch.where(masked == 0, 0.0, masked),
    }
    data, report = pemncodec.pack(state, tensor_dtype="float16")
    published.assert_equal(pemncodec.load(data), state)
    assert "nothing was rounded to float16: every float32 and float64 tensor has a mask" in report.notes
    assert "pemn.tensor_dtype" not in metadata_of(data)
    odd = torch.tensor([math.inf, -math.inf, math.nan, -0.0, 1e-42])
    for name in NARROW:
        found = pemncodec.load(pemncodec.save({"odd": odd, "empty": torch.empty(0, 3)}, tensor_dtype=name))
        assert found["odd"][:2].tolist() == [math.inf, -math.inf]
        assert found["odd"][2].isnan()
        assert found["odd"].signbit().tolist() == [False, True, False, True, False]
        assert found["empty"].dtype == DTYPES[name]


def test_overflow_is_refused_by_name() -> None:
    state = {"fine": torch.tensor([65519.0]), "head.weight": torch.tensor([1.0, -65520.0])}
    with pytest.raises(
        errors.ConversionError, match=r"^'head.weight' has the value -65520, which is infinite in float16: choose bfl"
    ):
        pemncodec.save(state, tensor_dtype="float16")
    assert pemncodec.load(pemncodec.save({"fine": state["fine"]}, tensor_dtype="float16"))["fine"] == 65504
    pemncodec.save(state, tensor_dtype="bfloat16")
    with pytest.raises(errors.ConversionError, match=r"3\.4e\+38, which is infinite in bfloat16: choose no tensor"):
        pemncodec.save({"a": torch.tensor([3.4e38])}, tensor_dtype="bfloat16")
    with pytest.raises(errors.ConversionError, match="'d' has the value 1e\\+300"):
        pemncodec.save({"d": torch.tensor([1e300], dtype=torch.float64)}, tensor_dtype="bfloat16")
    norm = {"running_mean": torch.zeros(2), "running_var": torch.tensor([1e-9, 1.0])}
    norm |= {"bias": torch.zeros(2), "weight": torch.tensor([1e4, 1.0])}
    with pytest.raises(errors.ConversionError, match=r"'weight' has the value 3\.16"):
        pemncodec.save(norm, fold_batchnorm=True, batchnorm_eps=0.0, tensor_dtype="float16")


def test_rounded_after_folding_once_from_float64() -> None:
    """In this one rounding to float32 first would give another bfloat16."""
    state = {"weight": torch.tensor([1 + 2.0**-8]), "running_var": torch.tensor([1 - 2.0**-24])}
    state |= {"bias": torch.zeros(1), "running_mean": torch.zeros(1)}
    folded = state["weight"].double() / state["running_var"].double().sqrt()
    assert folded.item() > 1 + 2.0**-8, "just over halfway between two of bfloat16"
    assert folded.float().bfloat16().item() == 1.0
    data = pemncodec.save(state, fold_batchnorm=True, batchnorm_eps=0.0, tensor_dtype="bfloat16")
    assert pemncodec.load(data)["weight"].item() == 1 + 2.0**-7


# --- bytes, commands, bad wishes ----------------------------------------------------------------------------


def test_folding_halves_what_batchnorms_take() -> None:
    norms = trained(nn.Sequential(*(nn.BatchNorm2d(512) for _ in range(8))))
    plain = pemncodec.pack(norms)[1].sizes.tensors
    folded = pemncodec.pack(norms, fold_batchnorm=True)[1].sizes.tensors
    both = pemncodec.pack(norms, fold_batchnorm=True, tensor_dtype="bfloat16")[1].sizes.tensors
    assert 0.45 * plain < folded < 0.55 * plain
    assert both < 0.6 * folded


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.save(published.checkpoint("random-vector-copy"), tmp_path / "model.pt")
    return tmp_path


def test_pack_and_verify_on_the_command_line(folder: Path) -> None:
    assert pemn("pack", "model.pt", "exact.pemn", "--keep", "0.5", cwd=folder).returncode == 0
    options = ("--keep", "0.5", "--fold-batchnorm", "--batchnorm-eps", "1e-3", "--tensor-dtype", "bfloat16")
    packed = pemn("pack", "model.pt", *options, cwd=folder)
    assert packed.returncode == 0, packed.stderr
    folding = "converted: 5 BatchNorms folded into weight and bias, eps 0.001 (as given); largest error 0.00"
    assert folding in packed.stdout
    assert "of a scale (relative), " in packed.stdout
    assert "converted: 20 tensors without a mask rounded to bfloat16; largest error 0.0" in packed.stdout
    assert "verified: after conversion, every tensor (31) decodes bit for bit\n" in packed.stdout
    assert (folder / "model.pemn").stat().st_size < (folder / "exact.pemn").stat().st_size
    assert 'pemn.tensor_dtype: {"dtype":"bfloat16","tensors":20,' in pemn("inspect", "model.pemn", cwd=folder).stdout
    verified = pemn("verify", "model.pemn", "--against", "model.pt", cwd=folder)
    assert verified.stdout.splitlines()[1] == (
        "model.pt: every tensor (31) is the same once converted, bit for bit: 5 BatchNorms folded into weight "
        "and bias, eps 0.001 (as the file says), and 20 tensors without a mask rounded to bfloat16"
    )
    exact = pemn("verify", "exact.pemn", "--against", "model.pt", cwd=folder)
    assert "model.pt: every tensor (31) is the same, bit for bit\n" in exact.stdout
    state = published.checkpoint("random-vector-copy")
    state["0.norm.weight"][3] *= 1.1
    torch.save(state, folder / "other.pt")
    fails(pemn("verify", "model.pemn", "--against", "other.pt", cwd=folder), "of '0.norm.weight' differ from")
    state = published.checkpoint("random-vector-copy")
    state["0.norm.running_mean"][3] = math.nan
    torch.save(state, folder / "other.pt")
    fails(pemn("verify", "model.pemn", "--against", "other.pt", cwd=folder), "elements of '0.norm.weight' differ from")


def test_wrong_wishes_on_the_command_line(folder: Path) -> None:
    usage = pemn("pack", "model.pt", "--keep", "0.5", "--batchnorm-eps", "1e-3", cwd=folder)
    assert usage.returncode == 2
    assert "--batchnorm-eps requires --fold-batchnorm" in usage.stderr
    usage = pemn("pack", "model.pt", "--keep", "0.5", "--tensor-dtype", "int8", cwd=folder)
    assert usage.returncode == 2
    bad = pemn("pack", "model.pt", "--fold-batchnorm", "--batchnorm-eps", "nan", cwd=folder)
    fails(bad, "batchnorm_eps is nan, and must be a number, at least 0 and at most 1")
    torch.save({"head": torch.tensor([1e6])}, folder / "large.pt")
    fails(pemn("pack", "large.pt", "--tensor-dtype", "float16", cwd=folder), "large.pt: 'head' has the value 1e+06")
    assert sorted(path.name for path in folder.iterdir()) == ["large.pt", "model.pt"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"fold_batchnorm": 1}, "fold_batchnorm is 1: choose True or False"),
        ({"batchnorm_eps": 1e-3}, "batchnorm_eps requires fold_batchnorm"),
        *(
            ({"fold_batchnorm": True, "batchnorm_eps": eps}, "batchnorm_eps is .*, and must be a number, at least 0")
            for eps in (-1e-5, 1.5, math.nan, math.inf, "1e-5", True)
        ),
        ({"tensor_dtype": "int8"}, "tensor_dtype is 'int8': choose 'float16' or 'bfloat16', as a string"),
        ({"tensor_dtype": torch.bfloat16}, "tensor_dtype is torch.bfloat16: choose"),
    ],
)
def test_wrong_wishes_in_python(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(errors.ConversionError, match=reason):
        pemncodec.save({"a": torch.rand(3)}, **options)


def test_a_network_in_memory_is_not_converted(tmp_path: Path) -> None:
    for options in ({"fold_batchnorm": True}, {"tensor_dtype": "float16"}):
        with pytest.raises(errors.NetworkError, match="a MaskedNetwork is packed unchanged"):
            pemncodec.save_file(pemncodec.MaskedNetwork(), tmp_path / "a.pemn", **options)
    assert list(tmp_path.iterdir()) == []


def test_an_eps_of_a_module_that_makes_no_sense_is_refused() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3, eps=2.0))
    with pytest.raises(errors.ConversionError, match=r"BatchNorm '0' has the eps 2.0, outside \[0, 1\]: use another"):
        pemncodec.save(model, fold_batchnorm=True)
    assert pemncodec.save(model)


def test_nothing_changes_unless_asked() -> None:
    draft = draft_of(trained(network()), PackOptions())
    same = convert(draft, InferenceOptions())
    assert same.entries == draft.entries
    assert same.notes == draft.notes
    assert not same.conversions
    entries = list(draft.entries)
    convert(draft, InferenceOptions(True, None, "float16"))
    assert draft.entries == entries, "a draft is not changed"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fold_batchnorm", "eps"),
        ("fold_batchnorm", "[" * 100_000),
        ("fold_batchnorm", "[1]"),
        ("fold_batchnorm", "{}"),
        ("fold_batchnorm", '{"eps":NaN}'),
        ("fold_batchnorm", '{"eps":{"1.":"a"}}'),
        ("fold_batchnorm", '{"eps":' + "9" * 10_000 + "}"),
        ("tensor_dtype", '{"dtype":["float16"]}'),
        ("tensor_dtype", '{"dtype":"int8"}'),
    ],
)
def test_metadata_of_strangers(key: str, value: str, folder: Path) -> None:
    file = pemncodec.load_network(pemncodec.save({"a": torch.rand(3)}))
    file.metadata[f"pemn.{key}"] = value
    draft = draft_of({"a": torch.rand(3)}, PackOptions())
    with pytest.raises(errors.MetadataError, match=f"metadata 'pemn.{key}' is "):
        convert_again(draft, file.metadata)
    if value == "{}":
        pemncodec.save_file(file, folder / "strange.pemn")
        result = pemn("verify", "strange.pemn", "--against", "model.pt", "--keep", "0.5", cwd=folder)
        fails(result, "and must be an object with an eps")
