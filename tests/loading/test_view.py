"""The page of a file: its sums, its pictures, and that nothing from the file becomes markup."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import struct
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import pemncodec
from pemncodec.common.dtypes import BY_NAME, FLOAT32
from pemncodec.generators.philox.generator import Generator
from pemncodec.loading.viewing.facts import log2_binomial
from pemncodec.loading.viewing.histogram import histogram
from pemncodec.loading.viewing.pictures import densities, matrix, picture
from pemncodec.loading.viewing.write import page_of
from pemncodec.network.mask import Mask
from pemncodec.network.model import (
    Alias,
    GeneratedPrototype,
    KeptFill,
    Layer,
    MaskedNetwork,
    StoredPrototype,
    Tensor,
    TileFill,
)

from ..command import pemn
from ..deltas import sha256
from ..networks import Array

HOSTILE = (
    '<img src=x onerror="alert(1)">',
    '"><script>alert(1)</script>',
    "' onclick='alert(1)",
    "\u202egnp.exe\x1b[31m\x7f\u2066",
    "</title></style></script><b>&amp;&lt;",
    "n" * 1000,
)
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "script", "h1", "h2", "p", "b", "br", "span", "div", "label"),
    *("select", "option", "table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "img"),
    *("svg", "rect", "text", "path"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "hidden", "for", "id", "value", "src", "alt"),
    *("width", "height", "x", "y", "fill", "stroke", "font-size", "role", "aria-label", "viewbox", "d"),
    *("preserveaspectratio", "data-bytes", "data-entry", "data-exact", "data-t", "data-v", "style"),
}


VECTORS = sorted((Path(__file__).resolve().parents[2] / "spec" / "vectors" / "valid").glob("*.pemn"))


class Page(HTMLParser):
    """All elements with their attributes, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def sum_of_bytes(self) -> int:
        return sum(int(found["data-bytes"] or "") for _, found in self.elements if "data-bytes" in found)

    def images(self) -> list[dict[str, str | None]]:
        return [found for tag, found in self.elements if tag == "img"]


def network(names: tuple[str, ...] = ("a", "b", "c", "d", "e", "f"), tasks: bool = False) -> MaskedNetwork:
    """Layers of every fill and of odd shapes, under these names."""
    rng = np.random.default_rng(0)
    made = MaskedNetwork(tasks=[name[:200] for name in names[:3]] if tasks else [])
    made.prototypes = [
        GeneratedPrototype(Generator("normal", 500, 3)),
        StoredPrototype(FLOAT32, rng.standard_normal(40).astype(np.float32).view(np.uint32)),
    ]
    shapes = [(16, 3, 3), (7, 13), (101,), (), (0, 4), (1, 9)]
    for number, (name, shape) in enumerate(zip(names, shapes, strict=True)):
        count = int(np.prod(shape))
        mask = Mask.from_bool(rng.random(count) < 0.4)
        made.masks.append(mask)
        fill: KeptFill | TileFill = TileFill(number % 2, 0, ("zero", "negated")[number % 2])
        if number % 3 == 0:
            fill = KeptFill(FLOAT32, rng.standard_normal(mask.count).astype(np.float32).view(np.uint32))
        made.entries.append(Layer(name, shape, number, fill, number % 4 if tasks else 0))
        plain = Tensor(f"{name[:900]}.bias", FLOAT32, (8,), np.arange(8, dtype=np.uint32), 0)
        made.entries.append(plain)
    made.entries.append(Alias("tied", made.entries[1].name))
    made.metadata = {name: name for name in names}
    return made


