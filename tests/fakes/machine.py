"""`edgeasr run` on a machine whose Edge TPU is a fake: `machine.py CONFIG ROOT`, whose /sys and /proc show hardware."""

from __future__ import annotations

import faulthandler
import signal
import sys
from pathlib import Path

from edgeasr import settings
from edgeasr.daemon import run_daemon
from edgeasr.encoder import edgetpu, process


def main(config: str, root: str) -> int:
    faulthandler.register(signal.SIGUSR1)  # where it is, should it hang
    edgetpu.library = lambda: edgetpu.LIBRARY
    process.OPENER = "tpu:as_told"  # type: ignore[misc]
    return run_daemon(settings.load(files=[Path(config)], environ={}).settings, root=Path(root))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
