"""Objects among the tensors of a checkpoint, and around them: arrays, dictionaries, lists, numbers, other keys."""

from __future__ import annotations

import argparse
import pickle
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .situation import (
    Draws,
    Kind,
    Outcome,
    State,
    either,
    flat,
    layers_under,
    masked,
    or_refused,
    refused,
    right,
    save,
)

KIND = Kind("containers")
UNSAFE = "--unsafe-pickle"


def pruned_layer(seed: int = 41) -> State:
    draws = Draws(seed)
    return {"fc.weight": draws.pruned(16, 16), "fc.bias": draws.weight(16)}


# --- dictionaries and lists ----------------------------------------------------------------------------------------


def megatron(state: State) -> dict[str, Any]:
    return {
        "iteration": 1000,
        "checkpoint_version": 3.0,
        "args": None,
        "model": {
            "language_model": {
                "embedding": {"word_embeddings": {"weight": state["fc.weight"]}, "tokentypes": {}},
                "encoder": OrderedDict(
                    {"layers.0.dense.weight": state["fc.weight"] * 2, "final.bias": state["fc.bias"]}
                ),
            },
            "output": state["fc.bias"],
        },
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(16)}}},
        "rng_state": [{"cpu": torch.get_rng_state()}],
    }


@KIND
def dictionaries_in_dictionaries(folder: Path) -> Outcome:
    """As Megatron saves them; keys with dots within."""
    state = pruned_layer()
    checkpoint = megatron(state)
    save(folder, checkpoint)
    model = "language_model"
    dense = {
        f"{model}.embedding.word_embeddings.weight": state["fc.weight"],
        f"{model}.encoder.layers.0.dense.weight": state["fc.weight"] * 2,
        f"{model}.encoder.final.bias": state["fc.bias"],
        "output": state["fc.bias"],
    }
    return right(dense, checkpoint={"model": checkpoint["model"]}, notes="optimizer")


@KIND
def masks_in_nested_dictionaries(folder: Path) -> Outcome:
    draws = Draws(43)
    weight, mask = draws.weight(16, 16), draws.mask(16, 16).float()
    bias = draws.weight(16)
    checkpoint = {"model": {"encoder": {"fc": {"weight": weight, "mask": mask}, "norm.bias": bias}}}
    save(folder, checkpoint)
    dense = {"encoder.fc.weight": masked(weight, mask), "encoder.norm.bias": bias}
    return right(dense, checkpoint=checkpoint, evaluate=layers_under("mask"))


@KIND
def dotted_keys_beside_dictionaries(folder: Path) -> Outcome:
    state = pruned_layer()
    checkpoint = {"model": {"b.c": {"d.e": state["fc.weight"], "f": {"g": state["fc.bias"]}}, "h.i": state["fc.bias"]}}
    save(folder, checkpoint)
    dense = {"b.c.d.e": state["fc.weight"], "b.c.f.g": state["fc.bias"], "h.i": state["fc.bias"]}
    return right(dense, checkpoint=checkpoint)


@KIND
def a_dotted_key_that_could_lie_within_its_neighbour(folder: Path) -> Outcome:
    state = pruned_layer()
    checkpoint = {"model": {"a": {"x": state["fc.weight"]}, "a.y": state["fc.bias"]}}
    save(folder, checkpoint)
    dense = {"a.x": state["fc.weight"], "a.y": state["fc.bias"]}
    return or_refused(right(dense, checkpoint=checkpoint), r"a\.y")


@KIND
def two_paths_of_one_dotted_name(folder: Path) -> Outcome:
    state = pruned_layer()
    save(folder, {"model": {"a": {"b": state["fc.weight"]}, "a.b": state["fc.bias"], "c": state["fc.bias"]}})
    return refused(r"a\.b")


@KIND
def a_number_and_its_text_as_keys(folder: Path) -> Outcome:
    state = pruned_layer()
    save(folder, {"model": {"layers": {0: state["fc.weight"], "0": state["fc.bias"]}}})
    return refused(r"layers\.0")


@KIND
def numbers_as_keys_of_layers(folder: Path) -> Outcome:
    layers = {number: pruned_layer(50 + number) for number in range(3)}
    checkpoint = {"model": {"layers": layers, "norm": torch.ones(16)}}
    save(folder, checkpoint)
    dense = {f"layers.{number}.{name}": t for number, state in layers.items() for name, t in state.items()}
    return right({**dense, "norm": torch.ones(16)}, checkpoint=checkpoint)


