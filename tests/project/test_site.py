"""The documentation: its examples run as pasted, its links lead somewhere, its lists are complete."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import pytest
import torch

import pemncodec
import pemncodec.distributed
import pemncodec.hub
import pemncodec.nn
from pemncodec.checkpoints.families.table import FAMILIES
from pemncodec.checkpoints.options import RULES
from pemncodec.cli.main import COMMANDS
from pemncodec.container.header import MAJOR, MINOR

from ..command import pemn

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?P<target>[^()\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        language: `python`, or `console`: commands after `$ `, each with what it prints.
        line: the one of its page that it begins in.
        printed: what a `text` block after it says that it prints; None: the page does not say.
    """

    language: str
    line: int
    text: str
    printed: str | None


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page that run, in order."""
    text = page.read_text()
    found = list(_FENCE.finditer(text))
    for block, after in zip_longest(found, found[1:]):
        if block["language"] in ("python", "console"):
            follows = block["language"] == "python" and after is not None and after["language"] == "text"
            printed = after["text"] if follows and after is not None else None
            line = text.count("\n", 0, block.start()) + 2
            yield Block(block["language"], line, block["text"], printed)


def commands(block: Block) -> Iterator[tuple[list[str], str]]:
    """The arguments of each `pemn` of a console block, and what the page says that it prints."""
    for piece in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, _, printed = re.sub(r"\\\n *", "", piece).partition("\n")
        name, *arguments = shlex.split(line, comments=True)
        assert name == "pemn", f"line {block.line}: only pemn is run here"
        yield arguments, printed


def assert_printed(expected: str, found: str, where: str) -> None:
    """Compare lines without what is blank at their ends; … in `expected` stands for anything."""
    lines = [[line.rstrip() for line in text.strip().splitlines()] for text in (expected, found)]
    pattern = ".*".join(re.escape(part) for part in "\n".join(lines[0]).split("…"))
    if not re.fullmatch(pattern, "\n".join(lines[1]), re.DOTALL):
        pytest.fail(f"{where} prints\n{found}\nand not\n{expected}", pytrace=False)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(blocks(page))], ids=lambda page: str(page.relative_to(DOCS))
)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    with torch.random.fork_rng(devices=[]):
        for block in blocks(page):
            where = f"{page}:{block.line}"
            if block.language == "python":
                out = io.StringIO()
                with contextlib.redirect_stdout(out):
                    exec(compile("\n" * (block.line - 1) + block.text, page, "exec"), names)
                if block.printed is not None:
                    assert_printed(block.printed, out.getvalue(), where)
                else:
                    assert not out.getvalue() or "prints `" in page.read_text(), f"{where}: say what it prints"
            else:
                for arguments, printed in commands(block):
                    done = pemn(*arguments, cwd=tmp_path)
                    assert_printed(printed, done.stdout + done.stderr, f"{where}: pemn {shlex.join(arguments)}")


def anchors(page: Path) -> set[str]:
    """The anchors of a page, as headings make them."""
    text = _FENCE.sub("", page.read_text())
    titles = re.findall(r"^#+ +(.*?)(?: *\{#([\w-]+)\})?$", text, re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)) for title, _ in titles)
    return {re.sub(r"[-\s]+", "-", title.strip().lower()) for title in plain} | {own for _, own in titles if own}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_links_lead_somewhere_in_a_checkout(page: Path) -> None:
    for found in _LINK.finditer(_FENCE.sub("", page.read_text())):
        target, _, anchor = found["target"].partition("#")
        if "://" in target:
            continue
        there = (page.parent / target) if target else page
        assert there.exists(), found["target"]
        if anchor and there.suffix == ".md" and there.parent.name != "reference":  # those are made by mkdocs
            assert anchor in anchors(there), found["target"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_every_page_is_in_the_navigation(page: Path) -> None:
    assert f": {page.relative_to(DOCS).as_posix()}\n" in (ROOT / "mkdocs.yml").read_text()


def test_lines_of_prose_are_short() -> None:
    for page in PAGES:
        for line in _FENCE.sub("", page.read_text()).splitlines():
            long = len(line) > 100 and not line.lstrip().startswith(("|", "![", "[", "<"))
            assert not long or " " not in line[100:].strip(), f"{page.name}: {line}"


def test_the_reference_has_every_public_name() -> None:
    pages = ("python", "nn", "hub", "distributed", "errors")
    text = "".join((DOCS / "reference" / f"{name}.md").read_text() for name in pages)
    there = set(re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE))
    wanted = {f"pemncodec.{name}" for name in pemncodec.__all__ if name != "open"}
    wanted |= {f"pemncodec.nn.{name}" for name in pemncodec.nn.__all__}
    wanted |= {f"pemncodec.distributed.{name}" for name in pemncodec.distributed.__all__}
    assert there == wanted | {f"pemncodec.hub.{name}" for name in pemncodec.hub.__all__}
    assert "`pemncodec.open`" in text


def test_tables_have_every_family_rule_and_version() -> None:
    checkpoints = (DOCS / "checkpoints.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \|", checkpoints, re.MULTILINE)
    families = rows[rows.index("--family") + 1 : rows.index("--rule")]
    assert families == [family.name for family in FAMILIES], "in the order in which they are asked"
    assert set(RULES) == set(rows[rows.index("--rule") + 1 :])
    versions = re.findall(r"^\| (\d+\.\d+) \|", (DOCS / "format-versions.md").read_text(), re.MULTILINE)
    assert versions == [f"{MAJOR}.{minor}" for minor in range(MINOR + 1)]


def test_every_command_has_an_example() -> None:
    console = [block for page in PAGES for block in blocks(page) if block.language == "console"]
    run = {arguments[0] for block in console for arguments, _ in commands(block)}
    assert run >= set(COMMANDS)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_files_that_are_named_exist(page: str) -> None:
    named = re.findall(r"`((?:[\w.]+/)+(?:\w+\.\w+)?)`", _FENCE.sub("", (ROOT / page).read_text()))
    assert len(named) > 20
    for name in named:
        assert (ROOT / name).exists() or (ROOT / "pemncodec" / name).exists() or name == "build/site", name


def test_names_that_one_adds_to_are_where_it_says() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    found = re.findall(r"`([A-Za-z_]+)`[^`]*? (?:in|of)\s+`(pemncodec/[\w/]+\.py)`", text)
    assert len(found) > 8
    for name, path in found:
        assert re.search(rf"\b{name}\b", (ROOT / path).read_text()), f"{name} in {path}"
