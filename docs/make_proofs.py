"""Run the proofs of the solvers and write their page with its pictures.

    python docs/make_proofs.py                   # everything
    python docs/make_proofs.py --only symmetry   # one section; the page keeps the others' last numbers
    python docs/make_proofs.py --page            # the page alone, from the numbers that are there

Writes `docs/proofs.md`, `docs/images/proofs-*.png` and the numbers of each section, `docs/proofs/<section>.json`. `--quick` runs all of it
small, to see that it runs; the page then says so.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
from proof_sections import SECTIONS
from proof_sections._section import Run, Section

from orbitscope.probe import machine
from orbitscope.probe._provenance import versions

ROOT = Path(__file__).resolve().parent.parent
_HEAD = """# Proofs

What the solvers do, measured: errors against exact solutions, symmetries, conservation, and random initial states against their laws. Every
number and picture on this page was written by `python docs/make_proofs.py`, each section with the date and the versions of its run.
The tests (`tests/physics`) compute the same quantities with the same functions (`tests/physics/proofs`) and fail where a bound is not kept.
What the equations are and how they are solved stands in [Solvers](solvers.md)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is asked for, then write the page from all numbers that are there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[s.name for s in SECTIONS], help="run these sections alone")
    parser.add_argument("--page", action="store_true", help="run nothing; write the page from the numbers that are there")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch and of the compiled kernels (the numbers do not change)")
    parser.add_argument("--root", type=Path, default=ROOT, help="repository whose docs/ are written")
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    docs = options.root / "docs"
    run = Run(docs / "images", options.quick)
    for section in [] if options.page else [s for s in SECTIONS if options.only is None or s.name in options.only]:
        print(f"{section.name} ... ", end="", flush=True)
        record = measure(section, run)
        write(docs / "proofs" / f"{section.name}.json", json.dumps(record, indent=1, allow_nan=False) + "\n")
        print(f"{record['seconds']:.1f} s")
    write(docs / "proofs.md", page(docs / "proofs"))
    return 0


def measure(section: Section, run: Run) -> dict[str, Any]:
    """The numbers of one section with their provenance."""
    start = time.perf_counter()
    numbers = section.compute(run)
    about = {"seconds": round(time.perf_counter() - start, 1), "machine": machine(), "quick": run.quick} | versions()
    return about | {"numbers": numbers}


def page(folder: Path) -> str:
    """The whole page, from the sections' files; a section without one is named as missing."""
    paths = {s.name: folder / f"{s.name}.json" for s in SECTIONS}
    records = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.exists()}
    places = {place(r) for r in records.values()}
    parts = [_HEAD]
    if len(places) == 1:
        parts.append(f"All sections: {places.pop()}.")
    for section in SECTIONS:
        parts.append(f"## {section.title}")
        command = f"`python docs/make_proofs.py --only {section.name}`"
        if section.name not in records:
            parts.append(f"Not run yet: {command}.")
            continue
        record = records[section.name]
        small = " **Small sizes, not the proof.**" if record["quick"] else ""
        where = f"; {place(record)}" if places else ""  # several places: each section names its own
        parts += [section.render(record["numbers"]), f"*{command}: {record['created'][:10]}, {record['seconds']} s{where}.*{small}"]
    return "\n\n".join(parts) + "\n"


def place(record: dict[str, Any]) -> str:
    """Versions and machine of a run."""
    return f"orbitscope {record['orbitscope_version']}, torch {record['torch_version']}, {record['machine']}"


def write(path: Path, text: str) -> None:
    """Beside and rename, so that an interruption leaves the old file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


if __name__ == "__main__":
    sys.exit(main())
