"""Entry point of one process of a training on several devices: python -m orbitscope.emulators._worker FOLDER RANK."""

import sys
from pathlib import Path

if __name__ == "__main__":
    from orbitscope.emulators._launch import work

    sys.exit(work(Path(sys.argv[1]), int(sys.argv[2])))
