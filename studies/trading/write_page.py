# ruff: noqa: E501 - prose templates
"""docs/studies/trading.md from the tables of the study: no number in it is typed in by hand."""

from pathlib import Path

import figures
import numpy as np
import pandas as pd
from comparing import ARMS, BLOCK, FEWEST, RULES, Difference, difference, differences, months, seeds_of
from harness import Tables, table, took, versions

from orbitscope._whole import write_whole

PAGE = "trading.md"
LEVEL = 0.01
"""Of the test of the distribution."""


def write_page(results: Path, docs: Path) -> Path:
    """Figures, then the page; same tables, same bytes."""
    t = Tables(results, ["case", "arm", "seed"])
    wealth, fit = figures.draw_wealth(t, docs), figures.draw_fit(t, docs)
    found = differences(t)
    parts = [
        _head(t, found),
        f"## What the returns have of each symmetry\n\n{_account(t)}\n\n{_distribution(t)}\n\n{_marks(t)}",
        f"## What networks earn that know of them\n\n{_earned(t, found)}\n\n{wealth}",
        f"## Why\n\n{_fit(t)}\n\n{fit}",
        _settings(t),
    ]
    path, text = docs / PAGE, "\n\n".join(p for p in parts if p) + "\n"
    write_whole(path, lambda part: part.write_text(text, encoding="utf-8"))
    return path


def summary(found: dict[tuple[str, str], Difference]) -> str:
    """The verdict on all comparisons, in a sentence."""
    if not found:
        return f"Not judged: no network has {FEWEST} seeds yet"
    words = [d.word for d in found.values()]
    ahead, behind = words.count("ahead"), words.count("behind")
    return (
        f"Of {len(words)} comparisons of networks with doing nothing, with buying and holding, and with a plain network, the 95 % interval lies above 0 in "
        f"{ahead} and below 0 in {behind}; {0.05 * len(words):.1f} would do so by chance"
    )


def _head(t: Tables, found: dict[tuple[str, str], Difference]) -> str:
    missing = t.meta["planned_runs"] - t.meta["measured_runs"]
    state = "All planned runs are here." if not missing else f"{missing} of {t.meta['planned_runs']} planned runs are not done yet."
    data = t["market"]
    about = ""
    if len(data):
        row = data.iloc[0]
        about = f" The data: {row.days:,} daily returns of {row.series}, {row['first']} to {row['last']}, correlation {row.correlation:.2f}, as the package arch ships them."
    return f"""# Trading two stock indices: a symmetry that does not pay

A trader who is shown all returns with the other sign should take the other position; one who is shown two series exchanged should exchange the positions. Park et al. (AISTATS 2025) trade stocks with networks that are nearly symmetric; their data and returns could not be obtained, so nothing here is compared with theirs.
Two questions: which symmetries do two real series have, and what does a network earn, after costs, on years that it has not seen, if it knows of them? {state}{about}

{summary(found)}. **These data do not carry a claim that any of these networks earns money, or that a symmetry helps to.**"""


def _account(t: Tables) -> str:
    f, scale = t["account"], t["scale"]
    if not len(f):
        return "Not measured yet."
    worst, verdicts = float(f[["reward", "step"]].to_numpy().max()), sorted(set(f.verdict))
    return (
        f"**What a position earns** has the symmetry of the square: by paired steps of the environment (`orbitscope audit trading --group d4`) rewards and states of all {len(f)} elements differ by at most {worst:.1e}, verdict {', '.join(verdicts)}. "
        f"**The unit of prices** does not matter: with prices times {', '.join(f'{s:g}' for s in scale.scale)} returns change by {scale.difference.max():.1e} at most. So only the law of the returns can break the symmetry."
    )


def _distribution(t: Tables) -> str:
    f = t["distribution"]
    if not len(f):
        return ""
    rows = [
        [r.move, str(r.blocks), f"{r.p_alone:.4f}", f"{r.p:.4f}", "differs" if r.p < LEVEL else "not found to differ"]
        for r in f.itertuples()
    ]
    return f"""**The law of the returns**: `audit` compares blocks of {t.meta["settings"]["block"]} days with moved ones, by an energy distance between mean, mean cube, leverage and products of each block, against relabelled blocks; corrected over the moves of the square by Holm, level {LEVEL:g}.
Changing the sign of one series alone is a control: two series that rise and fall together cannot have it, and a test that did not find this would be worth nothing. Blocks are taken as exchangeable, which calm and wild years are not quite.

""" + table(["move", "blocks or pairs", "p", "p, corrected", ""], rows)


def _marks(t: Tables) -> str:
    f = t["marks"]
    if not len(f):
        return ""
    rows = [
        [r.mark, r.breaks, f"{r.value:+.3f} ({r.low:+.3f} to {r.high:+.3f})", "no" if r.low > 0 or r.high < 0 else "yes"]
        for r in f.itertuples()
    ]
    return "What breaks them, each 0 if the symmetry held; 95 % intervals of a stationary block bootstrap:\n\n" + table(
        ["number", "would be 0 under", "value", "0 in the interval"], rows
    )


