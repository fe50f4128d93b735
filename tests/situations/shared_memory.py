"""Tensors of one checkpoint that share memory and mean different things, and such as only seem to share it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils import prune

from ..layouts.rules import edge_popup
from .situation import Draws, Kind, Outcome, State, layers_under, masked, or_refused, right, save

KIND = Kind("shared memory")
BY_SCORES = layers_under("scores", lambda scores: edge_popup(scores, 0.5))
BY_MASK = layers_under("mask")


class Pair(nn.Module):
    """An embedding and a head of one weight, in either order."""

    def __init__(self, head_first: bool) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(5)
            embedding, head = nn.Embedding(20, 8), nn.Linear(8, 20, bias=False)
        head.weight = embedding.weight
        for name in ("head", "embedding") if head_first else ("embedding", "head"):
            self.add_module(name, head if name == "head" else embedding)
        self.norm = nn.LayerNorm(8)


def pruned_pair(head_first: bool, also_head: bool) -> tuple[State, State]:
    """A state_dict by torch.nn.utils.prune, and what the modules compute with."""
    pair = Pair(head_first)
    embedding: Any = pair.embedding
    head: Any = pair.head
    prune.l1_unstructured(embedding, "weight", 0.5)
    if also_head:
        prune.custom_from_mask(head, "weight", embedding.weight_mask)
    dense = {"embedding.weight": embedding.weight.detach(), "head.weight": head.weight.detach()}
    dense = {name: masked(tensor, tensor) if also_head or "emb" in name else tensor for name, tensor in dense.items()}
    return dict(pair.state_dict()), dense | {f"norm.{name}": t.detach() for name, t in pair.norm.named_parameters()}


def _pair(head_first: bool, also_head: bool) -> Any:
    def write(folder: Path) -> Outcome:
        state, dense = pruned_pair(head_first, also_head)
        save(folder, state)

        def evaluate(checkpoint: State) -> State:
            found = {name: tensor for name, tensor in checkpoint.items() if "weight_" not in name}
            for layer in ("embedding", "head"):
                if f"{layer}.weight_orig" in checkpoint:
                    weight = checkpoint[f"{layer}.weight_orig"]
                    found[f"{layer}.weight"] = masked(weight, checkpoint[f"{layer}.weight_mask"])
            return found

        return right(dense, checkpoint=state, evaluate=evaluate)

    return write


KIND.add("an embedding is pruned, its head is not", _pair(False, False))
KIND.add("an embedding is pruned, the head before it is not", _pair(True, False))
KIND.add("embedding and head under one mask", _pair(False, True))


@KIND
def a_buffer_is_the_mask_of_a_layer(folder: Path) -> Outcome:
    draws = Draws(1)
    weight, mask = draws.weight(20, 8), draws.mask(20, 8).float()
    state = {"visible": mask, "enc.weight": weight, "enc.mask": mask}
    save(folder, state)
    return right({"visible": mask, "enc.weight": masked(weight, mask)}, checkpoint=state, evaluate=BY_MASK)


@KIND
def a_buffer_is_a_row_of_scores(folder: Path) -> Outcome:
    draws = Draws(2)
    weight, scores = draws.weight(20, 8), draws.weight(20, 8)
    state = {"enc.weight": weight, "enc.scores": scores, "row": scores[3], "all": scores.view(-1)}
    save(folder, state)
    dense = {"row": scores[3], "all": scores.view(-1), "enc.weight": masked(weight, edge_popup(scores, 0.5))}
    return right(dense, "--keep", "0.5", checkpoint=state, evaluate=BY_SCORES)


@KIND
def layers_are_slices_of_one_vector(folder: Path) -> Outcome:
    """As flattened parameters are; two of them overlap."""
    vector = Draws(3).pruned(1, 400)[0]
    slices = {"a": vector[:160], "b": vector[160:320], "c": vector[80:240]}
    state = {f"{name}.weight": piece.view(20, 8) for name, piece in slices.items()}
    save(folder, state)
    return right(dict(state), checkpoint=state)


@KIND
def slices_of_one_vector_under_masks_of_their_own(folder: Path) -> Outcome:
    draws = Draws(4)
    vector = draws.weight(240)
    state: State = {}
    dense: State = {}
    for layer, start in (("a", 0), ("b", 80), ("c", 0)):
        weight, mask = vector[start : start + 160].view(20, 8), draws.mask(20, 8).float()
        state |= {f"{layer}.weight": weight, f"{layer}.mask": mask}
        dense[f"{layer}.weight"] = masked(weight, mask)
    state["whole"] = dense["whole"] = vector
    save(folder, state)
    return right(dense, checkpoint=state, evaluate=BY_MASK)


@KIND
def a_square_weight_and_its_transpose(folder: Path) -> Outcome:
    """One address, one shape, one type, and other strides."""
    draws = Draws(5)
    weight, scores = draws.weight(12, 12), draws.weight(12, 12)
    state = {"enc.weight": weight, "enc.scores": scores, "dec.weight": weight.t()}
    save(folder, state)
    dense = {"enc.weight": masked(weight, edge_popup(scores, 0.5)), "dec.weight": weight.t()}
    return right(dense, "--keep", "0.5", checkpoint=state, evaluate=BY_SCORES)


@KIND
def a_pruned_square_weight_and_its_transpose(folder: Path) -> Outcome:
    weight = Draws(6).pruned(12, 12)
    state = {"enc.weight": weight, "dec.weight": weight.t(), "again.weight": weight}
    save(folder, state)
    return right(dict(state), checkpoint=state)


@KIND
def scores_and_their_transpose(folder: Path) -> Outcome:
    draws = Draws(7)
    weights, scores = [draws.weight(12, 12) for _ in range(2)], draws.weight(12, 12)
    state = {"a.weight": weights[0], "a.scores": scores, "b.weight": weights[1], "b.scores": scores.t()}
    save(folder, state)
    dense = {
        "a.weight": masked(weights[0], edge_popup(scores, 0.5)),
        "b.weight": masked(weights[1], edge_popup(scores.t().contiguous(), 0.5)),
    }
    return right(dense, "--keep", "0.5", checkpoint=state, evaluate=BY_SCORES)


@KIND
def values_repeated_without_memory(folder: Path) -> Outcome:
    """Strides of 0, with and without a mask."""
    draws = Draws(8)
    weight, mask = draws.weight(1, 8).expand(20, 8), draws.mask(20, 8).float()
    state = {
        "a.weight": weight,
        "a.mask": mask,
        "b.weight": torch.tensor(0.25).expand(20, 8),
        "b.mask": draws.mask(1, 8).float().expand(20, 8),
        "dense": weight,
        "bias": torch.zeros(1).expand(16),
    }
    save(folder, state)
    dense = {name: tensor for name, tensor in state.items() if "mask" not in name}
    for layer in "ab":
        dense[f"{layer}.weight"] = masked(state[f"{layer}.weight"], state[f"{layer}.mask"])
    return right(dense, checkpoint=state, evaluate=BY_MASK)


@KIND
def one_mask_for_two_weights(folder: Path) -> Outcome:
    draws = Draws(9)
    first, second, mask = draws.weight(20, 8), draws.weight(20, 8).half(), draws.mask(20, 8)
    state = {"a.weight": first, "a.mask": mask, "b.weight": second, "b.mask": mask}
    save(folder, state)
    dense = {"a.weight": masked(first, mask), "b.weight": masked(second, mask)}
    return right(dense, checkpoint=state, evaluate=BY_MASK)


@KIND
def masks_are_slices_of_one_tensor(folder: Path) -> Outcome:
    draws = Draws(10)
    weight, masks = draws.weight(20, 8), draws.mask(3, 20, 8).float()
    state = {"all": masks}
    dense = {"all": masks}
    for number in range(3):
        state |= {f"l{number}.weight": weight, f"l{number}.mask": masks[number]}
        dense[f"l{number}.weight"] = masked(weight, masks[number])
    save(folder, state)
    return right(dense, checkpoint=state, evaluate=BY_MASK)


@KIND
def a_masked_weight_is_part_of_a_dense_one(folder: Path) -> Outcome:
    draws = Draws(11)
    whole, scores = draws.weight(24, 8), draws.weight(8, 8)
    state = {"qkv.weight": whole, "q.weight": whole[:8], "q.scores": scores}
    save(folder, state)
    dense = {"qkv.weight": whole, "q.weight": masked(whole[:8], edge_popup(scores, 0.5))}
    return right(dense, "--keep", "0.5", checkpoint=state, evaluate=BY_SCORES)


@KIND
def scores_are_the_weight_itself(folder: Path) -> Outcome:
    """By magnitude."""
    weight = Draws(12).weight(20, 8)
    state = {"a.weight": weight, "a.scores": weight, "b.weight": weight}
    save(folder, state)
    dense = {"a.weight": masked(weight, edge_popup(weight, 0.3)), "b.weight": weight}
    return right(dense, "--keep", "0.3")


@KIND
def one_weight_and_scores_two_fractions(folder: Path) -> Outcome:
    draws = Draws(13)
    weight, scores = draws.weight(20, 8), draws.weight(20, 8)
    state = {f"{layer}.{end}": t for layer in "abc" for end, t in (("weight", weight), ("scores", scores))}
    save(folder, state)
    keep = {"a": 0.5, "b": 0.25, "c": 0.5}
    dense = {f"{layer}.weight": masked(weight, edge_popup(scores, keep[layer])) for layer in "abc"}
    outcome = right(dense, "--keep", "b.*=0.25", "--keep", "0.5", checkpoint=state)
    outcome = outcome.also(
        evaluate=lambda checkpoint: {
            f"{layer}.weight": masked(checkpoint[f"{layer}.weight"], edge_popup(checkpoint[f"{layer}.scores"], k))
            for layer, k in keep.items()
        }
    )
    return or_refused(outcome, "fraction|keep")


@KIND
def scores_of_one_layer_stand_beside_two_weights(folder: Path) -> Outcome:
    draws = Draws(14)
    weights, scores = [draws.weight(20, 8) for _ in range(2)], draws.weight(20, 8)
    state = {"a.weight": weights[0], "a.scores": scores, "b.weight": weights[1], "b.scores": scores}
    save(folder, state)
    dense = {f"{layer}.weight": masked(w, edge_popup(scores, 0.5)) for layer, w in zip("ab", weights, strict=True)}
    return right(dense, "--keep", "0.5", checkpoint=state, evaluate=BY_SCORES)


@KIND
def tied_across_the_state_dict_and_another_key(folder: Path) -> Outcome:
    """The mask is also in the optimizer's folder of state, the weight also an average."""
    draws = Draws(15)
    weight, mask = draws.weight(20, 8), draws.mask(20, 8).float()
    state = {"enc.weight": weight, "enc.mask": mask, "dec.weight": weight}
    save(folder, {"state_dict": state, "average": {"enc.weight": weight}, "optimizer": {"state": {0: {"m": mask}}}})
    dense = {"enc.weight": masked(weight, mask), "dec.weight": weight}
    kept = {"state_dict": state}
    return right(dense, checkpoint=kept, evaluate=BY_MASK, notes=("average", "optimizer"))


