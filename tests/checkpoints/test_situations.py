"""Checkpoints as people have them (`tests/situations`): right, bit for bit, or refused in one line that says why."""

from __future__ import annotations

import ast
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pemncodec
from pemncodec import errors

from ..command import Result, pemn
from ..situations import SITUATIONS, Outcome, Situation, State, Tasks, by_task, leaves, says

OUTPUT = "out.pemn"
LONGEST = 300  # of a message: a name from a file is shortened
FILES = [situation for situation in SITUATIONS if not situation.memory]
MEMORY = [situation for situation in SITUATIONS if situation.memory]


def name_of(situation: Situation) -> str:
    return situation.name


# --- bits ----------------------------------------------------------------------------------------------------------


def as_bytes(tensor: torch.Tensor) -> torch.Tensor:
    plain = tensor.detach().resolve_conj().resolve_neg().contiguous().reshape(-1)
    return plain.view(torch.uint8) if plain.numel() else torch.empty(0, dtype=torch.uint8)


def difference(expected: State, found: State) -> str | None:
    """Return the first difference in names, dtype, shape or bits, or None; dropped weights are expected as +0.0."""
    if set(expected) != set(found):
        return f"missing {sorted(set(expected) - set(found))[:4]}, extra {sorted(set(found) - set(expected))[:4]}"
    for name, tensor in expected.items():
        other = found[name]
        if (other.dtype, other.shape) != (tensor.dtype, tensor.shape):
            return f"{name!r} is {other.dtype} {tuple(other.shape)} for {tensor.dtype} {tuple(tensor.shape)}"
        if not torch.equal(as_bytes(tensor), as_bytes(other)):
            return f"{name!r} has other bits"
    return None


def difference_of_task(expected: State, load: Callable[[str | None], State], task: str) -> str | None:
    try:
        return difference(expected, load(task or None))
    except errors.PemnError as reason:  # there is no such task, say
        return f"cannot be loaded: {reason}"


def assert_one_of(outcome: Outcome, load: Callable[[str | None], State], said: str) -> Tasks:
    """Every task is what one of the right results has, and what was said goes with it; returns that result."""
    found: list[str | None] = []
    for result in outcome.results:
        wrong = [difference_of_task(state, load, task) for task, state in result.tasks.items()]
        wrong += [f"{words!r} is not said" for words in result.notes if not says(said, words)]
        if not any(wrong):
            return result.tasks
        found += wrong
    raise AssertionError(f"wrong: {'; '.join(filter(None, found))}; said: {said}")


def shapes(checkpoint: Any, gone: tuple[str, ...]) -> dict[tuple[str, ...], torch.Size]:
    """Of every tensor, by its keys. (load_state_dict of a project converts types, and no shapes.)"""
    return {
        tuple(map(str, path)): tensor.shape for path, tensor in leaves(checkpoint) if not path or path[0] not in gone
    }


def assert_original(outcome: Outcome, expected: Tasks, made: Any) -> None:
    """The keys and the nesting that were packed, and the effective weights by the project's own computation."""
    if outcome.checkpoint is not None:
        assert shapes(made, ()) == shapes(outcome.checkpoint, outcome.gone)
    if outcome.evaluate is not None:
        evaluated = by_task(outcome.evaluate(made))
        for task, state in expected.items():
            wrong = difference(state, evaluated[task])
            assert wrong is None, f"in the original layout: {wrong}"


# --- the command ---------------------------------------------------------------------------------------------------


