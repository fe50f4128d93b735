"""Names that other code uses too: they are no masks and no scores, and no reason to refuse a sound checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils import prune

from ..layouts.rules import edge_popup
from .situation import Draws, Kind, Outcome, State, either, flat, masked, or_refused, refused, right, save

KIND = Kind("names")
FAMILY = "--family"


# --- networks to stand beside -----------------------------------------------------------------------------------------


def pruned() -> tuple[State, State, tuple[str, ...]]:
    """By torch.nn.utils.prune."""
    draws = Draws(151)
    weight, mask = draws.weight(9, 7), draws.mask(9, 7).float()
    state = {"first.bias": draws.weight(9), "first.weight_orig": weight, "first.weight_mask": mask}
    return state, {"first.bias": state["first.bias"], "first.weight": masked(weight, mask)}, ()


def scored() -> tuple[State, State, tuple[str, ...]]:
    draws = Draws(152)
    weight, scores = draws.weight(9, 7), draws.weight(9, 7)
    state = {"first.weight": weight, "first.scores": scores}
    return state, {"first.weight": masked(weight, edge_popup(scores, 0.5))}, ("--keep", "0.5")


def buffered() -> tuple[State, State, tuple[str, ...]]:
    draws = Draws(153)
    weight, mask = draws.weight(9, 7), draws.mask(9, 7)
    return {"first.weight": weight, "first.mask": mask}, {"first.weight": masked(weight, mask)}, ()


def zeros() -> tuple[State, State, tuple[str, ...]]:
    state = {"first.weight": Draws(154).pruned(9, 7)}
    return state, state, ()


def popular() -> tuple[State, State, tuple[str, ...]]:
    draws = Draws(155)
    weight, scores = draws.weight(9, 7), draws.weight(9, 7)
    state = {"first.weight": weight, "first.popup_scores": scores}
    return state, {"first.weight": masked(weight, edge_popup(scores, 0.3))}, ("--keep", "0.3")


NETWORKS = {
    "torch prune": pruned,
    "edge-popup": scored,
    "masked buffers": buffered,
    "popup scores": popular,
    "zeros": zeros,
}


# --- names that mean something else -----------------------------------------------------------------------------------


def spectral_norm() -> State:
    """As torch.nn.utils.spectral_norm writes it."""
    draws = Draws(156)
    return {
        "disc.bias": draws.weight(9),
        "disc.weight_orig": draws.weight(9, 7),
        "disc.weight_u": draws.weight(9),
        "disc.weight_v": draws.weight(7),
    }


def parametrized_norm() -> State:
    """As torch.nn.utils.parametrizations writes spectral_norm and weight_norm."""
    draws = Draws(157)
    return {
        "disc.parametrizations.weight.original": draws.weight(9, 7),
        "disc.parametrizations.weight.0._u": draws.weight(9),
        "disc.parametrizations.weight.0._v": draws.weight(7),
        "gen.parametrizations.weight.original0": draws.weight(9, 1),
        "gen.parametrizations.weight.original1": draws.weight(9, 7),
        "old.weight_g": draws.weight(9, 1),
        "old.weight_v": draws.weight(9, 7),
    }


def attention() -> State:
    causal = torch.tril(torch.ones(16, 16))
    draws = Draws(158)
    return {
        "blocks.0.attn.mask": causal.view(1, 1, 16, 16),
        "blocks.0.attn.key.weight": draws.weight(16, 16),
        "blocks.1.attn.weight": draws.weight(48, 16),
        "blocks.1.attn.mask": causal.view(1, 1, 16, 16).clone(),
        "blocks.2.attn.causal_mask": causal.bool(),
        "blocks.3.attn_mask": torch.where(causal > 0, 0.0, -100.0),
        "h.0.attn.bias": causal.view(1, 1, 16, 16).bool(),
        "h.0.attn.masked_bias": torch.tensor(-1e4),
        "pos.mask": torch.ones(33, dtype=torch.bool),
        "src_mask": causal.clone(),
        "mask": causal.clone(),
    }


def tokens() -> State:
    """Parameters that stand for what is hidden."""
    draws = Draws(159)
    return {
        "embeddings.mask_token": draws.weight(1, 1, 12),
        "decoder.mask": draws.weight(1, 1, 12),
        "mask_embedding": draws.weight(12),
        "mask_emb": torch.zeros(12),
        "encoder.masked_spec_embed": draws.weight(12),
    }


def queues() -> State:
    """MoCo's queue, and one with scores of its entries: neither is a weight under a mask."""
    draws = Draws(160)
    return {
        "queue": draws.weight(8, 16),
        "queue_scores": draws.weight(8, 16),
        "queue_ptr": torch.tensor([3]),
        "bank_score": draws.weight(8),
        "memory_scores": draws.weight(4, 4),
    }


