"""`model.toml`: what a bundle promises to the rest of the program."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from edgeasr.bundle.checksums import is_plain_name
from edgeasr.errors import BundleError
from edgeasr.frontend import LogMelConfig, NormaliserConfig
from edgeasr.safefile import read_bytes

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST_FILE = "model.toml"
FORMAT = 2
_LONGEST_NAME = 64  # characters of a name or version


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """`[model]`: what it is called."""

    format: int
    name: str
    version: str
    language: str
    description: str


@dataclass(frozen=True, slots=True)
class EncoderInfo:
    """`[encoder]`: the graph's contract. Frames are 10 ms; `stride` frames make one output step."""

    file: str
    hop_frames: int
    stride: int
    lookahead_frames: int
    units: int
    states: int
    edgetpu_file: str = ""


@dataclass(frozen=True, slots=True)
class DecoderInfo:
    """`[decoder]`: files and the scores tuned for this bundle."""

    tokens: str
    lexicon: str
    packed_lexicon: str
    lm: str
    lm_weight: float
    word_score: float
    blank_penalty: float = 0.0
    g2p: str = ""
    rescorer: str = ""
    rescorer_share: float = 0.5
    goes_on: float = 0.0


@dataclass(frozen=True, slots=True)
class Manifest:
    """The whole manifest."""

    model: ModelInfo
    features: LogMelConfig
    normaliser: NormaliserConfig
    encoder: EncoderInfo
    decoder: DecoderInfo
    confidence: dict[str, Any]
    results: dict[str, Any]

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files that the manifest refers to."""
        names = (
            self.encoder.file, self.encoder.edgetpu_file, self.decoder.tokens, self.decoder.lexicon,
            self.decoder.packed_lexicon, self.decoder.lm, self.decoder.g2p, self.decoder.rescorer,
        )  # fmt: skip
        return tuple(name for name in names if name)

    @property
    def label(self) -> str:
        """Name and version, as events carry it."""
        return f"{self.model.name}-{self.model.version}"


def _section(path: Path, table: dict[str, Any], name: str, kind: type[Any]) -> Any:
    """Build one section, each value checked against its annotation."""
    values = table.get(name, {})
    if not isinstance(values, dict):
        raise BundleError(f"{path}: [{name}] must be a table")
    known = {field.name: str(field.type) for field in fields(kind)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise BundleError(
            f"{path}: [{name}] has the unknown key {unknown[0]!r}: the bundle needs a newer edgeasr"
        )
    clean: dict[str, Any] = {}
    for key, value in values.items():
        wanted = known[key]
        good = (
            (wanted == "str" and isinstance(value, str))
            or (wanted == "int" and type(value) is int)
            or (wanted == "float" and type(value) in (int, float))
            or (
                wanted.startswith("tuple")
                and isinstance(value, list)
                and all(type(item) in (int, float) for item in value)
            )
        )
        if not good:
            raise BundleError(f"{path}: {name}.{key} must be of type {wanted}, not {value!r:.40}")
        if not all(_is_finite(item) for item in (value if isinstance(value, list) else [value])):
            raise BundleError(f"{path}: {name}.{key} must be finite: fetch the bundle again")
        clean[key] = tuple(float(v) for v in value) if isinstance(value, list) else value
    try:
        return kind(**clean)
    except TypeError as error:
        raise BundleError(f"{path}: [{name}] is incomplete ({error}): fetch the bundle again") from error


def _is_finite(value: object) -> bool:
    try:
        return not isinstance(value, int | float) or math.isfinite(value)
    except OverflowError:
        return False


def _table(table: dict[str, Any], name: str) -> dict[str, Any]:
    values = table.get(name, {})
    return values if isinstance(values, dict) else {}


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest; raises BundleError with the place and the reason."""
    try:
        table = tomllib.loads(read_bytes(path).decode("utf-8"))
    except OSError as error:
        raise BundleError(f"{path} cannot be read: point edgeasr at a model bundle's folder") from error
    except (ValueError, RecursionError) as error:  # not TOML or UTF-8, or a number of too many digits
        raise BundleError(f"{path} is not valid TOML ({error}): fetch the bundle again") from error
    manifest = Manifest(
        model=_section(path, table, "model", ModelInfo),
        features=_section(path, table, "features", LogMelConfig),
        normaliser=_section(path, table, "normaliser", NormaliserConfig),
        encoder=_section(path, table, "encoder", EncoderInfo),
        decoder=_section(path, table, "decoder", DecoderInfo),
        confidence=_table(table, "confidence"),
        results=_table(table, "results"),
    )
    _check(path, manifest)
    return manifest


def _check_names(path: Path, model: ModelInfo) -> None:
    for key in ("name", "version"):
        text = getattr(model, key)
        if not (0 < len(text) <= _LONGEST_NAME and text.isprintable()):
            raise BundleError(
                f"{path}: model.{key} must be 1 to {_LONGEST_NAME} printable characters, since every event carries it: "
                "fetch the bundle again"
            )


def _check(path: Path, manifest: Manifest) -> None:
    if manifest.model.format != FORMAT:
        raise BundleError(
            f"{path}: bundle format {manifest.model.format} is not {FORMAT}: it needs another edgeasr"
        )
    _check_names(path, manifest.model)
    encoder = manifest.encoder
    if encoder.stride < 1 or encoder.hop_frames < 1 or encoder.hop_frames % encoder.stride:
        raise BundleError(
            f"{path}: hop_frames {encoder.hop_frames} is not a multiple of stride {encoder.stride}"
        )
    mels = manifest.features.mels
    if not 8 <= mels <= 256 or encoder.hop_frames > 200 or not 0 <= encoder.lookahead_frames <= 200:
        raise BundleError(f"{path}: mels, hop_frames or lookahead_frames is out of range")
    for name, values in (
        ("prior_mean", manifest.normaliser.prior_mean),
        ("scale", manifest.normaliser.scale),
    ):
        if len(values) != mels:
            raise BundleError(f"{path}: normaliser.{name} has {len(values)} values for {mels} mel bands")
    if any(not value > 0.0 for value in manifest.normaliser.scale):
        raise BundleError(f"{path}: normaliser.scale must be positive")
    for name in manifest.files:
        if not is_plain_name(name):
            raise BundleError(f"{path}: {name!r:.60} must be a plain file name inside the bundle")
