"""Health: what the sensors of a machine say, over MQTT's schema and as a file for Prometheus."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from conftest import wait_for
from contract import strict
from fake_machine import TOPICS, House

from edgeasr import __version__
from edgeasr.daemon import prometheus
from edgeasr.daemon.health import Health
from edgeasr.daemon.quality import QualityLevel
from edgeasr.daemon.sensors import Sensors
from edgeasr.daemon.state import DaemonState
from edgeasr.mqtt import Kind
from edgeasr.transcript import SchemaName

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = re.compile(r'(edgeasr_[a-z_]+)\{([a-z]+="(?:[^"\\]|\\.)*",?)+\} (-?[0-9.e+-]+)')


SITUATION = prometheus.Situation("kitchen", "en-8", "listening", muted=False)


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def pi(tmp_path: Path) -> Path:
    """Return the files of a Pi 5 with a PCIe Coral, with a worker beside the daemon."""
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", "61234\n")
    put(tmp_path, "sys/class/apex/apex_0/temp", "70500\n")
    put(tmp_path, "sys/devices/platform/soc/soc:firmware/get_throttled", "50004\n")
    put(tmp_path, "proc/self/smaps_rollup", "Rss: 9 kB\nPss:              90000 kB\n")
    put(tmp_path, "proc/self/task/77/children", "78 79 ")
    put(tmp_path, "proc/78/smaps_rollup", "Pss: 20000 kB\n")
    put(tmp_path, "proc/79/statm", "9000 100 1\n")
    return tmp_path


def test_sensors_of_a_machine(pi: Path) -> None:
    sensors = Sensors(pi)
    assert sensors.temperatures() == {"soc": 61.234, "apex": 70.5}
    assert sensors.throttling() == 0x50004
    assert sensors.is_throttled()
    assert sensors.memory_bytes() >= 110_000 * 1024 + 100 * 4096
    put(pi, "sys/devices/platform/soc/soc:firmware/get_throttled", "50000\n")
    assert not sensors.is_throttled()


def test_cpu_time_counts_the_processes_below_and_those_that_have_ended() -> None:
    sensors = Sensors()
    before = sensors.cpu_seconds()
    burn = "import time\nwhile time.process_time() < {}: pass\n"
    subprocess.run([sys.executable, "-c", burn.format(0.3)], check=True)
    ended = sensors.cpu_seconds()
    assert ended - before >= 0.3
    command = [sys.executable, "-c", f"{burn.format(0.3)}print('done', flush=True)\ntime.sleep(60)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as below:
        assert below.stdout is not None
        below.stdout.readline()
        assert sensors.cpu_seconds() - ended >= 0.25, "in ticks of a hundredth of a second"
        below.kill()


def test_a_machine_without_sensors(tmp_path: Path) -> None:
    sensors = Sensors(tmp_path)
    assert (sensors.temperatures(), sensors.throttling()) == ({}, None)
    assert not sensors.is_throttled()
    assert sensors.memory_bytes() == 0
    assert Sensors().memory_bytes() > 1_000_000


def event(name: str) -> Any:
    return SimpleNamespace(id=name, audio_seconds=2.1234, latency_ms=912.34)


def report(health: Health) -> dict[str, Any]:
    values = health.report(overflows=2, drops={"audio": 0, "finals": 3}, outbox=4, outbox_wait=1.5)
    strict(SchemaName.HEALTH).validate(values)
    return dict(values)


def test_figures_of_an_interval_and_of_an_utterance(pi: Path) -> None:
    health = Health(pi)
    assert health.update() is None
    first = report(health)
    assert (first["rtf"], first["utterance"], first["quality"]) == (None, None, "full")
    health.chunk(1.0, 0.9, 0.0)
    for _ in range(10):
        health.chunk(0.1, 0.02, 0.3, speech=True)
    health.final(event("a-1"), 0.01)
    updated = health.update()
    assert updated is not None
    strict(SchemaName.HEALTH).validate(updated)
    assert updated["utterance"] == {
        "id": "a-1",
        "audio_seconds": 2.123,
        "rtf": 0.21,
        "queue_wait_ms": 300.0,
        "latency_ms": 912.3,
    }
    assert updated["rtf"] is None, "the interval goes on"
    second = report(health)
    assert second["rtf"] == 0.55
    assert second["queue_wait_ms"] == {"audio": 300.0, "finals": 1500.0}
    assert second["utterances"] == 1
    health.chunk(1.0, 0.1, 0.0)
    assert report(health)["rtf"] == 0.1
    assert report(health)["queue_wait_ms"]["audio"] == 0.0


def test_the_file_for_prometheus_is_in_its_format_and_complete(pi: Path, tmp_path: Path) -> None:
    health = Health(pi)
    health.quality = QualityLevel.LOW
    health.chunk(1.0, 0.25, 0.1, speech=True)
    health.final(event("a-1"), 0.0)
    values = report(health)
    text = prometheus.render(values, replace(SITUATION, device='ki"tch\\en'))
    assert text.endswith("\n")
    samples: dict[str, list[str]] = {}
    typed = set(re.findall(r"^# TYPE (\S+) (?:gauge|counter)$", text, re.MULTILINE))
    for line in text.splitlines():
        if not line.startswith("# "):
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] in typed
            samples.setdefault(match[1], []).append(line)
    assert samples["edgeasr_processing_ratio"] == ['edgeasr_processing_ratio{device="ki\\"tch\\\\en"} 0.25']
    assert 'edgeasr_temperature_celsius{device="ki\\"tch\\\\en",sensor="apex"} 70.5' in text
    assert 'edgeasr_drops_total{device="ki\\"tch\\\\en",queue="finals"} 3' in text
    assert 'level="low"} 1' in text
    assert 'level="full"} 0' in text
    assert len(samples["edgeasr_quality"]) == len(QualityLevel)
    for key in set(values) - {"v", "utterance", "quality"}:
        assert any(key.split("_")[0].rstrip("s") in name or key in ("rtf", "time") for name in samples), key


def test_what_is_unknown_is_left_out(tmp_path: Path) -> None:
    text = prometheus.render(report(Health(tmp_path)), SITUATION)
    assert "None" not in text
    for name in ("processing_ratio", "throttling", "temperature", "last_utterance_", "mqtt_"):
        assert f"edgeasr_{name}" not in text


def figures(text: str) -> dict[str, float]:
    """Return the samples of the device `kitchen` by name and further labels."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, value = line.removeprefix("edgeasr_").rsplit(" ", 1)
            found[name.replace('device="kitchen",', "").replace('{device="kitchen"}', "")] = float(value)
    return found