def histories() -> State:
    draws = Draws(161)
    return {"loss.scores": draws.weight(100), "eval.scores": draws.weight(5, 3), "best_scores": draws.weight(3)}


def modules_of_such_names() -> State:
    """Layers that make masks or scores."""
    draws = Draws(162)
    return {
        "mask_head.mask_fcn1.weight": draws.weight(6, 6, 3, 3),
        "mask.weight": draws.weight(6, 6),
        "mask.bias": draws.weight(6),
        "scores.weight": draws.weight(6, 6),
        "scores.0.weight": draws.weight(6, 6),
        "scores.bias": draws.weight(6),
        "m.weight": draws.weight(6, 6),
        "weight_mask.weight": draws.weight(6, 6),
        "popup_scores.weight": draws.weight(6, 6),
        "box.score_weight": draws.weight(6),
    }


def ends_of_such_names() -> State:
    draws = Draws(163)
    return {
        "emb.lib_mask": draws.mask(9).float(),
        "emb.weight": draws.weight(9, 7),
        "chef.recipe": torch.arange(13),
        "grid.shape": torch.tensor([9, 7]),
        "grid.compressed": draws.weight(5),
        "lin.weight_packed": torch.arange(12, dtype=torch.int32).view(3, 4),
        "lin.weight_scale": draws.weight(3, 1),
        "lin.weight_shape": torch.tensor([3, 32]),
        "rank.weight_score": draws.weight(4),
        "mask_rcnn.weight": draws.weight(6, 6),
        "model.fc.weight": draws.weight(6, 6),
        "model.fc.bias": draws.weight(6),
        "mask_ratio": torch.tensor(0.75),
    }


FOREIGN = {
    "spectral_norm": spectral_norm,
    "norms by parametrizations": parametrized_norm,
    "attention masks": attention,
    "mask tokens": tokens,
    "queues": queues,
    "histories of scores": histories,
    "layers called mask and scores": modules_of_such_names,
    "names with such ends": ends_of_such_names,
}


def _beside(foreign: Callable[[], State], network: Callable[[], Any], first: bool) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        state, dense, options = network()
        others = foreign()
        checkpoint = {"state_dict": {**others, **state} if first else {**state, **others}}
        save(folder, checkpoint)
        return right({**dense, **others}, *options).also(checkpoint=checkpoint)

    return write


for title, foreign in FOREIGN.items():
    for number, (beside, network) in enumerate(NETWORKS.items()):
        KIND.add(f"{title} beside {beside}", _beside(foreign, network, number % 2 == 0))


def _alone(foreign: Callable[[], State]) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        save(folder, foreign())
        return right(foreign(), checkpoint=foreign())

    return write


for title, foreign in FOREIGN.items():
    KIND.add(f"{title} alone", _alone(foreign))