def _earned(t: Tables, found: dict[tuple[str, str], Difference]) -> str:
    f, wide, s = t["earned"], months(t), t.meta["settings"]
    if not len(wide):
        return "Not measured yet."
    rows, own = [], f[np.isclose(f.at_cost, s["cost"])]
    for name in (*RULES, *ARMS):
        if name not in wide:
            if name in s["arms"]:
                rows.append([ARMS[name], "0", "not run yet"] + ["–"] * 6)
            continue
        some, fitted = own[own["arm" if name in ARMS else "rule"] == name], name in ARMS
        said = str(difference(wide[name], np.zeros(len(wide)), s["resamples"])) if name != "flat" else "0"
        if fitted and seeds_of(t, name) < FEWEST:
            said = f"{100 * wide[name].mean() * 12:+.1f} (not judged)"
        gaps = [_cell(found.get((name, rival))) for rival in ("buy and hold", "plain")] if fitted else ["–", "–"]
        net, risk = 12 * wide[name].mean(), np.sqrt(12) * wide[name].std()
        sharpe = f"{net / risk:+.2f}" if risk > 0 else "–"
        rows.append(
            [ARMS.get(name, f"{name} ({RULES.get(name)})"), str(len(some)) if fitted else "–", said, sharpe, f"{100 * some.fell.mean():.0f}",
             f"{some.turnover.mean():.0f}", *gaps, f"{some.parameters.mean():.0f}" if fitted else "–"]
        )  # fmt: skip
    head = [
        "who",
        "seeds",
        "net return, % per year",
        "Sharpe ratio",
        "worst fall, %",
        "traded per year",
        "against buy and hold",
        "against plain",
        "weights",
    ]
    return f"""Every year from {s["first"]} to {s["last"]} is judged by networks that were fitted on all days before it. They see {s["window"]} days and set two positions between -1 and 1, half of the capital each; {100 * s["cost"]:.2g} % of what is traded is paid. An arm's returns are the mean over its seeds, as of a trader who splits the capital among them; intervals (95 %) come from a stationary bootstrap of months in blocks of {BLOCK} on average, and differences are paired by month.

{table(head, rows)}

{_costs(f, s)}"""


def _cell(found: Difference | None) -> str:
    return "–" if found is None else f"{found}, {found.word}"


def _costs(f: pd.DataFrame, s: dict[str, object]) -> str:
    """The same positions at other costs."""
    if "arm" not in f:
        return ""
    fitted = f[f.case == "policy"]
    told = [
        f"{100 * c:.2g} %: {100 * v.min():+.1f} to {100 * v.max():+.1f}"
        for c, v in fitted.groupby(["at_cost", "arm"]).net.mean().groupby("at_cost")
    ]
    return f"The same positions at other costs of a trade, mean net return of the arms in % per year: {'; '.join(told)}."


def _fit(t: Tables) -> str:
    f, s = t["earned"], t.meta["settings"]
    if "arm" not in f:
        return ""
    f = f[(f.case == "policy") & np.isclose(f.at_cost, s["cost"])]
    rows = []
    for arm in (a for a in ARMS if a in set(f.arm)):
        some = f[f.arm == arm]
        rows.append(
            [ARMS[arm], f"{100 * some.in_sample.mean():+.1f}", f"{100 * some.net.mean():+.1f} ({100 * some.net.min():+.1f} to {100 * some.net.max():+.1f})",
             _error(some.error_reflection), _error(some.error_swap), f"{some.long.mean():+.2f}"]
        )  # fmt: skip
    seen, after = 100 * f.in_sample.mean(), 100 * f.net.mean()
    return f"""On days that they were fitted on networks earn {seen:+.1f} % per year after costs, on the year after {after:+.1f} %, means over all arms: most of what is learnt from the past is chance.
A network that is exact under long/short has no opinion of its own: it answers every history and its mirror image with opposite positions, so that it cannot simply hold on to a market that rises on the whole. The departure is `probe`'s commutator over the size of the position, median over the judged days.

""" + table(
        [
            "network",
            "% per year on days fitted on",
            "on the year after (least and largest seed)",
            "departure from long/short",
            "departure from exchange",
            "mean position",
        ],
        rows,
    )


def _error(values: pd.Series) -> str:
    if values.max() < 1e-12:
        return "0"
    return f"{values.mean():.1e}" if values.mean() < 1e-3 else f"{values.mean():.2f}"


def _settings(t: Tables) -> str:
    meta, s, c = t.meta, t.meta["settings"], t["cost"]
    return f"""## Settings, and what is not here

* Settings were chosen on the years 2002 to 2004 with seeds from 100 up. There the more a network is held back the less it loses, down to one that does nothing; those taken are the best that still trade the capital 50 times a year. Judged seeds ({", ".join(map(str, s["seeds"]))}) and years were run once.
* Networks of one hidden layer of {s["width"]} channels, {s["steps"]} steps of AdamW on all days at once (rate {s["learning_rate"]:g}, decay {s["weight_decay"]:g}), noise of {s["noise"]:g} times the inputs' size on them, net return less {s["aversion"] / 2:g} times the variance.
* Left out: dividends, interest, borrowed shares, taxes, how an index could be held at all; keeping a position while prices move is free. Two indices of one country that survived, over twenty years, are one draw of history.
* `orbitscope train trading --agent sac` puts agents into the same market; none was run here.
* Processor time: {_minutes(c)}.

Runs: {meta["measured_runs"]} of {meta["planned_runs"]} planned. {took(meta)[0].upper() + took(meta)[1:]}; {versions(meta)}; {meta["date"]}.

    python studies/trading/run.py --config {s["name"]}.toml"""


def _minutes(c: pd.DataFrame) -> str:
    return f"{c.cpu_seconds.sum() / 60:.1f} minutes" if len(c) else "–"
