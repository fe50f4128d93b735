"""The situation of a user: files, the options of `pemn pack`, and the outcomes that are allowed.

Nothing here or in the modules beside it imports the package: expectations are plain torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

State = dict[str, torch.Tensor]
Tasks = dict[str, State]  # by task; "" where there is one network
Evaluate = Callable[[Any], State | Tasks]


@dataclass(frozen=True)
class Refusal:
    """An error that is allowed: its class, or a class above it, and words of its message (a pattern, in any case)."""

    words: str
    error: str = "CheckpointError"

    def fits(self, message: str) -> bool:
        return says(message, self.words)


def says(text: str, words: str) -> bool:
    """Return whether a pattern is in a text, in any case of letters; line breaks are spaces."""
    return re.search(words, " ".join(text.split()), re.IGNORECASE) is not None


@dataclass(frozen=True)
class Result:
    """Tensors by task, and patterns that what `pack` says about the checkpoint must have then."""

    tasks: Tasks
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """A command, and the outcomes that are allowed.

    Attributes:
        source: the file or folder to pack; "" where `options` name tasks.
        options: of `pemn pack`.
        results: all results that are right; if empty, the command must be refused.
        refusal: the error that is allowed; None: no error is allowed.
        checkpoint: what was saved: the paths of its tensors must be those of the original layout; None: not compared.
        gone: first keys of the checkpoint that need not come back.
        evaluate: the effective tensors of a checkpoint in the original layout, as its project computes with it; None:
            not compared.
        given: what Python packs where no file is meant.
        alone: whether the command needs a process of its own.
    """

    source: str
    options: tuple[str, ...]
    results: tuple[Result, ...] = ()
    refusal: Refusal | None = None
    checkpoint: Any = None
    gone: tuple[str, ...] = ()
    evaluate: Evaluate | None = None
    given: Any = None
    alone: bool = False

    def also(self, **changes: Any) -> Outcome:
        return replace(self, **changes)


Write = Callable[[Path], Outcome]


@dataclass(frozen=True)
class Situation:
    """One function of a module of situations.

    Attributes:
        memory: whether the checkpoint is no file but an object, which Python packs.
    """

    name: str
    write: Write
    memory: bool = False


class Kind:
    """The situations of one module, in their order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.situations: list[Situation] = []

    def __call__(self, write: Write) -> Write:
        """Registers a function under its name."""
        return self.add(write.__name__.replace("_", " "), write)

    def add(self, name: str, write: Write) -> Write:
        self.situations.append(Situation(f"{self.name}: {name}", write))
        return write

    def in_memory(self, write: Write) -> Write:
        """Registers a function whose checkpoint is no file."""
        self.situations.append(Situation(f"{self.name}: {write.__name__.replace('_', ' ')}", write, memory=True))
        return write


def right(
    tensors: State | Tasks,
    *options: str,
    source: str = "a.pt",
    notes: str | tuple[str, ...] = (),
    checkpoint: Any = None,
    evaluate: Evaluate | None = None,
    gone: tuple[str, ...] = (),
) -> Outcome:
    """Expect these tensors. With a checkpoint and no `evaluate`, expect the original layout to be dense as well."""
    if checkpoint is not None and evaluate is None:
        evaluate = flat
    said = (notes,) if isinstance(notes, str) else notes
    return Outcome(source, options, (Result(by_task(tensors), said),), None, checkpoint, gone, evaluate)


def refused(words: str, *options: str, source: str = "a.pt", error: str = "CheckpointError") -> Outcome:
    """Expect an error."""
    return Outcome(source, options, (), Refusal(words, error))


def or_refused(outcome: Outcome, words: str, error: str = "CheckpointError") -> Outcome:
    """Allow an error besides the results of an outcome."""
    return outcome.also(refusal=Refusal(words, error))


def either(outcome: Outcome, *others: Outcome) -> Outcome:
    """Allow the results of several outcomes."""
    return outcome.also(results=tuple(result for one in (outcome, *others) for result in one.results))


def by_task(tensors: State | Tasks) -> Tasks:
    """`{"": tensors}` of a single network."""
    if any(isinstance(value, Mapping) for value in tensors.values()):
        return {task: dict(state) for task, state in tensors.items() if isinstance(state, Mapping)}
    return {"": {name: tensor for name, tensor in tensors.items() if isinstance(tensor, torch.Tensor)}}


def leaves(checkpoint: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], torch.Tensor]]:
    """Every tensor or array, under its keys; indices for the elements of lists."""
    if isinstance(checkpoint, torch.Tensor):
        yield path, checkpoint
    elif isinstance(checkpoint, np.ndarray):
        yield path, torch.from_numpy(checkpoint.copy())
    elif isinstance(checkpoint, Mapping):
        for key, value in checkpoint.items():
            yield from leaves(value, (*path, key))
    elif isinstance(checkpoint, list | tuple):
        for index, value in enumerate(checkpoint):
            yield from leaves(value, (*path, index))


WRAPPERS = ("state_dict", "model_state_dict", "model")


def flat(checkpoint: Any) -> State:
    """Tensors under dotted names; what is beside the network is left out."""
    if isinstance(checkpoint, Mapping):
        checkpoint = next((checkpoint[key] for key in WRAPPERS if isinstance(checkpoint.get(key), Mapping)), checkpoint)
    return {".".join(map(str, path)): tensor for path, tensor in leaves(checkpoint)}


def layers_under(end: str, rule: Callable[[torch.Tensor], torch.Tensor] = lambda mask: mask != 0) -> Evaluate:
    """Of checkpoints in which `XEND` chooses among the elements of X, or of X.weight: the tensors that are left."""

    def evaluate(checkpoint: Any) -> State:
        state = flat(checkpoint)
        found = {}
        for name, tensor in state.items():
            chosen = state.get(name + end)
            if chosen is None and name.endswith("weight"):
                chosen = state.get(name.removesuffix("weight") + end)
            if name.endswith(end) and (name.removesuffix(end) in state or name.removesuffix(end) + "weight" in state):
                continue
            found[name] = tensor if chosen is None else masked(tensor, rule(chosen))
        return found

    return evaluate


def masked(weight: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The weight where the mask is not 0, else +0.0; the mask broadcasts."""
    return torch.where(mask != 0, weight, torch.zeros((), dtype=weight.dtype))


def save(folder: Path, checkpoint: Any, file: str = "a.pt", **how: Any) -> None:
    """Write with torch.save."""
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    torch.save(checkpoint, folder / file, **how)


class Draws:
    """Random tensors from one seed."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def weight(self, *shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=self.generator)

    def mask(self, *shape: int, density: float = 0.5) -> torch.Tensor:
        """Of bool; at least one of each."""
        mask = torch.rand(shape, generator=self.generator) < density
        mask.view(-1)[:2] = torch.tensor([True, False])
        return mask

    def pruned(self, *shape: int) -> torch.Tensor:
        """A weight with zeros, all of them positive."""
        return masked(self.weight(*shape), self.mask(*shape))
