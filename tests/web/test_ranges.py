"""The decoder in JavaScript on a server: with range requests, without, and with a file that ends too early."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import pemncodec

from .node import WEB, run_node


class Server(http.server.ThreadingHTTPServer):
    """Serves one file. `sent` counts the bytes of every step that a request names."""

    content = b""
    ranges = True
    sent: dict[str, int]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers requests of ranges, if the server does."""

    server: Server

    def do_GET(self) -> None:
        """Send the file, or a range of it."""
        content, wanted = self.server.content, re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if wanted and self.server.ranges:
            start, end = int(wanted[1]), min(int(wanted[2]) + 1, len(content))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
            content = content[start:end]
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        step = self.headers["X-Step"]
        self.server.sent[step] = self.server.sent.get(step, 0) + len(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on this machine."""
    made = Server(("127.0.0.1", 0), Handler)
    made.sent = {}
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.mark.parametrize("ranges", [True, False])
def test_one_tensor_takes_its_pages(server: Server, tmp_path: Path, ranges: bool) -> None:
    """Of 4 MB of values, and one mask, those of one tensor are sent; all of them by a server without ranges."""
    rng = np.random.default_rng(0)
    path = tmp_path / "model.pemn"
    network = pemncodec.MaskedNetwork()
    network.prototypes.append(pemncodec.GeneratedPrototype(pemncodec.Generator("normal", 101, 1)))
    for number in range(8):
        network.masks.append(pemncodec.Mask.from_bool(rng.random(4_000_000) < 0.5))
        network.entries.append(pemncodec.Layer(f"w{number}", (2000, 2000), number, pemncodec.TileFill(0)))
    pemncodec.save_file(network, path)
    server.content, server.ranges = path.read_bytes(), ranges
    answer = json.loads(run_node(WEB / "test-ranges.mjs", f"http://127.0.0.1:{server.server_port}/model.pemn", "w5"))
    expected = hashlib.sha256(pemncodec.load_file(path)["w5"].numpy().tobytes()).hexdigest()
    assert answer == {"one": expected, "all": expected, "count": 8}
    assert server.sent["all"] == len(server.content)
    if ranges:
        assert 500_000 < server.sent["one"] < 500_000 + 3 * 65_536
    else:
        assert server.sent["one"] == len(server.content)
