"""ffmpeg as a child: what it reads, and what it must not do."""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from edgeasr.capture import FileSource
from edgeasr.errors import AudioFormatError
from edgeasr.media import Container, ffmpeg

SPEECH = Path(__file__).parents[2] / "edgeasr" / "demo" / "speech" / "01_morning.flac"
RATE = 16_000


@pytest.fixture(autouse=True)
def _installed() -> None:
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("ffmpeg is not installed")


def convert(path: Path, *options: str) -> Path:
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(SPEECH), *options, f"file:{path}"], check=True)
    return path


def seconds(path: Path) -> tuple[float, str | None]:
    with closing(FileSource(path)) as source:
        out, done = np.zeros(RATE, dtype=np.int16), 0
        while count := source.read(out):
            done += count
        return done / RATE, source.shortfall


def stub(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    "name", ["a.m4a", "a.webm", "a.wma", "a.mov", "a.mkv", "a.aac", "a.avi", "speex.spx"]
)
def test_what_libsndfile_cannot_read_is_read(tmp_path: Path, name: str) -> None:
    if name == "speex.spx":
        encoders = subprocess.run(
            ["ffmpeg", "-v", "error", "-encoders"], capture_output=True, check=True
        ).stdout
        if b"libspeex" not in encoders:
            pytest.skip("this ffmpeg writes no Speex")
    assert seconds(convert(tmp_path / name)) == (pytest.approx(7.4, abs=0.15), None)


@pytest.mark.parametrize(
    "name", ["-i.m4a", "a b'$(touch x)`;.m4a", "http:.m4a", "concat:a|b.m4a", "%03d.m4a", "z\n.m4a"]
)
def test_a_name_is_a_name_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    convert(tmp_path / "plain.m4a").rename(tmp_path / name)
    assert seconds(Path(name))[0] == pytest.approx(7.4, abs=0.15)
    assert not (tmp_path / "x").exists()


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"odd\xff.m4a")
    convert(tmp_path / "plain.m4a").rename(path)
    assert seconds(path)[0] == pytest.approx(7.4, abs=0.15)


def test_lists_of_other_files_and_addresses_inside_files_are_not_followed(tmp_path: Path) -> None:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/secret"
        secret = convert(tmp_path / "secret.m4a")
        lists = {
            "a.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{url}.ts\n#EXT-X-ENDLIST\n",
            "b.m4a": f"ffconcat version 1.0\nfile '{secret}'\nfile '{url}'\n",
            "c.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
        }
        for name, text in lists.items():
            (tmp_path / name).write_text(text)
            with pytest.raises(AudioFormatError):
                seconds(tmp_path / name)
        # And with ffmpeg asked for such a file by a container's mark at its beginning.
        for text in lists.values():
            path = tmp_path / "disguised.mkv"
            path.write_bytes(b"\x1a\x45\xdf\xa3\n" + text.encode())
            with pytest.raises(AudioFormatError):
                seconds(path)
        with pytest.raises(AudioFormatError):
            ffmpeg.FfmpegDecoder("x", str(tmp_path / "a.m3u8"), Container.MP4)
        with pytest.raises(AudioFormatError):
            ffmpeg.FfmpegDecoder("x", str(tmp_path / "b.m4a"), Container.MP4)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert asked == []


@pytest.mark.parametrize(
    ("name", "options"), [("a.m4a", ["-movflags", "+faststart"]), ("a.mkv", []), ("a.aac", [])]
)
def test_a_file_that_is_cut_is_read_as_far_as_it_goes_and_said_to_be(
    tmp_path: Path, name: str, options: list[str]
) -> None:
    path = convert(tmp_path / name, *options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    there, shortfall = seconds(path)
    assert 5.5 < there < 7.2
    assert "is cut short: ffmpeg says after" in str(shortfall)


def test_what_ffmpeg_cannot_read_is_one_sentence(tmp_path: Path) -> None:
    path = convert(tmp_path / "a.m4a")  # its directory stands at the end
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    with pytest.raises(
        AudioFormatError, match=r"a\.m4a is an MP4 file that ffmpeg cannot read \(moov atom not found\)"
    ):
        seconds(path)


def test_a_film_without_sound_is_named(tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    source = ["-f", "lavfi", "-i", "color=c=black:s=32x32:d=1"]
    subprocess.run(["ffmpeg", "-v", "error", *source, str(path)], check=True)
    with pytest.raises(AudioFormatError, match=r"silent\.mp4 is an MP4 file without sound"):
        seconds(path)


def test_a_start_in_the_middle(tmp_path: Path) -> None:
    path = convert(tmp_path / "a.m4a")
    with closing(FileSource(path, start=5.0)) as source:
        out, done = np.zeros(RATE, dtype=np.int16), 0
        while count := source.read(out):
            done += count
    assert done / RATE == pytest.approx(2.4, abs=0.2)


def test_without_ffmpeg_the_mend_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = convert(tmp_path / "a.m4a")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AudioFormatError, match=r"a\.m4a is an MP4 file, and ffmpeg.* apt-get install ffmpeg"):
        seconds(path)


def test_an_ffmpeg_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, pid = convert(tmp_path / "a.m4a"), tmp_path / "pid"
    real = shutil.which("ffmpeg")
    assert real
    # A stub that hands over a second of sound and then hangs, deaf to everything but SIGKILL.
    stub(
        tmp_path / "bin",
        "ffmpeg",
        f"trap '' TERM INT; echo $$ > {pid}; head -c 64000 /dev/zero; exec sleep 600",
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(ffmpeg, "_STALL_SECONDS", 0.3)
    with pytest.raises(
        AudioFormatError, match=r"a\.m4a holds up ffmpeg: nothing came for 0\.3 s after 1\.0 s"
    ):
        seconds(path)
    assert_gone(int(pid.read_text()))


def test_closing_a_source_ends_its_ffmpeg(tmp_path: Path) -> None:
    path = convert(tmp_path / "a.m4a", "-af", "aloop=loop=4:size=100000")  # more than a pipe holds
    before = children()
    source = FileSource(path)
    assert source.read(np.zeros(100, dtype=np.int16)) == 100
    (pid,) = children() - before
    source.close()
    assert_gone(pid)


def test_a_flood_of_complaints_does_not_stop_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = convert(tmp_path / "a.m4a")
    line = "a complaint of some length, over and over again, for ever"
    flood = f"i=0; while [ $i -lt 3000 ]; do echo '{line}' >&2; i=$((i+1)); done"
    stub(tmp_path / "bin", "ffmpeg", f"{flood}; head -c 64000 /dev/zero; {flood}")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    there, shortfall = seconds(path)
    assert there == pytest.approx(1.0, abs=0.01)
    assert "it promises 7.4 s and holds 1.0 s" in str(shortfall)


def children() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()}


def assert_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    pytest.fail(f"process {pid} is still there")
