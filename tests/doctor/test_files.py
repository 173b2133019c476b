"""Checks that read nothing but the kernel's files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from doctor.conftest import PASSWD, FakeMachine
from edgeasr.doctor import Area, Level, Machine, disk
from edgeasr.settings import load

CPU = "sys/devices/system/cpu"
THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
CARDS = " 0 [Device         ]: USB-Audio - USB PnP Sound Device\n                      C-Media at usb-1.3\n"


def add_card(fake: FakeMachine) -> None:
    fake.write("proc/asound/cards", CARDS)
    fake.write("proc/asound/card0/pcm0c/info")
    fake.write("dev/snd/pcmC0D0c").chmod(0o660)


def test_cores_that_already_run_at_full_speed(fake: FakeMachine) -> None:
    for core in range(4):
        fake.write(f"{CPU}/cpu{core}/cpufreq/scaling_governor", "performance\n")
    assert fake.finding(Area.GOVERNOR).level is Level.OK


def test_a_governor_that_could_be_better(fake: FakeMachine) -> None:
    for core, name in enumerate(("ondemand", "ondemand", "performance")):
        fake.write(f"{CPU}/cpu{core}/cpufreq/scaling_governor", f"{name}\n")
        fake.write(f"{CPU}/cpu{core}/cpufreq/scaling_available_governors", "ondemand performance\n")
    finding = fake.finding(Area.GOVERNOR)
    assert finding.level is Level.WARNING
    assert "ondemand on 2, performance on 1 of 3 cores" in finding.sentence
    assert "edgeasr-governor.service" in finding.mend


def test_a_governor_that_the_kernel_cannot_change(fake: FakeMachine) -> None:
    fake.write(f"{CPU}/cpu0/cpufreq/scaling_governor", "")
    finding = fake.finding(Area.GOVERNOR)
    assert finding.level is Level.NOTE
    assert "this kernel offers none" in finding.sentence


def test_throttling_bits_now_and_since_boot(fake: FakeMachine) -> None:
    fake.write(THROTTLED, "50001\n")
    found = {finding.sentence: finding.level for finding in fake.findings(Area.POWER)}
    assert found == {
        "the supply's voltage is too low right now": Level.WARNING,
        "since boot, though not now: the firmware throttles the CPU": Level.NOTE,
    }
    fake.write(THROTTLED, "0\n")
    assert fake.finding(Area.POWER).level is Level.OK


@pytest.mark.parametrize("text", ["", "zzz", "0x", "\0\0", "é" * 70000])
def test_throttling_bits_that_are_none(fake: FakeMachine, text: str) -> None:
    fake.write(THROTTLED, text)
    finding = fake.finding(Area.POWER)
    assert finding.level is Level.WARNING
    assert "which is no number" in finding.sentence


def test_a_hot_processor(fake: FakeMachine) -> None:
    fake.write("sys/class/thermal/thermal_zone0/temp", "84250\n")
    assert fake.worst(Area.POWER).sentence == "the CPU is at 84 °C"


def test_little_memory(fake: FakeMachine) -> None:
    fake.write("proc/meminfo", "MemTotal:         437000 kB\nMemAvailable:     102400 kB\n")
    assert "100 of 426 MB are available" in fake.finding(Area.MEMORY).sentence
    assert fake.finding(Area.MEMORY).level is Level.WARNING
    fake.write("proc/meminfo", "MemTotal: many\n")
    assert fake.finding(Area.MEMORY).level is Level.NOTE


def test_page_sizes(fake: FakeMachine) -> None:
    fake.write("proc/self/smaps", "KernelPageSize:        4 kB\n")
    assert fake.finding(Area.KERNEL).level is Level.OK
    fake.write("proc/self/smaps", "KernelPageSize:       16 kB\n")
    assert "PCIe" in fake.finding(Area.KERNEL).sentence


def test_a_clock_that_nobody_has_set(fake: FakeMachine) -> None:
    finding = fake.finding(Area.CLOCK)
    assert finding.level is Level.WARNING
    assert "not synchronised, and no clock runs while the power is off" in finding.sentence
    fake.write("sys/class/rtc/rtc0/name")
    assert "power is off" not in fake.finding(Area.CLOCK).sentence
    fake.write("run/systemd/timesync/synchronized")
    assert fake.finding(Area.CLOCK).level is Level.OK


def test_a_device_without_sound(fake: FakeMachine) -> None:
    assert "no sound at all" in fake.finding(Area.SOUND).sentence
    fake.write("proc/asound/cards", "--- no soundcards ---\n")
    assert "no sound card is attached" in fake.finding(Area.SOUND).sentence
    assert "arecord -l" in fake.finding(Area.SOUND).mend


def test_a_card_that_only_plays(fake: FakeMachine) -> None:
    fake.write("proc/asound/cards", CARDS)
    fake.write("proc/asound/card0/pcm0p/info")
    assert "no sound card can record" in fake.finding(Area.SOUND).sentence


@pytest.mark.parametrize("wanted", ["pnp", "hw:CARD=Device", "hw:CARD=Device,DEV=0", "hw:0,0"])
def test_a_card_and_the_microphone_that_the_settings_name(fake: FakeMachine, wanted: str) -> None:
    add_card(fake)
    found = [finding.level for finding in fake.findings(Area.SOUND, audio__device=wanted)]
    assert found == [Level.OK, Level.OK]


def test_a_microphone_that_no_card_has(fake: FakeMachine) -> None:
    add_card(fake)
    assert "DEV=1" in fake.worst(Area.SOUND, audio__device="hw:CARD=Device,DEV=1").sentence
    missing = fake.worst(Area.SOUND, audio__device="hw:CARD=Other")
    assert missing.level is Level.FAULT
    assert 'no microphone matches "hw:CARD=Other"' in missing.sentence
    assert "hw:CARD=Device" in missing.mend


def test_a_card_that_the_services_user_may_not_use(fake: FakeMachine) -> None:
    add_card(fake)
    fake.write("etc/passwd", PASSWD)
    finding = fake.worst(Area.SOUND)
    assert finding.level is Level.FAULT
    assert finding.sentence == "edgeasr may not use /dev/snd/pcmC0D0c"
    assert "usermod -aG audio edgeasr" in finding.mend
    fake.write("etc/group", f"audio:x:{os.getgid()}:pulse,edgeasr\n")
    assert fake.worst(Area.SOUND).level is Level.OK


def test_a_card_that_has_no_device_node(fake: FakeMachine) -> None:
    add_card(fake)
    (fake.root / "dev/snd/pcmC0D0c").unlink()
    assert "has no device under /dev/snd" in fake.worst(Area.SOUND).sentence


def test_a_source_that_is_no_microphone_needs_none(fake: FakeMachine) -> None:
    assert fake.finding(Area.SOUND, audio__source="pcm").level is Level.OK


def test_the_outboxs_folder(fake: FakeMachine) -> None:
    assert "does not exist yet" in fake.finding(Area.DISK).sentence
    folder = fake.root / "var/lib/edgeasr"
    folder.mkdir(parents=True)
    assert fake.finding(Area.DISK, outbox__max_bytes=1 << 20).level is Level.OK
    assert fake.finding(Area.DISK, outbox__max_bytes=1 << 40).level is Level.WARNING
    fake.write("etc/passwd", PASSWD)
    finding = fake.finding(Area.DISK)
    assert finding.level is Level.FAULT
    assert "edgeasr may not write in /var/lib/edgeasr" in finding.sentence
    folder.chmod(0o777)
    (fake.root / "var").chmod(0o700)
    assert fake.finding(Area.DISK).level is Level.FAULT, "a folder above keeps it out"


def test_a_service_without_its_user_or_groups(fake: FakeMachine) -> None:
    assert fake.finding(Area.USER).level is Level.NOTE
    fake.write("etc/systemd/system/edgeasr.service")
    assert fake.finding(Area.USER).level is Level.FAULT
    fake.write("etc/passwd", f"broken line\n\n:::\n{PASSWD}")
    fake.write("etc/group", "audio:x:29:edgeasr\nplugdev:x:nonsense:edgeasr\nshort\n")
    finding = fake.finding(Area.USER)
    assert finding.level is Level.WARNING
    assert "not in group plugdev" in finding.sentence
    fake.write("etc/group", "audio:x:29:edgeasr\nplugdev:x:46:\n")
    fake.write("etc/systemd/system/edgeasr.service", "[Service]\nSupplementaryGroups=audio plugdev\n")
    assert fake.finding(Area.USER).level is Level.OK, "the unit gives the groups as well"


def test_a_bundle_that_is_damaged_or_not_there(fake: FakeMachine) -> None:
    assert fake.finding(Area.BUNDLE).level is Level.OK
    finding = fake.finding(Area.BUNDLE, encoder__bundle="edgeasr-xx")
    assert finding.level is Level.FAULT
    assert "there is no model bundle named 'edgeasr-xx'" in finding.sentence
    assert finding.mend


def test_a_folder_that_the_first_start_makes_is_no_worry(tmp_path: Path) -> None:
    """As for an ordinary user without the service, whose state is in its home."""
    settings = load(
        files=[], environ={}, values={"outbox.path": str(tmp_path / "state/outbox.sqlite")}
    ).settings
    (finding,) = disk.check(Machine(Path("/"), settings, live=True))
    assert finding.level is Level.NOTE
    assert "the first start makes it" in finding.sentence
    assert not (tmp_path / "state").exists()
