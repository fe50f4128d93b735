"""Checkpoints as people have them: how each is made, and what may come of it. No module here imports the package."""

from . import (
    archives,
    arrays,
    containers,
    contents,
    damage,
    foreign_names,
    forks,
    loose_masks,
    mask_files,
    odd_tensors,
    prefixes,
    shared_memory,
)
from .situation import Outcome, Situation, State, Tasks, by_task, leaves, says

MODULES = (
    shared_memory,
    archives,
    damage,
    contents,
    containers,
    arrays,
    odd_tensors,
    loose_masks,
    forks,
    mask_files,
    foreign_names,
    prefixes,
)
SITUATIONS = [situation for module in MODULES for situation in module.KIND.situations]

__all__ = ["SITUATIONS", "Outcome", "Situation", "State", "Tasks", "by_task", "leaves", "says"]
