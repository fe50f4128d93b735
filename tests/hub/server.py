"""A server on this machine that speaks as much of the Hub's protocol as one small repository needs."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "a" * 40


class Hub(ThreadingHTTPServer):
    """The repository `me/net`.

    Attributes:
        files: what was committed.
        asked: method and path of each request.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


@contextmanager
def running() -> Iterator[Hub]:
    """A hub that answers in a thread."""
    with Hub() as hub:
        thread = threading.Thread(target=hub.serve_forever)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_POST(self) -> None:
        content = self._content()
        self.server.asked.append(f"POST {self.path}")
        page = f"{self.server.url}/me/net"
        if self.path == "/api/repos/create":
            self._json({"url": page})
        elif self.path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            paths = [file["path"] for file in json.loads(content)["files"]]
            self._json({"files": [{"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in paths]})
        elif "/commit/" in self.path:
            for line in map(json.loads, content.splitlines()):
                if line["key"] == "file":
                    self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self._json({"commitUrl": f"{page}/commit/{COMMIT}", "commitOid": COMMIT, "success": True})
        else:
            self._send(404)

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        files = self.server.files
        name = self.path.partition("?")[0].rpartition("/")[2]
        if "/tree/" in self.path:
            self._json([{"type": "file", "path": path, "size": len(files[path]), "oid": "b" * 40} for path in files])
        elif self.path.startswith("/api/models/"):
            self._json({"id": "me/net", "sha": COMMIT, "tags": [], "siblings": [{"rfilename": path} for path in files]})
        elif "/resolve/" in self.path and name in files:
            self._send(200, files[name], {"ETag": f'"{name}"', "X-Repo-Commit": COMMIT})
        else:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})

    do_HEAD = do_GET  # noqa: N815 (called by this name)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""

    def _content(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, content: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
