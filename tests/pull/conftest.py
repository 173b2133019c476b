"""A small bundle, and a web server that hands it out as servers do, good and bad ones."""

from __future__ import annotations

import http.server
import random
import shutil
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from edgeasr.bundle import locate, write_checksums

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = 400_000  # bytes of the small bundle's largest file


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Return the folder of a bundle whose manifest holds, though its files are noise."""
    return make_bundle(tmp_path / "origin" / "edgeasr-en", seed=1)


def make_bundle(folder: Path, seed: int) -> Path:
    real = locate("edgeasr-en")
    folder.mkdir(parents=True)
    noise = random.Random(seed)  # noqa: S311 - no secret
    for name in real.manifest.files:
        size = SIZE if name == real.manifest.decoder.lm else 1000
        (folder / name).write_bytes(noise.randbytes(size))
    for name in ("model.toml", real.manifest.decoder.tokens):
        shutil.copy(real.file(name), folder)
    write_checksums(folder)
    return folder


@dataclass
class Request:
    path: str
    range: str | None
    if_range: str | None
    sent: int = 0


@dataclass
class Server:
    """Hands out a folder; what it does wrong is set in its fields."""

    folder: Path
    ranges: bool = True
    tags: bool = True
    cut: list[int] = field(
        default_factory=list
    )  # bytes after which answers with `lm.bin` break off, one each
    hold_at: int | None = None  # after which they stop and wait for `go`
    trickle: float = 0.0  # seconds between bytes
    answers: list[int] = field(default_factory=list)  # statuses of the next answers
    redirect: str | None = None
    requests: list[Request] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)
    holds: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def of(self, name: str) -> list[Request]:
        return [one for one in self.requests if one.path.endswith(name)]


def handler(server: Server) -> type[http.server.BaseHTTPRequestHandler]:  # noqa: C901 - a class
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            seen = Request(self.path, self.headers["Range"], self.headers["If-Range"])
            server.requests.append(seen)
            if server.answers and (status := server.answers.pop(0)) != 200:
                self.answer(status, b"")
                return
            if server.redirect:
                self.answer(302, b"", Location=server.redirect)
                return
            path = server.folder / self.path.lstrip("/")
            if not path.is_file():
                self.answer(404, b"no")
                return
            data = path.read_bytes()
            tag = f'"{hash(data):x}"'
            extra = {"ETag": tag} if server.tags else {}
            begin = 0
            if server.ranges and seen.range and seen.if_range in (None, tag):
                begin = int(seen.range.removeprefix("bytes=").rstrip("-"))
                if begin >= len(data):
                    self.answer(416, b"", **{"Content-Range": f"bytes */{len(data)}"})
                    return
                extra["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
            self.send_response(206 if begin else 200)
            for key, value in {"Content-Length": str(len(data) - begin), **extra}.items():
                self.send_header(key, value)
            self.end_headers()
            self.send(data[begin:], seen)

        def send(self, data: bytes, seen: Request) -> None:
            if seen.path.endswith("lm.bin"):
                if server.cut:
                    data = data[: server.cut.pop(0)]
                    self.close_connection = True
                if server.hold_at is not None:
                    self.put(data[: server.hold_at], seen)
                    server.holds.set()
                    server.go.wait(60)
                    data = data[server.hold_at :]
                if server.trickle:
                    for position in range(len(data)):
                        self.put(data[position : position + 1], seen)
                        if server.go.wait(server.trickle):
                            return
                    return
            self.put(data, seen)

        def put(self, data: bytes, seen: Request) -> None:
            try:
                self.wfile.write(data)
                self.wfile.flush()
            except OSError:
                self.close_connection = True
            else:
                seen.sent += len(data)

        def answer(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for key, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

    return Handler


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Server]:
    """Return a server of the folder `origin`."""
    server = Server(tmp_path / "origin")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(server)) as listening:
        server.url = f"http://127.0.0.1:{listening.server_address[1]}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.go.set()
        listening.shutdown()
        thread.join()
