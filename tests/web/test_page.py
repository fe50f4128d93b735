"""The page of web/demo in a browser: a digit that is drawn, logits, files that are dropped, hostile ones."""

from __future__ import annotations

import importlib.util
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import pemncodec

from .browser import Browser
from .node import VECTORS, WEB
from .serving import serving

DIGITS = WEB / "demo" / "digits.pemn"
READY = "document.documentElement?.dataset.ready === 'yes'"
# Strokes of digits as polylines in a field of 1 × 1.
STROKES = {
    0: [[(0.5 + 0.26 * math.sin(a / 16 * math.tau), 0.5 - 0.4 * math.cos(a / 16 * math.tau)) for a in range(17)]],
    1: [[(0.4, 0.25), (0.52, 0.1), (0.52, 0.9)]],
    7: [[(0.25, 0.12), (0.75, 0.12), (0.45, 0.9)]],
    4: [[(0.45, 0.1), (0.25, 0.55), (0.75, 0.55)], [(0.6, 0.4), (0.58, 0.9)]],
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, as `make web-demo` makes it."""
    specification = importlib.util.spec_from_file_location("build_web_demo", WEB / "demo" / "build.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("site")
    module.build(folder)
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The address of the page on a server of this test."""
    with serving(site) as found:
        yield f"{found}/"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, address: str) -> Iterator[Browser]:
    """A browser that has the page open and the network loaded."""
    with Browser(tmp_path_factory.mktemp("browser")) as opened:
        opened.open(address)
        opened.wait(READY)
        yield opened


def draw(browser: Browser, strokes: list[list[tuple[float, float]]]) -> None:
    """Clear the field, and draw by mouse events."""
    browser.value("document.getElementById('clear').click(); scrollTo(0, 0)")
    box = browser.value(
        "(({x, y, width}) => [x, y, width])(document.getElementById('drawing').getBoundingClientRect())"
    )
    for stroke in strokes:
        places = [(box[0] + x * box[2], box[1] + y * box[2]) for x, y in stroke]
        browser.mouse("pressed", *places[0])
        for place in places[1:]:
            browser.mouse("moved", *place)
        browser.mouse("released", *places[-1])


def test_digits_drawn_by_the_mouse_are_recognised(browser: Browser) -> None:
    for digit, strokes in STROKES.items():
        draw(browser, strokes)
        assert browser.value("document.getElementById('answer').textContent") == str(digit)
    shown = browser.value("[...document.querySelectorAll('.value')].map((value) => parseFloat(value.textContent))")
    assert len(shown) == 10
    assert abs(sum(shown) - 100) < 0.6
    text = browser.value("document.getElementById('transfer').textContent")
    assert "17.6 kB over the wire, decoded in " in text
    assert "209.4 kB" in text
    assert not browser.errors


def network() -> nn.Module:
    """The network of benchmarks/demo.py, with the weights of the page."""
    from experiments.networks import convmixer

    model: nn.Module = convmixer(96, 4, 5, patch=2, channels=1)
    pemncodec.load_model(model, DIGITS)
    return model.eval()


def test_logits_are_those_of_pytorch(browser: Browser) -> None:
    images = np.random.default_rng(0).integers(0, 17, (20, 64))
    with torch.no_grad():
        expected = network()((torch.tensor(images) * 15 / 120 - 1).float().view(-1, 1, 8, 8)).numpy()
    logits = np.array(browser.value(f"{json.dumps(images.tolist())}.map(recognise)"))
    assert np.abs(logits - expected).max() < 1e-4


def test_the_page_works_as_a_file(site: Path, tmp_path: Path) -> None:
    """Opened from a folder, without any server, on a small screen."""
    with Browser(tmp_path, 390, 844) as browser:
        browser.open((site / "index.html").as_uri())
        browser.wait(READY)
        draw(browser, STROKES[7])
        assert browser.value("document.getElementById('answer').textContent") == "7"
        assert browser.value("document.documentElement.scrollWidth") <= 390
        browser.choose("#choose", DIGITS)
        browser.wait("document.querySelectorAll('.layer').length === 55")
        assert not browser.errors


