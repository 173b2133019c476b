from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from doctor.conftest import PASSWD, FakeMachine
from edgeasr.bundle import MANIFEST_FILE, locate, write_checksums
from edgeasr.doctor import Area, Level

if TYPE_CHECKING:
    from pathlib import Path

STICK = "sys/bus/usb/devices/1-1"
CARD = "sys/bus/pci/devices/0000:01:00.0"
AREA = Area.EDGETPU


def plug_stick(fake: FakeMachine, vendor: str = "18d1", product: str = "9302") -> Path:
    fake.write(f"{STICK}/idVendor", f"{vendor}\n")
    fake.write(f"{STICK}/idProduct", f"{product}\n")
    fake.write(f"{STICK}/busnum", "1\n")
    fake.write(f"{STICK}/devnum", "7\n")
    return fake.write("dev/bus/usb/001/007")


def plug_card(fake: FakeMachine, page: int = 4) -> None:
    fake.write(f"{CARD}/vendor", "0x1ac1\n")
    fake.write(f"{CARD}/device", "0x089a\n")
    fake.write("proc/self/smaps", f"00400000-00452000 r-xp\nSize:   328 kB\nKernelPageSize:  {page} kB\n")


def sentences(fake: FakeMachine, **how: object) -> str:
    return "\n".join(f"{one.level.value}: {one.sentence} -> {one.mend}" for one in fake.findings(AREA, **how))


def test_no_device_is_fine_unless_the_settings_ask_for_one(fake: FakeMachine) -> None:
    assert fake.finding(AREA).level is Level.OK
    wanted = fake.finding(AREA, encoder__accelerator="edgetpu")
    assert wanted.level is Level.FAULT
    assert "no Edge TPU is attached" in wanted.sentence
    assert "'auto'" in wanted.mend


def test_a_stick_without_its_firmware_is_named_with_both_ids(fake: FakeMachine) -> None:
    plug_stick(fake, "1a6e", "089a")
    assert "note: the Edge TPU on USB 1-1 waits for its firmware (1a6e:089a)" in sentences(fake)
    assert "99-edgeasr.rules" in sentences(fake)


def test_a_stick_with_its_firmware_and_no_library_lacks_the_library(fake: FakeMachine) -> None:
    plug_stick(fake)
    assert "ok: the Edge TPU on USB 1-1 has its firmware" in sentences(fake)
    assert "warning: the delegate libedgetpu.so.1 is not installed" in sentences(fake)
    assert "fault: the delegate" in sentences(fake, encoder__accelerator="edgetpu")


def test_a_stick_that_the_services_user_may_not_use(fake: FakeMachine) -> None:
    fake.write("etc/passwd", PASSWD)
    node = plug_stick(fake)
    node.chmod(0o660)
    assert (
        "warning: edgeasr may not use /dev/bus/usb/001/007 -> install systemd/99-edgeasr.rules"
        in sentences(fake)
    )
    fake.write("etc/group", f"plugdev:x:{os.getgid()}:edgeasr\n")
    assert "may not use" not in sentences(fake)


@pytest.mark.parametrize("broken", ["idProduct", "busnum", "devnum"])
def test_a_stick_that_is_half_plugged_in(fake: FakeMachine, broken: str) -> None:
    plug_stick(fake, "1a6e", "089a")
    (fake.root / STICK / broken).write_text("" if broken == "idProduct" else "abc\n")
    assert "warning: the Edge TPU on USB 1-1 is only half there -> plug it in again" in sentences(fake)


def test_a_stick_whose_device_node_is_not_there(fake: FakeMachine) -> None:
    plug_stick(fake).unlink()
    assert "warning: the Edge TPU on USB 1-1 has no device /dev/bus/usb/001/007" in sentences(fake)


def test_other_usb_devices_are_no_edge_tpu(fake: FakeMachine) -> None:
    plug_stick(fake, "18d1", "4ee7")  # a telephone of the same vendor
    assert fake.finding(AREA).level is Level.OK


def test_a_card_without_driver(fake: FakeMachine) -> None:
    plug_card(fake)
    assert "PCIe 0000:01:00.0 has no driver: gasket and apex not loaded -> install gasket-dkms" in sentences(
        fake
    )
    (fake.root / "sys/module/gasket").mkdir(parents=True)
    (fake.root / "sys/module/apex").mkdir()
    assert "the driver apex is loaded but has not taken the Edge TPU" in sentences(fake)


def test_a_card_under_a_kernel_with_large_pages(fake: FakeMachine) -> None:
    plug_card(fake, page=16)
    assert "cannot work with the kernel's pages of 16 kB -> write `kernel=kernel8.img`" in sentences(fake)


def test_a_card_that_died(fake: FakeMachine) -> None:
    plug_card(fake)
    fake.write("dev/apex_0")
    fake.write("sys/class/apex/apex_0/status", "ALIVE\n")
    assert "ok: /dev/apex_0 on PCIe is there" in sentences(fake)
    fake.write("sys/class/apex/apex_0/status", "DEAD\n")
    assert "warning: /dev/apex_0 is not alive: its driver says 'DEAD'" in sentences(fake)


def bundle_with_compiled_graph(folder: Path) -> Path:
    folder.mkdir()
    source = locate("edgeasr-en")
    for file in source.path.iterdir():
        if file.name != MANIFEST_FILE:
            (folder / file.name).symlink_to(file)
    (folder / "encoder_edgetpu.tflite").write_bytes(b"compiled")
    text = (source.path / MANIFEST_FILE).read_text()
    assert "[encoder]" in text
    lines = [line for line in text.splitlines() if not line.startswith("edgetpu_file")]
    at = lines.index("[encoder]") + 1
    (folder / MANIFEST_FILE).write_text(
        "\n".join([*lines[:at], 'edgetpu_file = "encoder_edgetpu.tflite"', *lines[at:]])
    )
    (folder / "SHA256SUMS").unlink()
    write_checksums(folder)
    return folder


FAKE_RUNTIME = """
import os, signal
def load_delegate(library):
    {deed}
class Interpreter:
    def __init__(self, **options): pass
    def allocate_tensors(self): pass
    def invoke(self): pass
"""


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        (
            "os.kill(os.getpid(), signal.SIGSEGV)",
            "warning: no TFLite runtime drives it (ai-edge-litert: the runtime crashed",
        ),
        ("raise ValueError('no reason at all')", "no reason at all"),
        ("return None", "ok: it answers through ai-edge-litert"),
    ],
)
def test_a_runtime_that_does_not_suit_the_library_harms_nobody(
    fake: FakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str, said: str
) -> None:
    plug_stick(fake)
    fake.write("usr/lib/aarch64-linux-gnu/libedgetpu.so.1")
    bundle = bundle_with_compiled_graph(tmp_path / "bundle")
    package = tmp_path / "site/ai_edge_litert"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "interpreter.py").write_text(FAKE_RUNTIME.format(deed=deed))
    monkeypatch.setenv("PYTHONPATH", str(package.parent), prepend=os.pathsep)  # for the child alone
    assert said in sentences(fake, live=True, encoder__bundle=str(bundle))


def test_a_bundle_without_a_compiled_graph_is_named(fake: FakeMachine) -> None:
    plug_stick(fake)
    fake.write("usr/lib/libedgetpu.so.1")
    assert "has no graph compiled for the Edge TPU -> compile it" in sentences(fake)
