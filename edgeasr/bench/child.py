"""Work in a process of its own, so that its memory and CPU seconds are its own: the parent's side."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from edgeasr import errors
from edgeasr.errors import FatalError
from edgeasr.worker import command, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE: Final = 120.0  # seconds without a sign of life; the slowest board loads a lexicon in ten
_BLOCK: Final = 1 << 16


def run_child(
    module: str, job: dict[str, Any], heard: Callable[[float], None] | None = None, patience: float = PATIENCE
) -> dict[str, Any]:
    """Run `module` on a job and return its result; `heard` is told the seconds done.

    Raises what the child raised, or FatalError where it dies or gives no sign for `patience` seconds.
    """
    with tempfile.TemporaryDirectory(prefix="edgeasr-bench-") as folder:
        path = Path(folder) / "job.json"
        path.write_text(json.dumps(job), encoding="utf-8")
        with (Path(folder) / "stderr").open("w+", encoding="utf-8", errors="replace") as complaints:
            line = command(module, str(path), repr(time.monotonic()))
            process = subprocess.Popen(  # noqa: S603 - our own program
                line, stdout=subprocess.PIPE, stderr=complaints, env=environment()
            )
            try:
                result = _listen(process, heard, patience)
            finally:
                process.kill()
                process.wait()
                if process.stdout:
                    process.stdout.close()
            if result is None:
                complaints.seek(0)
                last = next((line for line in reversed(complaints.read().splitlines()) if line.strip()), "")
                raise FatalError(
                    f"the measuring process ended without a result (status {process.returncode}"
                    f"{': ' + last.strip() if last else ''}); try the same with `edgeasr transcribe`"
                )
            return result


def _listen(
    process: subprocess.Popen[bytes], heard: Callable[[float], None] | None, patience: float
) -> dict[str, Any] | None:
    assert process.stdout is not None  # noqa: S101 - opened as a pipe
    result: dict[str, Any] | None = None
    for line in _lines(process.stdout, patience):
        with contextlib.suppress(json.JSONDecodeError):
            message = json.loads(line)
            if "fault" in message:
                kind = getattr(errors, message["kind"], FatalError)
                raise kind(message["fault"])
            if "result" in message:
                result = message["result"]
            elif heard:
                heard(float(message["done"]))
    process.wait(patience)
    return result


def _lines(pipe: IO[bytes], patience: float) -> Iterator[bytes]:
    pending = b""
    while True:
        ready, _, _ = select.select([pipe], [], [], patience)
        if not ready:
            raise FatalError(
                f"the measuring process gave no sign for {patience:g} s and was ended; try again"
            )
        block = os.read(pipe.fileno(), _BLOCK)
        if not block:
            return
        *whole, pending = (pending + block).split(b"\n")
        yield from whole
