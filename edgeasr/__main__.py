"""The program's entry, as `edgeasr` and as `python -m edgeasr`: a Ctrl-C while it still loads ends it quietly."""

import signal
import sys


def main() -> int:
    """Run the process's command line; return its exit code.

    Nothing has to be tidied up before a command begins, so until then SIGINT just ends the process, as a shell
    expects (130). A parent that has SIGINT ignored, such as a shell with `&`, keeps it so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from edgeasr.cli import main as run  # noqa: PLC0415  its imports take most of the time

    return run()


if __name__ == "__main__":
    sys.exit(main())
