"""Packed weights in stock modules: everything that one does with a tensor works, or says why not."""

from __future__ import annotations

import copy
import io
import pickle
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import pemncodec
from pemncodec import PackedTensor

from .weights import KINDS, weight


def linear(out: int = 48, columns: int = 64, kind: str = "zero") -> tuple[Any, Any]:
    """A layer with a packed weight, and the same one dense."""
    packed, dense = weight((out, columns), kind)
    layer, other = nn.Linear(columns, out), nn.Linear(columns, out)
    other.load_state_dict({"weight": dense, "bias": layer.bias.detach()})
    layer.load_state_dict({"weight": packed, "bias": layer.bias.detach()}, assign=True)
    return layer.requires_grad_(False), other.requires_grad_(False)


def same_bits(one: torch.Tensor, two: torch.Tensor) -> bool:
    return torch.equal(*(t.contiguous().view(-1).view(torch.uint8) for t in (one, two)))


def test_a_layer_is_packed() -> None:
    layer, dense = linear()
    assert isinstance(layer.weight, PackedTensor)
    assert isinstance(layer.weight, nn.Parameter)
    assert layer.weight.packed_bytes == 48 * 64 // 8
    x = torch.randn(5, 64)
    assert torch.allclose(layer(x), dense(x), atol=1e-5)
    assert "PackedTensor((48, 64), torch.float32, 'zero', 384 B)" in repr(layer.weight)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]
)
def test_convolutions_give_the_same_bits(name: str, kind: str) -> None:
    made = getattr(nn, name)(6, 8, 3)
    packed, dense = weight(tuple(made.weight.shape), kind, period=50)
    other = copy.deepcopy(made)
    other.weight.data.copy_(dense)
    made.load_state_dict({"weight": packed, "bias": made.bias.detach()}, assign=True)
    made.requires_grad_(False)
    x = torch.randn(2, 6, *[7] * int(name[-2]))
    assert same_bits(made(x), other(x).detach())
    y = x.clone().requires_grad_()
    made(y).sum().backward()
    z = x.clone().requires_grad_()
    other(z).sum().backward()
    assert torch.allclose(y.grad, z.grad)  # type: ignore[arg-type]


def test_convolutions_share_their_memory() -> None:
    from pemncodec.packed.functions import _in_scratch

    one, two = weight((8, 4, 3, 3))[0], weight((4, 4, 3, 3))[0]
    assert _in_scratch(one).data_ptr() == _in_scratch(two).data_ptr()


def attention() -> list[nn.Module]:
    torch.manual_seed(0)
    return [
        nn.TransformerEncoderLayer(64, 4, 128, batch_first=True).eval(),
        nn.TransformerDecoderLayer(64, 4, 128, batch_first=True).eval(),
    ]


@pytest.mark.parametrize("number", [0, 1])
def test_attention(number: int) -> None:
    module = attention()[number]
    state = {}
    dense = copy.deepcopy(module)
    for at, (name, value) in enumerate(module.state_dict().items()):
        if value.dim() == 2:
            state[name], values = weight(tuple(value.shape), KINDS[at % 4], seed=at)
            dense.get_parameter(name).data.copy_(values * 0.1)
            state[name] = PackedTensor.of(state[name].weight)
            state[name] = weight(tuple(value.shape), KINDS[at % 4], seed=at)[0]
            dense.get_parameter(name).data.copy_(values)
        else:
            state[name] = value
    module.load_state_dict(state, assign=True)
    module.requires_grad_(False)
    x = torch.randn(2, 5, 64)
    with torch.no_grad():
        found, expected = (one(x) if number == 0 else one(x, x) for one in (module, dense))
    assert torch.allclose(found, expected, atol=1e-4)


