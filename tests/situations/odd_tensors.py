"""Tensors of every type and layout, and such as are no plain values: those are refused by their names."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from . import distributed
from .situation import Draws, Kind, Outcome, State, layers_under, masked, or_refused, refused, right, save

KIND = Kind("tensors")
NAME = r"fc\.weight"


def named(*words: str) -> str:
    """The name, and one of the words, in either order."""
    either = "|".join(words)
    return f"{NAME}.*({either})|({either}).*{NAME}"


# --- types ---------------------------------------------------------------------------------------------------------

PLAIN = ("uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64", "bool")
REAL = ("float16", "bfloat16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
FP8 = ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz")


@KIND
def every_type(folder: Path) -> Outcome:
    """Vectors, numbers, nothing, and matrices with zeros."""
    draws = Draws(71)
    state: State = {}
    for name in (*PLAIN, *REAL, *COMPLEX, *FP8):
        dtype = getattr(torch, name)
        values = draws.weight(5, 7) * 3
        raw = values.abs().to(dtype) if name.startswith("uint") else values.to(dtype)
        state |= {f"{name}.weight": raw, f"{name}.bias": raw[0].clone(), f"{name}.number": raw[1, 1].clone()}
        state[f"{name}.empty"] = raw[:0].clone()
    save(folder, state)
    return right(state, checkpoint=state)


@KIND
def pruned_matrices_of_every_type(folder: Path) -> Outcome:
    draws = Draws(72)
    state: State = {}
    for name in (*PLAIN, *REAL, *COMPLEX, *FP8):
        dtype = getattr(torch, name)
        values = (draws.weight(12, 9).abs() + 1) * draws.mask(12, 9)
        state[f"{name}.weight"] = values.to(dtype)
    save(folder, state)
    return right(state, checkpoint=state)


@KIND
def masks_over_every_real_type(folder: Path) -> Outcome:
    draws = Draws(73)
    state: State = {}
    dense: State = {}
    for name in ("float16", "bfloat16", "float32", "float64", "int32", "int8"):
        weight, mask = (draws.weight(12, 9) * 9).to(getattr(torch, name)), draws.mask(12, 9)
        state |= {f"{name}.weight": weight, f"{name}.mask": mask}
        dense[f"{name}.weight"] = masked(weight, mask)
    save(folder, state)
    return right(dense, checkpoint=state, evaluate=layers_under("mask"))


@KIND
def bits_that_are_no_usual_numbers(folder: Path) -> Outcome:
    """NaNs with payloads, infinities, subnormals, −0.0 in a vector."""
    patterns = [0x7FC00001, 0x7F800001, -1, 0x7F800000, 1, 0x007FFFFF, -(1 << 31), 0x00000000, 0x3F800000]
    vector = torch.tensor(patterns, dtype=torch.int32).view(torch.float32)
    matrix = vector[[0, 1, 2, 3, 4, 5, 7, 7, 8]].repeat(8).view(8, 9)
    state = {"a.weight": matrix, "a.bias": vector, "b.weight": matrix.half(), "c": vector.double()}
    save(folder, state)
    return right(state, checkpoint=state)


def _rare(dtype: str) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        state = {"fc.weight": torch.arange(32, dtype=torch.uint8).view(getattr(torch, dtype)), "b": torch.ones(3)}
        save(folder, state)
        return or_refused(right(state), NAME)

    return write


for rare in ("float8_e8m0fnu", "float4_e2m1fn_x2", "bits8", "complex32"):
    KIND.add(rare, _rare(rare))


# --- layouts in memory -----------------------------------------------------------------------------------------------


@KIND
def strides_of_every_kind(folder: Path) -> Outcome:
    draws = Draws(74)
    images = draws.pruned(6 * 3, 25).view(6, 3, 5, 5)
    state = {
        "columns.weight": draws.pruned(12, 20)[:, ::2],
        "transposed.weight": draws.pruned(12, 20).t(),
        "channels_last.weight": images.to(memory_format=torch.channels_last),
        "permuted.weight": images.permute(3, 1, 0, 2),
        "windows.weight": draws.weight(40).as_strided((6, 6), (1, 1)),
        "offset.weight": draws.pruned(12, 20)[3:, 4:],
        "every_third": draws.weight(30)[::3],
        "one.weight": draws.pruned(12, 20)[:, 5:6],
    }
    save(folder, state)
    return right(state, checkpoint=state)


@KIND
def weights_scores_and_masks_with_strides(folder: Path) -> Outcome:
    draws = Draws(75)
    weight, mask = draws.weight(9, 14).t(), draws.mask(14, 18)[:, ::2]
    state = {"a.weight": weight, "a.mask": mask.float(), "b.weight": weight[:, ::2], "b.mask": mask[:, ::2]}
    save(folder, state)
    dense = {"a.weight": masked(weight, mask), "b.weight": masked(weight[:, ::2], mask[:, ::2])}
    return right(dense, checkpoint=state, evaluate=layers_under("mask"))


def lazily() -> State:
    """Values that torch works out on reading: conjugates, negatives."""
    draws = Draws(76)
    one, two = (torch.complex(draws.weight(6, 5), draws.weight(6, 5)) for _ in range(2))
    return {"conj.weight": one.conj(), "neg.weight": two.conj().imag, "bias": one[0].conj()}


@KIND
def conjugates_and_negatives(folder: Path) -> Outcome:
    save(folder, lazily())
    dense = {name: tensor.resolve_conj().resolve_neg() for name, tensor in lazily().items()}
    return right(dense, checkpoint=dense)


@KIND.in_memory
def conjugates_and_negatives_in_memory(folder: Path) -> Outcome:  # noqa: ARG001
    dense = {name: tensor.resolve_conj().resolve_neg() for name, tensor in lazily().items()}
    return right(dense).also(given=lazily())


@KIND
def parameters_and_what_was_computed_from_them(folder: Path) -> Outcome:
    draws = Draws(77)
    weight, mask = nn.Parameter(draws.weight(9, 9)), draws.mask(9, 9)
    state = {"fc.weight": weight, "fc.mask": nn.Parameter(mask.float()), "twice.weight": weight * 2}
    save(folder, state)
    dense = {"fc.weight": masked(weight.detach(), mask), "twice.weight": weight.detach() * 2}
    return right(dense, checkpoint=state, evaluate=layers_under("mask"))


class Tagged(torch.Tensor):
    """A subclass that adds nothing to the values."""


@KIND.in_memory
def subclasses_and_tensors_of_inference(folder: Path) -> Outcome:  # noqa: ARG001
    draws = Draws(78)
    weight, mask = draws.weight(9, 9), draws.mask(9, 9)
    with torch.inference_mode():
        inferred = weight * 3
        values = weight + 0
    given: dict[str, Any] = {
        "fc.weight": values,
        "fc.mask": mask,
        "tagged.weight": weight.as_subclass(Tagged),
        "inferred": inferred,
        "buffer": nn.Buffer(weight[0]),
        "graph": nn.Parameter(weight)[1],
    }
    dense = {
        "fc.weight": masked(weight, mask),
        "tagged.weight": weight,
        "inferred": weight * 3,
        "buffer": weight[0],
        "graph": weight[1],
    }
    return right(dense).also(given=given)


# --- no plain values -----------------------------------------------------------------------------------------------


def quietly(make: Callable[[], Any]) -> Any:
    """torch warns of prototypes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make()


