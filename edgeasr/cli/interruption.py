"""Ctrl-C and the signals that end a program, for work that is to be finished in good order."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Final, Self

from edgeasr.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

    import numpy as np
    from numpy.typing import NDArray

    from edgeasr.capture import Source

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NAMES: Final = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "the end of its terminal"}


class InterruptedSourceError(TransientError):
    """Somebody wants the program to end."""


class Interruption:
    """As a context, catches the signals; `source` is what takes notice of them.

    While a source is guarded, the first signal makes its next read raise InterruptedSourceError. A second one, and any
    at another time, raises KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._wake: Callable[[], None] | None = None
        self._before: dict[signal.Signals, object] = {}

    @property
    def exit_code(self) -> int:
        """As a shell reports it."""
        return 128 + (self.signal or signal.SIGINT)

    def __enter__(self) -> Self:
        """Catch the signals that are not ignored already, as under nohup."""
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the signals to whom they belonged."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before.clear()

    def guard(self, source: Source) -> GuardedSource:
        """Return the source, whose reads an interruption ends; a context."""
        return GuardedSource(self, source)

    def check(self) -> None:
        """Raise InterruptedSourceError after a signal."""
        if self.signal is not None:
            raise InterruptedSourceError(f"interrupted by {_NAMES[self.signal]}")

    def wakes(self, wake: Callable[[], None] | None) -> None:
        """Let a signal call this, which ends a read that waits; None: let it raise KeyboardInterrupt."""
        self._wake = wake

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        is_first = self.signal is None
        self.signal = signal.Signals(number)
        if self._wake is None or not is_first:
            raise KeyboardInterrupt
        self._wake()


class GuardedSource:
    """A source that passes another's samples on until a signal comes."""

    def __init__(self, interruption: Interruption, source: Source) -> None:
        self._interruption, self._source = interruption, source
        self.name = source.name

    @property
    def overflows(self) -> int:
        """Those of the source."""
        return self._source.overflows

    def __enter__(self) -> Self:
        """Begin to heed signals."""
        self._interruption.wakes(getattr(self._source, "wake", lambda: None))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Heed them no more."""
        self._interruption.wakes(None)

    def read(self, out: NDArray[np.int16]) -> int:
        """Read from the source."""
        self._interruption.check()
        count = self._source.read(out)
        if count == 0:  # perhaps since a signal ended its wait
            self._interruption.check()
        return count

    def close(self) -> None:
        """Close the source."""
        self._source.close()
