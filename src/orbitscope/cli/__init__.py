"""`orbitscope <verb>`: parse, call, print."""

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


__all__ = ["main"]
