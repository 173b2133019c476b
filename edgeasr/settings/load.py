"""Settings from their layers: defaults, files, environment, flags; each value remembers its origin."""

from __future__ import annotations

import difflib
import os
import tomllib
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeasr.errors import ConfigError
from edgeasr.safefile import inside, read_bytes
from edgeasr.settings import convert
from edgeasr.settings._rule import leaves, sections
from edgeasr.settings.environment import PREFIX, overlooked, variable
from edgeasr.settings.names import default_device_id
from edgeasr.settings.sections import AudioSource, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

DEFAULT = "default"
FLAG = "command line"
_LARGEST = 1 << 20  # bytes of a configuration file
SYSTEM_FILE = Path("/etc/edgeasr/edgeasr.toml")
_SECRET_KEYS = {"mqtt.password": "mqtt.password_file"}


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, for each dotted name the file, variable or flag that set it, and sentences to warn with.

    `given` are the names that somebody set; the others stand at their defaults or were found on this machine.
    """

    settings: Settings
    origins: Mapping[str, str]
    given: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()


class _Layers:
    """Values gathered so far; a later layer covers an earlier one."""

    def __init__(self) -> None:
        self.leaves = leaves(Settings)
        self.values: dict[str, object] = {name: leaf.default for name, leaf in self.leaves.items()}
        self.origins: dict[str, str] = dict.fromkeys(self.leaves, DEFAULT)

    def put(self, name: str, value: object, origin: str) -> None:
        self.values[name] = value
        self.origins[name] = origin

    def table(self, table: Mapping[str, Any], origin: str, above: str = "") -> None:
        for key, value in table.items():
            name = f"{above}{key}"
            if name in sections(Settings):
                if not isinstance(value, dict):
                    raise ConfigError(f"{origin}: {name} is a section; write its keys under [{name}]")
                self.table(value, origin, f"{name}.")
            elif name in self.leaves:
                self.put(name, convert.from_toml(self.leaves[name], value, origin), origin)
            else:
                raise _unknown(name, origin)

    def text(self, name: str, text: str, origin: str) -> None:
        if name not in self.leaves:
            raise _unknown(name, origin)
        self.put(name, convert.from_text(self.leaves[name], text, origin), origin)


def load(
    *,
    root: Path = Path("/"),
    files: Sequence[Path] | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Iterable[str] = (),
    values: Mapping[str, object] | None = None,
) -> Loaded:
    """Return settings from defaults, files, environment, flags and typed values; last wins.

    The files are those of /etc/edgeasr under root and, on this machine, the user's own; `files` stands for them
    and each must exist; `flags` are texts `section.key=value`; `values` maps
    dotted names to Python values. Raises ConfigError: one sentence with the origin, the key and the mend.
    """
    layers = _Layers()
    environ = os.environ if environ is None else environ
    for path in _default_files(root, environ) if files is None else files:
        # A file that somebody names may be a pipe; one that is found has to be a file.
        layers.table(_read(path, None if files is not None else root), str(path))
    for given, text in sorted(environ.items()):
        if given.startswith(PREFIX):
            layers.text(given.removeprefix(PREFIX).lower().replace("__", "."), text, given)
    for flag in flags:
        name, equals, text = flag.partition("=")
        if not equals:
            raise ConfigError(f"{FLAG}: {flag!r} is no setting; write it as section.key=value")
        layers.text(name.strip(), text.strip(), FLAG)
    for name, value in (values or {}).items():
        if name not in layers.leaves:
            raise _unknown(name, FLAG)
        layers.put(name, convert.from_toml(layers.leaves[name], value, FLAG), FLAG)
    named = frozenset(name for name, origin in layers.origins.items() if origin != DEFAULT)
    if "device.id" not in named:
        layers.put("device.id", *default_device_id(root))
    settings: Settings = _build(Settings, layers.values)
    _check(settings, layers.origins)
    return Loaded(settings, layers.origins, named, overlooked(environ))


def setting_names() -> tuple[str, ...]:
    """Return the dotted names of all settings, in order of declaration."""
    return tuple(leaves(Settings))


def user_file(environ: Mapping[str, str]) -> Path | None:
    """Return the user's own file, in $XDG_CONFIG_HOME/edgeasr or ~/.config/edgeasr; None without a home."""
    named, home = Path(environ.get("XDG_CONFIG_HOME", "")), Path(environ.get("HOME", ""))
    folder = named if named.is_absolute() else home / ".config" if home.is_absolute() else None
    return None if folder is None else folder / "edgeasr" / SYSTEM_FILE.name


