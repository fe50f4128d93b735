"""The examples of the documentation run, and its numbers are theirs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from pemncodec.checkpoints.families.table import FAMILIES

ROOT = Path(__file__).resolve().parents[2]


def test_train_pack_load(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "networks.md").read_text()
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code is not None
    done = subprocess.run(
        [sys.executable, "-c", code.group(1)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    size, same = done.stdout.split()
    assert same == "True"
    stated = re.search(r"prints `(\d+) True`", text)
    assert stated is not None
    assert abs(int(size) - int(stated.group(1))) < 200, "the data of the example are random"


def test_the_example_of_the_readme(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 1
    for code, printed in blocks:
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout == printed


def test_the_readme_is_short_and_counts_the_families() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.encode()) <= 7_000
    assert f"recognises {len(FAMILIES)} kinds of checkpoints" in text


def test_vectors_are_counted() -> None:
    counted = [len(list((ROOT / "spec" / "vectors" / kind).glob("*.pemn"))) for kind in ("valid", "invalid")]
    assert f"{counted[0]} valid and {counted[1]} invalid files" in (ROOT / "README.md").read_text()


def test_pictures_and_pages_exist() -> None:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if not target.startswith("https://"):
                assert (page.parent / target).exists(), f"{page.name} refers to {target}"
