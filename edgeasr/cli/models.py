"""`edgeasr models`: which model bundles are installed, whether they are whole, and how to get one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from edgeasr.bundle import INSTALL, Bundle, find_bundles, locate
from edgeasr.cli.console import say, tell
from edgeasr.cli.parser import add_settings_options, load_settings
from edgeasr.cli.terminal import Terminal
from edgeasr.encoder import open_encoder
from edgeasr.encoder.mapping import SRAM_BYTES, check_mapping
from edgeasr.errors import BundleError
from edgeasr.pipeline import load_decoder
from edgeasr.printable import one_line
from edgeasr.pull import cli as pull

if TYPE_CHECKING:
    import argparse

    from edgeasr.settings import Settings

_DESCRIPTION = """\
Model bundles are folders with a model.toml. They are looked for by name, the first one counts: in encoder.search of
the configuration, $EDGEASR_MODELS, ~/.local/share/edgeasr/models, /var/lib/edgeasr/models, /usr/share/edgeasr/models,
in installed packages such as edgeasr-model-en, and in a checkout's models."""

_EXAMPLES = """\
examples:
  edgeasr models list
  edgeasr models verify                      all that are installed
  edgeasr models verify edgeasr-en ./download/edgeasr-de
  edgeasr models pull https://example.org/edgeasr-en.tar.xz
  edgeasr models check-edgetpu               would its graph map to a Coral?
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.description, parser.epilog = _DESCRIPTION, _EXAMPLES
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, title="actions")
    pull.add_arguments(actions.add_parser("pull", help="fetch a bundle, check it and put it in place"))
    show = actions.add_parser("list", help="list the bundles that are installed")
    add_settings_options(show)
    verify = actions.add_parser(
        "verify", help="check checksums, and that graph, lexicon and LM load and agree"
    )
    verify.add_argument("bundles", nargs="*", metavar="NAME|PATH", help="default: all that are installed")
    add_settings_options(verify)
    check = actions.add_parser(
        "check-edgetpu",
        help="tell whether a bundle's graph would map to an Edge TPU, and how much of it fits on the chip",
    )
    check.add_argument("bundles", nargs="*", metavar="NAME|PATH", help="default: the one in use")
    check.add_argument("--tensors", action="store_true", help="list every parameter's bytes on the chip")
    add_settings_options(check)


def main(args: argparse.Namespace) -> int:
    """List, verify or check; 1 where a bundle is bad."""
    settings = load_settings(args).settings
    if args.action == "list":
        return _list(settings)
    if args.action == "pull":
        return pull.main(args, settings, lambda bundle: _check_loads(bundle, settings))
    if args.action == "check-edgetpu":
        return (
            sum(_check(name, settings, args.tensors) for name in args.bundles or [settings.encoder.bundle])
            and 1
        )
    found = find_bundles(settings.encoder.search)
    if not args.bundles and not found:
        raise BundleError(f"no model bundle is installed: {INSTALL}")
    bad = 0
    for name in args.bundles or found:
        try:
            bundle = _verified(name, settings)
        except BundleError as error:
            tell(error)
            bad += 1
        else:
            say(f"{one_line(bundle.path)} is good: {one_line(bundle.manifest.label)}")
    return 1 if bad else 0


def _list(settings: Settings) -> int:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("name")
    table.add_column("version")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("folder", overflow="fold")
    table.add_column("by way of")
    table.add_column("")
    bad = 0
    found = find_bundles(settings.encoder.search)
    for name, one in found.items():
        size = sum(file.stat().st_size for file in one.path.iterdir() if file.is_file())
        try:
            version = Bundle.open(one.path).manifest.model.version
        except BundleError as error:
            tell(error)
            version, bad = "broken", bad + 1
        used = "in use" if name == settings.encoder.bundle else ""
        row = (name, version, f"{size / 1e6:.1f} MB", one.path, one.origin.value, used)
        table.add_row(*map(Text, map(one_line, row)))
    if not found:
        raise BundleError(f"no model bundle is installed: {INSTALL}")
    Terminal().print(table)
    return 1 if bad else 0


def _located(name: str, settings: Settings, *, verify: bool = False) -> Bundle:
    """Open a bundle by name or folder; a plain name that is a folder here and no installed bundle is that folder."""
    search = settings.encoder.search
    is_folder = "/" not in name and name not in find_bundles(search) and Path(name).is_dir()
    return locate(f"./{name}" if is_folder else name, verify=verify, search=search)


def _check(name: str, settings: Settings, tensors: bool) -> int:  # noqa: FBT001 - a flag as the parser gives it
    """Print how a bundle's graph would map; 1 where it would not."""
    bundle = _located(name, settings)
    mapping = check_mapping(bundle.file(bundle.manifest.encoder.file))
    table = Table("operation", "count", box=None, pad_edge=False, header_style="bold")
    for kind, count in sorted(mapping.operations.items()):
        table.add_row(kind, str(count))
    terminal = Terminal()
    terminal.print(table)
    if tensors:
        costs = Table(
            "parameter", "shape", "stored", "on chip", box=None, pad_edge=False, header_style="bold"
        )
        for cost in sorted(mapping.constants, key=lambda cost: -cost.padded):
            costs.add_row(
                *map(Text, (cost.name, " x ".join(map(str, cost.shape)), str(cost.stored), str(cost.padded)))
            )
        terminal.print(costs)
    for fault in mapping.faults:
        tell(f"{bundle.manifest.label}: {fault}")
    share = mapping.on_chip_bytes / SRAM_BYTES
    label = one_line(bundle.manifest.label)
    say(
        f"{label}: {sum(mapping.operations.values())} operations, {len(mapping.faults)} faults; "
        f"estimated {mapping.on_chip_bytes / 1e6:.2f} MB on the chip, {share:.0%} of its memory "
        f"({mapping.parameter_bytes / 1e6:.2f} MB of parameters)"
    )
    if not mapping.fits:
        tell(
            f"{bundle.manifest.label}: it does not fit on the chip, so parameters would be sent again at each inference"
        )
    return int(bool(mapping.faults) or not mapping.fits)


def _verified(name: str, settings: Settings) -> Bundle:
    """Open a bundle and everything in it; raises BundleError."""
    bundle = _located(name, settings, verify=True)
    _check_loads(bundle, settings)
    return bundle


def _check_loads(bundle: Bundle, settings: Settings) -> None:
    """Load everything in a bundle once; raises BundleError."""
    open_encoder(bundle, "cpu").close()
    with_lm = dataclasses.replace(settings.decoder, lm=True)
    load_decoder(dataclasses.replace(settings, decoder=with_lm), bundle)
