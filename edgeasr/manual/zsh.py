"""Completion for zsh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgeasr.manual.topic import Takes
from edgeasr.settings import setting_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeasr.manual.topic import Option, Topic

_HEAD: Final = """\
#compdef edgeasr
# Completion of edgeasr for zsh. Made by `python -m tools.manual` from the commands' own descriptions.
"""
_ALWAYS: Final = ("'(- *)--help[show the help]'", "'(- *)--version[show the version]'")
_TAIL: Final = """\
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _edgeasr "$@"
else
    compdef _edgeasr edgeasr
fi
"""


def zsh(topics: Sequence[Topic]) -> str:
    """Return the script that zsh reads, from a file `_edgeasr` in its path or with `eval`."""
    keys = " ".join(f"{name}=" for name in setting_names())
    parts = [_HEAD, f"_edgeasr_settings() {{ compadd -S '' -- {keys} }}\n"]
    for topic in topics:
        parts += [_function(action) for action in topic.actions]
        parts.append(_function(topic))
    parts.append(_choose("_edgeasr", "command", _described(topics), _ALWAYS))
    return "".join([*parts, _TAIL])


def _function(topic: Topic) -> str:
    name = _name(topic.name)
    specs = [_spec(option) for option in topic.options]
    if not topic.actions:
        return f"{name}() {{ _arguments -s -S {' '.join(specs)} }}\n"
    return _choose(name, "action", _described(topic.actions), specs)


def _described(topics: Sequence[Topic]) -> list[str]:
    words = [f"{topic.name.rpartition(' ')[2]}:{topic.summary}" for topic in topics]
    return [f"        {_quoted(word)}\n" for word in words]


def _choose(name: str, kind: str, lines: Sequence[str], specs: Sequence[str]) -> str:
    """Return a function that completes one word and leaves the rest to the function of that name."""
    return (
        f"{name}() {{\n"
        "    local curcontext=$curcontext state line\n"
        f"    local -a {kind}s=(\n{''.join(lines)}    )\n"
        f"    _arguments -C {' '.join(specs)} '1:{kind}:->{kind}' '*::argument:->argument'\n"
        "    case $state in\n"
        f"        {kind}) _describe {kind} {kind}s ;;\n"
        f"        argument) (( $+functions[{name}_${{words[1]//-/_}}] )) && {name}_${{words[1]//-/_}} ;;\n"
        "    esac\n"
        "}\n"
    )


def _spec(option: Option) -> str:
    value = f":{_plain(option.metavar)}:{_action(option)}" if option.takes is not Takes.NOTHING else ""
    if not option.names:
        return _quoted(f"{'*' if option.is_repeated else ''}{value}")
    text = f"[{_plain(option.help)}]{value}"
    star = "*" if option.is_repeated else ""
    excluded = f"({' '.join(option.names)})" if len(option.names) > 1 and not star else ""
    return " ".join(_quoted(f"{star or excluded}{name}{text}") for name in option.names)


def _action(option: Option) -> str:
    match option.takes:
        case Takes.CHOICE:
            return f"({' '.join(option.choices)})"
        case Takes.FILE:
            return "_files"
        case Takes.FOLDER:
            return "_files -/"
        case Takes.SETTING:
            return "_edgeasr_settings"
    return " "


def _name(topic: str) -> str:
    return f"_edgeasr_{topic.replace(' ', '_').replace('-', '_')}"


def _plain(text: str) -> str:
    r"""Return the text with a backslash before what means something to _arguments."""
    return "".join(f"\\{sign}" if sign in "[]:\\" else sign for sign in text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