MATRIX = Draws(79).pruned(8, 8)


def quantized() -> torch.Tensor:
    return torch.quantize_per_tensor(MATRIX, 0.1, 0, torch.qint8)


def by_channel() -> torch.Tensor:
    return torch.quantize_per_channel(MATRIX, torch.full((8,), 0.1), torch.zeros(8), 0, torch.qint8)


def ragged() -> torch.Tensor:
    return torch.nested.nested_tensor([torch.zeros(2), torch.ones(3)])


def nowhere() -> torch.Tensor:
    return torch.empty(8, 8, device="meta")


VALUELESS: dict[str, tuple[Callable[[], torch.Tensor], str]] = {
    "quantized": (quantized, named("quantized", "qint8")),
    "quantized by channel": (by_channel, named("quantized", "qint8")),
    "nested": (ragged, named("nested")),
    "meta": (nowhere, named("meta")),
}


def _valueless(make: Callable[[], torch.Tensor], words: str, layout: str) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        save(folder, layouts(quietly(make))[layout])
        return refused(words, *(["--keep", "0.5"] if layout == "scored" else []), error="UnsupportedTensorError")

    return write


def layouts(odd: torch.Tensor) -> dict[str, Any]:
    """Return checkpoints that hold such a tensor: as a weight among others, nested, in a layer with scores."""
    bias = {"fc.bias": torch.ones(8)}
    return {
        "plain": {"fc.weight": odd, **bias},
        "nested": {"model": {"fc": {"weight": odd, "bias": torch.ones(8)}, "norm": torch.ones(3)}},
        "scored": {"fc.weight": odd, "fc.scores": Draws(80).weight(8, 8), **bias},
    }


