"""The soak in short: a real daemon, broker and subscriber, speech in real time, some faults, and the count."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FAULTS = (
    "microphone process killed",
    "encoder process hung",
    "clock stepped",
    "broker killed",
    "broker unreachable",
    "daemon killed",
    "daemon stopped by SIGTERM",
)
LANES = ({"microphone", "encoder", "clock"}, {"broker"}, {"daemon"})
LONG = 600.0  # seconds until it counts as stuck


def test_a_minute_of_speech_and_faults_loses_no_final(tmp_path: Path) -> None:
    out = tmp_path / "soak"
    command = [sys.executable, "-m", "tools.soak", "--minutes", "0.8", "--pause", "5", "--seed", "2"]
    done = subprocess.run(
        [*command, "--out", str(out), "--faults", *FAULTS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )
    assert (out / "soak.json").exists(), done.stdout + done.stderr
    found = json.loads((out / "soak.json").read_text())
    shown = done.stdout + (out / "daemon.log").read_text()
    assert found["received"] >= 3, shown
    assert (found["lost"], found["waiting"]) == ([], 0), shown
    assert (found["twins"], found["disordered"]) == ([], []), shown
    happened = [name for name, *_ in found["marks"]]
    for lane in LANES:
        assert any(name.split()[0] in lane for name in happened), happened
    assert all(None not in mark for mark in found["marks"]), found["marks"]
    if "audio_dropped" not in found["events"]:  # else the machine was too slow, and the daemon has said so
        assert found["missed"] == [], shown
    assert "expected" in done.stdout
    assert (out / "soak.png").read_bytes().startswith(b"\x89PNG")