@KIND
def tasks_tie_other_layers(folder: Path) -> Outcome:
    draws = Draws(16)
    weight, scores = draws.weight(20, 8), [draws.weight(20, 8) for _ in range(2)]
    save(folder, {"enc.weight": weight, "enc.scores": scores[0], "dec.weight": weight}, "one.pt")
    save(folder, {"enc.weight": weight, "dec.weight": weight, "dec.scores": scores[1]}, "two.pt")
    other = draws.weight(20, 8)
    save(folder, {"enc.weight": weight, "enc.scores": scores[1], "dec.weight": other}, "three.pt")
    tasks = {
        "one": {"enc.weight": masked(weight, edge_popup(scores[0], 0.5)), "dec.weight": weight},
        "two": {"enc.weight": weight, "dec.weight": masked(weight, edge_popup(scores[1], 0.5))},
        "three": {"enc.weight": masked(weight, edge_popup(scores[1], 0.5)), "dec.weight": other},
    }
    files = [f"--task={name}={name}.pt" for name in tasks]
    outcome = right(tasks, *(word for file in files for word in file.split("=", 1)), "--keep", "0.5", source="")
    return or_refused(outcome, "tie|other name|task")


@KIND
def tasks_in_which_all_is_tied(folder: Path) -> Outcome:
    draws = Draws(17)
    weight = draws.weight(20, 8)
    tasks = {}
    for name in ("one", "two"):
        scores = draws.weight(20, 8)
        state = {"enc.weight": weight, "enc.scores": scores, "dec.weight": weight, "dec.scores": scores}
        save(folder, state, f"{name}.pt")
        dense = masked(weight, edge_popup(scores, 0.5))
        tasks[name] = {"enc.weight": dense, "dec.weight": dense}
    options = ("--task", "one=one.pt", "--task", "two=two.pt", "--keep", "0.5")
    return or_refused(right(tasks, *options, source=""), "tie|other name|task")


