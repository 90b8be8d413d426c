# ruff: noqa: E501 - prose templates
"""The part of the page on finer grids: the lines of the comparison that single cells of the study say something about."""

from pathlib import Path

import pandas as pd
from comparison import compare
from harness import Tables, table
from judgement import AGREES, CONTRADICTS, NOT_JUDGED
from study import MODELS, SCHEDULES, TITLES
from tables import LABEL, SKILL, skills

OTHERS = {"small": ("wide", "fine")}
"""The configs beside one whose page shows their results too."""


def others_of(results: Path) -> list[Path]:
    """The folders of the other results that are there."""
    return [p for name in OTHERS.get(results.name, ()) if (p := results.with_name(name)).joinpath("meta.json").exists()]


def unfinished(name: str) -> list[str]:
    """The configs beside that of a study that have no results yet."""
    here = Path(__file__).resolve().parent / "results"
    return [f"`{other}.toml`" for other in OTHERS.get(name, ()) if not (here / other / "meta.json").exists()]


def page_of(results: Path) -> Path:
    """The results whose page shows these: their own, unless they stand on that of a study beside them."""
    first = next((results.with_name(name) for name, more in OTHERS.items() if results.name in more), results)
    return first if (first / "meta.json").exists() else results


def other_tables(results: Path) -> list[Tables]:
    """Their tables; those without a finished run are left out."""
    return [t for p in others_of(results) if len((t := Tables(p, [*LABEL, "element"]))["runs"])]


def only(t: Tables, dataset: str, model: str) -> Tables:
    """The tables of one network on one family."""
    found = Tables.__new__(Tables)
    found.columns, found.meta = t.columns, t.meta
    found.update({n: f[(f.dataset == dataset) & (f.model == model)] if {"dataset", "model"} <= set(f) else f for n, f in t.items()})
    return found


def others_part(t: Tables, others: list[Tables]) -> str:
    """Each cell on its own grid, beside the same network of the study."""
    parts = []
    for other in others:
        for dataset, model in other["runs"][["dataset", "model"]].drop_duplicates().itertuples(index=False):
            parts.append(_cell(only(t, dataset, model), only(other, dataset, model), str(dataset), str(model)))
    return "## Finer grids\n\n" + "\n\n".join(parts) if parts else ""


def _cell(mine: Tables, finer: Tables, dataset: str, model: str) -> str:
    lines = {x.key: x for x in compare(mine)}
    pairs = [(lines[x.key], x) for x in compare(finer) if x.key in lines and x.judged.why != "not measured" and x.here != "–"]
    rows = [[a.what, a.rule, *(f"{x.judged.intervals.split(': ', 1)[-1] or x.here}: {x.word}" for x in (a, b))] for a, b in pairs]
    judged = [(a, b) for a, b in pairs if NOT_JUDGED not in (a.judged.word, b.judged.word)]
    same = sum(a.judged.word == b.judged.word for a, b in judged)
    turned = "; ".join(a.what for a, b in judged if {a.judged.word, b.judged.word} == {AGREES, CONTRADICTS}) or "none"
    s = finer.meta["settings"]
    counted = f"`{s['name']}.toml`: {s['data']['per_class']} trajectories of {s['data']['frames']} states a class, {finer.meta['measured_runs']} of {finer.meta['planned_runs']} planned runs, {finer.meta['date']}, {finer.meta['timing'].get('machine', 'machine not known')}"
    return "\n\n".join((
        f"### {TITLES[dataset]}, {MODELS[model]}, {_grid(finer)}\n\n{counted}.",
        table(["grid", "seeds", "parameters", "epochs", "skill: error over the best trivial forecast's, median"], [_about(x, dataset, model) for x in (mine, finer)]),
        f"Where both are judged the word is the same for {same} of {len(judged)} lines; agreeing on one grid and contradicting on the other: {turned}.",
        table(["experiment", "agrees in kind if", _grid(mine), _grid(finer)], rows),
    ))  # fmt: skip


def _grid(t: Tables) -> str:
    n = t.meta["settings"]["data"]["resolution"]
    return f"{n} x {n}"


def _about(t: Tables, dataset: str, model: str) -> list[str]:
    runs: pd.DataFrame = t["runs"][t["runs"].schedule == t.meta["settings"]["main_schedule"]]
    skill = skills(t, dataset).get(model, float("nan"))
    return [_grid(t), str(len(runs)), f"{runs.parameters.median():,.0f}", f"{runs.epochs.median():.0f}", f"{skill:.3g}"]


def trials_part(results: Path) -> str:
    """The settings that were tried on other seeds before a network was run, and whether any of them has skill."""
    file = results.with_name("tuning") / "tuning.csv"
    if results.name not in OTHERS or not file.exists():
        return ""
    frame = pd.read_csv(file)
    rows = [
        [TITLES[r.dataset], MODELS[r.model], str(r.seed), str(r.epochs), f"{r.learning_rate:g}, {SCHEDULES[r.schedule]}", str(r.batch), f"`{r.overrides}`", f"{r.parameters:,}", f"{r.cpu_seconds:.0f}", f"{r.skill:.3f}"]
        for r in frame.itertuples()
    ]  # fmt: skip
    said = [
        f"{TITLES[dataset]}, {MODELS[model]}: the best of {len(block)} has {block.skill.min():.3f}, {'which is skill' if block.skill.min() <= SKILL else 'which is none'}."
        for (dataset, model), block in frame.groupby(["dataset", "model"], sort=False)
    ]
    head = ["data", "network", "seed", "epochs", "rate", "batch", "options", "parameters", "processor s", "skill"]
    return f"## Settings that were tried\n\nOn seeds from 100 up (`tune.py`), before any run; at most {SKILL:g} is skill. {' '.join(said)}\n\n{table(head, rows)}"
