"""Completion for bash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgeasr.manual.topic import Takes
from edgeasr.settings import setting_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgeasr.manual.topic import Option, Topic

_HEAD: Final = """\
# Completion of edgeasr for bash. Made by `python -m tools.manual` from the commands' own descriptions.
_edgeasr() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} path=edgeasr at
    COMPREPLY=()
    for ((at = 1; at < COMP_CWORD; at++)); do
        case "$path ${COMP_WORDS[at]}" in
"""
_NEXT: Final = """\
        esac
    done
    # Behind `=` stands the value of a setting, which only the user knows.
    if [[ $word == = || $before == = ]]; then return; fi
    case "$path $before" in
"""
_WORDS: Final = """\
    esac
    case $path in
"""
_TAIL: Final = """\
    esac
}
complete -F _edgeasr edgeasr
"""


def bash(topics: Sequence[Topic]) -> str:
    """Return the script that bash reads."""
    every = [*topics, *(action for topic in topics for action in topic.actions)]
    lines = [_HEAD]
    lines += [f'            "edgeasr {topic.name}") path="edgeasr {topic.name}" ;;\n' for topic in every]
    lines.append(_NEXT)
    for topic in every:
        lines += _values(topic)
    lines.append(_WORDS)
    names = " ".join(topic.name for topic in topics)
    lines.append(
        f'        edgeasr) COMPREPLY=($(compgen -W "{names} help --help --version" -- "$word")) ;;\n'
    )
    lines += [f'        "edgeasr {topic.name}") {_words(topic)} ;;\n' for topic in every]
    return "".join([*lines, _TAIL])


def _values(topic: Topic) -> Iterator[str]:
    """Yield the cases in which the word before wants a value."""
    for option in topic.options:
        if option.names and option.takes is not Takes.NOTHING:
            names = " | ".join(f'"edgeasr {topic.name} {name}"' for name in option.names)
            yield f"        {names}) {_value(option)}; return ;;\n"


def _value(option: Option) -> str:
    match option.takes:
        case Takes.CHOICE:
            return f'COMPREPLY=($(compgen -W "{" ".join(option.choices)}" -- "$word"))'
        case Takes.SETTING:
            keys = " ".join(f"{name}=" for name in setting_names())
            return f'compopt -o nospace; COMPREPLY=($(compgen -W "{keys}" -- "$word"))'
        case Takes.FILE:
            return 'compopt -o filenames; COMPREPLY=($(compgen -f -- "$word"))'
        case Takes.FOLDER:
            return 'compopt -o filenames; COMPREPLY=($(compgen -d -- "$word"))'
    return "COMPREPLY=()"


def _words(topic: Topic) -> str:
    names = [name for option in topic.options for name in option.names]
    places = [option for option in topic.options if not option.names]
    words = [*(action.name.rpartition(" ")[2] for action in topic.actions)]
    words += [choice for option in places for choice in option.choices]
    reply = f'COMPREPLY=($(compgen -W "{" ".join([*words, *names])}" -- "$word"))'
    if any(option.takes is Takes.FILE for option in places):
        files = 'compopt -o filenames; COMPREPLY=($(compgen -f -- "$word"))'
        return f"if [[ $word == -* ]]; then {reply}; else {files}; fi"
    return reply
