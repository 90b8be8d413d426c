"""What a section is, and the drawing habits that they share."""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator
from PIL import Image

from orbitscope.physics import Euler

# Okabe and Ito's palette, with a marker and a line each.
STYLES = (
    ("#0072B2", "o", "-"),
    ("#D55E00", "s", "--"),
    ("#009E73", "^", "-."),
    ("#CC79A7", "D", ":"),
    ("#E69F00", "v", "-"),
    ("#56B4E9", "P", "--"),
)
#: Numbers of a section: everything JSON knows, so that the page can be written again without the run.
Numbers = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """How a section is computed: where its pictures go, and whether at full size."""

    pictures: Path
    quick: bool = False

    def pick(self, full: Any, quick: Any) -> Any:
        """One of the two, by size."""
        return quick if self.quick else full

    def save(self, figure: Figure, name: str, colours: int = 128) -> None:
        """`proofs-<name>.png` with a palette (a quarter of the bytes), without a date."""
        buffer = io.BytesIO()
        figure.savefig(buffer, dpi=130, facecolor="white", format="png")
        plt.close(figure)
        picture = Image.open(buffer).convert("RGB").quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        self.pictures.mkdir(parents=True, exist_ok=True)
        picture.save(self.pictures / f"proofs-{name}.png", optimize=True)


@dataclass(frozen=True)
class Section:
    """A heading of the page: `compute` runs and draws and returns numbers, `render` writes them as Markdown."""

    name: str
    title: str
    compute: Callable[[Run], Numbers]
    render: Callable[[Numbers], str]


def table(header: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """A Markdown table: the first `words` columns to the left, numbers to the right."""
    rule = ["---"] * words + ["---:"] * (len(header) - words)
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in (header, rule, *rows))


def power(value: float, digits: int = 1) -> str:
    """1.2e-05 as 1.2 x 10^-5, in one table cell; 0 as 0.

    >>> power(1.23e-5), power(0.0)
    ('1.2·10⁻⁵', '0')
    """
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    return f"{mantissa}·10{str(int(exponent)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def picture(name: str, words: str) -> str:
    """The Markdown of a picture that `Run.save` wrote."""
    return f"![{words}](images/proofs-{name}.png)"


def gas_solvers() -> dict[str, Euler]:
    """Every reconstruction of the gas solver by name."""
    limited = {name: Euler(limiter=name) for name in ("mc", "van-leer", "minmod")}  # pyright: ignore[reportArgumentType]
    return limited | {name: Euler(reconstruction=name) for name in ("weno3", "weno5")}  # pyright: ignore[reportArgumentType]


def convergence(axis: Axes, sizes: Sequence[float], series: Mapping[str, Sequence[float]], powers: Sequence[float]) -> None:
    """Errors over sizes on logarithmic axes, with dashed guides of the given orders below the lowest series."""
    for (label, errors), (colour, marker, line) in zip(series.items(), STYLES, strict=False):
        axis.plot(sizes, errors, color=colour, marker=marker, ls=line, ms=4.5, lw=1.2, label=label)
    ends = np.array([sizes[0], sizes[-1]], float)
    lowest = min(errors[0] for errors in series.values())
    for p in powers:
        guide = 0.55 * lowest * (ends / ends[0]) ** -p
        axis.plot(ends, guide, color="#777777", lw=0.9, ls=(0, (2, 2)))
        axis.annotate(
            f"order {p:g}",
            (ends[-1], guide[-1]),
            color="#555555",
            fontsize=8,
            ha="right",
            va="top",
            xytext=(0, -3),
            textcoords="offset points",
        )
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xticks(list(sizes), [f"{s:g}" for s in sizes])
    axis.minorticks_off()
    low, high = axis.get_ylim()
    axis.set_ylim(low / (high / low) ** 0.06, high)  # room for the guides' names
    if high / low < 30:
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: power(value, 0)))
    tidy(axis)


def tidy(axis: Axes) -> None:
    """A light grid and no box above and to the right."""
    axis.grid(color="#e4e4e4", lw=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