@KIND
def a_discriminator_by_torch_itself(folder: Path) -> Outcome:
    """Pruned layers, and layers under spectral_norm, in one network."""
    with torch.random.fork_rng():
        torch.manual_seed(164)
        layers: list[Any] = [nn.Linear(9, 9) for _ in range(3)]
        layers[1] = nn.utils.spectral_norm(layers[1])
        network = nn.Sequential(*layers)
        for layer in (layers[0], layers[2]):
            prune.random_unstructured(layer, "weight", 0.4)
    prune.l1_unstructured(layers[2], "bias", 3)
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    save(folder, state)

    def evaluate(checkpoint: Any) -> State:
        found = {}
        for name, tensor in flat(checkpoint).items():
            mask = checkpoint.get(name.replace("_orig", "_mask")) if name.endswith("_orig") else None
            if mask is not None:
                found[name.removesuffix("_orig")] = masked(tensor, mask)
            elif not name.endswith("_mask"):
                found[name] = tensor
        return found

    return right(evaluate(state), checkpoint=state, evaluate=evaluate)


@KIND
def an_original_and_no_mask_at_all(folder: Path) -> Outcome:
    state = {"fc.weight_orig": Draws(165).weight(9, 7), "fc.bias": torch.ones(9)}
    save(folder, state)
    return right(state, checkpoint=state)


@KIND
def an_original_without_the_mask_that_others_have(folder: Path) -> Outcome:
    state, dense, _ = pruned()
    other = {"last.weight_orig": Draws(166).weight(9, 7)}
    save(folder, {**state, **other})
    return or_refused(right({**dense, **other}), FAMILY)


@KIND
def history_of_a_loss_that_has_a_weight(folder: Path) -> Outcome:
    state, dense, options = scored()
    others = {"loss.weight": Draws(167).weight(10), "loss.scores": Draws(168).weight(100)}
    save(folder, {**state, **others})
    return or_refused(right({**dense, **others}, *options), FAMILY)


# --- what contradicts itself -----------------------------------------------------------------------------------------


def _contradiction(change: Callable[[State], None], network: Callable[[], Any] = pruned) -> Callable[[Path], Outcome]:
    def write(folder: Path) -> Outcome:
        state, _, options = network()
        change(state)
        save(folder, state)
        return refused(FAMILY, *options)

    return write


def half(state: State) -> None:
    state["first.weight_mask"] = state["first.weight_mask"] * 0.5


def cut(state: State) -> None:
    state["first.weight_mask"] = state["first.weight_mask"][:-1]


def twice(state: State) -> None:
    state["first.weight"] = state["first.weight_orig"]


def other_scores(state: State) -> None:
    state["first.popup_scores"] = state["first.scores"] + 1


def turned(state: State) -> None:
    state["first.scores"] = state["first.scores"].t().contiguous()


KIND.add("torch prune, a mask of halves", _contradiction(half))
KIND.add("torch prune, a mask of another shape", _contradiction(cut))
KIND.add("torch prune, the weight is there twice", _contradiction(twice))
KIND.add("scores by two names", _contradiction(other_scores, scored))
KIND.add("scores of another shape", _contradiction(turned, scored))


def _as_dense(network: Callable[[], Any]) -> Callable[[Path], Outcome]:
    """The way out that the error names works: with the family `dense` every tensor comes back as it is."""

    def write(folder: Path) -> Outcome:
        state, _, _ = network()
        save(folder, state)
        return right(state, FAMILY, "dense", checkpoint=state)

    return write


for beside in ("torch prune", "edge-popup", "masked buffers", "popup scores"):
    KIND.add(f"{beside}, taken as dense", _as_dense(NETWORKS[beside]))


@KIND
def logits_or_scores_is_not_said(folder: Path) -> Outcome:
    """X.mask of any numbers beside X.weight: FedPM's logits, or the scores of lottery-jackpots."""
    draws = Draws(169)
    state = {"fc.weight": draws.weight(9, 7), "fc.mask": draws.weight(9, 7)}
    save(folder, state)
    return or_refused(either(right(state, notes=r"fc\.mask|family|threshold")), "--family|--threshold")
