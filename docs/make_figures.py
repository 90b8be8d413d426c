"""Draw the figures of the documentation and write its results tables from a finished quickstart.

    python docs/make_figures.py --quickstart quickstart

Reads `<quickstart>/probes/*.nc`; writes `docs/assets/d4.png`, `docs/assets/translations.png`, and what stands between the results markers
in `README.md` and `docs/results.md`. The wall time comes from the quickstart's
`timing.json`, which it writes when nothing was there before.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes

import orbitscope as osc
from orbitscope.report import verdict_rows

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
ROOT = Path(__file__).resolve().parent.parent
# Okabe and Ito's palette; every series also has its own marker and line.
STYLE = {"unet": ("UNet", "#0072B2", "o", "-"), "vit": ("ViT", "#D55E00", "s", "--")}
_OTHER = ("#009E73", "^", ":")
_ORDER = ("navier-stokes-unet", "navier-stokes-vit", "euler-unet", "euler-vit", "navier-stokes-swapped-unet")


def main(argv: Sequence[str] | None = None) -> int:
    """Everything, from one quickstart folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quickstart", type=Path, default=Path("quickstart"), help="folder that `orbitscope quickstart` wrote")
    parser.add_argument("--root", type=Path, default=ROOT, help="repository whose README.md and docs/ are written")
    options = parser.parse_args(argv)
    cases = read(options.quickstart)
    assets = options.root / "docs" / "assets"
    assets.mkdir(parents=True, exist_ok=True)
    save(d4_figure(cases), assets / "d4.png")
    if any(_shifts(tree) for tree in cases.values()):
        save(translation_figure(cases), assets / "translations.png")
    about = provenance(cases, options.quickstart)
    write_between(options.root / "README.md", f"{short_table(cases)}\n\n{about}")
    write_between(
        options.root / "docs" / "results.md", f"{short_table(cases)}\n\n{training_table(cases)}\n\n{long_table(cases)}\n\n{about}"
    )
    return 0


def read(quickstart: Path) -> dict[str, xr.DataTree]:
    """The probes of a quickstart by file name, in the order of the tables; unknown ones last."""
    paths = {p.stem: p for p in sorted((quickstart / "probes").glob("*.nc"))}
    if not paths:
        sys.exit(f"There is no probe in {quickstart / 'probes'}. Run `make quickstart` first.")
    names = [n for n in _ORDER if n in paths] + [n for n in paths if n not in _ORDER]
    return {n: osc.open_probe(paths[n]) for n in names}


def d4_figure(cases: dict[str, xr.DataTree]) -> plt.Figure:
    """Share of the error that the breaking carries and excess coherence per element, a column per data set."""
    columns = _by_data({n: t for n, t in cases.items() if "D4" in t.children})
    figure, axes = plt.subplots(2, len(columns), figsize=(3.5 * len(columns) + 0.6, 5.6), sharex=True, sharey="row", squeeze=False)
    for (title, members), (top, bottom) in zip(columns.items(), axes.T, strict=True):
        margin = 0.05
        for offset, (name, tree) in zip(_offsets(len(members)), members.items(), strict=True):
            group = tree["D4"]
            names = [str(e) for e in group["equivariance/element"].values]
            verdict = group["verdict"].to_dataset()
            margin = float(verdict.attrs["margin"])
            label, colour, marker, _ = _style(name)
            where = np.arange(len(names)) + offset
            _points(top, where, *(100 * verdict[k].values for k in ("share_low", "share", "share_high")), label, colour, marker)
            shared = group["influence"].to_dataset()
            at = [names.index(str(e)) + offset for e in shared["element"].values]
            _points(bottom, at, *(shared[k].values for k in ("excess_low", "excess", "excess_high")), label, colour, marker)
            top.set_xticks(range(len(names)), names)
        top.axhspan(0, 100 * margin, color="#000000", alpha=0.08, lw=0)
        _reference(top, 0)
        _reference(bottom, 0)
        top.set_title(title, fontsize=10)
        bottom.set_xlabel("element of D4")
    axes[0, 0].set_ylim(bottom=-1)  # after everything is drawn: it ends the search for limits
    axes[0, 0].set_ylabel("share of the squared error that\nthe broken symmetry carries, %")
    axes[1, 0].set_ylabel("excess coherence")
    _legend(figure, axes)
    return figure


