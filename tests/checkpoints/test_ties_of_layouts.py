"""Names that share memory, in layouts that are no two layers of one state_dict: the rest of `test_ties`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import pemncodec
from pemncodec.nn import mask_network

from .test_ties import KEEP, LAYERS, SHAPE, assert_same, edge_popup, masked


@pytest.mark.parametrize("second", ["tied", "other", "none"])
def test_one_threshold_over_tied_scores(second: str) -> None:
    """biprop's global rule: scores that two layers share are counted for both."""
    g = torch.Generator().manual_seed(4)
    weights = [torch.randn(SHAPE, generator=g) for _ in range(2)]
    first = torch.randn(SHAPE, generator=g)
    other = {"tied": first, "other": torch.randn(SHAPE, generator=g)}.get(second)
    state = {"enc.weight": weights[0], "enc.scores": first, "dec.weight": weights[other is not first and 1]}
    if other is not None:
        state["dec.scores"] = other
    every = torch.cat([tensor.abs().flatten() for name, tensor in state.items() if "scores" in name]).sort().values
    cut = every[int((1 - 0.3) * len(every)) - 1]
    expected = {}
    for layer in LAYERS:
        weight = state[f"{layer}.weight"]
        expected[f"{layer}.weight"] = weight
        if f"{layer}.scores" in state:
            mask = state[f"{layer}.scores"].abs() > cut
            alpha = torch.sum(weight.abs() * mask) / int(mask.sum())
            expected[f"{layer}.weight"] = masked(torch.sign(weight) * alpha, mask)
    assert_same(expected, pemncodec.load(pemncodec.save(state, keep=0.3, rule="global", family="biprop")))


@pytest.mark.parametrize("masks", ["two", "one for both", "one, of enc"])
def test_a_masks_file_and_one_weight_under_two_names(masks: str, tmp_path: Path) -> None:
    g = torch.Generator().manual_seed(5)
    weight = torch.randn(SHAPE, generator=g)
    first = torch.rand(SHAPE, generator=g) < 0.5
    given = {"enc.weight": first}
    if masks != "one, of enc":
        given["dec.weight"] = first if masks == "one for both" else torch.rand(SHAPE, generator=g) < 0.5
    state = {"enc.weight": weight, "dec.weight": weight, "visible": first}
    expected = {name: masked(t, given[name]) if name in given else t for name, t in state.items()}
    assert_same(expected, pemncodec.load(pemncodec.save(state, masks=given)))

    level = tmp_path / "level_1"
    level.mkdir()
    torch.save({name: mask.int() for name, mask in given.items()}, level / "mask.pth")
    torch.save(state, level / "model_ep3_it0.pth")
    pemncodec.save_file(pemncodec.load_checkpoint(level), tmp_path / "a.pemn")
    assert_same(expected, pemncodec.load_file(tmp_path / "a.pemn"))


@pytest.mark.parametrize("tied", ["weight", "mask", "both", "weight of a layer without a mask"])
def test_tickets_in_files_of_their_own(tied: str, tmp_path: Path) -> None:
    """Google's folders: equal arrays, a file each."""
    g = torch.Generator().manual_seed(6)
    weights = [torch.randn(SHAPE, generator=g) for _ in range(2)]
    masks = [(torch.rand(SHAPE, generator=g) < 0.5).double() for _ in range(2)]
    if "weight" in tied or tied == "both":
        weights[1] = weights[0]
    if tied in ("mask", "both"):
        masks[1] = masks[0]
    alone = "without" in tied
    expected = {}
    for folder in ("initial", "final", "masks"):
        (tmp_path / "run" / folder).mkdir(parents=True)
    for number, (weight, mask) in enumerate(zip(weights, masks, strict=True)):
        dense = alone and number == 1
        value = weight if dense else weight * mask.float()
        for folder in ("initial", "final"):
            np.save(tmp_path / "run" / folder / f"layer{number}.npy", value.numpy())
        if not dense:
            np.save(tmp_path / "run" / "masks" / f"layer{number}.npy", mask.numpy())
        expected[f"layer{number}"] = weight if dense else masked(weight, mask)
    pemncodec.save_file(pemncodec.load_checkpoint(tmp_path / "run"), tmp_path / "a.pemn")
    assert_same(expected, pemncodec.load_file(tmp_path / "a.pemn"))


