"""The I2C bus behind a process that can be killed: buses that hang, die, talk nonsense or are not there."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from edgeasr.errors import PowerSourceError
from edgeasr.power.bus import BusProcess

HANGS = "import time; time.sleep(600)"
HANGS_LATER = "import os, sys, time; os.write(int(sys.argv[3]), b'ready\\n'); time.sleep(600)"
DIES = "import os; os._exit(3)"
CRASHES = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
FLOODS = "import os, sys\nwhile True: os.write(int(sys.argv[3]), b'ff' * 4000)"
ANSWERS = """
import os, sys
os.write(int(sys.argv[3]), b"ready\\n")
for line in os.fdopen(int(sys.argv[2])):
    told = {"word 54 2": "b520", "block 87 0 3": "010203"}.get(line.strip(), "!121")
    os.write(int(sys.argv[3]), told.encode() + b"\\n")
"""


def bus(tmp_path: Path, program: str, seconds: float = 20.0, start: float = 20.0) -> BusProcess:
    worker = tmp_path / "worker.py"
    worker.write_text(program)
    return BusProcess(1, tmp_path, answer_seconds=seconds, start_seconds=start, worker=worker)


def test_words_and_blocks_come_through(tmp_path: Path) -> None:
    chosen = bus(tmp_path, ANSWERS)
    assert chosen.registers(54).word(2) == 0x20B5
    assert chosen.registers(87).block(0, 3) == b"\x01\x02\x03"
    with pytest.raises(OSError, match="Remote I/O"):
        chosen.registers(0x40).word(1)
    chosen.close()
    assert chosen.pid is None


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (HANGS, "nothing for"),
        (HANGS_LATER, "nothing for 0.2 s"),
        (DIES, "exit code 3"),
        (CRASHES, "SIGSEGV"),
        (FLOODS, "without end"),
    ],
)
def test_a_bus_that_fails_is_killed_and_named(tmp_path: Path, program: str, why: str) -> None:
    chosen = bus(tmp_path, program, *{HANGS: (0.2, 0.2), HANGS_LATER: (0.2, 20.0)}.get(program, ()))
    with pytest.raises(PowerSourceError, match=f"I2C bus 1 does not answer .*{why}.*i2cdetect"):
        chosen.registers(54).word(2)
    assert chosen.pid is None


def test_the_real_worker_says_what_the_kernel_says(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    chosen = BusProcess(1, tmp_path)
    with pytest.raises(FileNotFoundError):
        chosen.registers(54).word(2)
    chosen.close()
    os.mkfifo(tmp_path / "dev/i2c-1")  # opens, and is no bus
    with pytest.raises(OSError, match=r"Inappropriate ioctl|Invalid argument"):
        chosen.registers(54).word(2)
    chosen.close()


def test_the_worker_ends_with_its_parent(tmp_path: Path) -> None:
    chosen = BusProcess(1, tmp_path)
    with pytest.raises(FileNotFoundError):
        chosen.registers(54).word(2)
    assert chosen.pid is None, "a bus that could not be opened is opened anew"
    (tmp_path / "dev").mkdir()
    os.mkfifo(tmp_path / "dev/i2c-1")
    with pytest.raises(OSError, match=r"Inappropriate ioctl|Invalid argument"):
        chosen.registers(54).word(2)
    pid = chosen.pid
    os.close(chosen._requests)
    chosen._requests = -1
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    chosen.close()
