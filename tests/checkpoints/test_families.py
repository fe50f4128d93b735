"""Every family of checkpoints: packed, unpacked dense, and written back so that the project's own rule reads it.

The layouts and the rules are those of `tests/layouts`, which knows nothing of the package.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import pemncodec
from pemncodec.checkpoints.writing.saving import save_original
from pemncodec.errors import CheckpointError
from pemncodec.loading.original import load_original

from ..layouts import Bad, Case, ambiguous, cases

CASES = cases()
BAD = ambiguous()


def bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous().reshape(-1).view(torch.uint8) if tensor.numel() else torch.empty(0, dtype=torch.uint8)


def unsigned_zeros(tensor: torch.Tensor) -> torch.Tensor:
    return torch.where(tensor == 0, torch.zeros_like(tensor), tensor) if tensor.is_floating_point() else tensor


def assert_same(expected: dict[str, torch.Tensor], found: dict[str, torch.Tensor], *, zeros: bool = False) -> None:
    """Equal names, types, shapes and bits; `zeros`: −0.0 and +0.0 count as equal."""
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        other = found[name]
        assert (other.dtype, other.shape) == (tensor.dtype, tensor.shape), name
        pair = (unsigned_zeros(tensor), unsigned_zeros(other)) if zeros else (tensor, other)
        assert torch.equal(*map(bits, pair)), name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_there_and_back(case: Case, tmp_path: Path) -> None:
    path = case.write(tmp_path)
    packed = tmp_path / "packed.pemn"
    report = pemncodec.save_file(pemncodec.load_checkpoint(path), packed, **case.options)
    assert report.reasons
    # vectors stay as they are where zeros are the mask: −0.0 is not touched in them
    for task, expected in case.effective.items():
        dense = pemncodec.load_file(packed, task=task or None)
        assert_same(expected, dense, zeros=report.family == "dense")
    with pemncodec.open(packed) as file:
        assert set(file.tasks) - {"backbone"} == set(case.effective) - {""}

    back = tmp_path / f"back{path.suffix}"
    save_original(load_original(packed), back, overwrite=False)
    written = torch.load(back, weights_only=True) if case.checkpoint is not None else back
    for task, masks in case.masks(case.checkpoint if case.checkpoint is not None else path).items():
        assert_same(masks, case.masks(written)[task])
    for task, expected in case.effective.items():
        assert_same(expected, case.evaluate(written)[task], zeros=True)


# Files and folders that are no one object are compared by the rule, above.
@pytest.mark.parametrize("case", [case for case in CASES if case.checkpoint is not None], ids=lambda case: case.name)
def test_keys_and_wrapping_come_back(case: Case) -> None:
    data = pemncodec.save(case.checkpoint, **case.options)
    made = load_original(data)
    wrapped = [key for key in case.checkpoint if key in made and isinstance(case.checkpoint[key], dict)]
    pairs = [(case.checkpoint[key], made[key]) for key in wrapped] or [(case.checkpoint, made)]
    for theirs, ours in pairs:
        tensors = {key for key, value in theirs.items() if isinstance(value, torch.Tensor | dict)}
        assert set(ours) == {key for key in tensors if not str(key).endswith("stacked")}  # masks once more, as a cache
        for key, tensor in ours.items():
            if isinstance(tensor, torch.Tensor):
                assert (tensor.dtype, tensor.shape) == (theirs[key].dtype, theirs[key].shape), key


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"keep": 0.5, "rule": "sigmoid"}, "keep 0.5 was not used: rule sigmoid does not take it"),
        ({"keep": 0.5, "threshold": 0.5}, "threshold 0.5 was not used: rule edge-popup does not take it"),
        ({"keep": 0.5, "strip_prefix": True}, "no name has a prefix to strip"),
    ],
)
def test_what_was_said_for_nothing(options: dict[str, Any], said: str) -> None:
    state = {"l.weight": torch.rand(6, 6), "l.scores": torch.randn(6, 6)}
    assert said in pemncodec.pack(state, **options)[1].notes


@pytest.mark.parametrize("options", [{"keep": 0.5}, {"rule": "global"}, {"threshold": 0.5}])
def test_masks_in_the_file_need_no_rule(options: dict[str, Any]) -> None:
    pruned = {"l.weight_orig": torch.rand(6, 6), "l.weight_mask": torch.ones(6, 6)}
    notes = pemncodec.pack(pruned, **options)[1].notes
    assert any("was not used: this family stores its masks in the file" in note for note in notes)


def test_a_path_or_a_key_that_is_none() -> None:
    path: Any = "model.pt"
    with pytest.raises(CheckpointError, match=r"this is a path .*: use pack_file"):
        pemncodec.save(path)
    with pytest.raises(CheckpointError, match="omit --key"):
        pemncodec.save({"l.weight": torch.rand(6, 6)}, key="net")


@pytest.mark.parametrize(
    ("state", "left"),
    [
        ({"l.weight_orig": 6, "l.weight_mask": 1, "n.weight_orig": 6}, "n.weight_orig"),
        ({"l.weight_orig": 6, "l.weight_mask": 1, "n.weight_mask": 1}, "n.weight_mask"),
        ({"l.weight": 6, "l.scores": 6, "loss.scores": 6}, "loss.scores"),
    ],
)
def test_half_of_a_pattern_is_a_tensor_with_a_note(state: dict[str, int], left: str) -> None:
    """A number above 1 stands for random values, 1 for a mask."""
    draw = torch.Generator().manual_seed(0)
    made = {
        n: torch.randn(6, 6, generator=draw) if k > 1 else (torch.rand(6, 6, generator=draw) < 0.5).float()
        for n, k in state.items()
    }
    data, report = pemncodec.pack(made, keep=0.5)
    assert any("stored as tensors" in note and left in note for note in report.notes)
    loaded = pemncodec.load(data)
    assert torch.equal(loaded[left], made[left])
    assert report.layers == 1


def test_real_masks_of_piggyback_stay_where_they_lay() -> None:
    state = {"l.weight": torch.rand(6, 6), "l.mask_real": torch.linspace(0, 0.01, 36).reshape(6, 6)}
    back = load_original(pemncodec.save({"state_dict": state}))["state_dict"]
    assert set(back) == set(state)
    assert torch.equal(back["l.mask_real"] > 5e-3, state["l.mask_real"] > 5e-3)


# What a message has to say, by the words with which `tests.layouts` describes the input.
SAYS = {
    "no keep for": "no pattern of keep matches 'fc1.weight'",
    "no keep": "the fraction .* not in the file|neither a fraction",
    "a tie": r"equal scores straddle the cut .* the file does not say which of them are kept",
    "matches no layer": "matches no layer",
    "not a fraction": "must be above 0 and at most 1",
    "NaN": "contain NaN",
    "mixed prefixes": "names begin with 'module.' .* and .* do not",
    "of another shape": "they must be equal|the backbone does not fit",
    "no tensor fc2.weight": "there is a mask for 'fc2.weight', but no tensor of that name",
    "a mask beside 0": "values other than 0(,| and) 1",
    "two masks of one weight": "it is ambiguous which one applies",
    "is there twice": "appears both masked and unmasked",
    "Namespace": "holds a argparse.Namespace object",
    "pickled module": "holds a torch.nn.modules",
    "logits of Bernoulli": "logits of Bernoulli masks .* --threshold T",
    "no threshold": "logits of Bernoulli masks .* --threshold T",
    "no backbone": "no weights: pass the network",
    "two model files": "2 models .*: pack one of them, with --masks mask.pth",
    "no model file": "0 models",
    "two masks": "how the two combine is ambiguous",
    "bitmask of another size": "the shape .* needs .* bytes",
    "row_offsets": "does not hold the row offsets of the bitmask|there is no",
    "another number of values": "elements, but its bitmask",
    "is missing": "is compressed, but there is no",
    "b_mask beside": "values other than 0 and 1",
}


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_wrong_or_ambiguous(bad: Bad, tmp_path: Path) -> None:
    path = bad.write(tmp_path)
    out = tmp_path / "out.pemn"
    said = next(pattern for words, pattern in SAYS.items() if words in bad.reason)
    with pytest.raises(CheckpointError, match=said) as caught:
        pemncodec.save_file(pemncodec.load_checkpoint(path), out, **bad.options)
    assert "\n" not in str(caught.value)
    assert not out.exists()