def translation_figure(cases: dict[str, xr.DataTree]) -> plt.Figure:
    """Commutator and relative error over the shift, a column per data set and axis."""
    found = {n: t for n, t in cases.items() if _shifts(t)}
    columns = [(title, key, members) for title, members in _by_data(found).items() for key in _shifts(next(iter(members.values())))]
    figure, axes = plt.subplots(2, len(columns), figsize=(3.0 * len(columns) + 0.6, 5.2), sharex="col", sharey="row", squeeze=False)
    for (title, key, members), column in zip(columns, axes.T, strict=True):
        for name, tree in members.items():
            if key not in tree.children:
                continue
            label, colour, marker, line = _style(name)
            data = tree[key]["equivariance"].to_dataset()
            shift = [int(e) for e in data["element"].values]
            for axis, variable in zip(column, ("commutator", "relative_error"), strict=True):
                values = data[variable].median("transition").values
                values = np.maximum(values, data["floor"].values) if variable == "commutator" else values
                axis.plot(shift, values, color=colour, marker=marker, ms=3.5, lw=1.1, ls=line, label=label)
        _reference(column[0], None)
        _reference(column[1], 1)
        column[0].set_title(f"{title}, shift along {key[1]}", fontsize=10)
        column[1].set_xlabel("shift, cells")
    axes[0, 0].set_yscale("log")
    low, high = axes[1, 0].get_ylim()
    if high > 3 * max(low, 0.1):  # else a logarithm has no room for its ticks
        axes[1, 0].set_yscale("log")
    axes[0, 0].set_ylabel("commutator, or its floor")
    axes[1, 0].set_ylabel("relative error")
    _legend(figure, axes)
    return figure


def short_table(cases: dict[str, xr.DataTree]) -> str:
    """A row per case: skill, and per group the learnt subgroup with the worst errors."""
    rows = [
        [
            _title(tree),
            _audit_word(tree),
            _factor(tree),
            *(_learnt(tree, kind) for kind in ("D4", "Tx", "Ty")),
            _whole(tree, "D4", "share"),
            _whole(tree, "D4", "gain"),
            _worst(tree, "D4", "relative_error"),
            _worst(tree, "D4", "commutator"),
        ]
        for tree in cases.values()
    ]
    header = [
        "Case",
        "File",
        "Test error against persistence",
        "Learnt of D4",
        "of x shifts",
        "of y shifts",
        "Breaking of D4, share of the squared error",
        "Averaging over D4 removes of it, on the originals",
        "D4 relative error",
        "D4 commutator",
    ]
    return _table(header, rows)


def training_table(cases: dict[str, xr.DataTree]) -> str:
    """Parameters, test error, persistence and time of each training."""
    rows = []
    for tree in cases.values():
        if "training" not in tree.children:
            continue
        a = tree["training"].attrs
        rows.append(
            [
                _title(tree),
                f"{int(tree.attrs['model_parameters']):,}",
                f"{int(a['epochs'])}",
                f"{a['test_smse']:.2e}",
                f"{a['persistence_smse']:.2e}",
                f"{a['seconds']:.0f} s",
            ]
        )
    return _table(["Training", "Parameters", "Epochs", "Test SMSE", "Persistence SMSE", "Time"], rows)


def long_table(cases: dict[str, xr.DataTree]) -> str:
    """A row per case and group with the verdict in words."""
    rows = []
    for tree in cases.values():
        for row in verdict_rows([tree]):
            data = "refused: contradicts its declared convention" if row.warning else row.data.summary
            rows.append([row.case, row.group, data, row.output.summary, row.learning.summary, row.learnt_subgroup])
    return _table(["Case", "Group", "In the data", "In the output", "In the learning", "Learnt subgroup"], rows)


def provenance(cases: dict[str, xr.DataTree], quickstart: Path) -> str:
    """Command, machine, date, versions, settings."""
    a = next(iter(cases.values())).attrs
    settings = quickstart / "quickstart.json"
    words = ", ".join(f"{k} {v}" for k, v in json.loads(settings.read_text()).items()) if settings.exists() else "unknown settings"
    # The folder's own name is of no interest to a reader of the table.
    parts = [
        f"`orbitscope quickstart` ({words})",
        f"{a['created'][:10]}",
        f"orbitscope {a['orbitscope_version']}",
        f"torch {a['torch_version']}",
        a["machine"],
    ]
    timing = quickstart / "timing.json"
    if timing.exists():
        parts.append(f"{json.loads(timing.read_text())['seconds'] / 60:.1f} minutes in all")
    return "Made by " + "; ".join(parts) + "."


def write_between(path: Path, text: str) -> None:
    """Replace what stands between the markers; the rest of the file stays as it is."""
    old = path.read_text(encoding="utf-8")
    if old.count(BEGIN) != 1 or old.count(END) != 1:
        sys.exit(f"{path} should hold one {BEGIN} and one {END}.")
    head, rest = old.split(BEGIN)
    tail = rest.split(END)[1]
    part = path.with_name(path.name + ".part")
    part.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")
    os.replace(part, path)


