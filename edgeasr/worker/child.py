"""A child process that holds a piece of hardware."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

from edgeasr.tuning.scheduler import demote
from edgeasr.worker.chatter import Chatter
from edgeasr.worker.program import command, environment

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

REAP_SECONDS: Final = 0.5
_CRASHES: Final = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE})


class Child:
    """Runs `python -m module` with its options as JSON; it ends with this process, or when it is killed.

    A plain program, not a fork: it imports no more than it needs, and threads of this process do not matter. It
    inherits `descriptors` under their numbers, and as option `leash` the pipe by which it knows that this process
    lives. `program` takes the place of `-m module` and the options, for one that cannot afford to import them. What it
    writes to standard error goes to the log, where `relay` is called now and then, so that it never waits for a reader.
    Nothing here waits without end: a process stuck in its driver does not even end when it is killed.
    """

    _leash = -1

    def __init__(
        self,
        module: str,
        options: Mapping[str, Any],
        descriptors: Collection[int],
        program: Sequence[str] | None = None,
    ) -> None:
        self._chatter = Chatter(module)
        leash = -1
        try:
            leash, self._leash = os.pipe()
            text = json.dumps({**options, "leash": leash})
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, *program] if program else command(module, text),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=environment(),
                stderr=self._chatter.inlet,
                pass_fds=(*descriptors, leash),
                process_group=0,
            )
        except BaseException:
            self._let_go()
            self._chatter.close()
            raise
        finally:
            self._chatter.close_inlet()
            if leash >= 0:
                os.close(leash)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it, whatever it does, and return at once; `reap` collects it."""
        self._let_go()
        if self._process.returncode is None:
            demote(self._process.pid)
        self._process.kill()

    def reap(self, timeout: float = REAP_SECONDS) -> bool:
        """Wait for its end; False where the time was not enough."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
        return not self.is_alive

    def relay(self, *, at_once: bool = False) -> None:
        """Log what it has written to standard error, about once a second; may be called often."""
        self._chatter.relay(at_once=at_once)

    def last_words(self) -> str:
        """Say how it ended, fit for the middle of a sentence."""
        code = self._process.poll()
        self.relay(at_once=True)
        if code is None:
            return "it hangs"
        if code >= 0:
            return f"it ended with exit code {code}"
        try:
            number = signal.Signals(-code)
        except ValueError:
            return f"it was killed by signal {-code}"
        return f"it {'crashed with' if number in _CRASHES else 'was killed by'} {number.name}"

    def __del__(self) -> None:
        """Close the pipe of its complaints; not in `kill`, since its last ones are wanted after it."""
        if hasattr(self, "_chatter"):
            self._chatter.close()

    def _let_go(self) -> None:
        if self._leash >= 0:
            os.close(self._leash)
            self._leash = -1
