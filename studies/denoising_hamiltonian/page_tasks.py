# ruff: noqa: E501 - prose templates
"""The parts of the page on frames between frames, frames behind noise, and whether spreads are right."""

import pandas as pd
from fill import MEMBERS, NOISE
from harness import Tables, table
from page_names import CONSISTENT, NAMES, each, listed, number

RIVALS = ("cubic spline", "Hermite, true velocity", "Gaussian process", "Gaussian process, true velocity")


def _cell(some: pd.DataFrame) -> str:
    return f"{each(some['median'])} / {each(some['mean'])}" if len(some) else "–"


def refined(t: Tables) -> str:
    """Super-resolution: interpolations once, as no seed changes them, then the maps that fill."""
    r, rows = t["refine"], []
    if not len(r):
        return ""
    masks = [k for k in r.known.drop_duplicates() if "noise" not in k]
    for method in RIVALS:
        some = r[r.method == method].drop_duplicates("known").set_index("known")
        rows.append([method, *(f"{number(some.loc[k, 'median'])} / {number(some.loc[k, 'mean'])}" for k in masks)])
    for model in listed(r[r.method == "map"]):
        some = r[(r.model == model) & (r.method == "map")]
        rows.append([NAMES[model], *(_cell(some[some.known == k]) for k in masks)])
    best = r[r.method.isin(RIVALS) | (r.model == CONSISTENT)].assign(who=lambda f: f.method.where(f.method != "map", NAMES[CONSISTENT]))
    first = {k: best[best.known == k].groupby("who")["median"].median().idxmin() for k in masks}
    least = "; ".join(f"{k}: {who}" for k, who in first.items())
    return (
        "## Super-resolution\n\nError over the filled frames only, median / mean. Maps of one frame step on from the left and back from the right and blend. The DHN fills as published, in two stages that halve the spacing, the frame in the middle found by denoising; it was trained with gaps of four alone. Hermite and one of the Gaussian processes are given the true velocity at the known frames. The random quarter is one draw and the same for all motions.\n\n"
        + table(["method", *(f"known: {k}" for k in masks)], rows)
        + f"\n\nLeast median among interpolations and the consistent variant, {least}."
    )


def denoised(t: Tables) -> str:
    """Every fourth frame behind noise."""
    r = t["refine"]
    some = r[r.known == "every 4, noise"] if len(r) else r
    if not len(some):
        return ""
    rows = []
    for method in ("cubic spline", "Gaussian process"):
        one = some[some.method == method].iloc[0]
        rows.append([method, *(number(one[k]) for k in ("median", "mean", "z", "within1", "within2"))])
    for model in listed(some[some.method == "map"]):
        one = some[(some.method == "map") & (some.model == model)]
        rows.append([NAMES[model], *(each(one[k]) for k in ("median", "mean", "z", "within1", "within2"))])
    return (
        f"## Frames behind noise\n\nEvery fourth frame is known with noise of {number(NOISE)} of the root mean square (of .02 rad for angles), all frames are wanted. Maps of one frame take the least of residuals and misfits together (`refine(noise=...)`), the Gaussian process is told the noise. Error over all frames, median and mean; then errors over the said standard deviations: their root mean square, 1 where it is right, and shares within one and two (.683 and .954 for normal errors).\n\n"
        + table(["method", "median", "mean", "errors over deviations", "within 1", "within 2"], rows)
    )


def calibrations(t: Tables) -> str:
    """Ensembles of forecasts."""
    c = t["calibration"]
    if not len(c):
        return ""
    rows = []
    for how in ("codes", "denoising"):
        for model in listed(c[c.ensemble == how]):
            one = c[(c.model == model) & (c.ensemble == how)]
            rows.append([NAMES[model], how, *(each(one[k]) for k in ("spread", "z", "within1", "within2"))])
    return (
        f"## Are the spreads right?\n\nEnsembles of {MEMBERS} forecasts over 32 frames: with codes drawn from the posterior of the fit, and for the DHN with random noise in its denoising, as published. Median spread of the angle in rad, then errors of the mean over spreads as above.\n\n"
        + table(["map", "ensemble", "spread", "errors over spread", "within 1", "within 2"], rows)
    )
