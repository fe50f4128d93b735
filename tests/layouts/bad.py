"""Inputs that cannot be packed with what is told: wrong ones, and those that could mean more than one network."""

from __future__ import annotations

import argparse
from typing import Any

import torch
from torch import nn

from . import compressed_tensors, fedpm, lottery_jackpots, open_lth, parametrizations, piggyback, popup, supsup
from .biprop import cases as biprop_cases
from .case import Bad, StateDict, torch_bad
from .hidden_networks import MNIST, nested, plain
from .parts import prefixed
from .torch_prune import l1, pruned

KEEP = 0.4


def _network() -> StateDict:
    return plain(MNIST, KEEP, 300)[0]


def _but(changes: dict[str, torch.Tensor | None]) -> StateDict:
    """The network with other tensors, or without some."""
    state: dict[str, torch.Tensor | None] = {**_network(), **changes}
    return {name: tensor for name, tensor in state.items() if tensor is not None}


def _tied() -> StateDict:
    """Equal scores on both sides of the cut of one layer, over weights that are not zero."""
    state = _network()
    scores = state["fc1.scores"].flatten()
    rising = scores.abs().sort().indices
    first = int((1 - KEEP) * len(scores))  # the first that is kept
    scores[rising[first - 2 : first + 2]] = scores[rising[first]].abs()
    return state


def keep() -> list[Bad]:
    state = _network()
    given = {"keep": KEEP}
    supsup_state, _ = supsup.network(supsup.GEM_RESNET, 2, True, dict.fromkeys(supsup.GEM_RESNET, 0.3), 301)
    part = {"keep": {"conv1.*": 0.4, "conv2.*": 0.4}}
    return [
        torch_bad("edge-popup without keep", {}, nested(state), "no keep"),
        torch_bad("popup_scores without keep", {}, popup.hydra(0.1, 302)[0], "no keep"),
        torch_bad("SupSup without keep", {}, supsup.nested(supsup_state, {}), "no keep"),
        torch_bad("biprop without keep", {"family": "biprop"}, biprop_cases()[0].checkpoint, "no keep"),
        torch_bad("equal scores at the cut", given, _tied(), "a tie at the cut"),
        torch_bad("all scores equal", given, _but({"fc2.scores": torch.ones(10, 12)}), "a tie at the cut"),
        torch_bad(
            "keep pattern that matches nothing", {"keep": {"*": 0.4, "layer9.*": 0.5}}, state, "matches no layer"
        ),
        torch_bad("keep for some layers only", part, state, "no keep for fc1"),
        torch_bad("keep above 1", {"keep": 1.5}, state, "keep is not a fraction"),
        torch_bad("keep that is not a number", {"keep": float("nan")}, state, "keep is not a fraction"),
        torch_bad(
            "NaN among the scores", given, _but({"fc1.scores": torch.full((12, 64), torch.nan)}), "scores are NaN"
        ),
    ]


def names() -> list[Bad]:
    state = _network()
    given = {"keep": KEEP}
    mixed = {f"module.{name}" if name.endswith("weight") else name: tensor for name, tensor in state.items()}
    transposed = state["fc1.scores"].t().contiguous()
    both = _but({"conv1.popup_scores": state["conv1.scores"].clone()})
    layers = {f"module.{name}" if name < "f" else name: tensor for name, tensor in state.items()}
    twins = {**state, **prefixed(plain(MNIST, KEEP, 303)[0], "module.")}
    return [
        torch_bad("module. before the weights only", given, mixed, "scores without a weight: mixed prefixes"),
        torch_bad("module. before half of the layers", given, layers, "mixed prefixes"),
        torch_bad("every name with and without module.", given, twins, "mixed prefixes"),
        torch_bad("scores of another shape", given, _but({"fc1.scores": transposed}), "scores of another shape"),
        torch_bad(
            "scores of fewer dimensions", given, _but({"fc1.scores": state["fc1.scores"].flatten()}), "of another shape"
        ),
        torch_bad("two kinds of scores of one weight", given, both, "two masks of one weight"),
    ]


