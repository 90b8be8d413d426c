"""`orbitscope <verb>`: parse, call, print."""

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (by default the program's) and return its exit code."""
    try:
        from ._main import main as run  # inside, so that Ctrl-C during an import ends with a line, too

        return run(argv)
    except KeyboardInterrupt:
        import sys

        print("interrupted. What was finished is kept: the same command goes on from there.", file=sys.stderr)
        return 1


__all__ = ["main"]
