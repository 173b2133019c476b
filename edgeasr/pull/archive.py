"""Unpacking a bundle from a tar archive, of which nothing is believed."""

from __future__ import annotations

import tarfile
import zlib
from lzma import LZMAError
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from edgeasr.bundle import MANIFEST_FILE
from edgeasr.bundle.checksums import is_plain_name
from edgeasr.errors import BundleError
from edgeasr.pull.disk import Writer

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES: Final = 1 << 30  # of all files together
_MOST_MEMBERS: Final = 256
_BLOCK: Final = 1 << 20
_DAMAGED: Final = (tarfile.TarError, EOFError, OSError, LZMAError, zlib.error, ValueError)


def unpack(archive: Path, folder: Path, name: str) -> None:
    """Write the regular files that lie beside a model.toml in the archive into `folder`; raises BundleError."""
    try:
        with tarfile.open(archive, "r:*") as tar:
            members = _members(tar, name)
            for file, member in members.items():
                _write(tar, member, folder / file, name)
    except BundleError:
        raise
    except _DAMAGED as error:
        why = str(error).partition("\n")[0].rstrip(":")
        raise BundleError(f"{name} is no tar archive, or is damaged ({why}); fetch it again") from None


def _members(tar: tarfile.TarFile, name: str) -> dict[str, tarfile.TarInfo]:
    """Return the bundle's files by their names in its folder."""
    files: dict[PurePosixPath, tarfile.TarInfo] = {}
    size = 0
    for count, member in enumerate(tar):
        size += member.size
        if count >= _MOST_MEMBERS or size > _MOST_BYTES:
            raise BundleError(f"{name} holds more than a bundle may; check what it is")
        if member.isfile():
            files[PurePosixPath(member.name)] = member
    folders = sorted({path.parent for path in files if path.name == MANIFEST_FILE}, key=str)
    if len(folders) != 1:
        raise BundleError(
            f"{name} holds {len(folders)} files {MANIFEST_FILE}, not one: it is no model bundle"
        )
    return {
        path.name: member
        for path, member in files.items()
        if path.parent == folders[0] and is_plain_name(path.name)
    }


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path, name: str) -> None:
    source = tar.extractfile(member)
    if source is None:
        raise BundleError(f"{name} is damaged: {target.name} cannot be read; fetch it again")
    target.unlink(missing_ok=True)
    with source, Writer(target, member.size, _MOST_BYTES) as writer:
        while data := source.read(_BLOCK):
            writer.write(data)
    target.chmod(0o644)
