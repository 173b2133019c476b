"""A bundle from a web server: interruptions cost nothing, and every refusal is one sentence."""

from __future__ import annotations

import contextlib
import http.server
import os
import shutil
import signal
import ssl
import subprocess
import threading
import urllib.request
from typing import TYPE_CHECKING

import pytest
from conftest import free_port, wait_for

from edgeasr.bundle import locate, write_checksums
from edgeasr.errors import BundleError
from edgeasr.pull import download, pull
from edgeasr.pull.progress import Silent
from edgeasr.worker import command, environment

from .conftest import SIZE, Server, make_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Told(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_PAUSES", (0.0, 0.0, 0.0))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "models"


def refusal(source: str, store: Path, **options: object) -> str:
    with pytest.raises(BundleError) as caught:
        pull(source, store, timeout=5.0, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _part_size(store: Path) -> int:
    return sum(part.stat().st_size for part in store.glob(".pull-*/lm.bin.part"))


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_folder_is_pulled_and_found(bundle: Path, web: Server, store: Path, slash: str) -> None:
    pulled = pull(f"{web.url}/edgeasr-en{slash}", store)
    assert pulled.is_new
    assert pulled.path == store / "edgeasr-en"
    for file in bundle.iterdir():
        assert (pulled.path / file.name).read_bytes() == file.read_bytes()
        assert (pulled.path / file.name).stat().st_mode & 0o777 == 0o644
    assert locate("edgeasr-en", search=[store], verify=True).path == pulled.bundle.path
    assert not list(store.glob(".pull-*"))


@pytest.mark.parametrize("tags", [True, False], ids=["with entity tags", "without"])
def test_a_connection_that_breaks_off_is_taken_up_where_it_was(
    bundle: Path, web: Server, store: Path, tags: bool
) -> None:
    web.cut, web.tags = [100_000, 0, 150_000], tags
    told = Told()
    pull(f"{web.url}/edgeasr-en", store, progress=told)
    requests = web.of("lm.bin")
    assert [one.range for one in requests] == [None, "bytes=100000-", "bytes=100000-", "bytes=250000-"]
    assert all(bool(one.if_range) == tags for one in requests[1:])
    assert sum(one.sent for one in requests) == SIZE, "no byte was sent twice"
    assert len(told.said) == 3


def test_a_server_that_ignores_ranges_is_asked_for_all_of_it(bundle: Path, web: Server, store: Path) -> None:
    web.cut, web.ranges = [100_000], False
    pull(f"{web.url}/edgeasr-en", store)
    assert [one.sent for one in web.of("lm.bin")] == [100_000, SIZE]


def test_a_file_that_has_changed_meanwhile_is_not_mixed(bundle: Path, web: Server, store: Path) -> None:
    web.cut = [100_000] * 10
    web.ranges = False  # so that no try comes further than the first
    assert "pull again, which goes on" in refusal(f"{web.url}/edgeasr-en", store)
    web.cut, web.ranges = [], True
    shutil.rmtree(bundle)
    make_bundle(bundle, seed=2)
    pulled = pull(f"{web.url}/edgeasr-en", store)
    assert (pulled.path / "lm.bin").read_bytes() == (bundle / "lm.bin").read_bytes()


def test_without_entity_tags_a_mixed_file_is_fetched_anew(bundle: Path, web: Server, store: Path) -> None:
    web.cut, web.tags = [100_000, 0, 0, 0, 0], False
    refusal(f"{web.url}/edgeasr-en", store)
    shutil.rmtree(bundle)
    make_bundle(bundle, seed=2)
    web.requests.clear()
    pull(f"{web.url}/edgeasr-en", store)
    assert [one.range for one in web.of("lm.bin")] == ["bytes=100000-", None]


def test_a_part_that_is_complete_already_is_kept(bundle: Path, web: Server, store: Path) -> None:
    web.cut = [100_000, 0, 0, 0, 0]
    refusal(f"{web.url}/edgeasr-en", store)
    (part,) = store.glob(".pull-*/lm.bin.part")
    shutil.copy(bundle / "lm.bin", part)  # killed between the last byte and the renaming
    pull(f"{web.url}/edgeasr-en", store)
    assert web.of("lm.bin")[-1].sent == 0


def test_a_process_that_is_killed_goes_on_the_next_time(web: Server, store: Path, tmp_path: Path) -> None:
    """The real command, with the real bundle."""
    (tmp_path / "origin").mkdir()
    real = locate("edgeasr-en").path
    (tmp_path / "origin/edgeasr-en").symlink_to(real)
    line = command("edgeasr", "models", "pull", f"{web.url}/edgeasr-en", "--to", str(store))
    line += ["--set", "encoder.bundle=nonesuch"]  # else it would take what this machine has installed
    web.hold_at = 5_000_000
    with subprocess.Popen(line, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_for(lambda: _part_size(store) > 4_000_000, "a part of the file")
        process.send_signal(signal.SIGKILL)
    web.go.set()
    web.hold_at = None
    assert not (store / "edgeasr-en").exists()
    done = subprocess.run(line, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{store}/edgeasr-en is edgeasr-en-" in done.stdout
    again = web.of("lm.bin")[-1]
    assert again.range is not None
    assert int(again.range[6:-1]) > 4_000_000
    assert sum(len(web.of(name)) for name in ("encoder.tflite", "lexicon.bin")) == 2, "each once in both runs"
    assert locate("edgeasr-en", search=[store], verify=True).path.parent == store


def test_ctrl_c_says_that_the_same_command_goes_on(bundle: Path, web: Server, store: Path) -> None:
    web.hold_at = 100_000
    line = command("edgeasr", "models", "pull", f"{web.url}/edgeasr-en", "--to", str(store))
    with subprocess.Popen(line, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: _part_size(store), "a part of the file")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "edgeasr: interrupted; the same command goes on with what has come\n"


def test_a_wrong_checksum_is_refused_and_the_bundle_before_stays(
    bundle: Path, web: Server, store: Path
) -> None:
    before = pull(f"{web.url}/edgeasr-en", store).bundle.path
    shutil.rmtree(bundle)
    make_bundle(bundle, seed=2)
    (bundle / "lm.bin").write_bytes(b"x" * SIZE)
    assert "lm.bin does not match its checksum" in refusal(f"{web.url}/edgeasr-en", store)
    assert locate("edgeasr-en", search=[store], verify=True).path == before
    assert not list(store.glob(".pull-*/lm.bin*"))


def test_what_is_the_same_is_not_fetched_again(bundle: Path, web: Server, store: Path) -> None:
    first = pull(f"{web.url}/edgeasr-en", store)
    (bundle / "g2p.npz").write_bytes(b"new")
    write_checksums(bundle)
    web.requests.clear()
    second = pull(f"{web.url}/edgeasr-en", store, installed=lambda: first.bundle.path)
    assert second.is_new
    assert {one.path.rpartition("/")[2] for one in web.requests} == {"SHA256SUMS", "g2p.npz"}
    assert not pull(f"{web.url}/edgeasr-en", store, installed=lambda: second.bundle.path).is_new


@pytest.mark.parametrize(
    ("status", "reason"),
    [(404, "there is no such file (404)"), (403, "it refuses access (403)"), (401, "it wants a login (401)")],
)
def test_a_refusal_for_good_is_told_at_once(
    bundle: Path, web: Server, store: Path, status: int, reason: str
) -> None:
    web.answers = [200, status]
    assert reason in refusal(f"{web.url}/edgeasr-en", store)
    assert len(web.requests) == 2


def test_a_busy_server_is_asked_again(bundle: Path, web: Server, store: Path) -> None:
    web.answers = [200, 503, 429, 500]
    assert pull(f"{web.url}/edgeasr-en", store).is_new
    web.answers = [200, *[503] * 100]
    shutil.rmtree(store)
    assert "the server answers 503; pull again" in refusal(f"{web.url}/edgeasr-en", store)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:{port}/x", "Connection refused; check address and network"),
        ("http://nonesuch.invalid/x", "check address and network"),
        ("http://ann:secret@127.0.0.1:{port}/x", "http://127.0.0.1:"),
    ],
)
def test_a_server_that_is_not_there(store: Path, url: str, reason: str) -> None:
    message = refusal(url.format(port=free_port()), store)
    assert reason in message
    assert "secret" not in message


@pytest.mark.parametrize("how", ["holds", "trickles"])
def test_a_server_that_stalls_or_trickles_is_given_up(
    bundle: Path, web: Server, store: Path, how: str
) -> None:
    if how == "holds":
        web.hold_at = 1000
    else:
        web.trickle = 0.02
    with pytest.raises(BundleError, match=r"(does not answer|bytes came in).*pull again"):
        pull(f"{web.url}/edgeasr-en", store, timeout=0.3)


def test_an_address_that_is_something_else(bundle: Path, web: Server, store: Path) -> None:
    (bundle / "SHA256SUMS").write_text("<html>not found</html>\n")
    assert "malformed line" in refusal(f"{web.url}/edgeasr-en", store)
    (bundle / "SHA256SUMS").write_text("x" * 100_000)
    assert "no list of checksums" in refusal(f"{web.url}/edgeasr-en", store)
    (bundle / "SHA256SUMS").write_text("")
    assert "that is no model bundle" in refusal(f"{web.url}/edgeasr-en", store)
    (bundle / "SHA256SUMS").write_text(f"{'0' * 64}  ../../etc/passwd\n")
    assert "malformed line" in refusal(f"{web.url}/edgeasr-en", store)


def test_a_pinned_checksum_is_kept_to(bundle: Path, web: Server, store: Path) -> None:
    assert "not the one that --sha256 gives" in refusal(f"{web.url}/edgeasr-en", store, pin="0" * 64)
    assert len(web.requests) == 1


def test_a_redirection_is_followed_but_never_out_of_encryption(
    bundle: Path, web: Server, store: Path
) -> None:
    web.redirect = f"{web.url}/nowhere"
    assert "its redirections lead nowhere (302)" in refusal(f"{web.url}/edgeasr-en", store)
    request = urllib.request.Request("https://example.org/a")
    with pytest.raises(BundleError, match=r"leads to http://example\.org/a, unencrypted"):
        download._Redirects().redirect_request(request, None, 302, "", {}, "http://example.org/a")


def test_a_certificate_that_nobody_vouches_for(bundle: Path, store: Path, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=localhost",
        "-days",
        "2",
    ]
    subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with _tls_server(context) as port:
        assert "certificate is not trusted" in refusal(f"https://localhost:{port}/edgeasr-en", store)


@contextlib.contextmanager
def _tls_server(context: ssl.SSLContext) -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


def test_a_full_disk_is_told_and_the_pull_goes_on_once_there_is_room(
    bundle: Path, web: Server, tmp_path: Path
) -> None:
    """A real file system of 300 kB, and one that fills up while the file comes."""
    store = tmp_path / "small"
    store.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", store], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting takes root")
    try:
        assert "free some space and pull again" in refusal(f"{web.url}/edgeasr-en", store)
        subprocess.run(["mount", "-o", "remount,size=600k", store], check=True)
        web.hold_at = 200_000
        line = command("edgeasr", "models", "pull", f"{web.url}/edgeasr-en", "--to", str(store))
        with subprocess.Popen(line, env=environment(), stderr=subprocess.PIPE, text=True) as process:
            wait_for(lambda: _part_size(store), "a part of the file")
            room = os.statvfs(store)
            (store / "more").write_bytes(bytes(max(0, room.f_bavail * room.f_frsize - 60_000)))
            web.go.set()
            _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "there is no space left" in err
        assert err.count("\n") == 1
        subprocess.run(["mount", "-o", "remount,size=2m", store], check=True)
        web.hold_at = None
        assert pull(f"{web.url}/edgeasr-en", store).is_new
        assert web.of("lm.bin")[-1].range is not None
    finally:
        subprocess.run(["umount", store], check=True)
