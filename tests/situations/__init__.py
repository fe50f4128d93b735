"""Checkpoints as people have them: how each is made, and what may come of it. No module here imports the package."""

from . import archives, containers, odd_tensors, shared_memory
from .situation import Outcome, Situation, State, Tasks, by_task, leaves, says

KINDS = (shared_memory.KIND, archives.KIND, containers.KIND, odd_tensors.KIND)
SITUATIONS = [situation for kind in KINDS for situation in kind.situations]

__all__ = ["SITUATIONS", "Outcome", "Situation", "State", "Tasks", "by_task", "leaves", "says"]