def bits_of(png: bytes) -> Array:
    """The pixels of a PNG of 1 bit a pixel that has no filters, bool, (height, width); its checksums are checked."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at < len(png):
        (size,) = struct.unpack_from(">I", png, at)
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", png, at + 8 + size) == (zlib.crc32(kind + data),)
        chunks[kind] = data
        at += 12 + size
    width, height, depth, colour = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    assert (depth, colour) == (1, 3)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), dtype=np.uint8).reshape(height, -1)
    assert not rows[:, 0].any()
    return np.unpackbits(rows[:, 1:], axis=1)[:, :width].astype(bool)


@pytest.mark.parametrize("tasks", [False, True])
def test_sums_are_the_size_of_the_file(tasks: bool) -> None:
    data = pemncodec.save(network(tasks=tasks))
    text = page_of(data)
    page = Page(text)
    assert page.sum_of_bytes() == len(data)
    rows = re.findall(r'<table class="parts">(.*?)</table>', text)
    sizes = [int(found.replace(",", "")) for found in re.findall(r">([\d,]+) B<", rows[0])]
    assert sum(sizes[:-1]) == sizes[-1] == len(data)
    short = pemncodec.open(data)._repr_html_()
    assert Page(short).sum_of_bytes() == len(data)
    assert f"{len(data):,} B" in short


@pytest.mark.parametrize("path", VECTORS[::6], ids=lambda path: path.stem)
def test_sums_of_the_vectors(path: Path) -> None:
    """Files of every kind of section, deltas without their base among them."""
    assert Page(page_of(path)).sum_of_bytes() == path.stat().st_size
    with pemncodec.open(path) as file:
        assert Page(file._repr_html_()).sum_of_bytes() == path.stat().st_size


def test_small_masks_are_there_bit_for_bit() -> None:
    data = pemncodec.save(network())
    with pemncodec.open(data) as file:
        masks = {f"Mask of {name}: ": file.get_mask(name).to_bool() for name in file if file.is_masked(name)}
    images = Page(page_of(data)).images()
    assert len(images) == 5, "all but the layer without weights"
    for image in images:
        alt, uri = image["alt"] or "", image["src"] or ""
        expected = next(flags for begin, flags in masks.items() if alt.startswith(begin))
        pixels = bits_of(base64.b64decode(uri.removeprefix("data:image/png;base64,"))).reshape(-1)
        assert image["data-exact"] == "1"
        assert np.array_equal(pixels[: len(expected)], expected)
        assert not pixels[len(expected) :].any()


@pytest.mark.parametrize("shape", [(300, 7, 3), (1 << 15,), (5, 4099), (4099, 5), (64, 64, 8)])
def test_densities_count_every_weight(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the mean of the matrix cut into cells; also where a row is longer than a piece."""
    monkeypatch.setattr("pemncodec.loading.viewing.pictures._PIECE", 1000)
    flags = np.random.default_rng(0).random(int(np.prod(shape))) < 0.3
    packed = Mask.from_bool(flags).packed
    rows, columns = matrix(shape)
    padded = np.full(rows * columns, np.nan)
    padded[: len(flags)] = flags
    whole = padded.reshape(rows, columns)
    found = densities(packed, len(flags), rows, columns, 5, 4)
    for i in range(5):
        for j in range(4):
            cell = whole[i * rows // 5 : (i + 1) * rows // 5, j * columns // 4 : (j + 1) * columns // 4]
            assert found[i, j] == pytest.approx(np.nanmean(cell))
    small = picture(packed, shape, 100)
    assert not small.exact
    assert small.width * small.height <= 200


def test_a_page_is_small_and_says_how_many_more() -> None:
    made = MaskedNetwork(prototypes=[GeneratedPrototype(Generator("sign", 4, 1))])
    rng = np.random.default_rng(0)
    for number in range(3_000):
        made.masks.append(Mask.from_bool(rng.random(4) < 0.5))
        made.entries.append(Layer(f"e{number}.w", (2, 2), number, TileFill(0)))
    made.masks.append(Mask.from_bool(rng.random(1 << 20) < 0.5))
    made.entries.append(Layer("last", (1 << 10, 1 << 10), 3_000, TileFill(0)))
    data = pemncodec.save(made)
    text = page_of(data)
    assert len(text) < 500_000
    assert "2,501 more smaller layers of the file are not shown" in text
    assert "<td>last</td>" in text, "the largest are shown"
    assert Page(text).sum_of_bytes() == len(data)


def test_hostile_names_never_become_markup(tmp_path: Path) -> None:
    made = network(HOSTILE, tasks=True)
    path = tmp_path / "<b>'x\".pemn"
    path.write_bytes(pemncodec.save(made))
    with pemncodec.open(path) as file:
        short = file._repr_html_()
    for text in (page_of(path), page_of(path, task=HOSTILE[1]), short):
        page = Page(text)
        assert {tag for tag, _ in page.elements} <= ELEMENTS
        assert {name for _, found in page.elements for name in found} <= ATTRIBUTES
        assert all(image["src"].startswith("data:image/png;base64,") for image in page.images() if image["src"])
        assert not any(c for c in text if not c.isprintable() and c != "\n")
        assert "\\u202egnp.exe\\x1b[31m\\x7f\\u2066" in text
    assert sum(tag == "script" for tag, _ in Page(page_of(path)).elements) == 1
    assert not any(tag == "script" for tag, _ in Page(short).elements)


def test_the_page_asks_no_other_machine() -> None:
    """Its policy names the hashes of its own style and script, and nothing else may run."""
    text = page_of(pemncodec.save(network()))
    assert not re.search(r"https?:|//\w|@import|url\(", text)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    for kind in ("style", "script"):
        inside = re.search(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        assert inside is not None
        digest = base64.b64encode(hashlib.sha256(inside[1].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy[1]
    assert policy[1].startswith("default-src 'none'; img-src data:;")


def test_a_task_alone() -> None:
    data = pemncodec.save(network(tasks=True))
    both, one = page_of(data), page_of(data, task="b")
    assert 'id="task"' in both
    assert 'id="task"' not in one
    assert "<b>d</b>" in both
    assert "<b>d</b>" not in one, "of another task"
    assert Page(one).sum_of_bytes() == len(data)
    with pytest.raises(pemncodec.NotFoundError, match="there is no task 'z'"):
        page_of(data, task="z")


def test_a_delta_says_so() -> None:
    base = network()
    later = network()
    changed = later.masks[1].to_bool()
    changed[:2] ^= True
    later.masks[1] = Mask.from_bool(changed)
    first = pemncodec.save(base)
    second = pemncodec.save(later, base=first)
    if pemncodec.open(second).base is None:
        pytest.fail("the network was not stored as differences")
    alone, with_base = page_of(second), page_of(second, base=first)
    assert sha256(first) in alone
    assert "not shown: it needs the base" in alone
    assert "it needs the base" not in with_base
    assert len(Page(alone).images()) < len(Page(with_base).images()) == 5
    with pytest.raises(pemncodec.BaseFileError):
        page_of(second, base=pemncodec.save(MaskedNetwork()))


def test_the_command(tmp_path: Path) -> None:
    data = pemncodec.save(network())
    (tmp_path / "m.pemn").write_bytes(data)
    done = pemn("view", "m.pemn", cwd=tmp_path)
    page = tmp_path / "m.html"
    assert (done.status, done.stdout, done.stderr) == (0, f"m.html: {page.stat().st_size:,} B\n", "")
    assert page.read_text(encoding="utf-8") == page_of(tmp_path / "m.pemn")
    again = pemn("view", "m.pemn", cwd=tmp_path)
    assert again.status == 1
    assert "m.html already exists" in again.stderr
    assert pemn("view", "m.pemn", "--force", "-q", cwd=tmp_path).stdout == ""
    assert pemn("view", "m.pemn", "-o", "m.pemn", "--force", cwd=tmp_path).status == 1, "never the input"
    assert (tmp_path / "m.pemn").read_bytes() == data
    limited = pemn("view", "m.pemn", "-o", "n.html", "--max-bytes", "8", cwd=tmp_path)
    assert limited.status == 1
    assert "max_bytes allows 8" in limited.stderr
    command = [sys.executable, "-m", "pemncodec", "view", "m.pemn", "-o", "-"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout == page.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.html", "m.pemn"]


@pytest.mark.parametrize("place", [-1, 60])
def test_no_page_of_a_damaged_file(place: int, tmp_path: Path) -> None:
    data = bytearray(pemncodec.save(network()))
    data[place] ^= 1
    (tmp_path / "m.pemn").write_bytes(data)
    done = pemn("view", "m.pemn", cwd=tmp_path)
    assert done.status == 1
    assert "is damaged" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["m.pemn"]


def test_a_file_without_anything() -> None:
    data = pemncodec.save(MaskedNetwork())
    assert Page(page_of(data)).sum_of_bytes() == len(data)
    assert "0 masked layers" in pemncodec.open(data)._repr_html_()


def test_the_floor() -> None:
    assert log2_binomial(4, 2) == pytest.approx(np.log2(6))
    assert log2_binomial(9, 9) == log2_binomial(9, 0) == log2_binomial(0, 0) == 0.0


@pytest.mark.parametrize(
    ("name", "values", "phrase"),
    [
        ("float32", np.array([1, np.nan, np.inf, -3], np.float32), "from -3 to 1"),
        ("float64", np.array([-1.7e308, 1.7e308]), "from -1.7e+308 to 1.7e+308"),
        ("float32", np.array([0x7F800001], np.uint32), "No finite value"),
        ("int8", np.array([-5, 5], np.int8), "from -5 to 5"),
        ("bfloat16", np.array([0x3F80, 0xC000], np.uint16), "from -2 to 1"),
        ("complex64", np.zeros(2, np.complex64), "No histogram of complex64"),
        ("float16", np.zeros(3, np.float16), "Histogram of 3 finite values from 0 to 0"),
    ],
)
def test_histograms_of_odd_values(name: str, values: Array, phrase: str) -> None:
    dtype = BY_NAME[name]
    words = values.view(f"u{dtype.word_bytes}")
    assert phrase in histogram(words, dtype)


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium to load the page")
def test_a_browser_shows_it(tmp_path: Path) -> None:
    """Its script runs under its own policy, and no name runs."""
    (tmp_path / "page.html").write_text(page_of(pemncodec.save(network(HOSTILE, tasks=True))), encoding="utf-8")
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", profile, "--dump-dom"]
    done = subprocess.run([*command, (tmp_path / "page.html").as_uri()], capture_output=True, timeout=100, check=True)
    page = Page(done.stdout.decode())
    assert "6 masked layers" in " ".join(page.text)
    assert ("dialog", {}) in page.elements, "the script has run"
    assert any(tag == "th" and found.get("class") == "n sorts" for tag, found in page.elements)