for title, (make, words) in VALUELESS.items():
    KIND.add(title, _valueless(make, words, "plain"))
for title in ("quantized", "meta", "nested"):
    KIND.add(f"{title}, in a dictionary within", _valueless(*VALUELESS[title], "nested"))
for title in ("quantized", "meta"):
    KIND.add(f"{title}, under scores", _valueless(*VALUELESS[title], "scored"))


@KIND
def jagged(folder: Path) -> Outcome:
    """Kept as an object of its own class, which torch.load may or may not know."""
    odd = quietly(lambda: torch.nested.nested_tensor([torch.zeros(2), torch.ones(3)], layout=torch.jagged))
    save(folder, {"fc.weight": odd, "fc.bias": torch.ones(8)})
    return refused(named("nested", "jagged") + "|nested")


@KIND
def scores_on_the_meta_device(folder: Path) -> Outcome:
    save(folder, {"fc.weight": MATRIX, "fc.scores": nowhere()})
    return refused(r"fc\.scores.*meta|meta.*fc\.scores", "--keep", "0.5")


@KIND
def a_mask_that_is_quantized(folder: Path) -> Outcome:
    save(folder, {"fc.weight": MATRIX, "fc.mask": quietly(quantized)})
    return refused(r"fc\.mask")


@KIND
def packed_parameters_of_a_quantized_layer(folder: Path) -> Outcome:
    """torch.ao: a pair of a quantized weight and a bias."""
    pair = (quietly(quantized), torch.ones(8))
    state = {
        "fc.scale": torch.tensor(1.0),
        "fc.zero_point": torch.tensor(0),
        "fc._packed_params.dtype": torch.qint8,
        "fc._packed_params._packed_params": pair,
    }
    save(folder, state)
    return refused(r"fc\._packed_params")


def _sparse(make: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        save(folder, {"fc.weight": quietly(lambda: make(MATRIX)), "fc.bias": torch.ones(8)})
        dense = {"fc.weight": MATRIX, "fc.bias": torch.ones(8)}
        return or_refused(right(dense), named("sparse", "coo", "csr", "csc", "bsr"), "UnsupportedTensorError")

    return write


SPARSE: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "COO": torch.Tensor.to_sparse,
    "CSR": torch.Tensor.to_sparse_csr,
    "CSC": torch.Tensor.to_sparse_csc,
    "BSR": lambda matrix: matrix.to_sparse_bsr((2, 2)),
}
for title, change in SPARSE.items():
    KIND.add(f"sparse, {title}", _sparse(change))


