"""Masks in other files, or under other keys of the same file."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from .situation import Draws, Kind, Outcome, State, either, flat, masked, or_refused, refused, right, save

KIND = Kind("mask files")


def network(seed: int = 131) -> tuple[State, State, State]:
    """A dense state_dict, masks of two of its weights, the effective tensors."""
    draws = Draws(seed)
    state = {
        "conv.weight": draws.weight(6, 3, 3, 3),
        "conv.bias": draws.weight(6),
        "norm.weight": draws.weight(6),
        "fc.weight": draws.weight(10, 6),
        "fc.bias": draws.weight(10),
        "out.weight": draws.weight(4, 10),
    }
    masks = {name: draws.mask(*state[name].shape) for name in ("conv.weight", "fc.weight")}
    return state, masks, {name: masked(t, masks[name]) if name in masks else t for name, t in state.items()}


def prefixed(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {prefix + name: tensor for name, tensor in state.items()}


def under(masks: State) -> Callable[[Any], State]:
    """Of a checkpoint that lacks its masks: these."""

    def evaluate(checkpoint: Any) -> State:
        return {name: masked(t, masks[name]) if name in masks else t for name, t in flat(checkpoint).items()}

    return evaluate


# --- formats ---------------------------------------------------------------------------------------------------------


def as_dict(folder: Path, masks: State) -> str:
    save(folder, masks, "m.pt")
    return "m.pt"


def as_safetensors(folder: Path, masks: State) -> str:
    save_file({name: mask.to(torch.uint8) for name, mask in masks.items()}, folder / "m.safetensors")
    return "m.safetensors"


def as_npz(folder: Path, masks: State) -> str:
    keywords: dict[str, Any] = {name: mask.numpy() for name, mask in masks.items()}
    np.savez(folder / "m.npz", **keywords)
    return "m.npz"


def as_compressed_npz(folder: Path, masks: State) -> str:
    keywords: dict[str, Any] = {name: mask.float().numpy() for name, mask in masks.items()}
    np.savez_compressed(folder / "m.npz", **keywords)
    return "m.npz"


FORMATS: dict[str, Callable[[Path, State], str]] = {
    "torch": as_dict,
    "safetensors": as_safetensors,
    "npz": as_npz,
    "npz, compressed": as_compressed_npz,
}


def _format(writer: Callable[[Path, State], str]) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        state, masks, dense = network()
        save(folder, {"state_dict": state, "epoch": 3})
        file = writer(folder, masks)
        return right(dense, "--masks", file, checkpoint={"state_dict": state}, evaluate=under(masks))

    return write


for title, writer in FORMATS.items():
    KIND.add(title, _format(writer))


@KIND
def a_pickle_of_arrays_by_name(folder: Path) -> Outcome:
    state, masks, dense = network()
    save(folder, state)
    with (folder / "m.pkl").open("wb") as file:
        pickle.dump({name: mask.numpy().astype(np.float64) for name, mask in masks.items()}, file)
    return right(dense, "--masks", "m.pkl", "--unsafe-pickle")


def _listed(file: str, *options: str, nones: bool = False) -> Callable[[Path], Outcome]:
    """A mask for every weight of two or more dimensions, in order; which is which is not said by a name."""

    def write(folder: Path) -> Outcome:
        state, masks, dense = network()
        masks["out.weight"] = torch.ones(4, 10, dtype=torch.bool)
        save(folder, state)
        order = [masks.get(name) for name in state if nones or name in masks]
        if file == "m.pt":
            save(folder, order, file)
        elif file == "m.pkl":
            arrays = [None if mask is None else mask.numpy().astype(np.float64) for mask in order]
            (folder / file).write_bytes(pickle.dumps(arrays))
        else:
            keywords: dict[str, Any] = {f"arr_{i}": mask.numpy() for i, mask in enumerate(order) if mask is not None}
            np.savez(folder / file, **keywords)
        return or_refused(right(dense, "--masks", file, *options), "list|name|order|arr_0|position|number")

    return write


KIND.add("a list", _listed("m.pt"))
KIND.add("a list with None", _listed("m.pt", nones=True))
KIND.add("a pickled list of arrays with None", _listed("m.pkl", "--unsafe-pickle", nones=True))
KIND.add("npz without names", _listed("m.npz"))


@KIND
def a_list_of_too_few(folder: Path) -> Outcome:
    state, masks, _ = network()
    save(folder, state)
    save(folder, [masks["conv.weight"]], "m.pt")
    return refused("list|name|order|mask", "--masks", "m.pt")


@KIND
def a_list_in_another_order(folder: Path) -> Outcome:
    """Shapes that do not follow the order of the weights."""
    state, masks, _ = network()
    save(folder, state)
    save(folder, [torch.ones(4, 10), masks["fc.weight"], masks["conv.weight"]], "m.pt")
    return refused("list|name|order|mask", "--masks", "m.pt")


@KIND
def one_npy(folder: Path) -> Outcome:
    state, masks, dense = network()
    save(folder, {"fc.weight": state["fc.weight"], "fc.bias": state["fc.bias"]})
    np.save(folder / "m.npy", masks["fc.weight"].numpy())
    tensors = {name: dense[name] for name in ("fc.weight", "fc.bias")}
    return or_refused(right(tensors, "--masks", "m.npy"), "npy|name")


@KIND
def npz_with_objects(folder: Path) -> Outcome:
    """They are pickles, and not read."""
    state, _, _ = network()
    save(folder, state)
    keywords: dict[str, Any] = {"fc.weight": np.array([None, 1], dtype=object)}
    np.savez(folder / "m.npz", **keywords)
    (folder / "m.bin").write_bytes((folder / "m.npz").read_bytes())  # the content decides
    return refused(r"m\.bin|fc\.weight|object|pickle", "--masks", "m.bin")


# --- names -----------------------------------------------------------------------------------------------------------


@KIND
def nni(folder: Path) -> Outcome:
    state, masks, dense = network()
    save(folder, state, "model.pth")
    modules = {
        "conv": {"weight": masks["conv.weight"].float(), "bias": None},
        "fc": {"weight": masks["fc.weight"].float(), "bias": torch.ones(10)},
    }
    save(folder, modules, "mask.pth")
    return right(dense, "--masks", "mask.pth", source="model.pth", checkpoint=state, evaluate=under(masks))


@KIND
def nni_with_masks_of_biases(folder: Path) -> Outcome:
    state, masks, dense = network()
    save(folder, state, "model.pth")
    bias = Draws(132).mask(6)
    save(folder, {"conv": {"weight": masks["conv.weight"].float(), "bias": bias.float()}}, "mask.pth")
    expected = {**state, "conv.weight": dense["conv.weight"], "conv.bias": masked(state["conv.bias"], bias)}
    return right(expected, "--masks", "mask.pth", source="model.pth")


@KIND
def nni_of_a_module_within_modules(folder: Path) -> Outcome:
    draws = Draws(133)
    state = {"layer1.0.conv1.weight": draws.weight(6, 3, 3, 3), "layer1.0.conv2.weight": draws.weight(6, 6, 1, 1)}
    masks = {name.removesuffix(".weight"): draws.mask(*tensor.shape).float() for name, tensor in state.items()}
    save(folder, prefixed(state, "module."))
    save(folder, {name: {"weight": mask, "bias": None} for name, mask in masks.items()}, "mask.pth")
    dense = {name: masked(tensor, masks[name.removesuffix(".weight")]) for name, tensor in state.items()}
    return right(prefixed(dense, "module."), "--masks", "mask.pth")


def _one_side(model: str, file: str, strip: bool) -> Callable[[Path], Outcome]:
    """DataParallel's prefix (or torch.compile's) on one side only."""

    def write(folder: Path) -> Outcome:
        state, masks, dense = network()
        save(folder, {"state_dict": prefixed(state, model)})
        save(folder, prefixed(masks, file), "m.pt")
        tensors = dense if strip else prefixed(dense, model)
        return right(tensors, "--masks", "m.pt", *(["--strip-prefix"] if strip else []))

    return write


for model, file in (
    ("module.", ""),
    ("", "module."),
    ("module.", "module."),
    ("_orig_mod.", ""),
    ("", "_orig_mod."),
    ("_orig_mod.module.", ""),
    ("module.", "_orig_mod.module."),
):
    title = f"{model or 'no prefix'} in the checkpoint, {file or 'no prefix'} in the masks"
    KIND.add(title, _one_side(model, file, False))
    if model:
        KIND.add(f"{title}, stripped", _one_side(model, file, True))


@KIND
def names_of_modules(folder: Path) -> Outcome:
    state, masks, dense = network()
    save(folder, state)
    save(folder, {name.removesuffix(".weight"): mask for name, mask in masks.items()}, "m.pt")
    return or_refused(right(dense, "--masks", "m.pt"), "conv|fc")


@KIND
def names_with_an_end_of_their_own(folder: Path) -> Outcome:
    state, masks, dense = network()
    save(folder, state)
    save(folder, {f"{name}_mask": mask for name, mask in masks.items()}, "m.pt")
    return or_refused(right(dense, "--masks", "m.pt"), r"conv\.weight_mask|fc\.weight_mask")


@KIND
def masks_within_a_dictionary(folder: Path) -> Outcome:
    state, masks, dense = network()
    save(folder, state)
    save(folder, {"masks": masks, "epoch": 3, "sparsity": 0.5}, "m.pt")
    return or_refused(right(dense, "--masks", "m.pt"), "masks|epoch|sparsity")


@KIND
def a_mask_of_nothing(folder: Path) -> Outcome:
    state, masks, _ = network()
    save(folder, state)
    save(folder, {**masks, "conv9.weight": torch.ones(6, 6)}, "m.pt")
    return refused(r"conv9\.weight", "--masks", "m.pt")


@KIND
def a_mask_of_another_shape(folder: Path) -> Outcome:
    state, masks, _ = network()
    save(folder, state)
    save(folder, {**masks, "fc.weight": torch.ones(10, 5)}, "m.pt")
    return refused(r"fc\.weight", "--masks", "m.pt")


@KIND
def a_mask_transposed(folder: Path) -> Outcome:
    """As of a framework whose matrices are inputs × outputs."""
    state, masks, _ = network()
    save(folder, state)
    save(folder, {"fc.weight": masks["fc.weight"].t()}, "m.pt")
    return refused(r"fc\.weight", "--masks", "m.pt")


@KIND
def a_mask_of_channels(folder: Path) -> Outcome:
    state, _, _ = network()
    mask = Draws(134).mask(6, 1, 1, 1)
    save(folder, state)
    save(folder, {"conv.weight": mask.float()}, "m.pt")
    return right({**state, "conv.weight": masked(state["conv.weight"], mask)}, "--masks", "m.pt")


@KIND
def a_mask_of_other_numbers(folder: Path) -> Outcome:
    state, masks, _ = network()
    save(folder, state)
    save(folder, {"fc.weight": masks["fc.weight"] * 0.5}, "m.pt")
    return refused(r"0 and 1", "--masks", "m.pt")


@KIND
def masks_of_tasks_in_one_file(folder: Path) -> Outcome:
    state, masks, dense = network()
    save(folder, state)
    save(folder, {0: masks, 1: {name: torch.ones(mask.shape) for name, mask in masks.items()}}, "m.pt")
    return or_refused(right({"0": dense, "1": state}, "--masks", "m.pt"), "task|key|0")


@KIND
def a_masks_file_and_masks_in_the_file(folder: Path) -> Outcome:
    """Nothing says which of the two masks counts."""
    state, masks, _ = network()
    own = {"fc.mask": Draws(135).mask(10, 6).float()}
    save(folder, {**state, **own})
    save(folder, masks, "m.pt")
    return refused("mask", "--masks", "m.pt")


@KIND
def a_masks_file_for_every_task(folder: Path) -> Outcome:
    state, masks, dense = network()
    save(folder, state, "one.pt")
    save(folder, {**state, "fc.bias": state["fc.bias"] + 1}, "two.pt")
    save(folder, masks, "m.pt")
    tasks = {"one": dense, "two": {**dense, "fc.bias": state["fc.bias"] + 1}}
    options = ("--task", "one=one.pt", "--task", "two=two.pt", "--masks", "m.pt")
    return or_refused(right(tasks, *options, source=""), "mask|task")


# --- under another key of the same file -----------------------------------------------------------------------------


def _same_file(key: str, model: str, file: str, wrap: str | None = "state_dict") -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        state, masks, dense = network()
        given = prefixed({name: mask.float() for name, mask in masks.items()}, file)
        network_ = prefixed(state, model)
        checkpoint = {wrap: network_, key: given} if wrap else {**network_, key: given}
        save(folder, {**checkpoint, "epoch": 3})

        def evaluate(made: Any) -> State:
            found = {name: tensor for name, tensor in flat(made).items() if not name.startswith(f"{key}.")}
            stored = made[key]
            for name in found:
                bare = name.removeprefix(model)
                if file + bare in stored:
                    found[name] = masked(found[name], stored[file + bare])
            return found

        return right(prefixed(dense, model), checkpoint=checkpoint, evaluate=evaluate)

    return write


for key in ("mask_dict", "masks_dict", "masks"):
    KIND.add(f"under {key}", _same_file(key, "", ""))
    KIND.add(f"under {key}, module. in the network", _same_file(key, "module.", ""))
    KIND.add(f"under {key}, module. in the masks", _same_file(key, "", "module."))
KIND.add("under masks, the network under model", _same_file("masks", "", "", "model"))
KIND.add("under masks, beside the tensors", _same_file("masks", "", "", None))


@KIND
def a_dictionary_of_masks_with_none(folder: Path) -> Outcome:
    """distiller: a name for every parameter, and None where there is no mask."""
    state, masks, dense = network()
    save(folder, {"state_dict": state, "masks_dict": {name: masks.get(name) for name in state}})
    return right(dense)


@KIND
def nni_in_the_same_file(folder: Path) -> Outcome:
    state, masks, dense = network()
    modules = {name.removesuffix(".weight"): {"weight": mask.float(), "bias": None} for name, mask in masks.items()}
    save(folder, {"state_dict": state, "masks": modules})
    return or_refused(either(right(dense), right(state, notes=r"\bmasks\b")), "masks")


@KIND
def a_list_of_masks_in_the_same_file(folder: Path) -> Outcome:
    state, masks, dense = network()
    masks["out.weight"] = torch.ones(4, 10, dtype=torch.bool)
    save(folder, {"state_dict": state, "mask": [masks[name] for name in state if name in masks]})
    return or_refused(either(right(dense), right(state, notes=r"\bmask\b")), "mask")


@KIND
def a_key_called_masks_that_holds_none(folder: Path) -> Outcome:
    """Attention masks of a data set, say: left out with a word, never multiplied in."""
    state, _, _ = network()
    save(folder, {"state_dict": state, "masks": {"train": torch.ones(50), "test": torch.zeros(50)}})
    return right(state, notes=r"\bmasks\b")


@KIND
def masks_of_the_same_file_for_what_is_not_there(folder: Path) -> Outcome:
    state, masks, _ = network()
    save(folder, {"state_dict": state, "mask_dict": {**masks, "conv9.weight": torch.ones(6, 6)}})
    return refused(r"conv9\.weight")