def save(figure: plt.Figure, path: Path) -> None:
    """A PNG without a date in it, so that the same numbers make the same bytes."""
    figure.savefig(path, dpi=130, metadata={"Software": None}, facecolor="white")
    plt.close(figure)


def _by_data(cases: dict[str, xr.DataTree]) -> dict[str, dict[str, xr.DataTree]]:
    """Cases by data set; a title is "data set, model"."""
    columns: dict[str, dict[str, xr.DataTree]] = {}
    for name, tree in cases.items():
        columns.setdefault(_title(tree).rsplit(", ", 1)[0], {})[name] = tree
    return columns


def _shifts(tree: xr.DataTree) -> list[str]:
    return [k for k in tree.children if k[:2] in ("Tx", "Ty")]


def _title(tree: xr.DataTree) -> str:
    return str(tree.attrs.get("title") or tree.attrs["model"])


def _style(name: str) -> tuple[str, str, str, str]:
    model = name.rsplit("-", 1)[-1]
    return STYLE.get(model, (model, *_OTHER))


def _offsets(count: int) -> np.ndarray:
    return (np.arange(count) - (count - 1) / 2) * 0.22


def _points(axis: Axes, where, low, middle, high, label: str, colour: str, marker: str) -> None:
    gaps = [np.clip(np.subtract(middle, low), 0, None), np.clip(np.subtract(high, middle), 0, None)]
    axis.errorbar(where, middle, yerr=gaps, fmt=marker, color=colour, label=label, ms=5, lw=1.2, capsize=2)


def _reference(axis: Axes, value: float | None) -> None:
    if value is not None:
        axis.axhline(value, color="#444444", lw=0.9, ls="--", zorder=0)
    axis.grid(axis="y", color="#e4e4e4", lw=0.6)
    axis.set_axisbelow(True)


def _legend(figure: plt.Figure, axes: np.ndarray) -> None:
    found: dict[str, object] = {}
    for axis in axes.flat:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    figure.legend(list(found.values()), list(found), loc="lower center", ncols=len(found), frameon=False)
    figure.tight_layout(rect=(0, 0.05, 1, 1))


def _audit_word(tree: xr.DataTree) -> str:
    word = str(tree["audit"].attrs["verdict"])
    return "**refused**" if word.startswith("file contradicts") else word


def _factor(tree: xr.DataTree) -> str:
    if "training" not in tree.children:
        return "–"
    a = tree["training"].attrs
    return f"{a['persistence_smse'] / a['test_smse']:.1f} times better"


def _node(tree: xr.DataTree, kind: str) -> xr.DataTree | None:
    return next((node for key, node in tree.children.items() if key.startswith(kind) and "verdict" in node.children), None)


def _learnt(tree: xr.DataTree, kind: str) -> str:
    node = _node(tree, kind)
    if node is None:
        return "–"
    attrs = node["verdict"].attrs
    least, most = (str(attrs[key]).split(", ") for key in ("learnt_subgroup", "learnt_at_most"))
    if not least[0]:
        return "nothing yet"
    said = _members(least, node["verdict"].sizes["element"])
    return f"at least {said}, at most {_members(most, node['verdict'].sizes['element'])}" if len(most) > len(least) else said


def _members(names: list[str], order: int) -> str:
    if len(names) == order:
        return f"all {order}"
    return "{" + ", ".join(names) + "}" if len(names) <= 8 else f"{len(names)} of {order}"


def _whole(tree: xr.DataTree, kind: str, variable: str) -> str:
    """A number of the whole group with its 95 % interval, in per cent."""
    node = _node(tree, kind)
    if node is None:
        return "–"
    verdict = node["verdict"].to_dataset()
    k = int(verdict["member"].values.sum(1).argmax())
    value, low, high = (100 * float(verdict[f"subgroup_{variable}{end}"][k]) for end in ("", "_low", "_high"))
    said = [f"{v:.0f}" if abs(v) >= 10 else f"{v:.2g}" for v in (value, low, high)]
    return f"{said[0]} % ({said[1]} to {said[2]})".replace("-", "−")


def _worst(tree: xr.DataTree, kind: str, variable: str) -> str:
    node = _node(tree, kind)
    if node is None:
        return "–"
    value = float(node["equivariance"][variable].median("transition").max())
    return f"{value:.3g}" if variable == "relative_error" else f"{100 * value:.2g} %"


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
