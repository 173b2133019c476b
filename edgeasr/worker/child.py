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
from edgeasr.worker.program import command, environment

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

REAP_SECONDS: Final = 0.5
_CRASHES: Final = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE})


class Child:
    """Runs `python -m module` with its options as JSON; it ends with this process, or when it is killed.

    A plain program, not a fork: it imports no more than it needs, and threads of this process do not matter. It
    inherits `descriptors` under their numbers, and as option `leash` the pipe by which it knows that this process
    lives. `program` takes the place of `-m module` and the options, for one that cannot afford to import them.
    Nothing here waits without end: a process stuck in its driver does not even end when it is killed.
    """

    def __init__(
        self,
        module: str,
        options: Mapping[str, Any],
        descriptors: Collection[int],
        program: Sequence[str] | None = None,
    ) -> None:
        leash, self._leash = os.pipe()
        try:
            text = json.dumps({**options, "leash": leash})
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, *program] if program else command(module, text),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=environment(),
                pass_fds=(*descriptors, leash),
                process_group=0,
            )
        except BaseException:
            os.close(self._leash)
            raise
        finally:
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
        if self._leash >= 0:
            os.close(self._leash)
            self._leash = -1
        if self._process.returncode is None:
            demote(self._process.pid)
        self._process.kill()

    def reap(self, timeout: float = REAP_SECONDS) -> bool:
        """Wait for its end; False where the time was not enough."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
        return not self.is_alive

    def last_words(self) -> str:
        """Say how it ended, fit for the middle of a sentence."""
        code = self._process.poll()
        if code is None:
            return "it hangs"
        if code >= 0:
            return f"it ended with exit code {code}"
        try:
            number = signal.Signals(-code)
        except ValueError:
            return f"it was killed by signal {-code}"
        return f"it {'crashed with' if number in _CRASHES else 'was killed by'} {number.name}"