def test_promtool_has_nothing_to_say_and_units_are_base_units(pi: Path) -> None:
    health = Health(pi)
    health.chunk(1.0, 0.25, 0.1, speech=True)
    health.final(event("a-1"), 0.0)
    power = {
        "load_watts": 2.5,
        "percent": 81.0,
        "wh_lifetime": 2.0,
        "seconds_to_empty": None,
        "policy": "saver",
    }
    power |= {"wh_by_activity": {"idle": 0.0, "transcribing": 0.5}, "under_voltage": False, "estimated": True}
    text = prometheus.render(report(health), replace(SITUATION, connected=True, connections=3, power=power))
    found = figures(text)
    assert found["last_utterance_latency_seconds"] == 0.9123
    assert found["last_utterance_queue_wait_seconds"] == 0.1
    assert found['queue_wait_seconds{queue="finals"}'] == 1.5
    assert (found["power_watts"], found["battery_charge_ratio"], found["energy_joules_total"]) == (
        2.5,
        0.81,
        7200,
    )
    assert found['activity_energy_joules_total{activity="transcribing"}'] == 1800
    assert found['power_policy{policy="saver"}'] == found["power_estimated"] == 1
    assert "battery_remaining_seconds" not in found
    assert found["mqtt_connected"] == 1
    assert found["mqtt_connections_total"] == 3
    assert found['throttling{condition="throttled",since="now"}'] == 1
    assert found['throttling{condition="under_voltage",since="now"}'] == 0
    assert found['throttling{condition="under_voltage",since="boot"}'] == 1
    assert found['throttling{condition="throttled",since="boot"}'] == 1
    assert found['throttling{condition="frequency_capped",since="boot"}'] == 0
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not on this machine; `apt-get install prometheus` has it")
    command = [promtool, "check", "metrics"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_state_mute_connection_and_build_are_told(pi: Path) -> None:
    health = report(Health(pi))
    for state in DaemonState:
        now = replace(SITUATION, state=state.value, muted=state is DaemonState.MUTED, connected=False)
        found = figures(prometheus.render(health, now))
        assert {one: found[f'state{{state="{one.value}"}}'] for one in DaemonState} == {
            one: float(one is state) for one in DaemonState
        }
        assert found["muted"] == float(state is DaemonState.MUTED)
        assert found["mqtt_connected"] == 0
        assert found[f'build_info{{version="{__version__}",model="en-8"}}'] == 1


def test_the_file_follows_the_state_and_goes_with_the_daemon(tmp_path: Path) -> None:
    path = tmp_path / "edgeasr.prom"
    path.write_text("of a daemon that was killed\n")
    file = prometheus.HealthFile(path)
    file.begin()
    file.update(SITUATION)
    assert not path.exists(), "there are no figures yet"
    file.write({"uptime_seconds": 1.5}, SITUATION)
    assert figures(path.read_text())['state{state="listening"}'] == 1
    file.update(replace(SITUATION, state="degraded"))
    found = figures(path.read_text())
    assert (found['state{state="degraded"}'], found["uptime_seconds"]) == (1, 1.5)
    file.close()
    file.write({"uptime_seconds": 2.5}, SITUATION)
    assert not list(tmp_path.iterdir())


def test_a_daemons_figures_are_there_while_it_runs_and_gone_when_it_stops(house: House) -> None:
    path = house.folder / "edgeasr.prom"
    path.write_text("edgeasr_of_a_daemon_that_was_killed 1\n")
    house.plug_microphone()
    house.start(**{"health.prometheus_file": str(path)})

    def told() -> dict[str, float]:
        return figures(path.read_text()) if path.exists() else {}

    wait_for(lambda: told().get('state{state="listening"}') == 1, "the figures")
    wait_for(lambda: told()["mqtt_connected"] == 1, "the connection among them")
    assert told()["muted"] == 0
    house.listener.client.publish(TOPICS.of(Kind.MUTE_SET), "ON", qos=1)
    wait_for(lambda: told()["muted"] == 1, "muted")
    assert told()['state{state="muted"}'] == 1
    promtool = shutil.which("promtool")
    if promtool is not None:
        with path.open() as figures_file:
            subprocess.run([promtool, "check", "metrics"], stdin=figures_file, check=True, timeout=60)
    assert house.stop() == 0
    assert not path.exists()


def test_nothing_in_the_place_of_the_new_file_is_written_through(tmp_path: Path) -> None:
    path, victim = tmp_path / "edgeasr.prom", tmp_path / "victim"
    victim.write_text("precious")
    for trap in ("link", "pipe"):
        new = tmp_path / ".edgeasr.prom.new"
        if trap == "link":
            new.symlink_to(victim)
        else:
            os.mkfifo(new)
        assert prometheus.write(path, f"a_{trap} 1\n") is None
        assert path.read_text() == f"a_{trap} 1\n"
    assert victim.read_text() == "precious"


def test_an_utterance_brings_the_uptime_up_to_date(pi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    health = Health(pi)
    first = report(health)["uptime_seconds"]
    began = time.monotonic()
    monkeypatch.setattr("edgeasr.daemon.health.time.monotonic", lambda: began + 100.0)
    health.final(event("a-1"), 0.0)
    updated = health.update()
    assert updated is not None
    strict(SchemaName.HEALTH).validate(updated)
    assert updated["uptime_seconds"] >= first + 99.0


def test_the_file_is_replaced_whole_and_readable_by_the_collector(tmp_path: Path) -> None:
    path = tmp_path / "edgeasr.prom"
    assert prometheus.write(path, "a 1\n") is None
    before = path.stat().st_ino
    assert prometheus.write(path, "a 2\n") is None
    assert path.read_text() == "a 2\n"
    assert path.stat().st_ino != before, "a reader of the old file reads it to its end"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [one.name for one in tmp_path.iterdir()] == ["edgeasr.prom"]
    fault = prometheus.write(tmp_path / "absent/edgeasr.prom", "a 3\n")
    assert fault is not None
    assert "check its folder" in fault