@KIND
def one_task_masks_what_the_other_leaves(folder: Path) -> Outcome:
    """A weight that is plain in one task and masked in the other, with other values equal in both."""
    draws = Draws(18)
    weight, scores, bias = draws.weight(20, 8), draws.weight(20, 8), draws.weight(20)
    save(folder, {"enc.weight": weight, "enc.scores": scores, "enc.bias": bias, "view": weight}, "one.pt")
    save(folder, {"enc.weight": weight, "enc.scores": scores, "enc.bias": bias, "view": scores}, "two.pt")
    dense = masked(weight, edge_popup(scores, 0.5))
    tasks = {
        "one": {"enc.weight": dense, "enc.bias": bias, "view": weight},
        "two": {"enc.weight": dense, "enc.bias": bias, "view": scores},
    }
    options = ("--task", "one=one.pt", "--task", "two=two.pt", "--keep", "0.5")
    return or_refused(right(tasks, *options, source=""), "tie|other name|task")


@KIND
def equal_values_in_memory_of_their_own(folder: Path) -> Outcome:
    draws = Draws(19)
    weight, scores = draws.weight(20, 8), draws.weight(20, 8)
    state = {"enc.weight": weight, "enc.scores": scores, "dec.weight": weight.clone(), "other": scores.clone()}
    save(folder, state)
    dense = {"enc.weight": masked(weight, edge_popup(scores, 0.5)), "dec.weight": weight, "other": scores}
    return right(dense, "--keep", "0.5", checkpoint=state, evaluate=BY_SCORES)


