"""Node for the tests of the decoder in JavaScript, and the vectors as requests to it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "web"
VECTORS = ROOT / "spec" / "vectors"
OLDEST = 20


def node() -> str:
    """The path of Node; without one, or with an old one, the test is skipped and says so."""
    path = shutil.which("node")
    if path is None:
        pytest.skip("Node is not installed: the decoder in JavaScript was not tested")
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version[1:].split(".")[0]) < OLDEST:
        pytest.skip(f"Node {version.strip()} is older than {OLDEST}: the decoder in JavaScript was not tested")
    return path


def run_node(*arguments: str | Path, stdin: str = "") -> str:
    """Return the output of Node; a failure shows its messages."""
    done = subprocess.run([node(), *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def valid() -> dict[Path, dict[str, Any]]:
    """The valid vectors and what they hold."""
    return {
        path.with_suffix(".pemn"): json.loads(path.read_text()) for path in sorted((VECTORS / "valid").glob("*.json"))
    }


def invalid() -> dict[Path, dict[str, Any]]:
    """The invalid vectors and their classes."""
    rows = json.loads((VECTORS / "invalid" / "expected.json").read_text())
    return {VECTORS / "invalid" / f"{name}.pemn": row for name, row in rows.items()}


def bases(path: Path, rows: dict[Path, dict[str, Any]]) -> list[str]:
    """The base of a vector, its base, and so on."""
    base = rows.get(path, {}).get("base")
    if base is None:
        return []
    below = (path.parent / base).resolve()
    return [str(below), *bases(below, rows)]


def decode(requests: Iterable[dict[str, Any]], module: Path = WEB / "src" / "index.js") -> list[dict[str, Any]]:
    """The answers of test-vectors.mjs, by the module that it is to use."""
    stdin = "".join(json.dumps(row) + "\n" for row in requests)
    return [json.loads(line) for line in run_node(WEB / "test-vectors.mjs", module, stdin=stdin).splitlines()]
