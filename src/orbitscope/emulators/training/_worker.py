"""Entry point of one process of a training on several devices: python -m orbitscope.emulators.training._worker FOLDER RANK."""

import sys
from pathlib import Path

from orbitscope.emulators.training._job import run_job
from orbitscope.training.devices import work

if __name__ == "__main__":
    sys.exit(work(Path(sys.argv[1]), int(sys.argv[2]), run_job))
