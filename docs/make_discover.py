"""Write the table and the picture of docs/how-to/discover.md: the loop of examples/discover.py, three seeds.

python docs/make_discover.py
"""

import importlib.util
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.linalg import expm

import orbitscope as osc

ROOT = Path(__file__).resolve().parents[1]
PAGE, PICTURE = ROOT / "docs" / "how-to" / "discover.md", ROOT / "docs" / "images" / "discover.png"
BEGIN, END = "<!-- loop:begin -->", "<!-- loop:end -->"
SEEDS = (0, 1, 2)
INK, BLUE, ORANGE, VERMILLION = "#1c2430", "#0072B2", "#E69F00", "#D55E00"


def example() -> Any:
    """The module of examples/discover.py."""
    spec = importlib.util.spec_from_file_location("example_discover", ROOT / "examples" / "discover.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def table(rows: list[dict[str, float]]) -> str:
    """The numbers of all seeds as Markdown."""
    columns = [
        ("angle", "angle to the hidden generator", "{:.1f}°"), ("plain inside", "plain, trained directions", "{:.1%}"),
        ("plain outside", "plain, all directions", "{:.1%}"), ("built inside", "built, trained directions", "{:.1%}"),
        ("built outside", "built, all directions", "{:.1%}"), ("plain commutator", "plain, commutator", "{:.1e}"),
        ("built commutator", "built, commutator", "{:.1e}"), ("plain pulled", "pulled: plain", "{:.1%}"),
        ("built pulled", "pulled: built", "{:.1%}"), ("relaxed pulled", "pulled: relaxed", "{:.1%}"),
    ]  # fmt: skip
    lines = ["| seed | generators | " + " | ".join(title for _, title, _ in columns) + " |", "|---" * (len(columns) + 2) + "|"]
    for seed, row in zip(SEEDS, rows, strict=True):
        cells = [form.format(row[key]) if key in row else "" for key, _, form in columns]
        lines.append(f"| {seed} | {row['generators']:.0f} | " + " | ".join(cells) + " |")
    made = f"orbitscope {osc.__version__}; torch {torch.__version__}; {platform.machine()}, Python {platform.python_version()}"
    return "\n".join([*lines, "", f"Made by `python docs/make_discover.py`; {made}."])


def picture(found: osc.Discovery, row: dict[str, float], hidden: np.ndarray) -> Figure:
    """The generator beside the hidden one, the spectrum, the errors."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(11.5, 3.7), layout="constrained")
    places = np.stack(np.meshgrid(*[np.linspace(-1, 1, 9)] * 2), -1).reshape(-1, 2)
    x = found.algebra[0] * np.sign(np.sum(found.algebra[0] * hidden))
    v = places @ x.T
    left.quiver(*places.T, *v.T, color=BLUE, width=0.005, angles="xy")
    turn = np.linspace(0, 2 * np.pi, 200)
    for r in (0.35, 0.7):
        orbit = np.array([expm(t * hidden) @ [r, 0.0] for t in turn])
        left.plot(*orbit.T, color=ORANGE, lw=2.2, label="orbits of the hidden group" if r < 0.5 else None)
    left.set(xlim=(-1.2, 1.2), ylim=(-1.2, 1.45), aspect="equal", title="What was found: arrows")
    left.legend(loc="upper center", frameon=False, fontsize=9)
    size = np.sqrt(np.maximum(found.evidence.breaking, 1e-5))
    numbers = np.arange(1, len(size) + 1)
    colours = [BLUE if w in ("exact", "approximate") else VERMILLION for w in found.evidence.words]
    for k, colour in enumerate(colours):
        middle.plot(numbers[k], size[k], "o" if colour == BLUE else "X", color=colour, ms=9)
    limit = found.evidence.settings["holds"] ** 0.5
    middle.axhline(limit, color=INK, ls="--", lw=1)
    middle.text(numbers[-1], limit * 1.06, "holds below", ha="right", va="bottom", fontsize=9)
    middle.set(yscale="log", xticks=numbers, xlabel="direction of GL(2)", title="Breaking, over that of\nunrelated examples")
    at = np.arange(2)
    for k, (name, colour) in enumerate((("plain", VERMILLION), ("built", BLUE))):
        values = [100 * row[f"{name} inside"], 100 * row[f"{name} outside"]]
        bars = right.bar(at + 0.38 * (k - 0.5), values, 0.36, color=colour, label=f"{name} network")
        right.bar_label(bars, fmt="%.0f %%", fontsize=9)
    right.set(xticks=at, xticklabels=["directions it\nwas trained on", "all directions"], ylabel="error, % of the best constant's")
    right.set_title("Built in, it holds everywhere")
    right.legend(frameon=False, fontsize=9)
    for axis in (left, middle, right):
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    """Run the loop, write the table between the markers and the picture."""
    module, rows = example(), []
    with tempfile.TemporaryDirectory() as folder:
        for seed in SEEDS:
            rows.append(module.main(seed=seed, out=f"{folder}/found-{seed}.nc"))
        found = osc.load_discovery(f"{folder}/found-{SEEDS[0]}.nc")
    mix = module.HIDDEN.numpy()
    hidden = mix @ np.array([[0.0, -1.0], [1.0, 0.0]]) @ np.linalg.inv(mix)
    figure = picture(found, rows[0], hidden)
    figure.savefig(PICTURE, dpi=130, metadata={"Software": None}, facecolor="white")
    head, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    part = PAGE.with_name(PAGE.name + ".part")
    part.write_text(f"{head}{BEGIN}\n{table(rows)}\n{END}{rest.split(END)[1]}", encoding="utf-8")
    os.replace(part, PAGE)


if __name__ == "__main__":
    main()
