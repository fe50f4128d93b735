"""The second comparison notices what the first shares with packing: tensors lost, or masked by mistake; wrong masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import pemncodec
from pemncodec import errors
from pemncodec.checkpoints.draft import Draft, DraftEntry, MaskedWeight, PlainTensor
from pemncodec.checkpoints.options import PackOptions
from pemncodec.checkpoints.recognise import draft_of
from pemncodec.loading.recheck import raw, rules
from pemncodec.loading.recheck.compare import Recheck, recheck
from pemncodec.network.mask import Mask
from pemncodec.packing.pack import pack_draft

from .. import published


def network() -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    weight, scores = torch.randn(12, 8, generator=draw), torch.randn(12, 8, generator=draw)
    return {"a.weight": weight, "a.scores": scores, "b.weight": weight, "b.bias": torch.randn(8, generator=draw)}


def packed(tmp_path: Path, change: Callable[[Draft], object]) -> Recheck:
    """A network packed with a fault in what was recognised, and compared."""
    torch.save(network(), tmp_path / "a.pt")
    options = PackOptions(keep=0.5)
    draft = draft_of(pemncodec.load_checkpoint(tmp_path / "a.pt"), options)
    change(draft)
    encoded, _ = pack_draft(draft)
    encoded.write(tmp_path / "a.pemn")
    return recheck(tmp_path / "a.pemn", tmp_path / "a.pt", draft, options)


def entry(draft: Draft, name: str) -> int:
    return next(number for number, one in enumerate(draft.entries) if one.name == name)


def test_a_sound_file(tmp_path: Path) -> None:
    found = packed(tmp_path, lambda _: None)
    assert (found.equal, found.left) == (3, [])
    assert str(found) == "3 tensors equal those that torch.load reads, under masks derived from them"


def lost(draft: Draft) -> None:
    del draft.entries[entry(draft, "b.bias")]


def masked_by_mistake(draft: Draft) -> None:
    masked, number = draft.entries[entry(draft, "a.weight")], entry(draft, "b.weight")
    assert isinstance(masked, MaskedWeight)
    draft.entries[number] = replace(masked, name="b.weight", source="b.weight", scores=())


def wrong_mask(draft: Draft) -> None:
    number = entry(draft, "a.weight")
    masked = draft.entries[number]
    assert isinstance(masked, MaskedWeight)
    flags = masked.mask.to_bool()
    flags[[flags.argmax(), flags.argmin()]] ^= True
    draft.entries[number] = replace(masked, mask=Mask.from_bool(flags))


def other_values(draft: Draft) -> None:
    number = entry(draft, "b.bias")
    plain: DraftEntry = draft.entries[number]
    assert isinstance(plain, PlainTensor)
    draft.entries[number] = replace(plain, values=plain.values ^ plain.values.dtype.type(1))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lost, "1 tensors of the checkpoint are neither in the file nor its masks .first: 'b.bias'"),
        (wrong_mask, "the mask of 'a.weight' does not follow from the checkpoint by rule 'edge-popup'"),
        (other_values, "'b.bias' differs from 'b.bias' read by torch.load"),
    ],
)
def test_a_fault_in_what_was_recognised(tmp_path: Path, change: Callable[[Draft], None], says: str) -> None:
    with pytest.raises(errors.MismatchError, match=says):
        packed(tmp_path, change)


def test_a_mask_without_scores_is_never_taken_as_verified(tmp_path: Path) -> None:
    found = packed(tmp_path, masked_by_mistake)
    assert any("masks" in one for one in found.left)


@pytest.mark.parametrize("kept", [0.1, 0.3, 0.5, 0.77, 1.0])
@pytest.mark.parametrize("size", [1, 7, 10, 250])
def test_rules_are_those_of_the_published_code(kept: float, size: int) -> None:
    """Masks by sorting, as published: right ones hold, and each with two bits exchanged does not."""
    draw = torch.Generator().manual_seed(size)
    scores = torch.randint(-9, 9, (size,), generator=draw).float() if size > 7 else torch.randn(size, generator=draw)
    masks: dict[str, Any] = {"edge-popup": published.top_k_mask(scores, kept).bool()}
    order = scores.argsort(descending=True, stable=True)
    masks["movement"] = torch.zeros(size, dtype=torch.bool).index_fill(0, order[: int(kept * size)], True)
    for rule, mask in masks.items():
        assert rules.follows(rule, scores, mask, kept, None)
        if 0 < int(mask.sum()) < size:
            keys = rules.keys_of(scores, rule == "edge-popup")
            high = int(torch.where(mask, keys, -torch.inf).argmax())
            low = int(torch.where(mask, torch.inf, keys).argmin())
            if keys[high] > keys[low]:
                other = mask.clone()
                other[[high, low]] ^= True
                assert not rules.follows(rule, scores, other, kept, None)
            assert not rules.follows(rule, scores, torch.ones_like(mask), kept, None)


def test_families_are_compared(tmp_path: Path) -> None:
    """Each of these leaves nothing uncompared."""
    weight, scores = torch.randn(9, 9), torch.randn(9, 9)
    mask = (torch.rand(9, 9) < 0.5).float()
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"l.weight_orig": weight, "l.weight_mask": mask}, {}),
        ({"l.weight": weight, "l.weight_mask": mask}, {}),
        ({"l.weight": weight, "l.mask": mask[:, :1]}, {}),
        ({"l.weight": weight, "l.mask": 1 - mask}, {"inverted_masks": True}),
        ({"l.weight": weight * mask}, {}),
        ({"l.weight": weight, "l.weight_score": scores}, {"keep": 0.3}),
        ({"l.weight": weight, "l.mask_scores": scores}, {"keep": 0.3}),
        ({"l.weight": weight, "l.mask_scores": scores}, {"keep": 0.3, "rule": "movement-global"}),
        ({"l.weight": weight, "l.scores": scores}, {"keep": 0.3, "rule": "global"}),
        ({"l.weight": weight, "l.scores": scores}, {"rule": "sigmoid"}),
        ({"l.weight": weight, "l.mask_real": scores / 100}, {}),
        ({"state_dict": {"l.weight": weight}, "masks": {"l.weight": mask}}, {}),
        ({"model": {"enc": {"l.weight": weight * mask}, "b": torch.ones(2)}}, {}),
    ]
    for state, given in cases:
        torch.save(state, tmp_path / "a.pt")
        options = PackOptions(**given)
        draft = draft_of(pemncodec.load_checkpoint(tmp_path / "a.pt"), options)
        encoded, _ = pack_draft(draft)
        encoded.write(tmp_path / "a.pemn")
        found = recheck(tmp_path / "a.pemn", tmp_path / "a.pt", draft, options)
        assert found.equal == len(draft.entries), (list(state), given)
        assert found.left == [], (list(state), given)


@pytest.mark.parametrize("name", ["a.pt", "a.safetensors"])
def test_what_does_not_fit_in_memory_is_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    state = {"w": torch.randn(1 << 18), "v": torch.zeros(3)}
    if name.endswith("pt"):
        torch.save(state, tmp_path / name)
    else:
        from safetensors.torch import save_file

        save_file(state, tmp_path / name)
    monkeypatch.setattr(raw, "available_memory", lambda: 1000)
    found = raw.read(tmp_path / name)
    assert all(torch.equal(found[key], tensor) for key, tensor in state.items())
    torch.save(state, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(raw.CannotReadError, match="not enough memory"):
        raw.read(tmp_path / "old.pt")
