"""SHA256SUMS of a bundle, in the format of sha256sum(1)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from edgeasr.errors import BundleError
from edgeasr.safefile import read_bytes

if TYPE_CHECKING:
    from pathlib import Path

SUMS_FILE = "SHA256SUMS"


_LONGEST_NAME = 255  # bytes that a file system takes


def is_plain_name(name: str) -> bool:
    """Whether a name is that of a file in the bundle's own folder, and of none that is hidden."""
    fits = len(name.encode("utf-8", "replace")) <= _LONGEST_NAME
    return bool(name) and fits and name.isprintable() and "/" not in name and not name.startswith(".")


def digest(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_checksums(folder: Path) -> None:
    """Write the sums of every file in the bundle's folder."""
    names = sorted(p.name for p in folder.iterdir() if p.is_file() and p.name != SUMS_FILE)
    (folder / SUMS_FILE).write_text("".join(f"{digest(folder / name)}  {name}\n" for name in names))


def read_checksums(folder: Path) -> dict[str, str]:
    """File name to digest; raises BundleError where the list is missing or malformed."""
    path = folder / SUMS_FILE
    try:
        data = read_bytes(path)
    except OSError as error:
        raise BundleError(f"{path} cannot be read: fetch the bundle again, it is incomplete") from error
    return parse_checksums(data, str(path))


def parse_checksums(data: bytes, origin: str) -> dict[str, str]:
    """File name to digest; raises BundleError with the place where the list is malformed."""
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise BundleError(f"{origin} is no list of checksums: fetch the bundle again") from error
    sums: dict[str, str] = {}
    for line in lines:
        value, _, name = line.partition("  ")
        if len(value) != 64 or not is_plain_name(name):
            raise BundleError(f"{origin} has a malformed line ({line[:40]!r}): fetch the bundle again")
        sums[name] = value
    return sums


def verify_checksums(folder: Path, needed: tuple[str, ...] = ()) -> None:
    """Compare every listed file; raises BundleError that names the first file that differs, is missing or unlisted."""
    sums = read_checksums(folder)
    for name in needed:
        if name not in sums:
            raise BundleError(f"{folder / SUMS_FILE} does not list {name}: fetch the bundle again")
    for name, expected in sums.items():
        path = folder / name
        if not path.is_file():
            raise BundleError(f"{path} is missing: fetch the bundle again")
        if digest(path) != expected:
            raise BundleError(
                f"{path} does not match its checksum: the file is damaged or was changed, fetch it again"
            )