@KIND
def a_state_dict_for_every_client(folder: Path) -> Outcome:
    clients = {number: pruned_layer(60 + number) for number in range(3)}
    save(folder, clients)
    return right(clients[1], "--key", "1", checkpoint={1: clients[1]}, evaluate=lambda made: flat(made[1]))


@KIND
def state_dicts_of_clients_and_no_key(folder: Path) -> Outcome:
    clients = {number: pruned_layer(60 + number) for number in range(3)}
    save(folder, clients)
    dotted = {f"{number}.{name}": tensor for number, state in clients.items() for name, tensor in state.items()}
    return or_refused(right(dotted), "--key")


@KIND
def two_networks_and_no_key(folder: Path) -> Outcome:
    networks = {"generator": pruned_layer(44), "discriminator": pruned_layer(45)}
    save(folder, {**networks, "epoch": 3})
    dotted = {f"{name}.{key}": tensor for name, state in networks.items() for key, tensor in state.items()}
    return or_refused(right(dotted), "--key")


@KIND
def two_networks_and_a_key(folder: Path) -> Outcome:
    networks = {"generator": pruned_layer(44), "discriminator": pruned_layer(45)}
    save(folder, {**networks, "epoch": 3})
    name = "discriminator"
    outcome = right(networks[name], "--key", name, checkpoint={name: networks[name]}, notes="generator")
    return outcome.also(evaluate=lambda made: flat(made[name]))


@KIND
def an_average_beside_the_network(folder: Path) -> Outcome:
    state = pruned_layer()
    save(folder, {"state_dict": state, "ema_state_dict": pruned_layer(46), "epoch": 3, "optimizer": {"state": {}}})
    return right(state, checkpoint={"state_dict": state}, notes="ema_state_dict")


@KIND
def two_of_the_usual_places(folder: Path) -> Outcome:
    first, second = pruned_layer(47), pruned_layer(48)
    save(folder, {"state_dict": first, "model": second})
    return or_refused(either(right(first), right(second)), "--key")


@KIND
def a_flat_network_beside_its_optimizer(folder: Path) -> Outcome:
    state = pruned_layer()
    save(folder, {**state, "optimizer": {"state": {0: {"momentum": torch.ones(3)}}, "lr": 0.1}, "epoch": 3})
    outcome = right(state, notes="optimizer")
    return or_refused(either(outcome, right({**state, "optimizer.state.0.momentum": torch.ones(3)})), "--key|optimizer")


def _sequence(kind: type[list[Any]] | type[tuple[Any, ...]]) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        state = pruned_layer()
        checkpoint = {"model": {"experts": kind([state["fc.weight"], state["fc.bias"]]), "norm": torch.ones(4)}}
        save(folder, checkpoint)
        dense = {"experts.0": state["fc.weight"], "experts.1": state["fc.bias"], "norm": torch.ones(4)}
        return or_refused(right(dense, checkpoint=checkpoint), "experts")

    return write


KIND.add("a list of tensors", _sequence(list))
KIND.add("a tuple of tensors", _sequence(tuple))


@KIND
def nothing_but_a_list(folder: Path) -> Outcome:
    state = pruned_layer()
    save(folder, list(state.values()))
    return or_refused(right(dict(zip("01", state.values(), strict=True))), "list|dict|names")


@KIND
def state_of_a_module_that_is_no_tensor(folder: Path) -> Outcome:
    """get_extra_state may give anything; here a dictionary that holds scales."""
    state = pruned_layer()
    save(folder, {"state_dict": {**state, "fc._extra_state": {"scale": torch.ones(4), "recipe": "hybrid"}}})
    dense = {**state, "fc._extra_state.scale": torch.ones(4)}
    return or_refused(right(dense), "_extra_state")


@KIND
def an_ordered_dict_with_its_versions(folder: Path) -> Outcome:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        state = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5)).state_dict()
    save(folder, state)
    return right(dict(state), checkpoint=state)


def _default_dict(*options: str) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        state = pruned_layer()
        save(folder, defaultdict(dict, state))
        return right(state, *options) if options else or_refused(right(state), "unsafe-pickle")

    return write


KIND.add("a defaultdict", _default_dict())
KIND.add("a defaultdict, unsafe", _default_dict(UNSAFE))


