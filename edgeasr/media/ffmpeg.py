"""What libsndfile cannot read, through ffmpeg in a process that is killed where it hangs."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from edgeasr.errors import AudioFormatError, SourceLostError
from edgeasr.media.coding import Coding
from edgeasr.media.stream import ByteStream, StreamDecoder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgeasr.media.container import Container

# ffmpeg reads nothing but the one file: no network, and none of the formats that are lists of other files.
_PROTOCOLS: Final = ("-protocol_whitelist", "file")
_DEMUXERS: Final = """
aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,asf_o,au,avi,caf,dsf,eac3,flac,flv,matroska,mov,mp3,mpeg,mpegts,ogg,rm,tta,w64,wav,wv
"""
_FORMATS: Final = ("-format_whitelist", _DEMUXERS.strip())
_PROBE_SECONDS: Final = 30.0
_STALL_SECONDS: Final = 30.0
_LAST_SECONDS: Final = 5.0
_MOST_WORDS: Final = 4_096  # of its complaints are kept, from the beginning
_LEAST_MISSING: Final = 1.0  # seconds; the durations that headers tell are rounded up to whole packets
_DAMAGE: Final = re.compile(
    r"partial file|prematurely|truncat|exhausted|Invalid data|corrupt|moov atom not found|Error while decoding",
    re.IGNORECASE,
)


class FfmpegDecoder:
    """The first sound track of a file, at its own rate and with its own channels, from `start` seconds on."""

    def __init__(self, name: str, path: str, container: Container, *, start: float = 0.0) -> None:
        self.name = name
        self._path = f"file:{Path(path).absolute()}"
        self._kind = container
        ffmpeg, ffprobe = shutil.which("ffmpeg"), shutil.which("ffprobe")
        if not ffmpeg or not ffprobe:
            raise AudioFormatError(
                f"{name} is {container}, and ffmpeg, which reads those, is not installed: "
                "`sudo apt-get install ffmpeg`, or convert it to WAV elsewhere"
            )
        about = self._probe(ffprobe)
        self.rate: int = about["rate"]
        self.channels: int = about["channels"]
        seconds = about["seconds"]
        self.frames = round(max(seconds - start, 0.0) * self.rate) if seconds else None
        self._shortfall: str | None = None
        self._done = 0
        self._process = self._start(ffmpeg, start)
        self._complaints = _Complaints(self._process.stderr)
        assert self._process.stdout is not None  # noqa: S101 - asked for
        self._stream = ByteStream(self._process.stdout.fileno(), "ffmpeg's output", _STALL_SECONDS)
        self._samples = StreamDecoder(self._stream, Coding.F32LE, self.rate, self.channels)

    @property
    def shortfall(self) -> str | None:
        """Why audio is missing."""
        return self._shortfall

    def read(self, out: NDArray[np.float32]) -> int:
        """Fill `out` as far as ffmpeg has gone."""
        try:
            count = self._samples.read(out)
        except SourceLostError:
            self._kill()
            raise AudioFormatError(
                f"{self.name} holds up ffmpeg: nothing came for {_STALL_SECONDS:g} s after {self._seconds:.1f} s; "
                f"check it with `ffmpeg -i {shlex.quote(Path(self.name).name)} -f null -`"
            ) from None
        self._done += count
        if not count:
            self._conclude()
        return count

    def skip(self, frames: int) -> int:
        """Pass over frames."""
        return self._samples.skip(frames)

    def interrupt(self) -> None:
        """Let a read that waits end."""
        self._stream.close()

    def close(self) -> None:
        """Kill ffmpeg if it still works."""
        self._kill()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    @property
    def _seconds(self) -> float:
        return self._done / self.rate

    def _probe(self, ffprobe: str) -> dict[str, Any]:
        shown = "stream=codec_name,channels,sample_rate,duration:format=duration"
        command = [
            ffprobe,
            "-v",
            "error",
            *_PROTOCOLS,
            *_FORMATS,
            "-select_streams",
            "a:0",
            "-show_entries",
            shown,
        ]
        try:
            done = subprocess.run(  # noqa: S603 - no shell; the path is one argument and begins with "file:"
                [*command, "-of", "json", "-i", self._path],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PROBE_SECONDS,
                start_new_session=True,
                check=False,
            )
            found = json.loads(done.stdout or b"{}")
            (stream,) = found.get("streams") or [None]
        except subprocess.TimeoutExpired:
            raise AudioFormatError(
                f"{self.name} holds up ffprobe for {_PROBE_SECONDS:g} s: check the file"
            ) from None
        except (OSError, ValueError) as error:
            raise AudioFormatError(
                f"{self.name} cannot be looked at by ffprobe ({error}): try ffmpeg"
            ) from None
        if stream is None:
            words = done.stderr.decode(errors="replace")
            self._refuse(words if done.returncode else "")
        try:
            rate, channels = int(stream["sample_rate"]), int(stream["channels"])
        except (KeyError, ValueError):
            rate = channels = 0
        if rate <= 0 or channels <= 0:
            self._refuse("the coding of its sound is unknown")
        seconds = _seconds(stream.get("duration")) or _seconds(found.get("format", {}).get("duration"))
        self._is_exact = _seconds(stream.get("duration")) is not None
        return {"rate": rate, "channels": channels, "seconds": seconds}

    def _refuse(self, words: str) -> None:
        if not words.strip():
            raise AudioFormatError(f"{self.name} is {self._kind} without sound: choose another one")
        raise AudioFormatError(
            f"{self.name} is {self._kind} that ffmpeg cannot read ({_last(words, self._path)}): "
            "record or export it again"
        )

    def _start(self, ffmpeg: str, start: float) -> subprocess.Popen[bytes]:
        command = [ffmpeg, "-nostdin", "-hide_banner", "-v", "error", *_PROTOCOLS, *_FORMATS]
        if start:
            command += ["-ss", f"{start:.6f}"]
        command += ["-i", self._path, "-map", "0:a:0", "-ar", str(self.rate), "-ac", str(self.channels)]
        try:
            # A session of its own: Ctrl-C is for us, who then still take what it has decoded.
            return subprocess.Popen(  # noqa: S603 - as above
                [*command, "-c:a", "pcm_f32le", "-f", "f32le", "pipe:1"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise AudioFormatError(
                f"ffmpeg cannot be started for {self.name} ({error.strerror}): check `ffmpeg -version`"
            ) from None

    def _conclude(self) -> None:
        if self._stream.is_closed:
            self._kill()
            return
        try:
            code = self._process.wait(_LAST_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
            code = -1
        words = self._complaints.all()
        if self._done == 0:
            self._refuse(words or ("ffmpeg failed" if code else ""))
        damage = [line for line in words.splitlines() if _DAMAGE.search(line)]
        if code < 0:
            self._shortfall = f"ffmpeg was ended after {self._seconds:.1f} s"
        elif damage or code:
            self._shortfall = f"ffmpeg says after {self._seconds:.1f} s: {_last(words, self._path)}"
        elif self._is_exact and self.frames and self.frames - self._done > _LEAST_MISSING * self.rate:
            self._shortfall = f"it promises {self.frames / self.rate:.1f} s and holds {self._seconds:.1f} s"

    def _kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            try:
                self._process.wait(_LAST_SECONDS)
            except subprocess.TimeoutExpired:  # stuck in a file system that does not answer
                return


class _Complaints:
    """Reads a process's standard error, so that it never waits for a reader, and keeps the beginning."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        self._kept = b""
        self._pipe = pipe
        self._thread = threading.Thread(target=self._run, name="ffmpeg-errors", daemon=True)
        self._thread.start()

    def all(self) -> str:
        """Return what was said; the process has ended."""
        self._thread.join(_LAST_SECONDS)
        return self._kept.decode(errors="replace")

    def _run(self) -> None:
        try:
            while self._pipe is not None and (piece := self._pipe.read1(1024)):  # type: ignore[attr-defined]
                self._kept += piece[: _MOST_WORDS - len(self._kept)]
        except (OSError, ValueError):  # closed meanwhile
            return


def _seconds(value: object) -> float | None:
    try:
        seconds = float(str(value))
    except ValueError:
        return None
    return seconds if 0 < seconds < 1e9 else None


def _last(words: str, path: str) -> str:
    """Return the line that tells most, without the part of ffmpeg that speaks and without the path."""
    lines = [re.sub(r"^(\[[^\]]*\]\s*)+", "", line).strip() for line in words.splitlines()]
    lines = [line.replace(f"{path}: ", "").rstrip(".") for line in lines if line]
    chosen = next((line for line in lines if _DAMAGE.search(line)), lines[0] if lines else "it is broken")
    return chosen[:160]
