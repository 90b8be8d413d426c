"""`orbitscope <verb>`: parse, call, print."""

import contextlib
import signal
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code: 0 went well, 1 a refusal, damage or an interruption, 2 a mistake in what was asked.

    * `argv`: the words behind the program's name; None takes those that the program was started with.
    """
    try:
        from ._main import main as run  # inside, so that Ctrl-C during an import ends with a line, too

        return run(argv)
    except KeyboardInterrupt:
        import sys

        print("interrupted. What was finished is kept: the same command goes on from there.", file=sys.stderr)
        return 1
    finally:
        if argv is None:
            _end()


def _end() -> None:
    """The work of the program is done, and its exit code stands. Python takes its handler of Ctrl-C away before it takes down the modules,
    which takes torch some tenths of a second: a signal in that time would end the process with -2 in place of the code."""
    with contextlib.suppress(ValueError):  # not in the main thread, which alone may say so
        signal.signal(signal.SIGINT, signal.SIG_IGN)


__all__ = ["main"]