@KIND
def a_dictionary_that_holds_itself(folder: Path) -> Outcome:
    state: dict[str, Any] = dict(pruned_layer())
    checkpoint = {"model": state}
    state["parent"] = checkpoint
    with (folder / "a.pt").open("wb") as file:
        torch.save(checkpoint, file)
    return or_refused(right(pruned_layer()), "itself|parent|nested|deep|cycl|recurs")


@KIND
def dictionaries_four_hundred_deep(folder: Path) -> Outcome:
    checkpoint: dict[str, Any] = {"w": pruned_layer()["fc.weight"]}
    for _ in range(400):
        checkpoint = {"x": checkpoint}
    save(folder, {"model": checkpoint})
    return or_refused(right({"x." * 400 + "w": pruned_layer()["fc.weight"]}), "nested|deep|long")


# --- what is no tensor -----------------------------------------------------------------------------------------------


@KIND
def nothings_and_texts_and_numbers(folder: Path) -> Outcome:
    state = pruned_layer()
    others: dict[str, Any] = {
        "fc.scale": None,
        "version": 3,
        "name": "net",
        "rate": 0.1,
        "done": True,
        "shape": torch.Size([16, 16]),
        "dtype": torch.float32,
        "device": torch.device("cpu"),
        "classes": ["cat", "dog"],
        "empty": {},
        "none": [],
    }
    save(folder, {"state_dict": {**state, **others}, "epoch": 3})
    return right(state, checkpoint={"state_dict": state})


@KIND
def the_bare_memory_of_a_tensor(folder: Path) -> Outcome:
    """A storage holds numbers, and has no shape."""
    state = pruned_layer()
    save(folder, {**state, "table": torch.ones(6).untyped_storage()})
    return or_refused(right(state, notes="table"), "table")


def _key(key: Any, *names: str) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        state = pruned_layer()
        save(folder, {"model": {**state, key: torch.ones(4)}})
        outcomes = [right({**state, name: torch.ones(4)}) for name in (*names, str(key))]
        return or_refused(either(*outcomes), "key|name", error="PemnError")

    return write


KIND.add("a tuple as a key", _key(("enc", "w"), "enc.w"))
KIND.add("bytes as a key", _key(b"enc", "enc"))
KIND.add("None as a key", _key(None))
KIND.add("a number with a fraction as a key", _key(0.5))
KIND.add("True as a key", _key(True))
KIND.add("an empty key", _key(""))


@KIND
def names_of_every_character(folder: Path) -> Outcome:
    """No name is a path, a line or a colour."""
    names = ["a\nb", "c\x1b[31m", "\u202egnp", "../../etc/passwd", "/abs", "C:\\x", "a b", "é", "e\u0301", "n" * 1000]
    draws = Draws(49)
    state = {name: draws.pruned(6, 6) for name in names}
    save(folder, state)
    return right(state, checkpoint=state)


@KIND
def a_name_longer_than_any(folder: Path) -> Outcome:
    save(folder, {**pruned_layer(), "n" * 3000: torch.ones(3)})
    return refused("name", error="PemnError")


@KIND
def a_name_of_half_a_character(folder: Path) -> Outcome:
    """A lone surrogate cannot be written as UTF-8."""
    state = {**pruned_layer(), "x\ud800": torch.ones(3)}
    with (folder / "a.pkl").open("wb") as file:
        pickle.dump(state, file)
    return refused("name|surrogate", UNSAFE, source="a.pkl", error="PemnError")


@KIND
def arguments_beside(folder: Path) -> Outcome:
    state = pruned_layer()
    save(folder, {"state_dict": state, "args": argparse.Namespace(lr=0.1)})
    return refused("unsafe-pickle", error="UnsafeCheckpointError")


@KIND
def arguments_beside_unsafe(folder: Path) -> Outcome:
    state = pruned_layer()
    save(folder, {"state_dict": state, "args": argparse.Namespace(lr=0.1)})
    return right(state, UNSAFE, checkpoint={"state_dict": state})


@KIND
def a_whole_module(folder: Path) -> Outcome:
    save(folder, nn.Linear(4, 4))
    return refused("unsafe-pickle", error="UnsafeCheckpointError")


@KIND
def a_whole_module_unsafe(folder: Path) -> Outcome:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        module = nn.Linear(4, 4)
    save(folder, module)
    return right({name: tensor.detach() for name, tensor in module.state_dict().items()}, UNSAFE)


@KIND
def no_tensor_at_all(folder: Path) -> Outcome:
    save(folder, {"state_dict": {}, "epoch": 3})
    return refused("no tensor|nothing|empty|no state_dict")
