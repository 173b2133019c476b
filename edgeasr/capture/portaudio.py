"""PortAudio as PyAudio gives it: imported late, started quietly, never waited for without end."""

from __future__ import annotations

import importlib
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from edgeasr.errors import RuntimeMissingError, SourceLostError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_T = TypeVar("_T")
_STDERR = 2


class AudioModule(Protocol):
    """What is used of the module `pyaudio`."""

    paInt16: int  # noqa: N815
    paInputOverflow: int  # noqa: N815
    paContinue: int  # noqa: N815
    PyAudio: Callable[[], Any]


def load_pyaudio() -> AudioModule:
    """Import PyAudio. Raises RuntimeMissingError where it, or the PortAudio under it, is not installed."""
    try:
        module: AudioModule = importlib.import_module("pyaudio")
    except ImportError as error:
        raise RuntimeMissingError(
            "the microphone needs PyAudio, which is not installed: "
            "run `apt-get install python3-pyaudio` or `pip install edgeasr[device]`"
        ) from error
    return module


def start_portaudio(module: AudioModule) -> Any:
    """Make a PyAudio instance, which lists the devices that are there now and never learns of later ones."""
    with _without_chatter():
        return module.PyAudio()


def within(seconds: float, name: str, call: Callable[[], _T]) -> _T:
    """Run `call` in a thread that may be abandoned: a wedged driver cannot be interrupted."""
    results: list[_T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    thread = threading.Thread(target=run, name="portaudio-call", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise SourceLostError(f"the driver of {name} has not answered for {seconds:g} s: plug it in again")
    return results[0]


def reason(error: BaseException) -> str:
    """Give PortAudio's own words for an error, fit for the middle of a sentence."""
    return str(getattr(error, "strerror", None) or error).strip().rstrip(".").lower()


@contextmanager
def _without_chatter() -> Iterator[None]:
    # ALSA and JACK write dozens of lines about devices nobody asked for straight to the descriptor.
    try:
        saved = os.dup(_STDERR)
    except OSError:  # closed, or no descriptor left: their lines are worth no fault
        yield
        return
    null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.dup2(null, _STDERR)
        yield
    finally:
        os.dup2(saved, _STDERR)
        os.close(saved)
        os.close(null)
