"""The emulated machine: boot it, run commands on it, cut its power."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE: Final = Path(__file__).parent
# All of them bound what hangs; a host that has other work may need most of them.
BOOT_SECONDS: Final = 1200.0
COMMAND_SECONDS: Final = 600.0
_TRY_SECONDS: Final = 60.0  # ssh's handshake alone takes seconds there
_OFF_SECONDS: Final = 300.0
_NO_CONNECTION: Final = 255  # ssh's own exit status


class CommandError(Exception):
    """A command on the machine failed, or did not end in time."""


class Machine:
    """What `build.sh` built in `folder`, on a disk of its own in `work`; ports are this host's, on 127.0.0.1."""

    def __init__(self, folder: Path, work: Path) -> None:
        self.folder, self.work = folder, work
        self.disk, self.console = work / "disk.img", work / "console.log"
        self.ssh_port, self.mqtt_port = free_ports(2)
        self._emulator: subprocess.Popen[bytes] | None = None
        self._sockets = tempfile.TemporaryDirectory(prefix="edgeasr-")  # a socket's path must be short
        self.boots = 0

    def prepare(self) -> None:
        """Start with the disk as it was built."""
        self.work.mkdir(parents=True, exist_ok=True)
        self.console.unlink(missing_ok=True)
        command = ["cp", "--sparse=always", "--reflink=auto", self.folder / "disk.img", self.disk]
        subprocess.run(command, check=True, timeout=COMMAND_SECONDS)

    def boot(self) -> float:
        """Switch it on and wait until it can be logged into; returns the seconds that took.

        Raises CommandError where that does not come about.
        """
        began = time.monotonic()
        ports = (str(self.ssh_port), str(self.mqtt_port))
        with self.console.open("ab") as console:
            self._emulator = subprocess.Popen(
                [HERE / "boot.sh", self.folder, self.disk, *ports],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                process_group=0,
            )
        self.boots += 1
        while time.monotonic() - began < BOOT_SECONDS:
            if self._emulator.poll() is not None:
                raise CommandError(f"the emulator ended with {self._emulator.returncode}: see {self.console}")
            with contextlib.suppress(CommandError):
                self.run("true", seconds=_TRY_SECONDS)
                return time.monotonic() - began
            time.sleep(1.0)
        raise CommandError(f"no login after {BOOT_SECONDS:g} s: see {self.console}")

    def run(self, command: str, *, seconds: float = COMMAND_SECONDS, send: bytes = b"") -> str:
        """Run a shell command as root; return what it printed. Raises CommandError where it fails."""
        try:
            done = subprocess.run(
                [*self._ssh(), command], input=send, capture_output=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            raise CommandError(f"`{command}` has not ended in {seconds:g} s") from None
        if done.returncode:
            said = (done.stdout + done.stderr).decode("utf-8", "replace").strip()
            raise CommandError(f"`{command}` ended with {done.returncode}: {said}")
        return done.stdout.decode("utf-8", "replace").strip()

    @contextlib.contextmanager
    def started(self, command: str) -> Iterator[subprocess.Popen[bytes]]:
        """Start a shell command as root that goes on by itself, its output in a pipe; left where it has not ended."""
        null, pipe = subprocess.DEVNULL, subprocess.PIPE
        with subprocess.Popen(
            [*self._ssh(), command], stdin=null, stdout=pipe, stderr=subprocess.STDOUT
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def write(self, path: str, content: bytes) -> None:
        """Write a file on the machine, its folder too."""
        quoted = shlex.quote(path)
        self.run(f"mkdir -p $(dirname {quoted}) && cat > {quoted}", send=content)

    def cut_power(self) -> None:
        """End the emulator at once: what the machine had not written through to its disk is lost."""
        assert self._emulator is not None  # noqa: S101 - booted before
        os.killpg(self._emulator.pid, signal.SIGKILL)
        self._gone()

    def await_off(self, seconds: float = BOOT_SECONDS) -> None:
        """Wait until it has switched itself off; raises CommandError where it does not."""
        assert self._emulator is not None  # noqa: S101 - booted before
        try:
            self._emulator.wait(seconds)
        except subprocess.TimeoutExpired:
            raise CommandError(f"it is still on after {seconds:g} s: see {self.console}") from None
        self._gone()

    def power_off(self) -> None:
        """Let it shut down; cut its power if it does not."""
        if self._emulator is None:
            return
        with contextlib.suppress(CommandError):
            self.run("systemctl poweroff", seconds=_TRY_SECONDS)
        try:
            self._emulator.wait(_OFF_SECONDS)
            self._gone()
        except subprocess.TimeoutExpired:
            self.cut_power()

    def close(self) -> None:
        """Cut its power and forget its disk."""
        if self._emulator is not None:
            self.cut_power()
        self.disk.unlink(missing_ok=True)
        self._sockets.cleanup()

    def collect(self, folder: Path) -> None:
        """Copy what tells a failure's cause into a folder: console, journals, the service's state."""
        folder.mkdir(parents=True, exist_ok=True)
        if folder != self.work:
            shutil.copyfile(self.console, folder / "console.log")
        for name, command in (
            ("journal.log", "journalctl --no-pager -o short-monotonic -b all"),
            ("service.log", "systemctl --no-pager status edgeasr mosquitto; systemctl show edgeasr"),
            ("processes.log", "ps -eLo user,pid,tid,cls,rtprio,psr,stat,wchan:20,time,comm"),
            ("broker.log", "cat /var/log/mosquitto/mosquitto.log"),
        ):
            try:
                text = self.run(f"{command} || true")
            except CommandError as error:
                text = str(error)
            (folder / name).write_text(text)

    def _gone(self) -> None:
        assert self._emulator is not None  # noqa: S101 - as its callers know
        self._emulator.wait(COMMAND_SECONDS)
        self._emulator = None
        # ssh's shared connection does not notice by itself.
        with contextlib.suppress(subprocess.SubprocessError):
            subprocess.run(
                [*self._ssh(), "-O", "exit"], capture_output=True, timeout=_TRY_SECONDS, check=False
            )

    def _ssh(self) -> list[str]:
        options = {
            "ControlMaster": "auto",
            "ControlPath": f"{self._sockets.name}/ssh",
            "ControlPersist": "600",
            "ConnectTimeout": f"{_TRY_SECONDS:.0f}",
            "ServerAliveInterval": "120",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
            "BatchMode": "yes",
        }
        flags = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        return [
            "ssh",
            "-F",
            "none",
            "-i",
            str(self.folder / "id"),
            "-p",
            str(self.ssh_port),
            *flags,
            "root@127.0.0.1",
        ]


def free_ports(count: int) -> list[int]:
    """Return different TCP ports of 127.0.0.1 that nobody listens on."""
    with contextlib.ExitStack() as stack:
        # All are held until the last one is known, or the kernel may give one of them twice.
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
