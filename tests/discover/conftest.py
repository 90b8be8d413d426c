"""The maps of known symmetry belong to the study of discovery."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "studies" / "discovery"))
