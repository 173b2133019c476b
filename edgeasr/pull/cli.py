"""`edgeasr models pull`."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeasr.bundle import find_bundles, user_folder
from edgeasr.bundle.places import SYSTEM
from edgeasr.cli.console import tell
from edgeasr.cli.parser import add_settings_options
from edgeasr.pull.bar import make_bar
from edgeasr.pull.course import pull
from edgeasr.settings import may_write

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeasr.bundle import Bundle
    from edgeasr.settings import Settings

_DESCRIPTION: Final = """\
Fetch a model bundle, check it, and put it in place at once; the one before stays until the next pull. FROM is the
address of a bundle's folder or of a tar archive of it, or such a folder or archive on this machine. What was
interrupted goes on where it was when the same is pulled again."""

_EXAMPLES: Final = """\
examples:
  sudo edgeasr models pull https://example.org/models/edgeasr-en/
  edgeasr models pull https://example.org/edgeasr-en.tar.xz --sha256 5a3f…
  edgeasr models pull /media/usb/edgeasr-en
  python3 -m http.server -d models/edgeasr-en     on another machine hands out a checkout's model
"""
_TIMEOUT: Final = 30.0  # seconds
_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.description, parser.epilog = _DESCRIPTION, _EXAMPLES
    parser.add_argument("source", metavar="FROM", help="address, folder or tar archive")
    parser.add_argument(
        "--to",
        type=Path,
        metavar="FOLDER",
        help=f"folder of bundles (default: {SYSTEM}, where that cannot be written ~/.local/share/edgeasr/models)",
    )
    parser.add_argument(
        "--sha256",
        type=_digest,
        metavar="SUM",
        help="refuse anything else than the archive, or the folder whose SHA256SUMS, has this checksum",
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=_TIMEOUT,
        metavar="SECONDS",
        help=f"longest wait for the server (default: {_TIMEOUT:g})",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, no remarks; errors only")
    add_settings_options(parser)


def main(args: argparse.Namespace, settings: Settings, check: Callable[[Bundle], object]) -> int:
    """Pull; 0 where the bundle is in place. Raises BundleError."""
    folder = _folder(args.to)
    search = settings.encoder.search

    def installed() -> Path | None:
        found = find_bundles((folder, *search)).get(settings.encoder.bundle)
        return None if found is None else found.path

    with make_bar(quiet=args.quiet) as bar:
        try:
            pulled = pull(
                args.source,
                folder,
                check=check,
                installed=installed,
                pin=args.sha256,
                timeout=args.timeout,
                progress=bar,
            )
        except KeyboardInterrupt:
            bar.say("interrupted; the same command goes on with what has come")
            raise
    label, name = pulled.bundle.manifest.label, pulled.path.name
    print(f"{pulled.path} is {label}" if pulled.is_new else f"{pulled.path} is {label} already")
    if args.quiet:
        return 0
    used = find_bundles(search).get(name)
    if used is None or used.path.resolve() != pulled.bundle.path:
        tell(f"it is not found there: set encoder.search to {folder}, or encoder.bundle to {pulled.path}")
    elif name != settings.encoder.bundle:
        tell(f'it is not in use: set encoder.bundle to "{name}"')
    elif pulled.is_new and folder != user_folder():
        tell("a service that runs takes it after `sudo systemctl restart edgeasr`")
    return 0


def _folder(given: Path | None) -> Path:
    if given is not None:
        return given.expanduser().absolute()
    own = user_folder()
    if may_write(SYSTEM) or own is None:
        return SYSTEM
    return own


def _digest(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no SHA-256 of 64 hexadecimal digits")
    return text.lower()


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0.1 to 3600")
    return seconds
