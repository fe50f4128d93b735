"""The decoder in JavaScript on all vectors, against what they hold and against the second decoder."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from .node import bases, decode, invalid, valid

VALID = valid()
ROWS = VALID | invalid()


def digests(tensors: list[dict[str, Any]]) -> list[list[Any]]:
    """Name, dtype, shape and SHA-256 of the tensors of a vector."""
    return [
        [
            row["name"],
            row["dtype"],
            row["shape"],
            row.get("sha256") or hashlib.sha256(bytes.fromhex(row["data"])).hexdigest(),
        ]
        for row in tensors
    ]


def test_valid_vectors_give_the_same_bits() -> None:
    """As a whole, and opened lazily with one tensor decoded after the other."""
    assert len(VALID) > 300
    for lazy in (False, True):
        answers = decode({"file": str(path), "bases": bases(path, ROWS), "lazy": lazy} for path in VALID)
        for (path, row), answer in zip(VALID.items(), answers, strict=True):
            assert answer == {"tensors": {task: digests(rows) for task, rows in row["networks"].items()}}, (
                path.name,
                lazy,
            )


def test_invalid_vectors_have_the_same_class() -> None:
    rows = invalid()
    answers = decode(
        {
            "file": str(path),
            "bases": bases(path, ROWS),
            "maxBytes": row.get("max_bytes"),
            "task": row.get("task"),
        }
        for path, row in rows.items()
    )
    assert len(rows) > 1900
    wrong = [
        (path.name, row, answer)
        for (path, row), answer in zip(rows.items(), answers, strict=True)
        if answer != {"class": row["class"]}
    ]
    assert not wrong, wrong[:5]


def test_the_second_decoder_says_the_same() -> None:
    """By its command, which has no limit to give: vectors of `max_bytes` are left out."""
    cases: list[tuple[Path, str | None]] = [
        (path, task or None) for path, row in VALID.items() for task in row["networks"]
    ]
    cases += [
        (path, row.get("task"))
        for path, row in invalid().items()
        if "max_bytes" not in row and not ("task" not in row and row["class"] == "limit")
    ]
    ours = decode({"file": str(path), "bases": bases(path, ROWS), "task": task} for path, task in cases)
    arguments = [
        [
            str(path),
            *(["--task", task] if task else []),
            *(word for base in bases(path, ROWS) for word in ("--base", base)),
        ]
        for path, task in cases
    ]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("second.py"))],
        input="".join(json.dumps(row) + "\n" for row in arguments),
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = [json.loads(line) for line in done.stdout.splitlines()]
    for (path, task), mine, other in zip(cases, ours, theirs, strict=True):
        if "class" in other:
            assert mine == other, (path.name, task)
            continue
        rows = [[name, row["dtype"], row["shape"], row["sha256"]] for name, row in other["tensors"].items()]
        assert mine == {"tensors": {task or "": rows}}, (path.name, task)
