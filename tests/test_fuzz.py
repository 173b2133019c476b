"""Whatever is fed to them, the readers of commands, configuration, audio and bundles take it or refuse it cleanly.

A clean refusal is an EdgeasrError, or a RefusedError for commands: one sentence. Anything else fails the test.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, example, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from edgeasr.bundle import Bundle, locate, write_checksums
from edgeasr.bundle.checksums import verify_checksums
from edgeasr.capture import SAMPLE_RATE, FileSource, open_standard_input
from edgeasr.daemon.commands import LARGEST, RefusedError, parse
from edgeasr.decoder import Lexicon
from edgeasr.decoder.g2p import Pronouncer
from edgeasr.decoder.lexicon import look_up
from edgeasr.errors import AudioFormatError, BundleError, ConfigError
from edgeasr.settings import dump, load

if TYPE_CHECKING:
    from pathlib import Path

BUNDLE = locate("edgeasr-en")
MANIFEST = (BUNDLE.path / "model.toml").read_bytes()
SUMS = (BUNDLE.path / "SHA256SUMS").read_bytes()
DEFAULTS = dump(load(files=[], environ={}).settings).encode()
COMMAND = (
    b'{"command": "start_session", "id": "42", "label": "minutes", "words": [{"word": "anna", "boost": 1e3}]}'
)
DEEP = [b"[" * 3000, b'{"a":' * 900, b"x = " + b"[" * 3000, b"[a" + b".a" * 3000 + b"]"]
ODD = [
    b"",
    b"\0",
    b"\xff\xfe",
    b"nan",
    b"-inf",
    b"1e999",
    b"9" * 400,
    b'"',
    b"\n",
    b"[[",
    b"]]",
    b"=",
    b"\\ud800",
    *DEEP,
]


def wav(kind: str) -> bytes:
    """Return a short recording in some coding."""
    file = io.BytesIO()
    samples = (np.sin(np.arange(3000) / 7) * 9000).astype(np.int16)
    suffix, subtype = kind.split()
    soundfile.write(file, np.stack([samples, samples], axis=1), 8000, format=suffix, subtype=subtype)
    return file.getvalue()


RECORDINGS = [wav(kind) for kind in ("WAV PCM_16", "WAV PCM_24", "WAV FLOAT", "WAV IMA_ADPCM", "FLAC PCM_16")]


@st.composite
def mutated(draw: st.DrawFn, *originals: bytes) -> bytes:
    """Return an original with pieces overwritten, removed, doubled or replaced by something odd."""
    data = draw(st.sampled_from(originals))
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(data)) | st.integers(0, min(64, len(data))))
        end = min(len(data), begin + draw(st.integers(0, 8) | st.integers(0, 400)))
        piece = draw(st.sampled_from(ODD) | st.binary(max_size=8) | st.just(data[begin:end] * 2))
        data = data[:begin] + piece + data[end:]
    return data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


EFFORT = effort(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@EFFORT
@given(mutated(COMMAND) | st.binary(max_size=LARGEST + 1))
@example(b"[" * LARGEST)
@example(b'{"command": ' + b"9" * 4050 + b"}")
def test_commands(payload: bytes) -> None:
    try:
        command = parse(payload)
    except RefusedError as error:
        assert str(error)  # noqa: PT017
    else:
        assert command.name


@EFFORT
@given(data=mutated(DEFAULTS) | st.binary(max_size=200))
@example(DEEP[2])
@example(DEEP[3])
@example(b"[audio]\ngap = " + b"9" * 5000)
def test_configuration(folder: Path, data: bytes) -> None:
    path = folder / "edgeasr.toml"
    path.write_bytes(data)
    try:
        settings = load(files=[path], environ={}).settings
    except ConfigError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        path.write_text(dump(settings))
        assert load(files=[path], environ={}).settings == settings


@EFFORT
@given(data=mutated(*RECORDINGS) | st.binary(max_size=200))
def test_audio_files(folder: Path, data: bytes) -> None:
    path = folder / "speech.wav"
    path.write_bytes(data)
    out = np.zeros(1600, dtype=np.int16)
    try:
        source = FileSource(path)
    except AudioFormatError as error:
        assert str(path) in str(error)  # noqa: PT017
        return
    try:
        for _ in range(200 * SAMPLE_RATE // len(out)):
            if source.read(out) < len(out):
                break
    except AudioFormatError as error:
        assert "speech.wav" in str(error)  # noqa: PT017
    finally:
        source.close()


@EFFORT
@given(data=mutated(*RECORDINGS) | st.binary(max_size=200) | st.binary(min_size=8000, max_size=8200))
def test_what_is_piped(data: bytes) -> None:
    """As from a pipe that holds it all; without ffmpeg, whose start would take most of the time."""
    reading, writing = os.pipe()
    out = np.zeros(1600, dtype=np.int16)
    try:
        os.write(writing, data)
        os.close(writing)
        with open_standard_input(SAMPLE_RATE, descriptor=reading) as source:
            for _ in range(200 * SAMPLE_RATE // len(out)):
                if source.read(out) < len(out):
                    break
    except AudioFormatError as error:
        assert str(error).startswith("standard input ")  # noqa: PT017
    finally:
        os.close(reading)


def bundle_in(folder: Path) -> Path:
    copy = folder / "bundle"
    if not copy.exists():
        copy.mkdir()
        for path in BUNDLE.path.iterdir():
            (copy / path.name).write_bytes(path.read_bytes() if path.stat().st_size < 100_000 else b"")
    return copy


@EFFORT
@given(data=mutated(MANIFEST) | st.binary(max_size=200))
@example(DEEP[2])
@example(MANIFEST.replace(b"prior_mean = [", b"prior_mean = [nan, "))
@example(MANIFEST.replace(b"prior_mean = [", b"prior_mean = [" + b"9" * 400 + b", "))
@example(MANIFEST.replace(b"scale = [", b"scale = [inf, "))
@example(MANIFEST.replace(b'"encoder.tflite"', b'"\\u0000"'))
@example(MANIFEST.replace(b'"encoder.tflite"', b'"' + b"x" * 5000 + b'"'))
@example(MANIFEST.replace(b"stride = 3", b"stride = " + b"9" * 5000))
@example(MANIFEST.replace(b"lm_weight =", b"lm_weight = nan #"))
def test_manifests(folder: Path, data: bytes) -> None:
    copy = bundle_in(folder)
    (copy / "model.toml").write_bytes(data)
    try:
        bundle = Bundle.open(copy)
    except BundleError as error:
        assert str(copy) in str(error)  # noqa: PT017
    else:
        assert all(np.isfinite(bundle.manifest.normaliser.scale))
        assert all(np.isfinite(bundle.manifest.normaliser.prior_mean))
        assert np.isfinite([bundle.manifest.decoder.lm_weight, bundle.manifest.decoder.word_score]).all()


@EFFORT
@given(data=mutated(SUMS) | st.binary(max_size=200))
@example(b"0" * 64 + b"  a\0b")
@example(b"0" * 64 + b"  " + b"x" * 5000)
def test_checksums(folder: Path, data: bytes) -> None:
    copy = bundle_in(folder)
    (copy / "SHA256SUMS").write_bytes(data)
    try:
        verify_checksums(copy)
    except BundleError as error:
        assert str(copy) in str(error)  # noqa: PT017
    write_checksums(copy)


ENTRIES = b"the\tDH AH\nread\tR EH D\nread\tR IY D\n"
UNITS = b"<blk>\nDH\nAH\nR\nEH\nD\nIY\n"


LEXICON = Lexicon.of(UNITS.decode().split(), ENTRIES.decode().splitlines()).data.tobytes()


@EFFORT
@given(lines=mutated(ENTRIES) | st.binary(max_size=100), units=mutated(UNITS) | st.just(UNITS))
def test_entries_of_lexicons(lines: bytes, units: bytes) -> None:
    names, entries = units.decode(errors="replace").split(), lines.decode(errors="replace").splitlines()
    try:
        lexicon = Lexicon.of(names, entries)
    except BundleError as error:
        assert "rebuild" in str(error)  # noqa: PT017
    else:
        assert len(lexicon.units) > 1
        assert all(word in lines.decode(errors="replace") for word in lexicon.words)


@EFFORT
@given(data=mutated(LEXICON) | st.binary(max_size=100), units=mutated(UNITS) | st.just(UNITS))
def test_packed_lexicons(folder: Path, data: bytes, units: bytes) -> None:
    """What the search makes of one whose sizes agree is tried in tests/decoder/test_broken.py."""
    (folder / "tokens.txt").write_bytes(units)
    (folder / "lexicon.bin").unlink(missing_ok=True)  # the one before is still mapped
    (folder / "lexicon.bin").write_bytes(data)
    try:
        lexicon = Lexicon.load(folder / "tokens.txt", folder / "lexicon.bin")
    except BundleError as error:
        assert "rebuild" in str(error) or "again" in str(error)  # noqa: PT017
    else:
        assert len(list(lexicon.words)) == len(lexicon)
        assert lexicon.words.find("no word") is None


@EFFORT
@given(lines=mutated(ENTRIES) | st.binary(max_size=200))
def test_pronunciations_looked_up(folder: Path, lines: bytes) -> None:
    path = folder / "lexicon.txt"
    path.write_bytes(lines)
    try:
        found = look_up(path, {"read", "the"})
    except BundleError as error:
        assert "lexicon.txt" in str(error)  # noqa: PT017
    else:
        assert set(found) <= {"read", "the"}


def pronunciation_model(*, compress: bool) -> bytes:
    """Return a model of two graphones, as `Pronouncer.save` lays it out."""
    file = io.BytesIO()
    arrays = {
        "units": np.array("a:AH\nb:B"),
        "order": np.array(1),
        "word0": np.zeros(4, np.uint16),
        "logp0": np.zeros(4, np.uint8),
        "backoff0": np.zeros(4, np.uint8),
        "followers0": np.zeros(5, np.uint32),
    }
    (np.savez_compressed if compress else np.savez)(file, **arrays)
    return file.getvalue()


G2P = [pronunciation_model(compress=compress) for compress in (False, True)]


@EFFORT
@given(data=mutated(*G2P) | st.binary(max_size=200))
def test_pronunciation_models(folder: Path, data: bytes) -> None:
    path = folder / "g2p.npz"
    path.write_bytes(data)
    try:
        Pronouncer.load(path)
    except BundleError as error:
        assert "g2p" in str(error)  # noqa: PT017
