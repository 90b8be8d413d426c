"""orbitscope transfer: a few steps on the copies under each element, against what was predicted of them."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from rich.console import Console
from rich.table import Table

from .._errors import OrbitscopeError
from .._whole import write_whole
from ..emulators import kept_optimiser, load_run
from ..probe import transfer_test, write_results
from ._early import check_out, read_groups
from ._output import record
from ._progress import stages
from ._words import load_words


def transfer_to_file(
    run: Path,
    data: Path,
    out: Path,
    group: str,
    *,
    picture: Path | None = None,
    steps: int = 32,
    batch: int = 16,
    learning_rate: float | None = None,
    trajectories: int = 16,
    times: int = 4,
    seed: int = 0,
    force: bool = False,
    options: Sequence[str] = (),
    trust: bool = False,
) -> int:
    """Fine-tune copies of the last weights on the training split, with the run's own optimiser; write, draw and print what happened."""
    (group,) = read_groups([group], "one")
    check_out(force, out=out, picture=picture)
    last, whole = load_run(run, "last", trust=trust), load_words(data, options)
    trained, tested = last.part(whole, "train"), last.part(whole)
    if trained is None or tested is None:
        count = sum(len(part) for part in last.split.values())
        raise OrbitscopeError(
            f"transfer: {run} was trained on {count} trajectories and {data} has {len(last.cut(whole))}, so what was held out is not "
            "known. Give the file that the run was trained on."
        )
    with stages() as bars:
        found = transfer_test(
            last.model, trained, tested, group, steps=steps, batch=batch,
            optimiser=kept_optimiser(run, last.model, learning_rate=learning_rate, trust=trust),
            trajectories=trajectories, times=times, seed=seed,
            progress=lambda done, total: bars("transfer", done, total),
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
    """What happened beside what was predicted, copies under g downwards, loss at h across, elements in the order of their blocks."""
    order = np.argsort(found["block"].values, kind="stable")
    names = found["bra_element"].values[order]
    panels = (
        ("realised_share", "fall of the loss at h, share"), ("influence", "sum of influences"), ("sign_ket", "sign of the ket"),
        ("coherence", "coherence"),
    )  # fmt: skip
    size = 1.6 + 0.24 * len(names)
    figure, axes = plt.subplots(1, len(panels), figsize=(size * len(panels), size + 0.6), squeeze=False, layout="constrained")
    edges = np.flatnonzero(np.diff(found["block"].values[order])) + 0.5
    for axis, (name, words) in zip(axes[0], panels, strict=True):
        values = found[name].transpose("ket_element", "bra_element").values[np.ix_(order, order)]
        most = float(np.nanmax(np.abs(values))) or 1.0
        image = axis.imshow(values, cmap="RdBu_r", vmin=-most, vmax=most)
        for edge in edges:
            axis.axhline(edge, color="0.1", lw=1.0)
            axis.axvline(edge, color="0.1", lw=1.0)
        axis.set(title=words, xlabel="loss at h", xticks=range(len(names)), yticks=range(len(names)), xticklabels=names, yticklabels=names)
        figure.colorbar(image, ax=axis, shrink=0.75)
    axes[0][0].set_ylabel("copies under g")
    figure.savefig(path, format=suffix.lstrip(".") or "png", dpi=150)
    plt.close(figure)


def _table(found: xr.Dataset) -> Table:
    a = found.attrs
    title = f"{a['steps']} steps of {a['optimiser']}, {a['moments']} moments: rank correlation with what happened"
    table = Table(title=title, title_justify="left")
    for head in ("prediction", "all pairs g != h", "within blocks"):
        table.add_column(head)
    for k, name in enumerate(found["predictor"].values):
        table.add_row(str(name), *(f"{float(found[c][k]):+.2f}" for c in ("correlation", "correlation_within")))
    return table
