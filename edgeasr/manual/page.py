"""The manual page, in the man(7) macros that groff and mandoc read."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Final

from edgeasr import __version__
from edgeasr.cli.program import EXIT_STATUS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgeasr.manual.topic import Option, Topic

_HEAD: Final = """\
.\\" Made by `python -m tools.manual` from the commands' own descriptions.
.TH EDGEASR 1 {date} "edgeasr {version}" "User Commands"
.SH NAME
edgeasr \\- streaming English speech recognition on the device, published over MQTT
.SH SYNOPSIS
.B edgeasr
.I command
.RI [ argument " ...]"
.br
.B edgeasr help
.I command
.SH DESCRIPTION
.B edgeasr
listens to a microphone, turns English speech into text on the device,
and publishes the text over MQTT.
No audio leaves the device.
What each setting means is told by
.BR "edgeasr config show \\-\\-explain" .
"""
_FILES: Final = (
    ("/etc/edgeasr/edgeasr.toml, /etc/edgeasr/conf.d/*.toml", "the settings"),
    ("/var/lib/edgeasr", "finals on their way, whether it is muted, words that were set"),
    (
        "~/.local/state/edgeasr",
        "the same where the former cannot be written; $XDG_STATE_HOME/edgeasr if that is set",
    ),
    ("/var/lib/edgeasr/models, ~/.local/share/edgeasr/models", "models that were pulled"),
)
_VARIABLES: Final = (
    ("EDGEASR__SECTION__KEY", "sets section.key, over the files and under the command line"),
    ("EDGEASR_MODELS", "folders of model bundles, separated by colons"),
)
_DATE: Final = "2026-11-30"  # of the last change to how the page is made
_WIDTH: Final = 72  # characters of a line, to which escapes may add
_EXIT: Final = re.compile(r"(\d+) ([^;.]+)")


def page(topics: Sequence[Topic]) -> str:
    """Return the page."""
    lines = [_HEAD.format(version=__version__, date=_DATE), ".SH COMMANDS\n"]
    for topic in topics:
        lines += _topic(topic)
    lines.append(".SH FILES\n")
    lines += [_item(f".I {_text(name)}", text) for name, text in _FILES]
    lines.append(".SH ENVIRONMENT\n")
    lines += [_item(f".B {_text(name)}", text) for name, text in _VARIABLES]
    lines.append(".SH EXIT STATUS\n")
    lines += [_item(f".B {code}", text) for code, text in _EXIT.findall(EXIT_STATUS)]
    lines.append(".SH SEE ALSO\n.BR mosquitto_sub (1),\n.BR systemctl (1),\n.BR arecord (1)\n")
    return "".join(lines)


def _topic(topic: Topic) -> Iterator[str]:
    yield f".SS {_text(f'edgeasr {topic.name}')}\n"
    yield _paragraph(topic.description or f"{topic.summary[:1].upper()}{topic.summary[1:]}.")
    yield from map(_option, _told(topic))
    for action in topic.actions:
        yield f".PP\n.B {_text(f'edgeasr {action.name}')}\n.br\n"
        yield _paragraph(action.description or f"{action.summary[:1].upper()}{action.summary[1:]}.")
        yield from map(_option, _told(action))
    if topic.epilog:
        yield ".PP\n.nf\n"
        yield "".join(f"{_text(line) or '.sp'}\n" for line in topic.epilog.strip("\n").split("\n"))
        yield ".fi\n"


def _told(topic: Topic) -> list[Option]:
    return [option for option in topic.options if "--help" not in option.names]


def _option(option: Option) -> str:
    value = f" \\fI{_text(option.metavar)}\\fR" if option.metavar else ""
    if not option.names:
        return _item(f"\\fI{_text(option.metavar)}\\fR", option.help or "see above")
    names = ", ".join(f"\\fB{_text(name)}\\fR" for name in option.names)
    return _item(f"{names}{value}", option.help)


def _item(tag: str, text: str) -> str:
    return f".TP\n{tag}\n{_wrapped(text)}\n"


def _paragraph(text: str) -> str:
    return f"{_wrapped(text)}\n"


def _wrapped(text: str) -> str:
    return "\n".join(map(_text, textwrap.wrap(text, _WIDTH, break_on_hyphens=False)))


def _text(text: str) -> str:
    r"""Return the text with what roff would read otherwise: backslashes, minus signs, a dot or quote in front."""
    safe = (
        text.replace("\\", "\\e")
        .replace("-", "\\-")
        .replace("`", "\\(ga")
        .replace("…", "\\&...")
        .replace("~", "\\(ti")
    )
    safe = "".join(sign if sign.isascii() else f"\\[u{ord(sign):04X}]" for sign in safe)
    return f"\\&{safe}" if safe.startswith((".", "'")) else safe
