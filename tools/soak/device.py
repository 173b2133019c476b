"""`edgeasr run` on a device whose hardware is played: `python -m tools.soak.device CONFIG ROOT CLOCK`.

ROOT is whose /sys and /proc/asound show the hardware. CLOCK: a file with a double, the seconds by which this process
takes the wall clock for later than it is; it may change at any time.
"""

from __future__ import annotations

import mmap
import sys
import time
from pathlib import Path


def move_clock(path: Path) -> None:
    """Let `time.time` follow the file."""
    with path.open("rb") as file:
        memory = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)
    offset = memoryview(memory).cast("d")
    real = time.time
    time.time = lambda: real() + offset[0]


def main(config: str, root: str, clock: str) -> int:
    """Run the daemon."""
    move_clock(Path(clock))
    # Later than that: some modules take `time.time` as they are imported.
    from edgeasr import settings  # noqa: PLC0415
    from edgeasr.daemon import run_daemon  # noqa: PLC0415
    from edgeasr.encoder import edgetpu, process  # noqa: PLC0415

    edgetpu.library = lambda: edgetpu.LIBRARY
    process.OPENER = "tpu:open_on_cpu"  # type: ignore[misc]
    return run_daemon(settings.load(files=[Path(config)], environ={}).settings, root=Path(root))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
