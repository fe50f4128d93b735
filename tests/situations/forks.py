"""Masks of projects of their own: movement pruning, graph tickets, two of four, PackNet, WSN."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from .situation import Draws, Kind, Outcome, State, either, flat, layers_under, masked, or_refused, refused, right, save

KIND = Kind("forks")


def top_signed(scores: torch.Tensor, keep: float) -> torch.Tensor:
    """The int(keep · n) largest."""
    mask = torch.zeros(scores.numel(), dtype=torch.bool)
    mask[scores.flatten().argsort(descending=True)[: int(keep * scores.numel())]] = True
    return mask.view(scores.shape)


def _movement(keep: float, *options: str, prefix: str = "") -> Callable[[Path], Outcome]:
    """Most scores are negative; sizes are such that int(k · n) is not n − int((1 − k) · n)."""

    def write(folder: Path) -> Outcome:
        draws = Draws(114)
        state: State = {}
        dense: State = {}
        for layer, shape in (("query", (32, 32)), ("dense", (13, 25)), ("out", (7, 11))):
            weight, scores = draws.weight(*shape), draws.weight(*shape) - 1
            state |= {f"{prefix}{layer}.weight": weight, f"{prefix}{layer}.mask_scores": scores}
            dense[f"{prefix}{layer}.weight"] = masked(weight, top_signed(scores, keep))
        state[f"{prefix}norm.bias"] = dense[f"{prefix}norm.bias"] = draws.weight(8)
        save(folder, state, "pytorch_model.bin")
        outcome = right(dense, "--keep", f"{keep}", *options, source="pytorch_model.bin", checkpoint=state)
        return outcome.also(evaluate=layers_under("mask_scores", lambda scores: top_signed(scores, keep)))

    return write


for keep in (0.15, 0.03, 0.7):
    KIND.add(f"movement pruning, keep {keep}", _movement(keep))
KIND.add("movement pruning, the rule named", _movement(0.15, "--rule", "movement"))
KIND.add("movement pruning, in a BERT", _movement(0.15, prefix="bert.encoder.layer.0.attention.self."))


@KIND
def movement_pruning_without_a_fraction(folder: Path) -> Outcome:
    draws = Draws(115)
    save(folder, {"query.weight": draws.weight(9, 9), "query.mask_scores": draws.weight(9, 9)})
    return refused("--keep", error="MaskRuleError")


@KIND
def the_rule_of_movement_pruning_for_scores_of_another_name(folder: Path) -> Outcome:
    draws = Draws(116)
    weight, scores = draws.weight(32, 32), draws.weight(32, 32) - 1
    save(folder, {"fc.weight": weight, "fc.scores": scores})
    dense = {"fc.weight": masked(weight, top_signed(scores, 0.15))}
    return or_refused(right(dense, "--keep", "0.15", "--rule", "movement"), "movement")


@KIND
def graph_tickets(folder: Path) -> Outcome:
    """UGS: a mask that is trained and one that is fixed; the product of the three counts."""
    draws = Draws(117)
    state: State = {"adj_mask1_train": draws.weight(20, 1), "adj_mask2_fixed": torch.ones(20, 1)}
    dense = dict(state)
    for layer in ("net_layer.0", "net_layer.1"):
        weight, train, fixed = draws.weight(9, 7), draws.mask(9, 7, density=0.8), draws.mask(9, 7)
        ends = {"weight": weight, "weight_mask_train": train.float(), "weight_mask_fixed": fixed.float()}
        state |= {f"{layer}.{end}": tensor for end, tensor in ends.items()}
        dense[f"{layer}.weight"] = masked(masked(weight, train), fixed)

    def evaluate(checkpoint: State) -> State:
        found = {name: tensor for name, tensor in checkpoint.items() if "weight_mask" not in name}
        for name in found:
            if f"{name}_mask_train" in checkpoint:
                train, fixed = (checkpoint[f"{name}_mask_{which}"] for which in ("train", "fixed"))
                found[name] = masked(masked(found[name], train), fixed)
        return found

    save(folder, state)
    return right(dense, checkpoint=state, evaluate=evaluate)


@KIND
def graph_tickets_while_they_train(folder: Path) -> Outcome:
    """The trained mask is any number then: the product is no weight under a mask."""
    draws = Draws(118)
    weight, train, fixed = draws.weight(9, 7), draws.weight(9, 7), draws.mask(9, 7).float()
    state = {"l.weight": weight, "l.weight_mask_train": train, "l.weight_mask_fixed": fixed}
    save(folder, state)
    products = right({"l.weight": weight * train * fixed + 0.0})
    return or_refused(either(right(state), products), r"l\.weight_mask_train")


@KIND
def a_trained_mask_without_the_fixed_one(folder: Path) -> Outcome:
    draws = Draws(119)
    state = {"l.weight": draws.weight(9, 7), "l.weight_mask_train": draws.mask(9, 7).float()}
    save(folder, state)
    taken = right({"l.weight": masked(state["l.weight"], state["l.weight_mask_train"])})
    return or_refused(either(right(state), taken), r"l\.weight_mask")


def two_of_four(draws: Draws, rows: int, columns: int) -> torch.Tensor:
    order = torch.rand(rows, columns // 4, 4, generator=draws.generator).argsort(-1)
    return torch.zeros_like(order).scatter_(-1, order[..., :2], 1).bool().view(rows, columns)


def _two_of_four(dtype: torch.dtype, end: str, shape: Callable[[list[int]], torch.Tensor]) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        draws = Draws(120)
        state: State = {}
        dense: State = {}
        for layer, rows, columns in (("q", 16, 32), ("down", 24, 8)):
            weight, mask = draws.weight(rows, columns).to(dtype), two_of_four(draws, rows, columns)
            bits = torch.from_numpy(np.packbits(mask.numpy(), axis=-1, bitorder="little"))
            parts = {"compressed": weight[mask].view(rows, -1), "bitmask": bits, "shape": shape([rows, columns])}
            state |= {f"{layer}{end}.{part}": tensor for part, tensor in parts.items()}
            dense[f"{layer}.weight"] = masked(weight, mask)
        state["norm.weight"] = dense["norm.weight"] = draws.weight(8).to(dtype)
        save_file(state, folder / "a.safetensors")

        def evaluate(checkpoint: State) -> State:
            found = {"norm.weight": checkpoint["norm.weight"]}
            for layer in ("q", "down"):
                parts = {part: checkpoint[f"{layer}{end}.{part}"] for part in ("compressed", "bitmask", "shape")}
                rows, columns = parts["shape"].flatten().tolist()
                ones = np.unpackbits(parts["bitmask"].numpy(), axis=-1, count=columns, bitorder="little")
                found[f"{layer}.weight"] = torch.zeros(rows, columns, dtype=dtype)
                found[f"{layer}.weight"][torch.from_numpy(ones).bool()] = parts["compressed"].flatten()
            return found

        return right(dense, source="a.safetensors", checkpoint=state, evaluate=evaluate)

    return write


def tall(shape: list[int]) -> torch.Tensor:
    return torch.tensor(shape).view(2, 1)


for dtype in (torch.bfloat16, torch.float16, torch.float32):
    KIND.add(f"two of four, {dtype}", _two_of_four(dtype, "", tall))
KIND.add("two of four, the whole name of the weight", _two_of_four(torch.float16, ".weight", tall))
KIND.add("two of four, the shape as a vector", _two_of_four(torch.float16, "", torch.tensor))


def _wrong_two_of_four(change: Callable[[State], None]) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        draws = Draws(121)
        weight, mask = draws.weight(16, 32), two_of_four(draws, 16, 32)
        bits = torch.from_numpy(np.packbits(mask.numpy(), axis=-1, bitorder="little"))
        state = {"q.compressed": weight[mask].view(16, 16), "q.bitmask": bits, "q.shape": tall([16, 32])}
        change(state)
        save_file(state, folder / "a.safetensors")
        return refused(r"\bq\b", source="a.safetensors")

    return write


def more_bits(state: State) -> None:
    state["q.bitmask"][0, 0] = 255


def fewer_values(state: State) -> None:
    state["q.compressed"] = state["q.compressed"][:, :-1].clone()


def another_shape(state: State) -> None:
    state["q.shape"] = tall([16, 40])


KIND.add("two of four, a bit too many", _wrong_two_of_four(more_bits))
KIND.add("two of four, too few values", _wrong_two_of_four(fewer_values))
KIND.add("two of four, another shape", _wrong_two_of_four(another_shape))


@KIND
def owners_of_weights(folder: Path) -> Outcome:
    """PackNet: the network as it is, or a task for every owner; owners 1 to t are kept for task t."""
    draws = Draws(122)
    weight = draws.weight(9, 7)
    owners = torch.randint(0, 4, (9, 7), generator=draws.generator).to(torch.uint8)
    save(folder, {"model": {"fc.weight": weight}, "previous_masks": {"fc.weight": owners}})
    tasks = {f"{t}": {"fc.weight": masked(weight, (owners >= 1) & (owners <= t))} for t in (1, 2, 3)}
    outcome = either(right({"fc.weight": weight}, notes="previous_masks"), right(tasks))
    return or_refused(outcome, "previous_masks|owner")


@KIND
def owners_given_as_masks(folder: Path) -> Outcome:
    draws = Draws(123)
    save(folder, {"fc.weight": draws.weight(9, 7)})
    save(folder, {"fc.weight": torch.randint(0, 4, (9, 7), generator=draws.generator).to(torch.uint8)}, "m.pt")
    return refused(r"0 and 1|owner", "--masks", "m.pt")


@KIND
def masks_of_tasks_under_numbers(folder: Path) -> Outcome:
    """WSN: scores w_m and b_m in the network, a mask for every task beside it."""
    draws = Draws(124)
    weight, bias, scores = draws.weight(9, 7), draws.weight(9), draws.weight(9, 7)
    masks = {task: {"fc.weight": draws.mask(9, 7).to(torch.uint8), "fc.bias": None} for task in range(2)}
    state = {"fc.weight": weight, "fc.bias": bias, "fc.w_m": scores}
    save(folder, {"model": state, "per_task_masks": masks})
    tasks = {}
    for task, own in masks.items():
        mask = own["fc.weight"]
        assert mask is not None
        tasks[f"{task}"] = {**state, "fc.weight": masked(weight, mask)}
    without = {task: {name: t for name, t in own.items() if name != "fc.w_m"} for task, own in tasks.items()}
    outcome = either(right(tasks), right(without), right(state, notes="per_task_masks"))
    return or_refused(outcome, "per_task_masks|task|--key")


@KIND
def a_network_beside_scores_of_subnetworks(folder: Path) -> Outcome:
    """WSN without its masks: w_m and b_m are not in the way."""
    draws = Draws(125)
    state = {"fc.weight": draws.weight(9, 7), "fc.w_m": draws.weight(9, 7), "fc.b_m": draws.weight(9)}
    save(folder, state)
    return right(state, checkpoint=state, evaluate=flat)
