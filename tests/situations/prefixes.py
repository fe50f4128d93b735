"""Prefixes of wrappers: DataParallel's and torch.compile's, in any order, on all names or on some."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from ..layouts.rules import edge_popup
from .situation import Draws, Kind, Outcome, State, flat, layers_under, masked, or_refused, refused, right, save

KIND = Kind("prefixes")
STRIP = "--strip-prefix"
MIXED = "--mixed-prefixes"
PREFIXES = (
    "module.",
    "_orig_mod.",
    "_orig_mod.module.",
    "module._orig_mod.",
    "module.module.",
    "_orig_mod._orig_mod.",
    "module._orig_mod.module.",
    "_orig_mod.module._orig_mod.",
)


def network() -> State:
    draws = Draws(171)
    return {"conv.weight": draws.pruned(6, 3, 3, 3), "fc.0.weight": draws.pruned(9, 7), "fc.0.bias": draws.weight(9)}


def prefixed(state: State, prefix: str) -> State:
    return {prefix + name: tensor for name, tensor in state.items()}


def _stripped(prefix: str, under: str | None) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        state = prefixed(network(), prefix)
        checkpoint = {under: state} if under else state
        save(folder, {**checkpoint, "epoch": 3})

        def evaluate(made: State) -> State:
            return {name.removeprefix(prefix): tensor for name, tensor in flat(made).items()}

        return right(network(), STRIP, checkpoint=checkpoint, evaluate=evaluate)

    return write


def _as_it_is(prefix: str) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        state = prefixed(network(), prefix)
        save(folder, state)
        return right(state, checkpoint=state)

    return write


for prefix in PREFIXES:
    KIND.add(f"{prefix} stripped", _stripped(prefix, None))
    KIND.add(f"{prefix} stripped, under model", _stripped(prefix, "model"))
    KIND.add(f"{prefix} left", _as_it_is(prefix))


def _scored(prefix: str) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        draws = Draws(172)
        weight, scores = draws.weight(9, 7), draws.weight(9, 7)
        state = {"fc.weight": weight, "fc.scores": scores, "bn.bias": draws.weight(9)}
        save(folder, {"state_dict": prefixed(state, prefix)})
        dense = {"fc.weight": masked(weight, edge_popup(scores, 0.5)), "bn.bias": state["bn.bias"]}
        by_scores = layers_under("scores", lambda tensor: edge_popup(tensor, 0.5))

        def evaluate(made: State) -> State:
            effective = by_scores(made)
            return {name.removeprefix(prefix): t for name, t in effective.items() if isinstance(t, torch.Tensor)}

        checkpoint = {"state_dict": prefixed(state, prefix)}
        return right(dense, "--keep", "0.5", STRIP, checkpoint=checkpoint, evaluate=evaluate)

    return write


for prefix in ("module.", "_orig_mod.module.", "module._orig_mod."):
    KIND.add(f"{prefix} before weights and scores", _scored(prefix))


def _mixed(*options: str) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        state = network()
        mixed = {"module." + name if "fc" in name else name: tensor for name, tensor in state.items()}
        save(folder, mixed)
        if MIXED in options and STRIP not in options:
            return right(mixed, *options, checkpoint=mixed)
        return refused("module\\..*(and|others)|prefix", *options)

    return write


KIND.add("some names with a prefix", _mixed())
KIND.add("some names with a prefix, to be stripped", _mixed(STRIP))
KIND.add("some names with a prefix, which is said", _mixed(MIXED))


@KIND
def two_kinds_of_prefixes(folder: Path) -> Outcome:
    """Every name has one, and not the same."""
    state = network()
    mixed = {("_orig_mod." if "fc" in name else "module.") + name: tensor for name, tensor in state.items()}
    save(folder, mixed)
    return refused("prefix|module", STRIP)


@KIND
def a_second_prefix_on_some_names(folder: Path) -> Outcome:
    """One compiled part within a wrapped network: below the common prefix names differ."""
    state = network()
    mixed = {("module._orig_mod." if "fc" in name else "module.") + name: tensor for name, tensor in state.items()}
    save(folder, mixed)
    bare = {name.removeprefix("module."): tensor for name, tensor in mixed.items()}
    return or_refused(right(bare, STRIP), "prefix|_orig_mod")


@KIND
def a_part_of_the_network_is_compiled(folder: Path) -> Outcome:
    """`_orig_mod.` within a name is none before it."""
    state = {"encoder._orig_mod.fc.weight": Draws(173).pruned(9, 7), "head.module.weight": Draws(174).pruned(9, 7)}
    save(folder, state)
    return right(state, STRIP, notes="prefix")


@KIND
def a_child_called_module(folder: Path) -> Outcome:
    state = {"module.weight": Draws(175).pruned(9, 7), "fc.weight": Draws(176).pruned(9, 7)}
    save(folder, state)
    return right(state, MIXED, checkpoint=state)


@KIND
def a_name_that_only_begins_like_a_prefix(folder: Path) -> Outcome:
    state = {"modules.weight": Draws(177).pruned(9, 7), "module_list.0.weight": Draws(178).pruned(9, 7)}
    save(folder, state)
    return right(state, checkpoint=state)


@KIND
def prefixes_of_other_wrappers_stay(folder: Path) -> Outcome:
    draws = Draws(179)
    names = ("_fsdp_wrapped_module.fc.weight", "model.fc._checkpoint_wrapped_module.weight", "net.fc.weight")
    state = {name: draws.pruned(9, 7) for name in names}
    save(folder, state)
    return right(state, STRIP)


@KIND
def tasks_of_which_one_is_wrapped(folder: Path) -> Outcome:
    first = network()
    second = {**first, "fc.0.bias": first["fc.0.bias"] + 1}
    save(folder, first, "one.pt")
    save(folder, prefixed(second, "_orig_mod.module."), "two.pt")
    options = ("--task", "one=one.pt", "--task", "two=two.pt", STRIP)
    return or_refused(right({"one": first, "two": second}, *options, source=""), "prefix|task|layer|tensor")
