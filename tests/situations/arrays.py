"""numpy's arrays and numbers among the tensors of a checkpoint, and beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .containers import UNSAFE, pruned_layer
from .situation import Draws, Kind, Outcome, either, layers_under, masked, or_refused, refused, right, save

KIND = Kind("arrays")


@KIND
def arrays_among_the_tensors(folder: Path) -> Outcome:
    state = pruned_layer()
    checkpoint = {"fc.weight": state["fc.weight"].numpy(), "fc.bias": state["fc.bias"]}
    save(folder, checkpoint)
    return right(state, UNSAFE, checkpoint=checkpoint)


@KIND
def arrays_among_the_tensors_read_safely(folder: Path) -> Outcome:
    state = pruned_layer()
    save(folder, {"state_dict": {"fc.weight": state["fc.weight"].numpy(), "fc.bias": state["fc.bias"]}})
    return or_refused(right(state), "unsafe-pickle")


@KIND
def all_is_arrays_and_the_mask_too(folder: Path) -> Outcome:
    draws = Draws(42)
    weight, mask = draws.weight(16, 16), draws.mask(16, 16)
    checkpoint = {"model": {"fc.weight": weight.numpy(), "fc.mask": mask.numpy(), "steps": np.int64(3)}}
    save(folder, checkpoint)
    dense = {"fc.weight": masked(weight, mask)}
    outcome = right(dense, UNSAFE, evaluate=layers_under("mask"))
    with_steps = {**dense, "steps": torch.tensor(3)}
    return or_refused(either(outcome.also(evaluate=None), right(with_steps)), "steps|numpy|scalar")


@KIND
def a_numpy_number_among_the_tensors(folder: Path) -> Outcome:
    state = pruned_layer()
    save(folder, {**state, "temperature": np.float64(0.7)})
    with_number = {**state, "temperature": torch.tensor(0.7, dtype=torch.float64)}
    return or_refused(either(right(state, UNSAFE), right(with_number)), "temperature")


@KIND
def a_numpy_number_beside_the_state_dict(folder: Path) -> Outcome:
    state = pruned_layer()
    save(folder, {"state_dict": state, "best": np.float64(0.7), "history": np.arange(5.0)})
    return or_refused(right(state), "unsafe-pickle")


@KIND
def a_numpy_number_beside_the_state_dict_unsafe(folder: Path) -> Outcome:
    state = pruned_layer()
    save(folder, {"state_dict": state, "best": np.float64(0.7), "history": np.arange(5.0)})
    return right(state, UNSAFE, checkpoint={"state_dict": state}, notes="history")


@KIND
def arrays_of_another_order_of_bytes(folder: Path) -> Outcome:
    state = pruned_layer()
    save(folder, {name: tensor.numpy().astype(">f4") for name, tensor in state.items()})
    return or_refused(right(state, UNSAFE), r"fc\.(weight|bias)")


def arrays() -> dict[str, np.ndarray[Any, Any]]:
    """Of every layout in memory."""
    weight = pruned_layer()["fc.weight"].numpy()
    fixed = weight.copy()
    fixed.flags.writeable = False
    return {
        "c.weight": weight,
        "fortran.weight": np.asfortranarray(weight),
        "columns.weight": weight[:, ::3],
        "backwards.weight": weight[::-1, ::-1],
        "fixed.weight": fixed,
        "repeated": np.broadcast_to(np.float32(2), (4, 5)),
        "number": np.array(-0.0, np.float32),
        "empty": np.empty((0, 4), np.float64),
        "flags": weight[0] > 0,
        "big": np.arange(5, dtype=">i4"),
        **{
            dtype: np.arange(5).astype(dtype)
            for dtype in ("uint8", "int16", "uint16", "uint64", "float16", "complex128")
        },
    }


@KIND.in_memory
def arrays_of_every_layout(folder: Path) -> Outcome:  # noqa: ARG001
    def tensor(array: np.ndarray[Any, Any]) -> torch.Tensor:
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C", copy=True))

    dense = {name: tensor(array) for name, array in arrays().items()}
    return right(dense).also(given=arrays())


def _unsuited(array: Callable[[], np.ndarray[Any, Any]]) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:  # noqa: ARG001
        state: dict[str, Any] = {**pruned_layer(), "enc.table": array()}
        return refused(r"enc\.table").also(given=state)

    write.__name__ = f"an array of {array().dtype.kind}, {array().dtype.itemsize} bytes"
    return write


KIND.in_memory(_unsuited(lambda: np.array([torch.ones(2), None], dtype=object)))
KIND.in_memory(_unsuited(lambda: np.zeros(3, np.longdouble)))
KIND.in_memory(_unsuited(lambda: np.zeros(3, [("x", "f4"), ("y", "i4")])))
