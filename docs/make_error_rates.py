"""Write the rates of false words that a symmetry card quotes into the package, from the results of the calibrations.

Run as `python docs/make_error_rates.py` after `make_calibration.py` or `make_calibration_learning.py`.
"""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "src" / "orbitscope" / "report" / "error_rates.json"


def rates() -> dict[str, Any]:
    """Largest rate of each false word over all planted breakings with skill, by the number of trajectories."""
    found = json.loads((ROOT / "docs/calibration/verdict.json").read_text(encoding="utf-8"))
    learning = json.loads((ROOT / "docs/calibration/learning.json").read_text(encoding="utf-8"))
    margin = found["margin"]
    cells = {tuple(k.split("|")): v for k, v in found["cells"].items()}
    skilled = [(float(key[3]), cell) for key, cell in cells.items() if key[1] == "with skill"]
    sizes = sorted({int(n) for _, cell in skilled for n in cell if n.isdigit()})
    output = {
        str(n): {
            "broken_at_a_share_within_the_margin": max(c[str(n)]["broken"] for share, c in skilled if share <= margin),
            "holds_at_a_share_above_the_margin": max(c[str(n)]["holds"] for share, c in skilled if share > margin),
            "learnt_subgroup_too_large": max(c[str(n)]["admitted"] for _, c in skilled),
        }
        for n in sizes
    }
    null = learning["null"]
    words = {str(n): max(c["rate"] for row in null.values() for c in row if c["trajectories"] == n) for n in learning["sizes"]}
    return {
        "page": "docs/calibration.md",
        "what": "largest rate of a false word over the planted breakings, by the number of trajectories; the margin itself is the hardest",
        "margin": margin,
        "output": output,
        "learning_any_false_word": words,
        "date": found["date"],
    }


def text() -> str:
    """The file's content."""
    return json.dumps(rates(), indent=1) + "\n"


if __name__ == "__main__":
    OUT.write_text(text(), encoding="utf-8")
