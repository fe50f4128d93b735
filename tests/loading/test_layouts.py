"""The generated checkpoints are what they say: each project's rule gives the weights that went into them."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from ..layouts import Bad, Case, ambiguous, cases
from ..layouts.case import StateDict
from ..layouts.rules import dropped_by_edge_popup

ALL = cases()
BAD = ambiguous()
each = pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)


def bits(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


def assert_equal(found: StateDict, expected: StateDict) -> None:
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape), name
        assert bits(found[name]) == bits(tensor), name


def subject(case: Case, folder: Path) -> object:
    """Return the argument of the case's rule: the loaded checkpoint, or the path where the case has no checkpoint."""
    path = case.write(folder)
    return path if case.checkpoint is None else torch.load(path, weights_only=True)


def test_names() -> None:
    names = [case.name for case in ALL] + [bad.name for bad in BAD]
    assert len(set(names)) == len(names)


@each
def test_evaluated(case: Case, tmp_path: Path) -> None:
    found = case.evaluate(subject(case, tmp_path))
    assert list(found) == list(case.effective)
    for task in found:
        assert_equal(found[task], case.effective[task])


@each
def test_masks(case: Case, tmp_path: Path) -> None:
    masks = case.masks(subject(case, tmp_path))
    assert list(masks) == list(case.effective)
    for task, found in masks.items():
        assert found or "masks is empty" in case.name
        for name, mask in found.items():
            tensor = case.effective[task][name]
            assert mask.dtype == torch.bool
            assert mask.shape == tensor.shape
            assert not torch.any(tensor[~mask].abs().view(torch.uint8) != 0), name
            assert not torch.any(torch.signbit(tensor[~mask])), name


@pytest.mark.parametrize(
    "case",
    [case for case in ALL if isinstance(case.options.get("keep"), float) and "rule" not in case.options],
    ids=lambda case: case.name,
)
def test_density(case: Case, tmp_path: Path) -> None:
    keep = case.options["keep"]
    for masks in case.masks(subject(case, tmp_path)).values():
        for name, mask in masks.items():
            assert mask.numel() - int(mask.sum()) == dropped_by_edge_popup(keep, mask.numel()), name


def test_the_same_again() -> None:
    for one, two in zip(ALL, cases(), strict=True):
        assert one.name == two.name
        for task, tensors in one.effective.items():
            assert_equal(two.effective[task], tensors)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_bad_is_written(bad: Bad, tmp_path: Path) -> None:
    path = bad.write(tmp_path)
    assert bad.reason
    assert path.exists()
    if bad.checkpoint is None:
        return
    if "pickled" in bad.reason or "Namespace" in bad.reason:
        with pytest.raises(pickle.UnpicklingError, match="weights_only"):
            torch.load(path, weights_only=True)
    else:
        torch.load(path, weights_only=True)


def written_back(checkpoint: Any, masks: StateDict) -> Any:
    """The checkpoint as a codec can restore it: scores of 0 and 1, nothing of what was dropped."""
    if not isinstance(checkpoint, dict):
        return checkpoint
    found = {key: written_back(value, masks) for key, value in checkpoint.items()}
    for key in found:
        weight = re.sub(r"\b(popup_scores|weight_score|scores|mask)$", "weight", str(key))
        if weight != str(key):
            found[key] = masks[weight].float()
            found[weight] = torch.where(masks[weight], found[weight], 0.0)
    return found


@pytest.mark.parametrize("case", [case for case in ALL if "keep" in case.options], ids=lambda case: case.name)
def test_rules_take_scores_of_0_and_1(case: Case) -> None:
    for task, masks in case.masks(case.checkpoint).items():
        if task == "":
            found = case.evaluate(written_back(case.checkpoint, masks))
            assert_equal(found[task], case.effective[task])
