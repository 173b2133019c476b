"""The service's unit, with its sandbox, in a container that has a real systemd, logind and polkit: it may switch off.

Takes root, systemd-nspawn and mmdebstrap, and no emulation: a minute, and some for Debian at the first time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from device.device import PATIENCE

PROJECT: Final = Path(__file__).parents[2]
BASE: Final = Path(os.environ.get("EDGEASR_CONTAINER", "build/power-off-root")).resolve()
PACKAGES: Final = "systemd,systemd-sysv,dbus,polkitd,python3"
RULE: Final = "etc/polkit-1/rules.d/50-edgeasr-power-off.rules"
# The unit as it is shipped, but for what it runs: no model is in the container.
RUN: Final = """[Unit]
OnFailure=
[Service]
Type=oneshot
Restart=no
WatchdogSec=0
ExecStart=
ExecStart=/usr/bin/python3 /srv/ask.py
"""
ASK: Final = """import sys
sys.path.insert(0, "/srv")
from shutdown import power_off
told = power_off()
open("/var/lib/edgeasr/told", "w").write(told or "asked")
"""
# Ends the container where nobody else does; `late` says that it was this.
HELPER: Final = """[Unit]
After=edgeasr.service
[Service]
ExecStart=/bin/sh -c 'until [ -s /var/lib/edgeasr/told ]; do sleep 1; done; sleep %d; touch /srv/late; poweroff'
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="session")
def base() -> Path:
    """Debian with logind and polkit."""
    for program in ("systemd-nspawn", "mmdebstrap"):
        if shutil.which(program) is None or os.geteuid() != 0:
            pytest.skip(f"this takes root, systemd-nspawn and mmdebstrap; {program} is missing, or root")
    if not BASE.exists():
        made = BASE.with_name(BASE.name + ".new")
        shutil.rmtree(made, ignore_errors=True)
        made.parent.mkdir(parents=True, exist_ok=True)
        command = [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            f"--include={PACKAGES}",
            "bookworm",
            str(made),
        ]
        subprocess.run(command, check=True, timeout=PATIENCE)
        made.rename(BASE)
    return BASE


@pytest.mark.parametrize("is_allowed", [True, False])
def test_logind_switches_off_for_the_service_where_the_rule_says_so(
    base: Path, tmp_path: Path, is_allowed: bool
) -> None:
    root = tmp_path / "root"
    subprocess.run(["cp", "-a", "--reflink=auto", str(base), str(root)], check=True, timeout=PATIENCE)
    units = root / "etc/systemd/system"
    shutil.copy(PROJECT / "systemd/edgeasr.service", units)
    (units / "edgeasr.service.d").mkdir()
    (units / "edgeasr.service.d/run.conf").write_text(RUN)
    (units / "helper.service").write_text(HELPER % (PATIENCE / 4 if is_allowed else 1))
    (root / "etc/sysusers.d").mkdir(exist_ok=True)
    shutil.copy(PROJECT / "systemd/sysusers.conf", root / "etc/sysusers.d/edgeasr.conf")
    shutil.copy(PROJECT / "edgeasr/power/shutdown.py", root / "srv")
    (root / "srv/ask.py").write_text(ASK)
    if is_allowed:
        shutil.copy(PROJECT / "systemd/50-edgeasr-power-off.rules", root / RULE)
    for command in (["systemd-sysusers"], ["systemctl", "--quiet", "enable", "edgeasr", "helper"]):
        subprocess.run(["chroot", str(root), *command], check=True, timeout=PATIENCE)
    container = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", f"--directory={root}"]
    done = subprocess.run(
        container, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = (root / "var/lib/edgeasr/told").read_text()
    if is_allowed:
        assert told == "asked"
        assert not (root / "srv/late").exists(), "the container went off by itself"
    else:
        assert "logind does not switch the machine off" in told
        assert "50-edgeasr-power-off.rules" in told, "and what to do"
        assert (root / "srv/late").exists()
