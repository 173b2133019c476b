"""`edgeasr models`: which model bundles are installed, and whether they are whole."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from edgeasr.bundle import Bundle, find_bundles, locate
from edgeasr.cli.console import tell
from edgeasr.cli.parser import add_settings_options, load_settings
from edgeasr.cli.terminal import Terminal
from edgeasr.encoder import open_encoder
from edgeasr.errors import BundleError
from edgeasr.pipeline import load_decoder

if TYPE_CHECKING:
    import argparse

    from edgeasr.settings import Settings

_DESCRIPTION = """\
Model bundles are folders with a model.toml. They are looked for in encoder.search of the configuration, in
$EDGEASR_MODELS, in models/ beside the program, in /var/lib/edgeasr/models and in /usr/share/edgeasr/models."""

_EXAMPLES = """\
examples:
  edgeasr models list
  edgeasr models verify                      all that are installed
  edgeasr models verify edgeasr-en ./download/edgeasr-de
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.description, parser.epilog = _DESCRIPTION, _EXAMPLES
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, title="actions")
    show = actions.add_parser("list", help="list the bundles that are installed")
    add_settings_options(show)
    verify = actions.add_parser(
        "verify", help="check checksums, and that graph, lexicon and LM load and agree"
    )
    verify.add_argument("bundles", nargs="*", metavar="NAME|PATH", help="default: all that are installed")
    add_settings_options(verify)


def main(args: argparse.Namespace) -> int:
    """List or verify; 1 where a bundle is bad."""
    settings = load_settings(args).settings
    if args.action == "list":
        return _list(settings)
    found = find_bundles(settings.encoder.search)
    if not args.bundles and not found:
        raise BundleError("no model bundle is installed: set EDGEASR_MODELS to the folder that holds them")
    bad = 0
    for name in args.bundles or found:
        try:
            bundle = _verified(name, settings)
        except BundleError as error:
            tell(error)
            bad += 1
        else:
            print(f"{bundle.path} is good: {bundle.manifest.label}", flush=True)
    return 1 if bad else 0


def _list(settings: Settings) -> int:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("name")
    table.add_column("version")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("folder", overflow="fold")
    table.add_column("")
    bad = 0
    found = find_bundles(settings.encoder.search)
    for name, path in found.items():
        size = sum(file.stat().st_size for file in path.iterdir() if file.is_file())
        try:
            version = Bundle.open(path).manifest.model.version
        except BundleError as error:
            tell(error)
            version, bad = "broken", bad + 1
        used = "in use" if name == settings.encoder.bundle else ""
        table.add_row(*map(Text, (name, version, f"{size / 1e6:.1f} MB", str(path), used)))
    if not found:
        raise BundleError("no model bundle is installed: set EDGEASR_MODELS to the folder that holds them")
    Terminal().print(table)
    return 1 if bad else 0


def _verified(name: str, settings: Settings) -> Bundle:
    """Open a bundle and everything in it; raises BundleError."""
    search = settings.encoder.search
    is_folder = "/" not in name and name not in find_bundles(search) and Path(name).is_dir()
    bundle = locate(f"./{name}" if is_folder else name, verify=True, search=search)
    open_encoder(bundle, "cpu").close()
    with_lm = dataclasses.replace(settings.decoder, lm=True)
    load_decoder(dataclasses.replace(settings, decoder=with_lm), bundle)
    return bundle
