"""Names that share memory and mean different things, in the layout of every family.

Two layers, `enc` and `dec`, are tied in their weight, in what chooses among the weights (scores, or a mask), or in
both; both are masked, or one is dense. What must come back follows from the rules below, which know nothing of memory
and nothing of the package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pemncodec

State = dict[str, torch.Tensor]
Tasks = dict[str, State]  # by task; "" where there is one network
Draw = Callable[[torch.Generator], tuple[torch.Tensor, ...]]
Apply = Callable[..., torch.Tensor]  # (fraction kept, weight, *what chooses) -> effective weight
LAYERS = ("enc", "dec")
SHAPE = (20, 8)
KEEP = 0.5


# --- the rules, as the projects publish them -------------------------------------------------------------------------


def masked(weight: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The weight where it is kept, +0.0 elsewhere."""
    return torch.where(mask.bool(), weight, torch.zeros((), dtype=weight.dtype))


def edge_popup(keep: float, weight: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """All but the int((1 − keep) · n) smallest |scores|."""
    mask = torch.ones(scores.numel(), dtype=torch.bool)
    mask[scores.flatten().abs().argsort(stable=True)[: int((1 - keep) * scores.numel())]] = False
    return masked(weight, mask.view(scores.shape))


def binarized(keep: float, weight: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """biprop: sign · α over the mask of edge-popup, α = Σ|W · m| / int(keep · n)."""
    mask = edge_popup(keep, torch.ones_like(weight), scores)
    alpha = torch.sum(weight.abs() * mask) / int(keep * weight.numel())
    return masked(torch.sign(weight) * alpha, mask)


def kth_value(keep: float, weight: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Scores, sign and all, that are not below the k-th smallest."""
    k = 1 + round(0.01 * (100 * (1 - keep)) * (scores.numel() - 1))
    return masked(weight, scores >= scores.flatten().kthvalue(k).values)


def top_signed(keep: float, weight: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Movement pruning: the int(keep · n) largest scores, sign and all."""
    mask = torch.zeros(scores.numel(), dtype=torch.bool)
    mask[scores.flatten().argsort(descending=True)[: int(keep * scores.numel())]] = True
    return masked(weight, mask.view(scores.shape))


def likely(keep: float, weight: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
    return masked(weight, torch.sigmoid(logits) > 0.5)


def not_negative(keep: float, weight: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
    return masked(weight, scores >= 0)


def above(keep: float, weight: torch.Tensor, real: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
    return masked(weight, real > 5e-3)


def explicit(keep: float, weight: torch.Tensor, *masks: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
    """Under every mask that the layer has."""
    for mask in masks:
        weight = masked(weight, mask)
    return weight


def by_b_mask(keep: float, weight: torch.Tensor, scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
    return masked(weight, mask)


def scattered(keep: float, kept: torch.Tensor, bitmask: torch.Tensor, shape: torch.Tensor, *_: Any) -> torch.Tensor:  # noqa: ARG001
    """compressed-tensors: the values of the ones of a bitmask, in order."""
    rows, columns = shape.flatten().tolist()
    mask = torch.from_numpy(np.unpackbits(bitmask.numpy(), axis=-1, count=columns, bitorder="little")).bool()
    dense = torch.zeros(rows, columns, dtype=kept.dtype)
    dense[mask] = kept.flatten()
    return dense


# --- what chooses -------------------------------------------------------------------------------------------------


def scores(count: int = 1) -> Draw:
    return lambda g: tuple(torch.randn(SHAPE, generator=g) for _ in range(count))


def bits(dtype: torch.dtype = torch.float32, count: int = 1) -> Draw:
    return lambda g: tuple((torch.rand(SHAPE, generator=g) < 0.6).to(dtype) for _ in range(count))


def scores_and_bits(g: torch.Generator) -> tuple[torch.Tensor, ...]:
    return *scores()(g), *bits()(g)


def real_masks(g: torch.Generator) -> tuple[torch.Tensor, ...]:
    return (torch.rand(SHAPE, generator=g) * 0.01,)


def half_of(group: int) -> Callable[[torch.Generator], torch.Tensor]:
    """A mask that keeps half of every so many neighbours in a row."""

    def draw(g: torch.Generator) -> torch.Tensor:
        order = torch.rand(SHAPE[0], SHAPE[1] // group, group, generator=g).argsort(-1)
        return torch.zeros_like(order).scatter_(-1, order[..., : group // 2], 1).view(SHAPE)

    return draw


def bitmask(g: torch.Generator) -> tuple[torch.Tensor, ...]:
    packed = torch.from_numpy(np.packbits(half_of(8)(g).numpy(), axis=-1, bitorder="little"))
    return packed, torch.tensor(SHAPE), torch.arange(SHAPE[0]) * 4


def bitmask_24(g: torch.Generator) -> tuple[torch.Tensor, ...]:
    packed = torch.from_numpy(np.packbits(half_of(4)(g).numpy(), axis=-1, bitorder="little"))
    return packed, torch.tensor(SHAPE).view(2, 1)


# --- families -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dialect:
    """The form in which a family writes two layers, and the weights that it computes from them.

    Attributes:
        choices: names of what chooses among the weights of a layer, in the order in which `draw` makes it.
        draw: makes these tensors for one layer.
        apply: computes the effective weight; one function, or one for each task.
        weight, dense: names of the stored and of the effective weight of a layer.
        model: prefix of the names of the network.
        options: of packing.
        under: the key of the checkpoint that holds the state_dict.
        stored: shape of the stored weight.
        fractions: whether `keep` decides, so that it may differ from layer to layer.
    """

    name: str
    choices: tuple[str, ...]
    draw: Draw
    apply: Apply | dict[str, Apply]
    weight: str = "{}.weight"
    dense: str = "{}.weight"
    model: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    under: str | None = None
    stored: tuple[int, ...] = SHAPE
    fractions: bool = False

    def layer(self, name: str, weight: torch.Tensor, chosen: tuple[torch.Tensor, ...]) -> State:
        names = (choice.format(name) for choice in self.choices)
        return {self.weight.format(name): weight, **dict(zip(names, chosen, strict=True))}

    def plain(self, name: str, tensor: torch.Tensor) -> State:
        return {f"{self.model}{name}": tensor}

    def wrapped(self, state: State) -> Any:
        return state if self.under is None else {"epoch": 3, self.under: state}

    def evaluate(self, checkpoint: Any, keep: dict[str, float]) -> Tasks:
        """Every tensor of the network, by task, as the project computes with it."""
        state: State = checkpoint if self.under is None else checkpoint[self.under]
        tasks = self.apply if isinstance(self.apply, dict) else {"": self.apply}
        found: Tasks = {}
        for number, (task, apply) in enumerate(tasks.items()):
            tensors = dict(state)
            for layer in LAYERS:
                chosen = [tensors.pop(choice.format(layer), None) for choice in self.choices]
                if chosen and chosen[0] is not None:
                    weight = tensors.pop(self.weight.format(layer))
                    own = chosen[number : number + 1] if len(tasks) > 1 else chosen
                    tensors[self.model + self.dense.format(layer)] = apply(keep[layer], weight, *own)
            found[task] = {name.removeprefix(self.model): tensor for name, tensor in tensors.items()}
        return found


KEPT = {"keep": KEEP}
FIXED = "edge-popup, scores of 0 and 1"
DIALECTS = [
    Dialect("piggyback", ("{}.mask_real",), real_masks, above),
    Dialect(
        "open_lth",
        ("mask_{}___weight",),
        bits(),
        explicit,
        weight="model.{}.weight",
        model="model.",
        under="model_state_dict",
    ),
    Dialect(
        "compressed-tensors",
        ("{}.bitmask", "{}.shape", "{}.row_offsets"),
        bitmask,
        scattered,
        weight="{}.compressed",
        stored=(80,),
    ),
    Dialect(
        "sparse-24-bitmask",
        ("{}.bitmask", "{}.shape"),
        bitmask_24,
        scattered,
        weight="{}.compressed",
        stored=(20, 4),
    ),
    Dialect("torch.nn.utils.prune", ("{}.weight_mask",), bits(), explicit, weight="{}.weight_orig"),
    Dialect(
        "torch.nn.utils.parametrize",
        ("{}.parametrizations.weight.0.mask",),
        bits(torch.bool),
        explicit,
        weight="{}.parametrizations.weight.original",
    ),
    Dialect(
        "supsup",
        ("{}.scores.0", "{}.scores.1"),
        scores(2),
        {"0": edge_popup, "1": edge_popup},
        options=KEPT,
        under="state_dict",
        fractions=True,
    ),
    Dialect(
        "supsup, scores >= 0",
        ("{}.scores.0", "{}.scores.1"),
        scores(2),
        {"0": not_negative, "1": not_negative},
        options={"rule": "sigmoid"},
    ),
    Dialect(
        "iterand",
        ("{}.weight_score",),
        scores(),
        kth_value,
        options=KEPT,
        under="model_state_dict",
        fractions=True,
    ),
    Dialect("popup-scores", ("{}.popup_scores",), scores(), edge_popup, options=KEPT, fractions=True),
    Dialect("biprop", ("{}.scores",), scores(), binarized, options={**KEPT, "family": "biprop"}, fractions=True),
    Dialect("edge-popup", ("{}.scores",), scores(), edge_popup, options=KEPT, fractions=True),
    Dialect(FIXED, ("{}.scores",), bits(), explicit),
    Dialect("lottery-jackpots", ("{}.mask", "{}.b_mask"), scores_and_bits, by_b_mask, under="state_dict"),
    Dialect(
        "lottery-jackpots, scores alone",
        ("{}.mask",),
        scores(),
        edge_popup,
        options={**KEPT, "family": "lottery-jackpots"},
        fractions=True,
    ),
    Dialect("fedpm", ("{}.mask",), scores(), likely, options={"family": "fedpm", "threshold": 0.5}),
    Dialect("masked-buffers", ("{}.mask",), bits(), explicit),
    Dialect("masked-buffers, weight_mask", ("{}.weight_mask",), bits(), explicit),
    Dialect("masked-buffers, bool", ("{}.mask",), bits(torch.bool), explicit),
    Dialect("UGS", ("{}.weight_mask_train", "{}.weight_mask_fixed"), bits(count=2), explicit),
    Dialect(
        "movement",
        ("{}.mask_scores",),
        scores(),
        top_signed,
        options=KEPT,
        fractions=True,
    ),
]


# --- ties ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tie:
    """Two layers that share tensors (the weight, the choice or both), of which one or both are masked."""

    name: str
    weight: bool
    choice: bool
    both: bool
    masked_first: bool = True

    def state(self, dialect: Dialect) -> State:
        g = torch.Generator().manual_seed(13)
        first = torch.randn(dialect.stored, generator=g)
        second = first if self.weight else torch.randn(dialect.stored, generator=g)
        chosen = dialect.draw(g)
        other = chosen if self.choice else dialect.draw(g)
        enc = dialect.layer("enc", first, chosen)
        if self.both:
            return enc | dialect.layer("dec", second, other)
        dec = dialect.plain("dec.weight", second)
        if self.choice:  # a buffer that is no mask, though it has the memory of one
            dec |= dialect.plain("visible", chosen[0])
        return enc | dec if self.masked_first else dec | enc


TIES = [
    Tie("one weight, both masked", weight=True, choice=False, both=True),
    Tie("one weight, one masked", weight=True, choice=False, both=False),
    Tie("one weight, the dense one first", weight=True, choice=False, both=False, masked_first=False),
    Tie("one choice, both masked", weight=False, choice=True, both=True),
    Tie("one choice, one masked", weight=False, choice=True, both=False),
    Tie("all is one, both masked", weight=True, choice=True, both=True),
    Tie("all is one, one masked", weight=True, choice=True, both=False),
]


def as_bytes(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8) if tensor.numel() else torch.empty(0)


def assert_same(expected: State, found: State) -> None:
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape), name
        same = torch.equal(as_bytes(found[name]), as_bytes(tensor))
        assert same, f"{name} has other bits"


def assert_tasks(expected: Tasks, packed: Any) -> None:
    for task, tensors in expected.items():
        load = pemncodec.load if isinstance(packed, bytes) else pemncodec.load_file
        assert_same(tensors, load(packed, task=task or None))


@pytest.mark.parametrize("tie", TIES, ids=lambda tie: tie.name)
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_each_name_is_what_it_means(dialect: Dialect, tie: Tie, tmp_path: Path) -> None:
    checkpoint = dialect.wrapped(tie.state(dialect))
    keep = dict.fromkeys(LAYERS, KEEP)
    expected = dialect.evaluate(checkpoint, keep)
    assert_tasks(expected, pemncodec.save(checkpoint, **dialect.options))

    torch.save(checkpoint, tmp_path / "a.pt")
    packed = tmp_path / "a.pemn"
    pemncodec.save_file(pemncodec.load_checkpoint(tmp_path / "a.pt"), packed, **dialect.options)
    assert_tasks(expected, packed)
    for task, tensors in dialect.evaluate(pemncodec.load_original(packed), keep).items():
        assert_same(expected[task], tensors)


@pytest.mark.parametrize("tie", [tie for tie in TIES if tie.both], ids=lambda tie: tie.name)
@pytest.mark.parametrize("dialect", [d for d in DIALECTS if d.fractions], ids=lambda dialect: dialect.name)
def test_fractions_differ_though_scores_are_one(dialect: Dialect, tie: Tie) -> None:
    checkpoint = dialect.wrapped(tie.state(dialect))
    keep = {"enc": 0.75, "dec": 0.25}
    options = {**dialect.options, "keep": {f"{layer}.*": fraction for layer, fraction in keep.items()}}
    packed = pemncodec.save(checkpoint, **options)
    expected = dialect.evaluate(checkpoint, keep)
    assert_tasks(expected, packed)
    for task, tensors in dialect.evaluate(pemncodec.load_original(packed), keep).items():
        assert_same(expected[task], tensors)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_equal_values_in_memory_of_their_own(dialect: Dialect) -> None:
    """Layers whose equal values have memory of their own come back as tied layers do."""
    for tie in TIES:
        state = {name: tensor.clone() for name, tensor in tie.state(dialect).items()}
        checkpoint = dialect.wrapped(state)
        assert_tasks(
            dialect.evaluate(checkpoint, dict.fromkeys(LAYERS, KEEP)), pemncodec.save(checkpoint, **dialect.options)
        )


def test_what_means_the_same_is_stored_once() -> None:
    g = torch.Generator().manual_seed(0)
    weight, scores = torch.randn(64, 64, generator=g), torch.randn(64, 64, generator=g)
    one = {"enc.weight": weight, "enc.scores": scores}
    two = one | {"dec.weight": weight, "dec.scores": scores}
    alone, tied = (len(pemncodec.save(state, keep=KEEP)) for state in (one, two))
    assert tied < alone + 200  # the second name, and not 4096 bits of another mask
