"""The device's hardware, as files that its processes look at."""

from __future__ import annotations

import mmap
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeasr.bundle import locate

if TYPE_CHECKING:
    from tools.soak.room import Room

_CARD: Final = " 1 [Soak           ]: USB-Audio - USB Soak\n"
_NO_CARD: Final = "--- no soundcards ---\n"
_STICK: Final = "sys/bus/usb/devices/1-1"
_GRAPH: Final = 'file = "encoder.tflite"'


class Hardware:
    """Microphone, Edge TPU and clock below `folder`; both are plugged in and the clock is right to begin with."""

    def __init__(self, folder: Path, room: Room) -> None:
        self._folder, self._room = folder, room
        self.root = folder / "root"
        self.clock = folder / "clock"
        self.offsets = {0.0}
        (self.root / "proc/asound").mkdir(parents=True)
        (self.root / "proc/self").symlink_to("/proc/self")
        self.clock.write_bytes(bytes(8))
        with self.clock.open("r+b") as file:
            self._offset = memoryview(mmap.mmap(file.fileno(), 8)).cast("d")
        self.plug_microphone(there=True)
        self._plug_tpu()
        self.bundle = self._make_bundle()

    def environ(self) -> dict[str, str]:
        """Return what lets processes find the hardware that is played."""
        here = Path(__file__).parent
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (here / "fakes", here.parents[1]))),
            "SOAK_ROOM": str(self._room.folder),
        }

    def plug_microphone(self, *, there: bool) -> None:
        """Plug it in or pull it out; the kernel's list of cards follows."""
        self._room.plug(there=there)
        (self.root / "proc/asound/cards").write_text(_CARD if there else _NO_CARD)

    def step_clock(self, offset: float) -> None:
        """Let the daemon's wall clock be later than the true one by so many seconds."""
        self.offsets.add(offset)
        self._offset[0] = offset

    def _plug_tpu(self) -> None:
        stick = self.root / _STICK
        stick.mkdir(parents=True)
        (stick / "idVendor").write_text("18d1\n")
        (stick / "idProduct").write_text("9302\n")

    def _make_bundle(self) -> Path:
        """Link the default bundle, with its graph for the CPU named as that for the Edge TPU."""
        source, path = locate("edgeasr-en").path, self._folder / "bundle"
        shutil.copytree(source, path, copy_function=os.symlink)
        manifest = path / "model.toml"
        text = manifest.read_text()
        manifest.unlink()
        manifest.write_text(text.replace(_GRAPH, f'{_GRAPH}\nedgetpu_file = "encoder.tflite"'))
        return path
