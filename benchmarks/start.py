"""How long `orbitscope --help`, the help of every verb and the completion take, beside an import of tyro alone in the same run.

    python benchmarks/start.py [--repeats 5]

Prints the shortest of `repeats` wall times in seconds, and its ratio to `python -c "import tyro"`: the ratio can be compared between
machines and between busy and quiet ones, the seconds cannot.
"""

import argparse
import subprocess
import sys
import time

from orbitscope.cli._verbs import TABLE


def seconds(words: list[str], repeats: int) -> float:
    """The shortest wall time of a Python process."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    alone = seconds(["-c", "import tyro"], repeats)
    print(f"{'command':<28}{'seconds':>9}{'ratio':>8}\n{'python -c import tyro':<28}{alone:>9.3f}{1:>8.2f}")
    lines = [["--version"], ["--help"], *([verb, "--help"] for verb in TABLE)]
    for words in lines:
        took = seconds(["-m", "orbitscope", *words], repeats)
        print(f"{' '.join(words):<28}{took:>9.3f}{took / alone:>8.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