def run(outcome: Outcome, *arguments: str, cwd: Path) -> Result:
    if not outcome.alone:
        return pemn(*arguments, cwd=cwd)
    command = [sys.executable, "-m", "pemncodec", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    return Result(done.returncode, done.stdout, done.stderr)


def read(path: Path, arrays: bool = False) -> Any:
    with warnings.catch_warnings():  # of types that torch calls experimental
        warnings.simplefilter("ignore")
        return torch.load(path, weights_only=not arrays)


def holds_arrays(checkpoint: Any) -> bool:
    values = checkpoint.values() if isinstance(checkpoint, dict) else ()
    return any(isinstance(value, np.ndarray) or holds_arrays(value) for value in values)


def assert_allowed(outcome: Outcome, message: str) -> str:
    """The situation may be refused, and in these words; returns the class that the error must have."""
    assert len(message) <= LONGEST, message
    if outcome.refusal is None:
        raise AssertionError(f"refused: {message}")
    if not outcome.refusal.fits(message):
        raise AssertionError(f"{message!r} does not say {outcome.refusal.words!r}")
    return outcome.refusal.error


def everything(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize("situation", FILES, ids=name_of)
def test_by_the_command(situation: Situation, tmp_path: Path) -> None:
    outcome = situation.write(tmp_path)
    before = everything(tmp_path)
    source = [outcome.source] if outcome.source else []
    result = run(outcome, "pack", *source, "-o", OUTPUT, *outcome.options, cwd=tmp_path)
    if result.status != 0:
        assert result.status == 1, result.stderr
        assert result.stderr.startswith("pemn: ")
        assert result.stderr.count("\n") == 1, result.stderr
        assert result.stdout == ""
        assert everything(tmp_path) == before
        assert_allowed(outcome, result.stderr)
        return
    if not outcome.results:
        raise AssertionError(f"packed, and must be refused ({outcome.refusal}): {result.stdout}")
    assert result.stderr == ""
    assert everything(tmp_path) == before | {tmp_path / OUTPUT}

    def load(task: str | None) -> State:
        which = [] if task is None else ["--task", task]
        unpacked = run(outcome, "unpack", OUTPUT, "-o", "out.pt", "--force", *which, cwd=tmp_path)
        if unpacked.status != 0:
            raise errors.PemnError(unpacked.stderr)
        return dict(read(tmp_path / "out.pt"))

    expected = assert_one_of(outcome, load, result.stdout)
    if not source:
        return
    how = [option for option in outcome.options if option != "--strip-prefix"]  # the file says that itself
    verified = run(outcome, "verify", OUTPUT, "--against", *source, *how, cwd=tmp_path)
    assert verified.status == 0, verified.stderr
    if outcome.checkpoint is not None or outcome.evaluate is not None:
        original = run(outcome, "unpack", OUTPUT, "-o", "back.pt", "--layout", "original", cwd=tmp_path)
        assert original.status == 0, original.stderr
        arrays = "--unsafe-pickle" in outcome.options or holds_arrays(outcome.checkpoint)  # which come back as such
        assert_original(outcome, expected, read(tmp_path / "back.pt", arrays))


# --- Python --------------------------------------------------------------------------------------------------------

NUMBERS = {"--threshold": "threshold"}
WORDS = {"--rule": "rule", "--ties": "ties", "--family": "family", "--key": "key", "--mask-suffix": "mask_suffix"}
FLAGS = {
    "--strip-prefix": "strip_prefix",
    "--mixed-prefixes": "mixed_prefixes",
    "--inverted-masks": "inverted_masks",
}


def other_file(path: Path, unsafe: bool) -> Any:
    """Return the object that a user of Python passes as masks or backbone."""
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return dict(arrays)
    return pemncodec.load_checkpoint(path, unsafe=unsafe)


def arguments_of(options: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Path], bool]:
    """The same said in Python: arguments, checkpoints by task, and whether code of checkpoints may run."""
    arguments: dict[str, Any] = {}
    tasks: dict[str, Path] = {}
    unsafe = "--unsafe-pickle" in options
    words = iter(options)
    for option in words:
        if option == "--unsafe-pickle":
            continue
        if option in FLAGS:
            arguments[FLAGS[option]] = True
            continue
        value = next(words)
        if option == "--keep":
            pattern, _, fraction = value.rpartition("=")
            arguments.setdefault("keep", {})[pattern or "*"] = float(fraction)
        elif option == "--task":
            name, _, file = value.partition("=")
            tasks[name] = Path(file)
        elif option in ("--masks", "--backbone"):
            arguments[option.removeprefix("--")] = other_file(Path(value), unsafe)
        elif option in NUMBERS:
            arguments[NUMBERS[option]] = float(value)
        else:
            arguments[WORDS[option]] = value
    return arguments, tasks, unsafe


def pack(outcome: Outcome, source: Any) -> Any:
    arguments, tasks, unsafe = arguments_of(outcome.options)
    if tasks:
        checkpoints = {task: pemncodec.load_checkpoint(path, unsafe=unsafe) for task, path in tasks.items()}
        return pemncodec.save_tasks(checkpoints, OUTPUT, **arguments)
    if source is None:
        source = pemncodec.load_checkpoint(outcome.source, unsafe=unsafe)
    return pemncodec.save_file(source, OUTPUT, **arguments)


def check_in_python(outcome: Outcome, source: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything(folder)
    refusal: errors.PemnError | None = None
    monkeypatch.chdir(folder)  # so that no message has the name of the test
    try:
        report = pack(outcome, source)
    except errors.PemnError as reason:
        refusal = reason
    if refusal is not None:
        error = assert_allowed(outcome, str(refusal))
        assert isinstance(refusal, getattr(errors, error)), repr(refusal)
        assert "\n" not in str(refusal)
        assert everything(folder) == before
        return
    if not outcome.results:
        raise AssertionError(f"packed, and must be refused ({outcome.refusal})")
    said = "\n".join([*report.notes, *report.dropped, *report.reasons])
    expected = assert_one_of(outcome, lambda task: pemncodec.load_file(folder / OUTPUT, task=task), said)
    if outcome.checkpoint is not None or outcome.evaluate is not None:
        assert_original(outcome, expected, pemncodec.load_original(folder / OUTPUT))


@pytest.mark.parametrize("situation", FILES, ids=name_of)
def test_in_python(situation: Situation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_in_python(situation.write(tmp_path), None, tmp_path, monkeypatch)


@pytest.mark.parametrize("situation", MEMORY, ids=name_of)
def test_what_is_no_file(situation: Situation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = situation.write(tmp_path)
    check_in_python(outcome, outcome.given, tmp_path, monkeypatch)


def test_names_differ() -> None:
    names = [situation.name for situation in SITUATIONS]
    assert len(names) == len(set(names))


def test_expectations_know_nothing_of_the_package() -> None:
    for path in (Path(__file__).parents[1] / "situations").glob("*.py"):
        modules = {
            name
            for node in ast.walk(ast.parse(path.read_text()))
            for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])
            + ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [])
        }
        assert not any(name.split(".")[0] == "pemncodec" for name in modules), path.name
