"""orbitscope epochs: symmetry over a training, from its checkpoints."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from rich.console import Console
from rich.table import Table

from .._whole import write_whole
from ..emulators import load_runs
from ..probe import by_epoch, write_results
from ._actions import tested_on
from ._early import check_out, read_groups
from ._output import record
from ._progress import stages
from ._words import load_words

_PANELS = (("relative_error", "relative error", True), ("commutator", "commutator", True), ("excess", "excess coherence", False))


def epochs_to_file(
    run: Path,
    data: Path,
    out: Path,
    group: str,
    *,
    picture: Path | None = None,
    every: int = 1,
    trajectories: int = 8,
    times: int = 2,
    metric: str = "gauss_newton",
    coherence: bool = True,
    seed: int = 0,
    force: bool = False,
    options: Sequence[str] = (),
    trust: bool = False,
) -> int:
    """Measure every kept checkpoint, write one NetCDF file, draw the curves if wanted, print the last epoch."""
    (group,) = read_groups([group], "one")
    check_out(force, out=out, picture=picture)
    tested = tested_on(load_runs(run, "last", trust=trust)[0], load_words(data, options))
    with stages() as bars:
        found = by_epoch(
            run, tested, group, every=every, trajectories=trajectories, times=times, coherence=coherence, metric=metric, seed=seed,
            progress=lambda done, total: bars("epochs", done, total), trust=trust,
        )  # fmt: skip
    write_results(found, out)
    record(file=out, picture=picture, result=found)
    print(out)
    if picture is not None:
        write_whole(picture, lambda part: draw(found, part, picture.suffix))
        print(picture)
    Console().print(_table(found))
    return 0


def draw(found: xr.Dataset, path: Path, suffix: str) -> None:
    """Curves over the epochs, one colour per element, median over seeds."""
    panels = [p for p in _PANELS if p[0] in found]
    figure, axes = plt.subplots(1, len(panels), figsize=(4.6 * len(panels), 3.6), squeeze=False, layout="constrained")
    names = [str(n) for n in found["element"].values]
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.9, len(names)))
    for axis, (name, words, log) in zip(axes[0], panels, strict=True):
        values = found[name].median("seed").transpose("element", "epoch").values
        for row, label, colour in zip(values, names, colours, strict=True):
            axis.plot(found["epoch"].values, row, label=label, color=colour, lw=1.4)
        axis.set(xlabel="epoch", title=words)
        if log:
            axis.set_yscale("symlog", linthresh=1e-3) if (values <= 0).any() else axis.set_yscale("log")
        else:
            axis.axhline(0, color="0.6", lw=0.8)
        axis.spines[["top", "right"]].set_visible(False)
    if len(names) <= 12:
        axes[0][-1].legend(frameon=False, fontsize=8, ncols=2)
    figure.savefig(path, format=suffix.lstrip(".") or "png", dpi=150)
    plt.close(figure)


def _table(found: xr.Dataset) -> Table:
    last = found.isel(epoch=-1)
    table = Table(title=f"epoch {int(found['epoch'][-1])}, median over {found.sizes['seed']} seed(s)", title_justify="left")
    columns = [p for p in _PANELS if p[0] in found]
    for head in ("element", *(words for _, words, _ in columns)):
        table.add_column(head)
    for k, element in enumerate(found["element"].values):
        table.add_row(str(element), *(f"{float(last[name].median('seed')[k]):.3g}" for name, _, _ in columns))
    return table