def _default_files(root: Path, environ: Mapping[str, str]) -> list[Path]:
    main = root / str(SYSTEM_FILE).lstrip("/")
    folder = main.parent / "conf.d"
    pieces = sorted(piece.name for piece in inside(root, folder).glob("*.toml"))
    own = user_file(environ) if root == Path("/") else None
    return [
        *([main] if _is_there(inside(root, main)) else []),
        *(folder / name for name in pieces),
        *([own] if own is not None and _is_there(own) else []),
    ]


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return True  # reading it says what is wrong


def _read(path: Path, root: Path | None) -> dict[str, Any]:
    """Return what a file holds; with `root` only where it is a regular one on the machine under it."""
    try:
        data = read_bytes(inside(root, path), _LARGEST + 1) if root else path.read_bytes()
        if len(data) > _LARGEST:
            raise ConfigError(f"{path}: is larger than {_LARGEST >> 20} MiB; check what it is")
        return tomllib.loads(data.decode("utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such configuration file; check the path") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the file and its mode") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    except (ValueError, RecursionError) as error:  # also a number of too many digits
        raise ConfigError(f"{path}: is not valid TOML: {error}; correct it there") from None


def _unknown(name: str, origin: str) -> ConfigError:
    is_variable = origin.startswith(PREFIX)
    if name in _SECRET_KEYS:
        key = variable(_SECRET_KEYS[name]) if is_variable else _SECRET_KEYS[name]
        return ConfigError(f"{origin}: {name} is not kept here; write it to a file and set {key} to it")
    known = [*leaves(Settings), *sections(Settings)]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    if not close:
        last = name.rpartition(".")[2]
        close = [leaf for leaf in leaves(Settings) if leaf.rpartition(".")[2] == last][:1]
    near = [variable(name) if is_variable else name for name in close]
    mend = f"did you mean {near[0]}?" if near else "`edgeasr config show` lists all there are"
    kind = "section or key" if "." not in name else "key"
    return ConfigError(f"{origin}: unknown {kind} {name}; {mend}")


def _build(section: Any, values: Mapping[str, object], above: str = "") -> Any:
    made: dict[str, object] = {}
    for item in fields(section):
        name = f"{above}{item.name}"
        if name in values:
            made[item.name] = values[name]
        elif is_dataclass(item.default_factory):
            made[item.name] = _build(item.default_factory, values, f"{name}.")
    return section(**made)


def _check(settings: Settings, origins: Mapping[str, str]) -> None:
    """Refuse settings that are each fine but do not go together."""
    mqtt, endpoint = settings.mqtt, settings.endpoint
    if mqtt.reconnect_max < mqtt.reconnect_min:
        raise ConfigError(
            f"{origins['mqtt.reconnect_max']}: mqtt.reconnect_max = {mqtt.reconnect_max:g} must not be "
            f"less than mqtt.reconnect_min = {mqtt.reconnect_min:g}; raise it"
        )
    if endpoint.max_utterance <= endpoint.after_speech:
        raise ConfigError(
            f"{origins['endpoint.max_utterance']}: endpoint.max_utterance must be more than "
            "endpoint.after_speech; raise it"
        )
    if (mqtt.tls.certificate is None) != (mqtt.tls.key is None):
        given, missing = ("key", "certificate") if mqtt.tls.certificate is None else ("certificate", "key")
        raise ConfigError(
            f"{origins[f'mqtt.tls.{given}']}: mqtt.tls.{given} needs mqtt.tls.{missing} "
            "beside it; set both or none"
        )
    if settings.audio.source is AudioSource.FILE and not settings.audio.paths:
        raise ConfigError(
            f"{origins['audio.source']}: audio.source = 'file' needs audio.paths; "
            "name at least one audio file"
        )
