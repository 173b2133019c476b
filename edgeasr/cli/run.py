"""`edgeasr run`: the daemon in the foreground."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeasr.cli.parser import add_recogniser_options, add_settings_options, load_settings, recogniser_values
from edgeasr.daemon import run_daemon
from edgeasr.settings import state_notice

if TYPE_CHECKING:
    import argparse

    from edgeasr.settings import Settings

_DESCRIPTION = """\
Listen, turn speech into text and publish it over MQTT until SIGTERM or Ctrl-C. This is what the systemd
service runs; started by hand it logs to standard error."""

_EXAMPLES = """\
examples:
  edgeasr run
  edgeasr run --host broker.local --device "USB PnP"
  edgeasr run --file talk.wav                    play a file instead of listening
  edgeasr run --set partials.enabled=false -v
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.description, parser.epilog = _DESCRIPTION, _EXAMPLES
    group = parser.add_argument_group("input and output")
    source = group.add_mutually_exclusive_group()
    source.add_argument("--device", metavar="NAME", help="microphone by name, ALSA id or index")
    source.add_argument(
        "--file", action="append", metavar="FILE", help="play FILE in real time; may be repeated"
    )
    source.add_argument("--stdin", action="store_true", help="take raw PCM from standard input")
    group.add_argument("--host", help="MQTT broker (default: mqtt.host)")
    group.add_argument("--port", type=int, help="its port (default: 1883, or 8883 with TLS)")
    add_recogniser_options(parser)
    add_settings_options(parser)


def main(args: argparse.Namespace) -> int:
    """Run the daemon; return its exit code."""
    source = "file" if args.file else "pcm" if args.stdin else "microphone" if args.device else None
    values = {
        "audio.source": source,
        "audio.device": args.device,
        "audio.paths": args.file,
        "mqtt.host": args.host,
        "mqtt.port": args.port,
        "logging.level": (None, "info", "debug")[min(args.verbose, 2)],
    }

    def load() -> Settings:
        return load_settings(args, recogniser_values(args) | values).settings

    loaded = load_settings(args, recogniser_values(args) | values)
    return run_daemon(loaded.settings, load, notice=state_notice(loaded))