def test_every_other_operation_expands() -> None:
    packed, dense = weight((30, 20), "negated")
    for function in (
        lambda w: w + 1,
        lambda w: w.sum(1),
        lambda w: w[3:5],
        lambda w: w.reshape(-1),
        lambda w: torch.einsum("ij,kj->ik", w, w),
        lambda w: nn.functional.embedding(torch.tensor([3, 1, 3]), w),
        lambda w: torch.cat([w, w]),
        lambda w: w.T @ torch.ones(30, 2),
        lambda w: w @ w.T,
        lambda w: torch.linalg.matrix_norm(w),
        lambda w: w.abs().max(),
        lambda w: w.mul(w),
        lambda w: torch.stack(list(w)),
        lambda w: nn.functional.bilinear(torch.ones(2, 3), torch.ones(2, 4), torch.ones(5, 3, 4), None) + w.sum(),
    ):
        found, expected = function(packed), function(dense)
        assert type(found) is torch.Tensor
        assert torch.allclose(found, expected, atol=1e-5)
    assert packed.T.shape == (20, 30)
    assert same_bits(packed.T.dense(), dense.T.contiguous())  # type: ignore[attr-defined]
    assert same_bits(packed.dequantize(), dense)
    assert packed.tolist() == dense.tolist()
    assert (packed.numel(), packed.dim(), packed.element_size()) == (600, 2, 4)


def test_gradients_flow_to_inputs_and_not_to_weights() -> None:
    layer, dense = linear()
    x, y = (torch.ones(3, 64, requires_grad=True) for _ in range(2))
    layer(x).pow(2).sum().backward()
    dense(y).pow(2).sum().backward()
    assert torch.allclose(x.grad, y.grad, rtol=1e-4, atol=1e-3)  # type: ignore[arg-type]
    layer.weight.requires_grad_(True)
    with pytest.raises(pemncodec.NetworkError, match=r"pemncodec\.nn"):
        layer(torch.ones(3, 64)).sum().backward()
    with torch.no_grad():
        assert torch.allclose(layer(x), dense(x), atol=1e-5)


def test_copies_and_files() -> None:
    layer, dense = linear()
    for other in (copy.deepcopy(layer), copy.copy(layer), pickle.loads(pickle.dumps(layer))):
        assert isinstance(other.weight, PackedTensor)
        assert same_bits(other.weight.dense(), dense.weight)
    stream = io.BytesIO()
    torch.save(layer.state_dict(), stream)
    assert len(stream.getvalue()) < 48 * 64 * 4 + 5000  # the prototype, which here is as long as the weight
    stream.seek(0)
    found = torch.load(stream, weights_only=True)
    assert isinstance(found["weight"], PackedTensor)
    assert same_bits(found["weight"].dense(), dense.weight)


def test_two_weights_share_a_prototype_in_a_saved_file() -> None:
    one, _ = weight((64, 256))
    two = one.replaced(one.meaning, torch.zeros_like(one.bits), one.stored)
    stream = io.BytesIO()
    torch.save({"one": one, "two": two}, stream)
    assert len(stream.getvalue()) < 64 * 256 * 4 * 1.5
    stream.seek(0)
    found = torch.load(stream, weights_only=True)
    assert found["one"].stored.data_ptr() == found["two"].stored.data_ptr()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_another_dtype(kind: str, dtype: torch.dtype) -> None:
    packed, dense = weight((20, 30), kind, scale=None if kind == "kept" else 0.3)
    moved = packed.to(dtype)
    assert isinstance(moved, PackedTensor)
    assert moved.dtype == dtype
    assert same_bits(moved.dense(), dense.to(dtype))
    assert type(packed.to(torch.int32)) is torch.Tensor
    assert torch.equal(packed.to(torch.int32), dense.to(torch.int32))
    layer, _ = linear()
    assert isinstance(layer.to(dtype).weight, PackedTensor)
    assert layer(torch.ones(2, 64, dtype=dtype)).dtype == dtype


def test_weights_that_share_a_prototype_still_do_in_another_dtype() -> None:
    one, _ = weight((64, 256))
    two = one.replaced(one.meaning, torch.zeros_like(one.bits), one.stored)
    halves: list[Any] = [one.half(), two.half()]
    assert halves[0].stored.data_ptr() == halves[1].stored.data_ptr()