def explicit() -> list[Bad]:
    """Masks from another file, and masks beside their tensors."""
    state, masks, _ = open_lth.network(open_lth.LENET, 304)
    ints = open_lth.int_masks(masks)
    fc = ints["fc.weight"]
    given: dict[str, tuple[dict[str, torch.Tensor], str]] = {
        "for a tensor that is not there": ({**ints, "fc2.weight": fc}, "no tensor fc2.weight"),
        "of another shape": ({**ints, "fc.weight": fc.t().contiguous()}, "a mask of another shape"),
        "with a 2": ({**ints, "fc.weight": fc * 2}, "a mask beside 0 and 1"),
        "with a half": ({**ints, "fc.weight": fc * 0.5}, "a mask beside 0 and 1"),
        "with a NaN": ({**ints, "fc.weight": torch.full(fc.shape, torch.nan)}, "a mask beside 0 and 1"),
        "with −1": ({**ints, "fc.weight": -fc}, "a mask beside 0 and 1"),
    }
    network, _, _ = pruned(l1, 305)
    parts = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    twice = _network()
    return [
        *(torch_bad(f"masks {what}", {"masks": m}, state, reason) for what, (m, reason) in given.items()),
        torch_bad(
            "masks for a network of scores",
            {"masks": {"fc1.weight": twice["fc1.scores"] > 0}},
            twice,
            "two masks of one weight",
        ),
        *(
            torch_bad(f"torch prune, {what}", {}, {**parts, "0.weight_mask": mask}, reason)
            for what, mask, reason in (
                ("mask of another shape", parts["0.weight_mask"][:-1], "a mask of another shape"),
                ("mask with a half", parts["0.weight_mask"] * 0.5, "a mask beside 0 and 1"),
            )
        ),
        torch_bad(
            "torch prune, the dense tensor beside the pruned one",
            {},
            {**parts, "0.weight": parts["0.weight_orig"]},
            "0.weight is there twice",
        ),
    ]


def unsafe() -> list[Bad]:
    """Return inputs that torch.load refuses with weights_only=True."""
    state, _ = supsup.network(supsup.LENET, 2, False, None, 306)
    threshold = {"rule": "threshold", "threshold": 0.0}
    args = argparse.Namespace(sparsity=0.5, num_tasks=2, multigpu=[0])
    net, tensors = piggyback.backbone(piggyback.ResNet, 307)
    packed = piggyback.packed(net, {"flowers": 0.9}, False, 308)
    packed["dataset2classifiers"] = {"flowers": nn.Linear(12, 7)}
    whole = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(5, 6))
    return [
        torch_bad(
            "SupSup as published, args is a Namespace",
            threshold,
            supsup.nested(state, args),
            "argparse.Namespace in the file",
        ),
        torch_bad(
            "piggyback as published, pickled classifiers", {"backbone": tensors}, packed, "a pickled module in the file"
        ),
        torch_bad("a whole pickled module", {}, whole, "a pickled module"),
        torch_bad(
            "a whole pickled module beside args", {}, {"model": whole, "args": args, "epoch": 1}, "a pickled module"
        ),
    ]


def bernoulli() -> list[Bad]:
    state = fedpm.network(309)
    reason = "logits of Bernoulli masks, no rule"
    return [
        torch_bad("FedPM logits without a rule", {"family": "fedpm"}, state, reason),
        torch_bad("FedPM logits without a rule or a family", {}, state, reason),
        torch_bad("FedPM logits without a threshold", {"family": "fedpm", "rule": "sigmoid"}, state, "no threshold"),
        torch_bad(
            "FedPM, logits of another shape",
            {"family": "fedpm", "rule": "sigmoid", "threshold": 0.5},
            {**state, "conv1.mask": state["conv1.mask"][:-1]},
            "scores of another shape",
        ),
    ]


def backbones() -> list[Bad]:
    network, tensors = piggyback.backbone(piggyback.ResNet, 310)
    checkpoint: Any = piggyback.packed(network, {"flowers": 0.9}, False, 311)
    _, vgg = piggyback.backbone(piggyback.VGG, 312)
    wider = {name: torch.cat([t, t]) if name == "layer1.0.conv2.weight" else t for name, t in tensors.items()}
    index = next(iter(checkpoint["dataset2masks"]["flowers"]))
    masks = checkpoint["dataset2masks"]["flowers"]
    odd = {"dataset2masks": {"flowers": {**masks, index: masks[index] * 3}}}
    more = {"dataset2masks": {"flowers": {**masks, 99: masks[index]}}}
    given = {"backbone": tensors}
    return [
        torch_bad("piggyback without a backbone", {}, checkpoint, "no backbone"),
        torch_bad(
            "piggyback with another network's backbone", {"backbone": vgg}, checkpoint, "a mask of another shape"
        ),
        torch_bad(
            "piggyback with a backbone of other shapes", {"backbone": wider}, checkpoint, "a mask of another shape"
        ),
        torch_bad("piggyback with more masks than weights fit", given, more, "a mask of another shape"),
        torch_bad("piggyback, mask with a 3", given, odd, "a mask beside 0, 1 and 255"),
    ]


def everything() -> list[Bad]:
    own = [*open_lth.bad(), *parametrizations.bad(), *compressed_tensors.bad(), *lottery_jackpots.bad()]
    return [*keep(), *names(), *explicit(), *unsafe(), *bernoulli(), *backbones(), *own]
