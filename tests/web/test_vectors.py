"""The decoder in JavaScript on all vectors, against what they hold and against the second decoder."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .node import VECTORS, WEB, bases, decode, invalid, valid

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


def sentences() -> dict[str, str]:
    """The sentences of messages.js by the codes of the errors."""
    text = (WEB / "src" / "messages.js").read_text(encoding="utf-8")
    return dict(re.findall(r'^  "?([\w-]+)"?: "(.*)",$', text, re.MULTILINE))


def test_every_error_has_its_sentence() -> None:
    """And no sentence is left of an error that there is no more."""
    code = r'fail\("([\w-]+)"|PemnError\((?:"\w+"|kind), "([\w-]+)"'
    modules = [path.read_text(encoding="utf-8") for path in sorted((WEB / "src").rglob("*.js"))]
    used = {one or other for text in modules for one, other in re.findall(code, text)}
    used |= {f"zstd-{found}" for text in modules for found in re.findall(r'corrupt\("([\w-]+)"', text)}
    assert used == set(sentences())


def check_valid(module: Path, lazy: bool) -> None:
    """As a whole, or opened lazily with one tensor decoded after the other."""
    assert len(VALID) > 300
    requests = ({"file": str(path), "bases": bases(path, ROWS), "lazy": lazy} for path in VALID)
    for (path, row), answer in zip(VALID.items(), decode(requests, module), strict=True):
        expected = {task: digests(rows) for task, rows in row["networks"].items()}
        assert answer == {"tensors": expected}, (path.name, module, lazy)


def check_invalid(module: Path) -> None:
    """The class of each, and a sentence in the place of the code of an error."""
    rows = invalid()
    assert len(rows) > 1900
    requests = (
        {"file": str(path), "bases": bases(path, ROWS), "maxBytes": row.get("max_bytes"), "task": row.get("task")}
        for path, row in rows.items()
    )
    sentence = "|".join(re.escape(text).replace(r"\{\}", ".+") for text in sentences().values())
    for (path, row), answer in zip(rows.items(), decode(requests, module), strict=True):
        assert answer.get("class") == row["class"], (path.name, row, answer)
        assert re.fullmatch(f"{row['class']}: ({sentence})", answer["message"]), (path.name, answer)
        assert len(answer["message"]) <= 200


@pytest.mark.parametrize("lazy", [False, True])
def test_valid_vectors_give_the_same_bits(lazy: bool) -> None:
    check_valid(WEB / "src" / "index.js", lazy)


@pytest.mark.parametrize("module", ["index.js", "sync.js"])
def test_invalid_vectors_have_the_same_class(module: str) -> None:
    """By the parts that a file needs, and with all of them at once and no promises."""
    check_invalid(WEB / "src" / module)


@pytest.mark.parametrize("lazy", [False, True])
def test_the_bundle_gives_the_same(bundle: Path, lazy: bool) -> None:
    """Minified, too."""
    check_valid(bundle, lazy)
    if not lazy:
        check_invalid(bundle)


def test_what_only_other_tasks_use_is_not_decoded() -> None:
    """It may be broken, or need a base that is not there (`sound` and `without_base` of the vectors)."""
    cases = [
        ({"file": str(path), "bases": bases(path, ROWS), "task": task, "lazy": lazy}, VALID[VECTORS / "valid" / of])
        for path, row in ROWS.items()
        for task, of in [
            *((task, f"{name}.pemn") for task, name in row.get("sound", {}).items()),
            *((task, path.name) for task in row.get("without_base", [])),
        ]
        for lazy in (False, True)
    ]
    for request, row in cases:
        request["bases"] = [] if "without_base" in row else request["bases"]
    assert len(cases) >= 18
    for (request, row), answer in zip(cases, decode(request for request, _ in cases), strict=True):
        task = request["task"]
        assert answer == {"tensors": {task: digests(row["networks"][task])}}, request


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
    ours = decode(
        ({"file": str(path), "bases": bases(path, ROWS), "task": task} for path, task in cases),
        WEB / "src" / "sync.js",
    )
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
            assert mine.get("class") == other["class"], (path.name, task)
            continue
        rows = [[name, row["dtype"], row["shape"], row["sha256"]] for name, row in other["tensors"].items()]
        assert mine == {"tensors": {task or "": rows}}, (path.name, task)
