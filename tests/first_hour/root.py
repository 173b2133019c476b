"""A bare Debian in a folder, into which somebody new has put a clone of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).resolve().parents[2]
BUILD: Final = PROJECT / "build/first-hour"
USER: Final = "ann"
# What every Debian has that somebody sits at: sudo, and certificates for whom to trust. All else is the README's task.
PACKAGES: Final = ("sudo", "ca-certificates", "python3")
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CERTIFICATES: Final = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class Result:
    """What a command in the root left behind."""

    code: int
    out: str

    def __str__(self) -> str:
        return f"exit code {self.code}\n{self.out}"


class Root:
    """The folder of one Debian release; `run` starts commands in it in namespaces of their own."""

    def __init__(self, suite: str) -> None:
        self.folder = BUILD / suite
        archive = BUILD / f"{suite}.tar"
        BUILD.mkdir(parents=True, exist_ok=True)
        if not archive.exists():
            fresh = archive.with_suffix(".new.tar")
            include = f"--include={','.join(PACKAGES)}"
            line = ["mmdebstrap", "--variant=minbase", include, suite, str(fresh)]
            subprocess.run(line, check=True, capture_output=True, timeout=900)
            fresh.rename(archive)
        if self.folder.exists():
            subprocess.run(["rm", "-rf", "--one-file-system", self.folder], check=True)
        self.folder.mkdir()
        subprocess.run(["tar", "--extract", "--file", archive, "--directory", self.folder], check=True)
        self._furnish()
        self._clone()

    def write(self, path: str, text: str) -> None:
        file = self.folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def run(self, script: str, user: str = "root", *, network: bool = False, seconds: float = 900) -> Result:
        """Run a script with bash from the clone in the user's home; without `network` there is none but its own."""
        home = self.home(user)
        line = [
            "systemd-nspawn",
            "--quiet",
            "--register=no",
            "--keep-unit",
            "--as-pid2",
            "--pipe",
            "--resolv-conf=off",
        ]
        line += [f"--directory={self.folder}", f"--user={user}", f"--chdir={home}/edgeasr"]
        line += _bound() if network else ["--private-network"]
        # A terminal's shell is told of no service manager, which nspawn pretends to be.
        line += [
            "/usr/bin/env",
            "-i",
            f"HOME={home}",
            f"USER={user}",
            f"PATH={_PATH}",
            "TERM=xterm",
            "LANG=C.UTF-8",
        ]
        line += [*(_pip() if network else []), "bash", "-c", f"exec 2>&1\n{script}"]
        done = subprocess.run(
            line,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
        return Result(done.returncode, done.stdout.decode("utf-8", "replace").replace("\r", ""))

    def home(self, user: str) -> str:
        return "/root" if user == "root" else f"/home/{user}"

    def _furnish(self) -> None:
        """What a machine has that is installed in another way: a user, names, a network."""
        for source in ("/etc/resolv.conf", _CERTIFICATES):
            if Path(source).exists():
                target = self.folder / source.lstrip("/")
                target.unlink(missing_ok=True)
                shutil.copyfile(source, target)
        self.write("/etc/hosts", "127.0.0.1 localhost broker.local\n")
        for file in Path("/etc/apt/apt.conf.d").glob("*"):
            if "Acquire::" in file.read_text("utf-8", "replace"):  # how this machine reaches the archive
                shutil.copyfile(file, self.folder / "etc/apt/apt.conf.d" / file.name)
        subprocess.run(["chroot", self.folder, "useradd", "-m", "-s", "/bin/bash", USER], check=True)
        self.write(f"/etc/sudoers.d/{USER}", f"{USER} ALL=(ALL) NOPASSWD: ALL\n")

    def _clone(self) -> None:
        for user in ("root", USER):
            target = self.folder / self.home(user).lstrip("/") / "edgeasr"
            subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", PROJECT, target], check=True)
            subprocess.run(
                ["chroot", self.folder, "chown", "-R", f"{user}:", f"{self.home(user)}/edgeasr"], check=True
            )


def _pip_settings() -> dict[str, str]:
    """Return how pip reaches packages on this machine, by its own account."""
    line = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    found = re.findall(r"^(?:global|:env:)\.([\w-]+)='(.*)'$", done.stdout, re.MULTILINE)
    return {name: value for name, value in found if name not in ("require-virtualenv", "target", "user")}


def _pip() -> list[str]:
    values = {f"PIP_{name.upper().replace('-', '_')}": value for name, value in _pip_settings().items()}
    proxies = {
        name: value
        for name, value in os.environ.items()
        if name.lower() in ("http_proxy", "https_proxy", "no_proxy")
    }
    values |= proxies | {"PIP_NO_INPUT": "1", "PIP_PROGRESS_BAR": "off"}
    if "PIP_CERT" in values:
        values["PIP_CERT"] = _CERTIFICATES
    return [f"{name}={value}" for name, value in values.items()]


def _bound() -> list[str]:
    """Return the options for the folders that pip's settings name."""
    words = [word.removeprefix("file://") for value in _pip_settings().values() for word in value.split()]
    paths = {Path(word) for word in words if word.startswith("/") and word != _CERTIFICATES}
    # An index in a folder leads to files beside it.
    folders = {path.parent if path.name == "simple" else path for path in paths}
    return [f"--bind-ro={path}" for path in sorted(folders) if path.exists()]
