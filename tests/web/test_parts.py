"""The parts of the decoder in JavaScript that are imported when a file needs them, and the size of the bundle."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .browser import Browser
from .node import VECTORS, WEB, decode
from .serving import serving

PARTS = ["chunks", "delta", "messages", "ranges", "seeds", "torch", "xxh64"]
# A file, and the parts that are imported for it.
NEEDS = {
    "digits": ["seeds"],
    "valid/mask_raw": [],
    "valid/grouped_normal": [],
    "valid/manifest_zstd": [],
    "valid/manifest_zstd_checksum": ["xxh64"],
    "valid/chunks_users": ["chunks"],
    "valid/generator_signed": ["seeds"],
    "valid/drawn_normal": ["seeds", "torch"],
    "valid/dialect_tasks": ["seeds", "torch"],
    "valid/delta_flips": ["delta"],
    "valid/delta_over_generator_layers": ["delta", "seeds"],
    "invalid/block_frame_magic": ["messages"],
}


@pytest.fixture(scope="module", params=["src/index.js", "bundle/pemncodec.js"])
def module(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the decoder, as sources or as the bundle, on a server that has the vectors and an empty page."""
    site = tmp_path_factory.mktemp("site")
    if request.param.startswith("bundle"):
        shutil.copytree(request.getfixturevalue("bundle").parent, site / "bundle")
    (site / "src").symlink_to(WEB / "src")
    for name in ("valid", "invalid"):
        (site / name).symlink_to(VECTORS / name)
    shutil.copyfile(WEB / "demo" / "digits.pemn", site / "digits.pemn")
    (site / "index.html").write_text("<!doctype html><title>Parts</title>")
    with serving(site) as address:
        yield f"{address}/{request.param}"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser."""
    with Browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.mark.parametrize("call", ["load", "open"])
@pytest.mark.parametrize(("file", "parts"), NEEDS.items())
def test_a_page_fetches_what_a_file_needs(
    browser: Browser, module: str, file: str, parts: list[str], call: str
) -> None:
    """Each file in a page of its own, since parts stay."""
    page = f"/?{file}&{call}"
    browser.open(f"{module.partition('/src')[0].partition('/bundle')[0]}{page}")
    browser.wait(f"location.search === {json.dumps(page[1:])} && document.readyState === 'complete'")
    described = VECTORS / f"{file}.json"
    row = json.loads(described.read_text(encoding="utf-8")) if described.exists() else {}
    options = {
        "base": [f"valid/{row['base']}"] if "base" in row else [],
        "task": next(iter(row.get("tasks", [])), None),
    }
    answer = browser.value(
        f"""import("{module}").then(async (decoder) => {{
            const options = {json.dumps(options)};
            options.task ??= undefined;
            const opened = (file) => file.tensors({{ task: options.task }});
            const tensors = "{call}" === "load" ? decoder.load("{file}.pemn", options)
                : decoder.open("{file}.pemn", options).then(opened);
            const answer = await tensors.catch((error) => error);
            const names = performance.getEntriesByType("resource").map(({{ name }}) => name.split("/").pop());
            return [answer.message ?? "", answer instanceof Map, names];
        }})"""
    )
    bad = file.startswith("invalid")
    assert answer[:2] == ["payload: not a Zstandard frame" if bad else "", not bad]
    names = [name.removeprefix("pemncodec-").removesuffix(".js") for name in answer[2]]
    assert [part for part in PARTS if part in names] == [
        p for p in PARTS if p in parts or (p, call) == ("ranges", "open")
    ]


def test_the_bundle_is_small(bundle: Path) -> None:
    """The first file is at most 40 kB, 15 kB by gzip, and imports nothing before it is needed."""
    text = bundle.read_bytes()
    assert len(text) <= 40_000
    assert len(gzip.compress(text, 9)) <= 15_000
    assert not re.search(rb'(import|from)\s*"', text)
    assert {path.name for path in bundle.parent.iterdir()} == {"pemncodec.js", *(f"pemncodec-{p}.js" for p in PARTS)}


def test_without_its_parts_an_error_says_so(bundle: Path, tmp_path: Path) -> None:
    """A class and a code in the place of a sentence; and no network that is made without the part for it."""
    folder = tmp_path / "bundle"
    shutil.copytree(bundle.parent, folder)
    for name in ("messages", "torch"):
        (folder / f"pemncodec-{name}.js").unlink()
    files = [VECTORS / "invalid" / "block_frame_magic.pemn", VECTORS / "valid" / "drawn_normal.pemn"]
    bad, drawn = decode(({"file": str(path), "bases": []} for path in files), folder / "pemncodec.js")
    assert bad == {"class": "payload", "message": "payload: zstd-magic"}
    assert drawn["class"] == "usage"
    assert drawn["message"].startswith("the part torch of the decoder could not be loaded: ")
