"""A Debian Bookworm of aarch64 in a folder, whose programs this machine runs, emulated where it has to."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SUITE: Final = "bookworm"
# As systemd/README.md has it.
PACKAGES: Final = ("python3", "python3-venv", "python3-pyaudio", "python3-systemd", "gcc", "libc6-dev")
_BUILD_SECONDS: Final = 3600.0
_PATH: Final = "/opt/edgeasr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# The mounts end with the command: they are in a namespace of its own. `$1`: a text for /proc/cpuinfo, or - for this
# machine's own. XNNPACK, the fast kernels of the encoder, reads that and /sys to know the processor: without /sys it
# leaves the work to other kernels, which round differently, and with another architecture's /proc/cpuinfo it crashes.
# `$2`: folders that are to look empty, without which the compiler does not work.
_ENTER: Final = """set -e
for name in proc sys dev; do mount --rbind /$name "$0/$name"; done
[ "$1" = - ] || mount --bind "$1" "$0/proc/cpuinfo"
for name in $2; do mount -t tmpfs -o ro none "$0/$name"; done
shift 2
exec chroot "$0" /usr/bin/env -i "$@" """
_COMPILER: Final = "usr/lib/gcc usr/include"
# What Linux tells of the processors that the emulator knows by these names: part, features.
_PROCESSORS: Final = {
    "cortex-a53": ("0xd03", "fp asimd evtstrm crc32 cpuid"),
    "cortex-a72": ("0xd08", "fp asimd evtstrm crc32 cpuid"),
    "cortex-a76": (
        "0xd0b",
        "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp",
    ),
}
USUAL: Final = "cortex-a72"


def as_root(command: Sequence[str]) -> list[str]:
    """Return the command as the superuser's; through sudo where this user is another one."""
    return list(command) if os.geteuid() == 0 else ["sudo", *command]


class Root:
    """The folder. Commands in it run as root, without the caller's environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._stamp = folder.with_name(f"{folder.name}.packages")

    @property
    def is_made(self) -> bool:
        """Whether it is there, with these packages."""
        return self._stamp.is_file() and self._stamp.read_text() == self._wanted()

    def make(self, log: Path) -> None:
        """Make it anew, which takes minutes; raises CalledProcessError with the reason in `log`."""
        self.remove()
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as out:
            subprocess.run(
                as_root(
                    [
                        "mmdebstrap",
                        "--arch=arm64",
                        "--variant=minbase",
                        f"--include={','.join(PACKAGES)}",
                        SUITE,
                        str(self.folder),
                    ]
                ),
                stdout=out,
                stderr=out,
                timeout=_BUILD_SECONDS,
                check=True,
            )
        self._stamp.write_text(self._wanted())

    def remove(self) -> None:
        """Delete it; refuses where something is still mounted in it."""
        self._stamp.unlink(missing_ok=True)
        if self.folder.exists():
            subprocess.run(as_root(["rm", "-rf", "--one-file-system", str(self.folder)]), check=True)

    def put(self, source: Path, place: str) -> None:
        """Copy a file or folder to an absolute path in it; what was there before is replaced."""
        target = f"{self.folder}{place}"
        subprocess.run(as_root(["rm", "-rf", target]), check=True)
        subprocess.run(as_root(["mkdir", "-p", os.path.dirname(target)]), check=True)  # noqa: PTH120
        subprocess.run(as_root(["cp", "-rL", "--no-preserve=ownership", str(source), target]), check=True)

    def take(self, place: str, target: Path) -> None:
        """Copy a file out of it."""
        shutil.copyfile(f"{self.folder}{place}", target)

    def command(self, *words: str, cpu: str = USUAL, compiler: bool = False) -> list[str]:
        """Return what runs a program in it; `cpu`: the processor to emulate, one of Raspberry Pi's.

        `compiler`: whether its compiler works meanwhile.
        """
        emulated, shown = [], "-"
        if not is_native():
            # The emulator reads the variable from the environment that its program is started with.
            emulated, shown = [f"QEMU_CPU={cpu}"], str(self._describe(cpu))
        enter = [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            _ENTER,
            str(self.folder),
            shown,
            "" if compiler else _COMPILER,
        ]
        values = [*emulated, f"PATH={_PATH}", "HOME=/root", "LANG=C.UTF-8"]
        return as_root(["env", *emulated, *enter, *values, *words])

    def run(
        self, *words: str, timeout: float, cpu: str = USUAL, compiler: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in it and return what it said; ends this program where it fails."""
        done = subprocess.run(
            self.command(*words, cpu=cpu, compiler=compiler),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode:
            raise SystemExit(
                f"in {self.folder}: {shlex.join(words)} ended with {done.returncode}:\n{done.stderr.strip()}"
            )
        return done

    def _describe(self, cpu: str) -> Path:
        """Write what Linux says of such a processor, and return the file."""
        if cpu not in _PROCESSORS:
            raise SystemExit(f"{cpu} is none of {', '.join(_PROCESSORS)}")
        part, features = _PROCESSORS[cpu]
        lines = ["BogoMIPS\t: 108.00", f"Features\t: {features}", "CPU implementer\t: 0x41"]
        lines += [
            "CPU architecture: 8",
            "CPU variant\t: 0x0",
            f"CPU part\t: {part}",
            "CPU revision\t: 3",
            "",
            "",
        ]
        path = self.folder.with_name(f"{self.folder.name}.{cpu}")
        path.write_text(
            "".join(f"processor\t: {core}\n" + "\n".join(lines) for core in range(os.cpu_count() or 1))
        )
        return path

    def _wanted(self) -> str:
        return f"{SUITE} {' '.join(PACKAGES)}\n"


def is_native() -> bool:
    """Whether this machine is of that architecture itself."""
    return platform.machine() == "aarch64"
