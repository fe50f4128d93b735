"""A server of one file that counts what it is asked for; with ranges or without, and one that breaks off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Served:
    """The answers of a server.

    Attributes:
        url: of the file.
        requests: method and bytes of each answer, in order.
        breaks_after: answers after which it closes every connection; None for never.
    """

    def __init__(self, data: bytes, ranges: bool) -> None:
        self.data, self.ranges = data, ranges
        self.url = ""
        self.requests: list[tuple[str, int]] = []
        self.breaks_after: int | None = None

    @property
    def bytes(self) -> int:
        return sum(count for _, count in self.requests)


@contextmanager
def served(data: bytes, *, ranges: bool = True) -> Iterator[Served]:
    """Serve some bytes on this machine until the block ends."""
    told = Served(data, ranges)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(200, b"", len(data))

        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            if not (ranges and asked):
                self._answer(200, data, len(data))
                return
            first, last = asked.removeprefix("bytes=").split("-")
            stop = min(int(last) + 1, len(data)) if last else len(data)
            part = data[int(first) : stop]
            self._answer(206, part, len(part), f"bytes {first}-{stop - 1}/{len(data)}")

        def _answer(self, status: int, body: bytes, size: int, place: str = "") -> None:
            if told.breaks_after is not None and len(told.requests) >= told.breaks_after:
                self.close_connection = True
                return
            told.requests.append((self.command, len(body)))
            self.send_response(status)
            self.send_header("Content-Length", str(size))
            if ranges:
                self.send_header("Accept-Ranges", "bytes")
            if place:
                self.send_header("Content-Range", place)
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:  # who asked has enough
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    told.url = f"http://127.0.0.1:{server.server_port}/model.pemn"
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
