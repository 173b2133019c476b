"""Files that somebody else has put there are read without waiting, without end, and inside their root."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edgeasr.bundle import Bundle
from edgeasr.capture.devices import alsa_cards
from edgeasr.daemon.sensors import Sensors
from edgeasr.doctor import CHECKS, Area, Machine, examine
from edgeasr.errors import BundleError, ConfigError
from edgeasr.safefile import IrregularFileError, inside, read_bytes, read_text
from edgeasr.settings import load
from edgeasr.tuning import batteries

ENTRIES = ("pipe", "socket", "device", "folder", "huge", "ring", "nowhere", "rubbish")
NAMES = (
    *(
        "etc/passwd",
        "etc/group",
        "etc/machine-id",
        "etc/edgeasr/edgeasr.toml",
        "etc/mosquitto/mosquitto.conf",
    ),
    *("etc/systemd/system/edgeasr.service", "proc/asound/cards", "proc/meminfo", "proc/self/smaps"),
    *("sys/bus/usb/devices/1-1/idVendor", "sys/bus/pci/devices/x/vendor", "sys/class/apex/apex_0/status"),
    *("sys/class/thermal/thermal_zone0/temp", "sys/devices/platform/soc/soc:firmware/get_throttled"),
    *("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "sys/class/power_supply/BAT0/type"),
)


def place(path: Path, what: str) -> None:
    """Put something that is no proper file in the place of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if what == "pipe":
        os.mkfifo(path)
    elif what == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)
    elif what == "device":
        path.symlink_to("/dev/zero") if os.geteuid() else os.mknod(path, 0o20666, os.makedev(1, 5))
    elif what == "folder":
        path.mkdir()
    elif what == "huge":
        with path.open("wb") as file:
            file.truncate(1 << 40)  # nothing but a hole
    elif what == "ring":
        path.symlink_to(path.name)
    elif what == "nowhere":
        path.symlink_to("/no/such/file")
    else:
        path.write_bytes(bytes(range(256)) * 99)


@pytest.mark.parametrize("what", ENTRIES)
def test_reading_neither_waits_nor_goes_on_for_ever(tmp_path: Path, what: str) -> None:
    path = tmp_path / "file"
    place(path, what)
    if what in ("huge", "rubbish"):
        assert len(read_bytes(path, 1000)) == 1000
        assert len(read_text(path)) <= 1 << 20
        return
    with pytest.raises(OSError, match=r"regular|directory|symbolic links|such file") as caught:
        read_bytes(path)
    assert caught.value.filename == str(path)
    assert isinstance(caught.value, IrregularFileError) == (what in ("pipe", "socket", "device"))


def test_links_stay_inside_the_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "usr/lib").mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")
    (root / "etc/passwd").symlink_to("/etc/shadow")
    (root / "etc/up").symlink_to("../../../../../etc/shadow")
    (root / "etc/chain").symlink_to("/lib/../../etc/up")
    for name in ("etc/passwd", "etc/up", "etc/chain", "../../etc/shadow", "etc/../../../etc/shadow"):
        assert inside(root, root / name) == root / "etc/shadow", name
    assert inside(root, root / "lib/x.so") == root / "usr/lib/x.so"
    assert inside(root, root / "no/such/thing") == root / "no/such/thing"
    assert inside(Path("/"), Path("/etc/passwd")) == Path("/etc/passwd")
    (root / "ring").symlink_to("ring")
    with pytest.raises(OSError, match="symbolic links"):
        inside(root, root / "ring")


@pytest.mark.parametrize("what", ENTRIES)
def test_doctor_tells_of_a_card_full_of_them_and_ends(tmp_path: Path, what: str) -> None:
    root = tmp_path / "root"
    for name in NAMES:
        place(root / name, what)
    elsewhere = (Area.BROKER, Area.BUNDLE, Area.RUNTIMES)
    checks = [check for check in CHECKS if check.area not in elsewhere]
    settings = load(files=[], environ={}).settings
    findings = examine(Machine(root, settings, live=False), checks)
    assert {finding.area for finding in findings} == {check.area for check in checks}
    assert not [
        one for one in findings if "no answer within" in one.sentence or "itself failed" in one.sentence
    ]


def test_the_command_ends_on_a_card_full_of_pipes_its_configuration_included(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in NAMES:
        place(root / name, "pipe")
    command = [sys.executable, "-m", "edgeasr", "doctor", "--root", str(root), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    first = json.loads(done.stdout)[0]
    assert (first["area"], first["level"]) == ("configuration", "fault")
    assert "edgeasr.toml: cannot be read (it is no regular file)" in first["sentence"]


@pytest.mark.parametrize("what", [*ENTRIES, "endless"])
def test_a_configuration_that_is_found_has_to_be_a_file(tmp_path: Path, what: str) -> None:
    path = tmp_path / "etc/edgeasr/conf.d/a.toml"
    if what == "endless":
        path.parent.mkdir(parents=True)
        path.write_bytes(b"#" * ((1 << 20) + 1))
    else:
        place(path, what)
    with pytest.raises(ConfigError) as caught:
        load(root=tmp_path, environ={})
    assert str(path) in str(caught.value)
    assert ";" in str(caught.value), "with the mend"


def test_a_configuration_that_is_named_may_be_a_pipe(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edgeasr", "config", "show", "--config", "/dev/stdin"]
    done = subprocess.run(
        command, input="[device]\nid = 'piped'\n", capture_output=True, text=True, timeout=60, check=False
    )
    assert 'id = "piped"' in done.stdout, done.stderr


@pytest.mark.parametrize("what", ENTRIES)
def test_sensors_cards_and_batteries_are_just_not_there(tmp_path: Path, what: str) -> None:
    for name in NAMES:
        place(tmp_path / name, what)
    sensors = Sensors(tmp_path)
    assert (sensors.temperatures(), sensors.throttling()) == ({}, None)
    assert alsa_cards(tmp_path / "proc") == ()
    assert batteries(tmp_path) == []


@pytest.mark.parametrize("what", ENTRIES)
@pytest.mark.parametrize("name", ["model.toml", "SHA256SUMS"])
def test_a_model_folder_with_such_entries_is_refused_with_a_sentence(
    tmp_path: Path, what: str, name: str
) -> None:
    place(tmp_path / name, what)
    if name == "SHA256SUMS":
        (tmp_path / "model.toml").write_text(
            (Path(__file__).parents[1] / "models/edgeasr-en/model.toml").read_text()
        )
    with pytest.raises(BundleError) as caught:
        Bundle.open(tmp_path, verify=True)
    assert str(tmp_path) in str(caught.value)