@pytest.mark.parametrize("tied", ["weight", "mask", "both", "weight with the classifier"])
def test_masks_over_a_backbone_that_ties_layers(tied: str) -> None:
    """piggyback's packed masks; 255 negates."""
    g = torch.Generator().manual_seed(7)
    weight = torch.randn(12, 12, generator=g)
    other = torch.randn(12, 12, generator=g)
    backbone = {
        "features.0.weight": weight,
        "features.1.weight": other if tied == "mask" else weight,
        "classifier.weight": weight if "classifier" in tied else torch.randn(12, 12, generator=g),
    }
    first = torch.randint(0, 3, (12, 12), generator=g)
    second = first if tied in ("mask", "both") else torch.randint(0, 3, (12, 12), generator=g)
    packed = {1: torch.where(first == 2, 255, first).to(torch.uint8)}
    packed[2] = packed[1] if second is first else torch.where(second == 2, 255, second).to(torch.uint8)
    expected = dict(backbone)
    for name, codes in (("features.0.weight", first), ("features.1.weight", second)):
        signed = torch.where(codes == 2, -backbone[name], backbone[name])
        expected[name] = masked(signed, codes != 0)
    data = pemncodec.save({"dataset2masks": {"cars": packed}}, backbone=backbone)
    assert_same(expected, pemncodec.load(data, task="cars"))


@pytest.mark.parametrize("flat_first", [False, True])
def test_zeros_of_a_weight_that_a_vector_looks_at(flat_first: bool) -> None:
    """Zeros of a matrix are a mask, those of a vector over the same memory are values: −0.0 is kept in one of them."""
    g = torch.Generator().manual_seed(8)
    weight = torch.randn(SHAPE, generator=g) * (torch.rand(SHAPE, generator=g) < 0.4)  # −0.0 where a negative one was
    assert int((weight.view(torch.int32) == -(1 << 31)).sum()) > 10
    names = ["flat", "enc.weight", "dec.weight"] if flat_first else ["enc.weight", "flat", "dec.weight"]
    tensors = {"enc.weight": weight, "dec.weight": weight, "flat": weight.view(-1)}
    dense = masked(weight, weight != 0)
    expected = {"enc.weight": dense, "dec.weight": dense, "flat": weight.view(-1)}
    assert_same(expected, pemncodec.load(pemncodec.save({name: tensors[name] for name in names})))


# --- the layers of this package --------------------------------------------------------------------------------------


def own_network(strategy: str, scope: str | None = None, keep: float = KEEP) -> Any:
    """Two masked layers, their scores drawn from one seed."""
    with torch.random.fork_rng():
        torch.manual_seed(9)
        network = nn.ModuleDict({layer: nn.Linear(8, 20, bias=False) for layer in LAYERS})
        return mask_network(network, strategy=strategy, keep=keep, seed=3, scope=scope)


@pytest.mark.parametrize("strategy", ["full", "one-layer"])
@pytest.mark.parametrize("tied", ["nothing", "scores", "recipe", "scores and recipe"])
def test_own_layers(strategy: str, tied: str) -> None:
    """The values are made anew from a network that keeps all of them, the masks by edge-popup."""
    state = dict(own_network(strategy).state_dict())
    for part, end in (("scores", "original"), ("recipe", "0.recipe")):
        if part in tied and (part == "scores" or strategy == "one-layer"):  # else the recipes differ
            state[f"dec.parametrizations.weight.{end}"] = state[f"enc.parametrizations.weight.{end}"]
    state["visible"] = state["enc.parametrizations.weight.original"]
    everything = own_network(strategy, keep=1.0)
    expected = {"visible": state["visible"]}
    for layer in LAYERS:
        values = everything[layer].weight.detach()
        expected[f"{layer}.weight"] = edge_popup(KEEP, values, state[f"{layer}.parametrizations.weight.original"])
    assert_same(expected, pemncodec.load(pemncodec.save(state)))


def test_own_layer_beside_its_values_without_a_mask() -> None:
    state = dict(own_network("one-layer", scope="enc").state_dict())
    values = own_network("one-layer", keep=1.0)["enc"].weight.detach()
    state["dec.weight"] = values
    scores = state["enc.parametrizations.weight.original"]
    expected = {"enc.weight": edge_popup(KEEP, values, scores), "dec.weight": values}
    assert_same(expected, pemncodec.load(pemncodec.save(state)))
