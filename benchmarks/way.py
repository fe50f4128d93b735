"""Print the files of the package that a checkpoint enters through `save_file`, in order.

    python benchmarks/way.py [--all]

Files of `common`, `errors` and, without --all, of one folder of alternatives (families, coders) stand once, by their
folder. The number after a file says how often control comes back to it and it goes on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from types import FrameType

import torch
from torch.nn.utils import prune

import pemncodec

ROOT = Path(pemncodec.__file__).parent
LEFT_OUT = ("common/", "errors/")
ALTERNATIVES = ("checkpoints/families/", "coding/masks/", "coding/blocks/", "packing/sharing/", "loading/recheck/")


def pruned() -> torch.nn.Module:
    """Return a network of two layers, half of whose weights torch's pruning masks."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
    for layer in (model[0], model[2]):
        prune.l1_unstructured(layer, "weight", 0.5)
    return model


def way(model: torch.nn.Module, path: Path) -> list[str]:
    """Return the file of the package that has control after each call and return, without repetitions."""
    found: list[str] = []
    active: list[str] = []

    def watch(frame: FrameType, event: str, _: object) -> None:
        name = frame.f_code.co_filename
        if event not in ("call", "return") or not name.startswith(str(ROOT)):
            return
        if event == "call":
            active.append(str(Path(name).relative_to(ROOT)))
        elif active:
            active.pop()
        if active and (not found or found[-1] != active[-1]):
            found.append(active[-1])

    pemncodec.save_file(model, path)  # imports
    sys.setprofile(watch)
    pemncodec.save_file(model, path)
    sys.setprofile(None)
    return found


def collapsed(steps: list[str], whole: bool) -> list[str]:
    """Return the steps without helpers, and alternatives by their folder."""
    kept: list[str] = []
    for step in steps:
        if step.startswith(LEFT_OUT):
            continue
        folder = next((one for one in ALTERNATIVES if step.startswith(one) and not whole), None)
        name = folder or step
        if not kept or kept[-1] != name:
            kept.append(name)
    return kept


def returns(steps: list[str], file: str) -> int:
    """Return how often control comes back to a file, the last time, when it only goes back itself, not counted."""
    return max(steps.count(file) - 2, 0)


def main() -> None:
    """Print the way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="name every file of a folder of alternatives")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        steps = collapsed(way(pruned(), Path(folder) / "model.pemn"), arguments.all)
    for name in dict.fromkeys(steps):
        print(f"{name:40} {returns(steps, name)}")


if __name__ == "__main__":
    main()
