"""Masks beside the weights of one file: under other names, of other types and shapes, inverted, of forks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from .situation import (
    Draws,
    Kind,
    Outcome,
    State,
    either,
    layers_under,
    masked,
    or_refused,
    refused,
    right,
    save,
)

KIND = Kind("masks")
OPTION = "--mask-suffix"
INVERTED = "inverted.*--inverted-masks|--inverted-masks.*inverted"
SHAPES = {"conv1": (8, 3, 3, 3), "conv2": (6, 8, 3, 3), "fc": (10, 24)}


def network(end: str, *, biases: bool, seed: int = 91, dtype: torch.dtype = torch.float32) -> tuple[State, State]:
    """Layers with X.weightEND, perhaps X.biasEND; dense outside of their masks. And the effective tensors."""
    draws = Draws(seed)
    state: State = {}
    dense: State = {}
    for layer, shape in SHAPES.items():
        for name, size, has in (("weight", shape, True), ("bias", shape[:1], biases)):
            value = draws.weight(*size)
            state[f"{layer}.{name}"] = dense[f"{layer}.{name}"] = value
            if has:
                mask = draws.mask(*size, density=0.4) if name == "weight" else torch.ones(size)
                state[f"{layer}.{name}{end}"] = mask.to(dtype)
                dense[f"{layer}.{name}"] = masked(value, mask)
    return state, dense


# --- X.weight_mask -------------------------------------------------------------------------------------------------


def _synflow(biases: bool, dtype: torch.dtype, under: str | None, prefix: str) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        state, dense = network("_mask", biases=biases, dtype=dtype)
        state, dense = ({prefix + name: tensor for name, tensor in some.items()} for some in (state, dense))
        checkpoint = state if under is None else {under: state, "epoch": 3}
        save(folder, checkpoint)
        kept = state if under is None else {under: state}
        return right(dense, checkpoint=kept, evaluate=layers_under("_mask"))

    return write


KIND.add("weight_mask and bias_mask", _synflow(True, torch.float32, None, ""))
KIND.add("weight_mask alone", _synflow(False, torch.float32, None, ""))
KIND.add("weight_mask under state_dict and module.", _synflow(True, torch.float32, "state_dict", "module."))
for dtype in (torch.bool, torch.uint8, torch.int64, torch.float16, torch.bfloat16, torch.float64):
    KIND.add(f"weight_mask of {dtype}", _synflow(False, dtype, None, ""))


@KIND
def some_of_the_biases_are_masked(folder: Path) -> Outcome:
    state, dense = network("_mask", biases=False)
    mask = Draws(92).mask(10)
    state["fc.bias_mask"] = mask.float()
    dense["fc.bias"] = masked(dense["fc.bias"], mask)
    save(folder, state)
    return right(dense, checkpoint=state, evaluate=layers_under("_mask"))


@KIND
def masks_of_ones_over_zeros(folder: Path) -> Outcome:
    """Nothing is pruned; biases are zero, as they are before training: no inverted mask."""
    draws = Draws(93)
    state = {"fc.weight": draws.weight(9, 9), "fc.bias": torch.zeros(9), "out.weight": torch.zeros(4, 9)}
    masks = {f"{name}_mask": torch.ones(tensor.shape) for name, tensor in state.items()}
    save(folder, {**state, **masks})
    return right(state, checkpoint={**state, **masks}, evaluate=layers_under("_mask"))


@KIND
def a_mask_over_a_weight_that_is_zero_everywhere(folder: Path) -> Outcome:
    """As of a layer that begins at zero: half a mask over zeros is not inverted either."""
    draws = Draws(94)
    state = {"fc.weight": draws.weight(9, 9), "out.weight": torch.zeros(9, 9)}
    masks = {f"{name}_mask": draws.mask(9, 9).float() for name in state}
    save(folder, {**state, **masks})
    dense = {name: masked(tensor, masks[f"{name}_mask"]) for name, tensor in state.items()}
    return right(dense, checkpoint={**state, **masks}, evaluate=layers_under("_mask"))


@KIND
def a_layer_that_is_pruned_as_a_whole(folder: Path) -> Outcome:
    draws = Draws(95)
    state = {"a.weight": draws.weight(9, 9), "b.weight": draws.weight(9, 9)}
    masks = {"a.weight_mask": draws.mask(9, 9).float(), "b.weight_mask": torch.zeros(9, 9)}
    save(folder, {**state, **masks})
    dense = {name: masked(tensor, masks[f"{name}_mask"]) for name, tensor in state.items()}
    return or_refused(right(dense, evaluate=layers_under("_mask")), "inverted|zero|nothing")


@KIND
def kept_zeros_of_either_sign(folder: Path) -> Outcome:
    """A kept −0.0 is a value; one that is dropped is +0.0."""
    draws = Draws(96)
    weight, mask = draws.weight(12, 12), draws.mask(12, 12)
    weight[:4], weight[4:6] = -0.0, 0.0
    state = {"fc.weight": weight, "fc.weight_mask": mask.float()}
    save(folder, state)
    return right({"fc.weight": masked(weight, mask)}, checkpoint=state, evaluate=layers_under("_mask"))


@KIND
def a_mask_of_signed_zeros(folder: Path) -> Outcome:
    draws = Draws(97)
    weight, mask = draws.weight(9, 9), draws.mask(9, 9)
    save(folder, {"fc.weight": weight, "fc.weight_mask": torch.where(mask, 1.0, -0.0)})
    return right({"fc.weight": masked(weight, mask)}, evaluate=layers_under("_mask"))


def _no_mask(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Path], Outcome]:
    """X.weight_mask that is no mask: plain tensors, or refused; never one that was made of it."""

    def write(folder: Path) -> Outcome:
        draws = Draws(98)
        weight, mask = draws.weight(9, 9), draws.mask(9, 9).float()
        state = {"fc.weight": weight, "fc.weight_mask": change(mask)}
        save(folder, state)
        return or_refused(right(state), r"fc\.weight_mask")

    return write


KIND.add("weight_mask of other numbers", _no_mask(lambda mask: mask * 0.3 + 0.2))
KIND.add("weight_mask of 0 and 2", _no_mask(lambda mask: mask * 2))
KIND.add("weight_mask of -1 and 1", _no_mask(lambda mask: mask * 2 - 1))
KIND.add("weight_mask with a NaN", _no_mask(lambda mask: torch.where(torch.eye(9) > 0, torch.nan, mask)))
KIND.add("weight_mask of another shape", _no_mask(lambda mask: mask[:, :5].clone()))
KIND.add("weight_mask of more dimensions", _no_mask(lambda mask: mask.expand(2, 9, 9).clone()))


@KIND
def one_layer_pruned_by_torch_another_by_a_fork(folder: Path) -> Outcome:
    draws = Draws(99)
    weights, masks = [draws.weight(9, 9) for _ in range(2)], [draws.mask(9, 9).float() for _ in range(2)]
    state = {
        "a.weight_orig": weights[0],
        "a.weight_mask": masks[0],
        "b.weight": weights[1],
        "b.weight_mask": masks[1],
    }
    save(folder, state)
    first = {"a.weight": masked(weights[0], masks[0])}
    taken = right({**first, "b.weight": masked(weights[1], masks[1])})
    left = right({**first, "b.weight": weights[1], "b.weight_mask": masks[1]}, notes=r"b\.weight_mask")
    return either(taken, left)


@KIND
def mask_and_bias_mask_of_bits_are_no_logits(folder: Path) -> Outcome:
    draws = Draws(100)
    weight, bias = draws.weight(9, 9), draws.weight(9)
    masks = draws.mask(9, 9), draws.mask(9)
    state = {"fc.weight": weight, "fc.bias": bias, "fc.mask": masks[0].float(), "fc.bias_mask": masks[1].float()}
    save(folder, state)
    dense = {"fc.weight": masked(weight, masks[0]), "fc.bias": masked(bias, masks[1])}

    def evaluate(checkpoint: State) -> State:
        return {
            "fc.weight": masked(checkpoint["fc.weight"], checkpoint["fc.mask"]),
            "fc.bias": masked(checkpoint["fc.bias"], checkpoint["fc.bias_mask"]),
        }

    return right(dense, checkpoint=state, evaluate=evaluate)


@KIND
def mask_and_bias_mask_of_numbers_are_logits(folder: Path) -> Outcome:
    draws = Draws(101)
    state = {f"fc.{name}": draws.weight(9, 9) for name in ("weight", "mask")}
    save(folder, {**state, "fc.bias": draws.weight(9), "fc.bias_mask": draws.weight(9)})
    return refused("--threshold", error="MaskRuleError")


# --- other names -----------------------------------------------------------------------------------------------------


def _suffix(end: str, given: bool, known: bool, dtype: torch.dtype = torch.float32) -> Callable[[Path], Outcome]:
    """X.END beside X.weight: with the option it is a mask; without, it may be taken, or the option is named."""

    def write(folder: Path) -> Outcome:
        draws = Draws(102)
        weights, masks = {}, {}
        for layer in ("a", "b.c"):
            weights[f"{layer}.weight"], masks[f"{layer}.{end}"] = draws.weight(9, 7), draws.mask(9, 7).to(dtype)
        state = {**weights, **masks, "norm.weight": draws.weight(7)}
        save(folder, {"state_dict": state})
        dense = {"norm.weight": state["norm.weight"]} | {
            name: masked(weight, masks[name.replace("weight", end)]) for name, weight in weights.items()
        }
        taken = right(dense, *([OPTION, end] if given else []), checkpoint={"state_dict": state})
        taken = taken.also(evaluate=layers_under(end))
        plain = right(state, notes=OPTION)
        return taken if given else either(taken, plain).also(evaluate=None) if known else plain

    return write


for end in ("prune_mask", "binary_mask", "masks", "m", "keep"):
    KIND.add(f"X.{end}, and the option", _suffix(end, True, True))
    KIND.add(f"X.{end}", _suffix(end, False, end in ("prune_mask", "binary_mask", "masks")))
KIND.add("X.m of bool, and the option", _suffix("m", True, True, torch.bool))
KIND.add("X.m of uint8", _suffix("m", False, False, torch.uint8))


@KIND
def a_suffix_that_no_tensor_has(folder: Path) -> Outcome:
    draws = Draws(103)
    save(folder, {"fc.weight": draws.pruned(9, 7), "fc.m": draws.mask(9, 7)})
    return refused("keep_mask|mask-suffix|mask_suffix", OPTION, "keep_mask")


@KIND
def a_suffix_of_what_is_no_mask(folder: Path) -> Outcome:
    draws = Draws(104)
    save(folder, {"fc.weight": draws.weight(9, 7), "fc.m": draws.weight(9, 7)})
    return refused(r"fc\.m\b", OPTION, "m")


# --- types and shapes ------------------------------------------------------------------------------------------------


def _typed(dtype: torch.dtype) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        draws = Draws(105)
        weight, mask = draws.weight(9, 7), draws.mask(9, 7).to(dtype)
        state = {"fc.weight": weight, "fc.mask": mask, "fc.bias": draws.weight(9)}
        save(folder, state)
        dense = {"fc.weight": masked(weight, mask), "fc.bias": state["fc.bias"]}
        return right(dense, checkpoint=state, evaluate=layers_under("mask"))

    return write


for dtype in (torch.bool, torch.uint8, torch.int8, torch.int64, torch.float16, torch.bfloat16, torch.float64):
    KIND.add(f"X.mask of {dtype}", _typed(dtype))


def _broadcast(end: str, weight_shape: tuple[int, ...], mask_shape: tuple[int, ...]) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        draws = Draws(106)
        weight, mask = draws.weight(*weight_shape), draws.mask(*mask_shape).float()
        state = {"c.weight": weight, "c.bias": draws.weight(weight_shape[0]), f"c.{end}": mask}
        save(folder, state)
        dense = {"c.weight": masked(weight, mask), "c.bias": state["c.bias"]}
        return right(dense, checkpoint=state, evaluate=layers_under(end.removeprefix("weight")))

    return write


for end in ("mask", "weight_mask"):
    for weight_shape, mask_shape in (
        ((8, 3, 3, 3), (8, 1, 1, 1)),
        ((8, 3, 3, 3), (1, 3, 1, 1)),
        ((8, 3, 3, 3), (8, 3, 1, 1)),
        ((12, 7), (12, 1)),
        ((12, 7), (1, 7)),
        ((8, 3, 5), (8, 1, 1)),
    ):
        KIND.add(f"X.{end} of {mask_shape} over {weight_shape}", _broadcast(end, weight_shape, mask_shape))


def _one_number_a_channel(*shape: int) -> Callable[[Path], Outcome]:
    """A vector of bits: along which axis is not said, torch would take the last."""

    def write(folder: Path) -> Outcome:
        draws = Draws(107)
        state = {"c.weight": draws.weight(*shape), "c.mask": draws.mask(shape[0]).float()}
        save(folder, state)
        return or_refused(right(state), r"c\.mask")

    return write


KIND.add("a vector over a square matrix", _one_number_a_channel(8, 8))
KIND.add("a vector over channels", _one_number_a_channel(8, 3, 3, 3))


# --- inverted --------------------------------------------------------------------------------------------------------


def inverted_layers(share: float = 0.5) -> tuple[State, State]:
    """Weights that are zero where their masks are 1."""
    draws = Draws(108)
    masks = {f"{layer}.mask": (~draws.mask(9, 7, density=share)).float() for layer in "ab"}
    return {f"{layer}.weight": masked(draws.weight(9, 7), 1 - masks[f"{layer}.mask"]) for layer in "ab"}, masks


def _inverted(given: bool, in_file: bool, dtype: torch.dtype = torch.float32) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        weights, masks = inverted_layers()
        masks = {name: mask.to(dtype) for name, mask in masks.items()}
        options = []
        state = dict(weights)
        if in_file:
            save(folder, {name.replace("mask", "weight"): mask for name, mask in masks.items()}, "m.pt")
            options = ["--masks", "m.pt"]
        else:
            state |= masks
        save(folder, state)
        if not given:
            return refused(INVERTED, *options)
        outcome = right(weights, *options, "--inverted-masks")
        return outcome if in_file else outcome.also(evaluate=layers_under("mask", lambda mask: mask == 0))

    return write


KIND.add("a masks file of what is pruned", _inverted(False, True))
KIND.add("a masks file of what is pruned, and the option", _inverted(True, True))
KIND.add("a masks file of what is pruned, bool, and the option", _inverted(True, True, torch.bool))
KIND.add("X.mask of what is pruned", _inverted(False, False))
KIND.add("X.mask of what is pruned, and the option", _inverted(True, False))
KIND.add("X.mask of what is pruned, uint8, and the option", _inverted(True, False, torch.uint8))


@KIND
def inverted_masks_over_dense_weights(folder: Path) -> Outcome:
    """masked_fill: nothing in the file tells, the option does."""
    draws = Draws(109)
    weight, drop = draws.weight(9, 7), draws.mask(9, 7)
    save(folder, {"fc.weight": weight, "fc.mask": drop})
    return right({"fc.weight": masked(weight, ~drop)}, "--inverted-masks")


@KIND
def inverted_masks_of_channels(folder: Path) -> Outcome:
    draws = Draws(110)
    weight, drop = draws.weight(8, 3, 3, 3), draws.mask(8, 1, 1, 1)
    save(folder, {"c.weight": weight, "c.mask": drop.float()})
    return right({"c.weight": masked(weight, ~drop)}, "--inverted-masks")


@KIND
def inverted_masks_under_a_suffix(folder: Path) -> Outcome:
    draws = Draws(111)
    weight, drop = draws.weight(9, 7), draws.mask(9, 7)
    save(folder, {"fc.weight": weight, "fc.W_mask": drop})
    return right({"fc.weight": masked(weight, ~drop)}, OPTION, "W_mask", "--inverted-masks")


@KIND
def inverted_in_one_of_two_layers(folder: Path) -> Outcome:
    draws = Draws(112)
    weights, masks = inverted_layers()
    save(folder, {**weights, **masks, "c.weight": draws.weight(9, 7), "c.mask": draws.mask(9, 7).float()})
    return refused(INVERTED)


@KIND
def the_option_for_masks_that_are_not_inverted(folder: Path) -> Outcome:
    draws = Draws(113)
    weight, mask = draws.weight(9, 7), draws.mask(9, 7)
    save(folder, {"fc.weight": masked(weight, mask), "fc.mask": mask.float()})
    return refused("inverted", "--inverted-masks")