@KIND
def sparse_with_an_index_twice(folder: Path) -> Outcome:
    """Not coalesced: the values of one place are added."""
    indices = torch.tensor([[0, 0, 2], [1, 1, 3]])
    odd = quietly(lambda: torch.sparse_coo_tensor(indices, torch.tensor([1.0, 2.0, 4.0]), (8, 8)))
    save(folder, {"fc.weight": odd, "fc.bias": torch.ones(8)})
    dense = {"fc.weight": quietly(odd.to_dense), "fc.bias": torch.ones(8)}
    return or_refused(right(dense), named("sparse", "coo"), "UnsupportedTensorError")


@KIND
def a_sparse_mask(folder: Path) -> Outcome:
    draws = Draws(81)
    weight, mask = draws.weight(8, 8), draws.mask(8, 8).float()
    save(folder, {"fc.weight": weight})
    save(folder, {"fc.weight": quietly(mask.to_sparse)}, "m.pt")
    return or_refused(right({"fc.weight": masked(weight, mask)}, "--masks", "m.pt"), "sparse|coo")


def _without_values(*options: str) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state = nn.Sequential(nn.LazyLinear(4), nn.Linear(4, 2)).state_dict()
        save(folder, state)
        if not options:
            return refused("unsafe-pickle|uninitiali|lazy")
        return refused(r"0\.(weight|bias).*(uninitiali|lazy|no value|no shape|materiali)", *options)

    return write


KIND.add("lazy parameters", _without_values())
KIND.add("lazy parameters, unsafe", _without_values("--unsafe-pickle"))


@KIND.in_memory
def lazy_parameters_in_memory(folder: Path) -> Outcome:  # noqa: ARG001
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = nn.Sequential(nn.LazyLinear(4), nn.Linear(4, 2))
    return refused(r"0\.(weight|bias).*(uninitiali|lazy|no value|no shape|materiali)").also(given=network)


@KIND.in_memory
def fake_tensors(folder: Path) -> Outcome:  # noqa: ARG001
    with FakeTensorMode():
        fake = torch.randn(8, 8)
    given = {"fc.weight": fake, "fc.bias": torch.ones(8)}
    return refused(named("fake", "no value", "meta"), error="UnsupportedTensorError").also(given=given)


@KIND.in_memory
def a_module_on_the_meta_device(folder: Path) -> Outcome:  # noqa: ARG001
    with torch.device("meta"):
        network = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8))
    return refused(r"0\.weight.*meta|meta.*0\.weight", error="UnsupportedTensorError").also(given=network)


@KIND.in_memory
def tensors_that_hide_values(folder: Path) -> Outcome:  # noqa: ARG001
    hidden = quietly(lambda: torch.masked.masked_tensor(MATRIX, MATRIX != 0))
    return refused(NAME, error="UnsupportedTensorError").also(given={"fc.weight": hidden, "b": torch.ones(8)})


@KIND.in_memory
def zeros_without_memory(folder: Path) -> Outcome:  # noqa: ARG001
    zeros = torch._efficientzerotensor(8, 8)
    state = {"fc.weight": zeros, "fc.bias": torch.ones(8)}
    return or_refused(right({"fc.weight": torch.zeros(8, 8), "fc.bias": torch.ones(8)}), NAME).also(given=state)


# --- distributed -----------------------------------------------------------------------------------------------------

WHOLE = torch.arange(64.0).reshape(8, 8)


@KIND
def a_distributed_tensor_that_is_whole(folder: Path) -> Outcome:
    """In a process that has not imported torch.distributed.tensor, as a user's has not."""
    (folder / "a.pt").write_bytes(distributed.files()["whole"])
    outcome = or_refused(right({"fc.weight": WHOLE}), "DTensor|distributed")
    return outcome.also(alone=True)


@KIND
def rows_of_a_distributed_tensor(folder: Path) -> Outcome:
    """One rank's part is not the weight."""
    (folder / "a.pt").write_bytes(distributed.files()["rows"])
    return refused("DTensor|distributed|shard")


@KIND
def a_summand_of_a_distributed_tensor(folder: Path) -> Outcome:
    (folder / "a.pt").write_bytes(distributed.files()["summand"])
    return refused("DTensor|distributed|partial")