@KIND
def a_masks_file_names_one_of_two_names(folder: Path) -> Outcome:
    draws = Draws(20)
    weight, mask = draws.weight(20, 8), draws.mask(20, 8)
    state = {"head.weight": weight, "emb.weight": weight, "last.weight": weight}
    save(folder, state)
    save(folder, {"emb.weight": mask}, "m.pt")
    dense = {**state, "emb.weight": masked(weight, mask)}
    return right(dense, "--masks", "m.pt", checkpoint=state)


@KIND
def empty_tensors_share_the_address_of_nothing(folder: Path) -> Outcome:
    weight = Draws(21).pruned(8, 8)
    state = {
        "a": torch.empty(0),
        "b": torch.empty(0, 3),
        "c": torch.empty(4, 0, dtype=torch.int64),
        "w": weight,
        "d": weight[:0],
        "e": weight[:, :0],
        "f": weight.view(-1)[:0],
    }
    save(folder, state)
    return right(dict(state), checkpoint=state)


@KIND
def one_element_under_three_shapes(folder: Path) -> Outcome:
    vector = torch.tensor([-0.0])
    state = {"vector": vector, "number": vector[0], "matrix.weight": vector.view(1, 1), "w": Draws(22).pruned(8, 8)}
    save(folder, state)
    return right({**state, "matrix.weight": torch.zeros(1, 1)}, checkpoint=state)


@KIND
def a_parameter_and_its_data(folder: Path) -> Outcome:
    draws = Draws(23)
    parameter, scores = nn.Parameter(draws.weight(20, 8)), nn.Parameter(draws.weight(20, 8))
    state = {"enc.weight": parameter, "enc.scores": scores, "copy": parameter.data, "seen": scores.detach()}
    save(folder, state)
    dense = {
        "enc.weight": masked(parameter.data, edge_popup(scores.data, 0.5)),
        "copy": parameter.data,
        "seen": scores.data,
    }
    return right(dense, "--keep", "0.5", checkpoint=state, evaluate=BY_SCORES)


@KIND.in_memory
def the_bits_of_a_masked_weight_as_integers(folder: Path) -> Outcome:  # noqa: ARG001
    """torch.save refuses two types over one memory; a network in memory may have them."""
    draws = Draws(24)
    weight, scores = draws.weight(20, 8), draws.weight(20, 8)
    state = {"enc.weight": weight, "enc.scores": scores, "bits": weight.view(torch.int32)}
    dense = {"enc.weight": masked(weight, edge_popup(scores, 0.5)), "bits": weight.view(torch.int32).clone()}
    return right(dense, "--keep", "0.5", checkpoint=state, evaluate=BY_SCORES).also(given=state)


@KIND.in_memory
def a_module_with_tied_parameters(folder: Path) -> Outcome:  # noqa: ARG001
    pair = Pair(head_first=True)
    prune.l1_unstructured(pair.embedding, "weight", 0.5)
    _, dense = pruned_pair(True, False)
    return right(dense).also(given=pair)


@KIND.in_memory
def complex_numbers_and_their_real_parts(folder: Path) -> Outcome:  # noqa: ARG001
    draws = Draws(25)
    numbers = torch.complex(draws.weight(8, 8), draws.weight(8, 8))
    state = {"a": numbers, "b": torch.view_as_real(numbers), "c": numbers.real, "d": numbers.imag, "e": numbers.conj()}
    dense = {name: tensor.clone().resolve_conj().contiguous() for name, tensor in state.items()}
    return right(dense).also(given=state)