def test_state_dicts_either_way() -> None:
    layer, dense = linear()
    plain = nn.Linear(64, 48)
    plain.load_state_dict(layer.state_dict())
    assert same_bits(plain.weight.detach(), dense.weight)
    plain.load_state_dict(layer.state_dict(), assign=True)
    assert isinstance(plain.weight, PackedTensor)
    other, _ = linear(kind="negated")
    other.load_state_dict(layer.state_dict())  # packed into packed: it is taken over
    assert same_bits(other.weight.dense(), dense.weight)
    with pytest.raises((RuntimeError, pemncodec.NetworkError), match="assign=True"):
        layer.load_state_dict(dense.state_dict())
    layer.load_state_dict(dense.state_dict(), assign=True)
    assert type(layer.weight) is nn.Parameter


def test_hooks_and_threads() -> None:
    layer, dense = linear()
    seen = []
    layer.register_forward_hook(lambda *arguments: seen.append(arguments[2].shape))
    x = torch.randn(7, 64)
    expected = dense(x)
    found: list[torch.Tensor] = []
    threads = [threading.Thread(target=lambda: found.append(layer(x))) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(found) == len(seen) == 8
    assert all(torch.allclose(one, expected, atol=1e-5) for one in found)


class Rows(torch.utils.data.Dataset[torch.Tensor]):
    """Rows through a packed layer, in the workers of a DataLoader."""

    def __init__(self, layer: nn.Linear) -> None:
        self.layer = layer

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> torch.Tensor:
        with torch.no_grad():
            return self.layer(torch.full((64,), float(index)))  # type: ignore[no-any-return]


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_of_a_dataloader(context: str) -> None:
    layer, dense = linear()
    if context == "spawn":
        layer.weight.share_memory_()
    loader = torch.utils.data.DataLoader(Rows(layer), 2, num_workers=2, multiprocessing_context=context)
    found = torch.cat(list(loader))
    assert torch.allclose(found, dense(torch.arange(6.0)[:, None].expand(6, 64)), atol=1e-3)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_compiled_graphs() -> None:
    if shutil.which("g++") is None:
        pytest.skip("torch.compile needs a C++ compiler, and there is no g++")
    first, dense = linear(64, 64)
    second, other = linear(10, 64, "second")
    model, reference = nn.Sequential(first, nn.ReLU(), second), nn.Sequential(dense, nn.ReLU(), other)
    compiled = torch.compile(model, fullgraph=True)
    for batch in (1, 5):
        x = torch.randn(batch, 64)
        with torch.no_grad():
            assert torch.allclose(compiled(x), reference(x), atol=1e-4)
        x.requires_grad_()
        compiled(x).sum().backward()
        y = x.detach().requires_grad_()
        reference(y).sum().backward()
        assert torch.allclose(x.grad, y.grad, atol=1e-4)  # type: ignore[arg-type]


def test_other_devices() -> None:
    """No GPU is here: the way of devices, by torch's operations, is run on the CPU device."""
    from pemncodec.packed.on_device import expanded

    for kind in KINDS:
        for dtype in (torch.float32, torch.bfloat16, torch.float64):
            packed, dense = weight((20, 30), kind, dtype=dtype, period=77)
            assert same_bits(expanded(packed.weight), dense)
    meta = weight((20, 30))[0].to("meta")
    assert meta.device.type == "meta"
    assert torch.nn.functional.linear(torch.empty(3, 30, device="meta"), meta).shape == (3, 20)


def test_what_torchao_asks_of_a_subclass() -> None:
    packed, dense = weight((20, 30), "second")
    names, meaning = packed.__tensor_flatten__()
    assert {*PackedTensor.tensor_data_names} <= {*names}
    inner = {name: getattr(packed, name) for name in names}
    again = PackedTensor.__tensor_unflatten__(inner, meaning, packed.shape, packed.stride())
    assert same_bits(again.dense(), dense)
    assert torch.utils._python_dispatch.is_traceable_wrapper_subclass(packed)


def test_not_written_to_safetensors_in_silence(tmp_path: Path) -> None:
    import safetensors.torch

    with pytest.raises(Exception, match=r".+"):
        safetensors.torch.save_file({"w": weight((20, 30))[0]}, tmp_path / "a.safetensors")