def test_nothing_comes_from_elsewhere(site: Path) -> None:
    text = (site / "index.html").read_text(encoding="utf-8")
    assert "://" not in text.replace("file://", "")


def test_a_file_shows_its_layers(browser: Browser) -> None:
    browser.choose("#choose", DIGITS)
    browser.wait("document.querySelectorAll('.layer').length === 55")
    text = browser.value("document.getElementById('file').innerText")
    for words in ("masks 6.0 kB", "0.weight", "50.0 % ones"):
        assert words in text
    # The mask of layer 3.1 is 96 × 96: a pixel a bit. Each is as the network has it.
    browser.wait("(document.querySelectorAll('.layer canvas')[2] ?? {}).width === 96")
    alphas = browser.value(
        "(() => { const canvas = document.querySelectorAll('.layer canvas')[2];"
        "const data = canvas.getContext('2d').getImageData(0, 0, 96, 96).data;"
        "return Array.from({length: 96 * 96}, (_, i) => data[4 * i + 3]); })()"
    )
    weights = pemncodec.load_file(DIGITS)["3.1.weight"]
    assert [alpha == 255 for alpha in alphas] == (weights != 0).flatten().tolist()


def test_bad_files_give_a_sentence(browser: Browser, tmp_path: Path) -> None:
    """Each its own, by the class of the error."""
    whole = DIGITS.read_bytes()
    damaged = bytearray(whole)
    damaged[-1] ^= 1
    cases = {
        "not a .pemn file": b"PK\x03\x04" + whole,
        "newer version": whole[:9] + b"\x63" + whole[10:],
        "ends too early": whole[:9000],
        "goes on after its end": whole + b"\0",
        "was damaged": whole[:40] + b"\x55" + whole[41:],
        "breaks a rule": (VECTORS / "invalid" / "alias_huge.pemn").read_bytes(),
    }
    for number, (words, content) in enumerate(cases.items()):
        path = tmp_path / f"{number}.pemn"
        path.write_bytes(content)
        browser.value("document.getElementById('file').textContent = ''")
        browser.choose("#choose", path)
        browser.wait(f"document.querySelector('.error')?.textContent.includes({json.dumps(words)})", 10)
        assert browser.value("document.querySelectorAll('.layer').length") == 0


def test_names_never_become_markup(browser: Browser, tmp_path: Path) -> None:
    name = "<img src=x onerror=document.title='run'>"
    path = tmp_path / "markup.pemn"
    mask = pemncodec.Mask.from_bool(np.arange(24) % 2 == 0)
    network = pemncodec.MaskedNetwork()
    network.masks.append(mask)
    network.prototypes.append(pemncodec.GeneratedPrototype(pemncodec.Generator("normal", 7, 1)))
    network.entries.append(pemncodec.Layer(name, (4, 6), 0, pemncodec.TileFill(0)))
    pemncodec.save_file(network, path)
    browser.choose("#choose", path)
    browser.wait("document.querySelectorAll('.layer').length === 1")
    assert browser.value("document.querySelector('.layer strong').textContent") == name
    assert browser.value("document.querySelectorAll('#file img').length") == 0
    assert browser.value("document.title") == "A network in 17.6 kB"


def test_hostile_files_do_not_freeze_the_page(browser: Browser) -> None:
    """Timers of the page go on while its worker reads; every file ends in layers or a sentence."""
    browser.value(
        "globalThis.longest = 0; globalThis.before = performance.now();"
        "setInterval(() => { const now = performance.now();"
        "longest = Math.max(longest, now - before); before = now; }, 20)"
    )
    hostile = [
        path for path in sorted((VECTORS / "invalid").glob("*.pemn")) if "huge" in path.stem or "2_4" in path.stem
    ]
    hostile += sorted((VECTORS / "invalid").glob("*.pemn"), key=lambda path: -path.stat().st_size)[:10]
    assert len(hostile) > 20
    for path in hostile:
        browser.value("document.getElementById('file').textContent = ''")
        browser.choose("#choose", path)
        browser.wait("!!document.querySelector('#file .error, #file .layers')", 25)
    time.sleep(0.1)
    assert browser.value("longest") < 2000
    assert not browser.errors
