"""What a report may quote of this study: a small JSON file in the package, with its provenance."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from harness import Tables
from models import GROUP
from study import NETWORKS, TREATMENTS
from tables import LABEL, missing, outcomes

from orbitscope._whole import write_whole

PAGE = "docs/studies/cure.md"


def write_quoted(results: Path, out: Path) -> Path:
    """Same tables, same bytes."""
    body = quoted(Tables(results, [*LABEL, "element"]))
    write_whole(out, lambda part: part.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8"))
    return out


def quoted(t: Tables) -> dict[str, Any]:
    """Per treatment: by what factor the error on the missing elements fell, what became of the rest, and what it cost.

    Each factor is against the plain network of the same seed, as [median, least, largest] over networks and seeds.
    """
    found, settings = outcomes(t), t.meta["settings"]
    absent, fails = missing(t)
    plain, cures = found[found.treatment == "plain"], []
    for name, treatment in TREATMENTS.items():
        block = found[found.treatment == name]
        if name == "plain" or block.empty:
            continue
        by_network = {n: _three(block[block.network == n].moved_lower) for n in NETWORKS if n in set(block.network)}
        cures.append(
            {
                "name": name, "title": treatment.title, "how": treatment.how, "training": treatment.trained, "strict": treatment.strict,
                "runs": len(block), "by_network": by_network,
                "moved_lower": _three(block.moved_lower), "original_ratio": _three(block.original_ratio),
                "relative_error": _three(block.relative_error), "training_ratio": _three(block.cpu_seconds_ratio),
                "forward_ratio": _three(block.forward_mflop_ratio),
            }
        )  # fmt: skip
    d = settings["data"]
    return {
        "study": "cure", "page": PAGE, "config": settings["name"], "date": t.meta["date"], "versions": t.meta["versions"],
        "data": f"{d['scenario']}, {d['resolution']} x {d['resolution']}", "trajectories": d["train"], "more": d["more"] / d["train"],
        "seeds": sorted({int(s) for s in plain.seed}), "networks": {n: NETWORKS[n] for n in NETWORKS if n in set(plain.network)},
        "group": GROUP.upper(), "elements": absent, "fails": fails,
        "plain": {"relative_error": _three(plain.relative_error), "skill": _three(plain.skill)}, "cures": cures,
    }  # fmt: skip


def _three(values: pd.Series) -> list[float]:
    """Median, least and largest, to three digits."""
    return [float(f"{v:.3g}") for v in (np.median(values), values.min(), values.max())]
