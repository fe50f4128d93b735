"""Schedules of the fraction that is kept: known answers, and a training that is resumed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import pemncodec
from pemncodec import errors
from pemncodec.nn import KeepSchedule, erdos_renyi, mask_network

from .test_nn import network


def kept(model: nn.Sequential, *layers: int) -> list[float]:
    """The fraction of each layer's weights that is not zero."""
    found: list[Any] = [model[layer] for layer in layers]
    return [(part.weight != 0).double().mean().item() for part in found]


def linear() -> nn.Sequential:
    return mask_network(nn.Sequential(nn.Linear(64, 64, bias=False)), strategy="full", init="signed-constant")


@pytest.mark.parametrize(
    ("options", "fractions"),
    [
        # 1/4 + 3/4 of the cubes of 1, 3/4, 1/2, 1/4 and 0
        ({"steps": 4}, [1.0, 0.56640625, 0.34375, 0.26171875, 0.25, 0.25]),
        ({"steps": 4, "shape": "linear"}, [1.0, 0.8125, 0.625, 0.4375, 0.25, 0.25]),
        ({"steps": 2, "delay": 2, "start": 0.75}, [0.75, 0.75, 0.75, 0.3125, 0.25, 0.25]),
        ({"steps": 1, "start": 0.125}, [0.125, 0.25, 0.25]),
    ],
)
def test_known_fractions(options: dict[str, Any], fractions: list[float]) -> None:
    model = linear()
    schedule = KeepSchedule(model, 0.25, **options)
    for number, fraction in enumerate(fractions):
        if number:
            schedule.step()
        assert schedule.keep == pytest.approx(fraction, abs=1e-12)
        assert kept(model, 0) == [pytest.approx(fraction, abs=1 / 4096)]
    assert schedule.keep == 0.25
    assert torch.count_nonzero(pemncodec.load(pemncodec.save(model))["0.weight"]) == 1024


def test_every_layer_has_its_own_end() -> None:
    rule = erdos_renyi(network(), 0.2)
    model = mask_network(network(), keep=rule)
    schedule = KeepSchedule(model, rule, steps=3)
    assert kept(model, 0, 3, 6) == [1.0] * 3
    for _ in range(3):
        schedule.step()
    assert schedule.keep == rule
    assert kept(model, 0, 3, 6) == pytest.approx([rule["0"], rule["3"], rule["6"]], abs=0.01)
    schedule = KeepSchedule(model, {"3": 0.1, "*": 0.5}, steps=2, shape="linear")
    schedule.step()
    assert kept(model, 0, 3, 6) == pytest.approx([0.75, 0.55, 0.75], abs=0.01)


def test_training_is_resumed() -> None:
    model = linear()
    schedule = KeepSchedule(model, 0.25, steps=4)
    for _ in range(3):
        schedule.step()
    saved = {"schedule": schedule.state_dict(), "model": model.state_dict()}
    other = linear()
    resumed = KeepSchedule(other, 0.25, steps=4)
    with pytest.raises(RuntimeError, match="recipe does not match"):
        other.load_state_dict(saved["model"])
    resumed.load_state_dict(saved["schedule"])
    other.load_state_dict(saved["model"])
    assert resumed.keep == schedule.keep
    resumed.step()
    schedule.step()
    for one, two in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(one, two)
    for state in ({}, {"steps": -1}, {"steps": "3"}):
        with pytest.raises(errors.NetworkError, match="the number of its steps"):
            resumed.load_state_dict(state)


@pytest.mark.parametrize(
    ("keep", "options", "error", "phrase"),
    [
        (0.25, {"steps": 0}, errors.NetworkError, "use at least 1 step"),
        (0.25, {"steps": 3, "delay": -1}, errors.NetworkError, "no negative delay"),
        (0.25, {"steps": 3, "shape": "cosine"}, errors.NetworkError, "choose cubic or linear"),
        (0.25, {"steps": 3, "start": 0.0}, errors.MaskRuleError, "above 0 and at most 1"),
        (1.5, {"steps": 3}, errors.MaskRuleError, "above 0 and at most 1"),
        ({"*": 1.5}, {"steps": 3}, errors.MaskRuleError, "above 0 and at most 1"),
        ({"1": 0.5}, {"steps": 3}, errors.NetworkError, "matches no masked module"),
    ],
)
def test_bad_schedules_change_nothing(keep: Any, options: dict[str, Any], error: type, phrase: str) -> None:
    model = linear()
    before = kept(model, 0)
    with pytest.raises(error, match=phrase):
        KeepSchedule(model, keep, **options)
    assert kept(model, 0) == before
    bernoulli = mask_network(network(), sampler="bernoulli")
    with pytest.raises(errors.NetworkError, match="Bernoulli masks keep"):
        KeepSchedule(bernoulli, 0.25, steps=3)
