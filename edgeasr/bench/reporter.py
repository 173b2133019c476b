"""Work in a process of its own: the child's side, light, since its start is measured too."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeasr.errors import EdgeasrError

if TYPE_CHECKING:
    from collections.abc import Callable


class Reporter:
    """The child's side: lines of JSON on what was standard output; what libraries print goes to standard error."""

    def __init__(self) -> None:
        sys.stdout.flush()
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def done(self, seconds: float) -> None:
        """Tell how much audio is done."""
        self._say({"done": seconds})

    def result(self, values: dict[str, Any]) -> None:
        """Hand over what was found."""
        self._say({"result": values})

    def fault(self, error: EdgeasrError) -> None:
        """Hand over what went wrong."""
        self._say({"fault": str(error), "kind": type(error).__name__})

    def _say(self, message: dict[str, Any]) -> None:
        self._out.write(json.dumps(message) + "\n")
        self._out.flush()


def work(task: Callable[[dict[str, Any], Reporter], dict[str, Any]]) -> int:
    """Be the child: read the job that the command line names, do it, report; return the exit code."""
    reporter = Reporter()
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    job["began"] = float(sys.argv[2])
    try:
        reporter.result(task(job, reporter))
    except EdgeasrError as error:
        reporter.fault(error)
        return error.exit_code
    return 0
