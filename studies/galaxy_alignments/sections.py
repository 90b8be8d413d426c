# ruff: noqa: E501 - prose templates
"""Sections of the page that are about posteriors: one, many with their ranks, and that of a measured omega."""

import numpy as np
import pandas as pd
from harness import Tables, table


def number(value: float) -> str:
    if not np.isfinite(value):
        return "–"
    return f"{value:.2g}" if abs(value) >= 1e9 else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def control_fails(t: Tables) -> bool:
    """Whether the sampler fails on mocks that are drawn from the likelihood itself, where every rank has to be uniform."""
    c = t["correlated"]
    return bool(len(c)) and float(c[c.mocks_of == "emulator"].p_value.min()) < 0.05 / 7


def least_p(t: Tables) -> list[float]:
    """With bins taken as independent."""
    return _least(t, t["ranks"])


def least_p_correlated(t: Tables) -> list[float]:
    """With the correlation of the noise of bins in the likelihood."""
    return _least(t, t["correlated"])


def _least(t: Tables, r: pd.DataFrame) -> list[float]:
    if control_fails(t):
        return []
    r = r[r.mocks_of == "simulator"] if len(r) else r
    return [float(some.p_value.min()) for _, some in r.groupby("seed")]


def posterior(t: Tables) -> str:
    p, c, d = t["posterior"], t["chains"], t["direct"]
    if not len(p):
        return ""
    rows = [
        [str(r.parameter), number(r.truth), f"{number(r.median)} ({number(r.low)} to {number(r.high)})", number(r.r_hat), number(r.ess)]
        for r in p.itertuples()
    ]
    one = c.iloc[0]
    mock = t["speed"][t["speed"].what == "mock"].seconds if len(t["speed"]) else pd.Series(dtype=float)
    per = float(mock.iloc[0]) if len(mock) else float("nan")
    direct = 1 / (one.evaluations_per_draw * 10 * per) if np.isfinite(per) and per > 0 else float("nan")
    settings = t.meta["settings"]
    how = f"chains: {int(settings['chains'])}, draws in each: {int(settings['draws'])}, with the correlation of the noise of bins in the likelihood (`noise_correlation`)"
    if "noise" not in c.columns:  # of an earlier run
        how = "one short chain, bins taken as independent. **Not run anew:** this is an earlier run with the weights of then; several chains with correlated noise are to come"
    text = f"""## A posterior

All seven numbers from the 60 bins of one mock near the middle of the region, its truth unknown to the training: the No-U-Turn sampler, {how}.

{table(["parameter", "truth", "median (68 %)", "split R-hat", "effective draws"], rows)}

The fit: chi-squared {number(one.chi2)} on {int(one.bins)} bins, p = {number(one.p_value)}; split R-hat up to {number(float(p.r_hat.max()))} ({"mixed" if p.r_hat.max() < 1.05 else "not mixed by the rule of 1.05"}), {int(one.divergent)} divergent draws, {number(float(one.gradients))} gradients, {number(one.seconds)} s of processor: **{number(one.ess_per_second)} effective draws a second**. Walkers without gradients need {number(one.evaluations_per_draw)} likelihoods for an effective draw; with ten mocks for each likelihood, which is not much, direct simulation would make {number(direct)} a second, {number(one.ess_per_second / direct)} times fewer."""
    return text + _grid(d)


def _grid(d: pd.DataFrame) -> str:
    """The emulator beside direct simulation on two parameters."""
    if not len(d):
        return ""
    made = d[d.mocks > 0].iloc[0]
    if "noise" not in d.columns:
        rows = [[str(r.method), str(r.parameter), number(r.truth), number(r["mean"]), number(r.deviation)] for _, r in d.iterrows()]
        text = f"\n\nThe two alignments alone, from omega and eta of the same mock with the occupation held at its truth, in that earlier run: {int(made.mocks)} mocks on a grid ({number(made.seconds)} s of processor) against the emulator in the same likelihood. Between the points of the grid a polynomial of fourth degree in both strengths was fitted to the mocks, which does not follow the law of the strengths near its ends; the study now takes the exact amplitudes, and was not run since.\n\n"
        return text + table(["method", "parameter", "truth", "mean", "deviation"], rows)
    words = {"apart": "independent", "together": "together"}
    rows = [
        [str(r.method), words[str(r.noise)], str(r.parameter), number(r.truth), number(r["mean"]), number(r.deviation)]
        for _, r in d.iterrows()
    ]
    off = []
    for noise in ("apart", "together"):
        here = d[d.noise == noise].set_index(["method", "parameter"])
        mocks, own = here.loc["mocks on a grid"], here.loc["emulator, its own noise"]
        gap, wide = ((own["mean"] - mocks["mean"]) / mocks.deviation).abs().max(), (own.deviation / mocks.deviation - 1).abs().max()
        off.append(
            f"with bins {words[noise]} the means differ by at most {number(float(gap))} of a deviation and deviations by at most {float(wide):.0%}"
        )
    return (
        f"\n\nThe two alignments alone, from {int(made.bins)} bins of omega and eta of the same mock with the occupation held at its truth: {int(made.mocks)} mocks ({number(made.seconds)} s of processor), on a grid for the means, at the truth for the noise, against the emulator. Between the points of the grid omega is linear in the two amplitudes of alignment and eta quadratic, which holds exactly with the places of galaxies held, and least squares over the grid is all that is fitted. Noise: bins independent with the variances of the mocks at the truth, or together with their covariance (its inverse without bias); the emulator in the same likelihoods, and with its own noise and error, as `infer` takes it. Own noise against mocks: {'; '.join(off)}.\n\n"
        + table(["method", "noise of bins", "parameter", "truth", "mean", "deviation"], rows)
    )


def ranks(t: Tables) -> str:
    r = t["ranks"]
    some = r if len(r) else t["correlated"]
    if not len(some):
        return ""
    m = t.meta["settings"]
    text = f"## Are posteriors right on average?\n\nSimulation-based calibration: one mock of each of many test points of the last seed, on the {int(some.bins.iloc[0])} bins that all have; {m['rank_chains']} Hamiltonian chains each, of {m['rank_draws']} draws after {m['rank_warmup']} (`hamiltonian_chains`, worked out on mocks of the likelihood with seed 100). They test the emulator, the sampler, and the prior, which is not quite the design (points with too few galaxies were drawn again). An earlier run with walkers without gradients, on the first mocks of another seed, had a control that failed with the correlation below, as walkers left fewer independent draws than truths were ranked among; these mocks and this seed were not looked at for ranks before."
    if control_fails(t):
        text += " **The control fails** (below): ranks of mocks that are drawn from the likelihood itself are not uniform either, so that ranks here judge the sampler and not the emulator; the bars are not measured."
    if len(r):
        old = len(t["correlated"]) and set(r.seed) != set(t["correlated"].seed)
        words = (
            f", not run anew: the ranks of that earlier run, on mocks of seed {int(r.seed.iloc[0])} with the weights of then" if old else ""
        )
        text += f"{_why(t)}{_mixing(t, 'apart')}\n\nBins taken as independent{words}:\n\n{_ranks_table(r)}"
    else:
        text += "\n\nThe part with bins taken as independent was not run anew."
    return text + _correlated(t)


def _mixing(t: Tables, noise: str) -> str:
    """What the chains of many posteriors are worth."""
    c = t["rank_chains"]
    c = c[c.noise == noise] if len(c) else c
    parts = [
        f"of mocks of the {'simulator' if r.mocks_of == 'simulator' else 'likelihood'} the median mock has {number(r.ess_median)} effective draws and a split R-hat of {number(r.r_hat_median)} in its worst parameter, one in ten fewer than {number(r.ess_tenth)} draws; {int(r.unmixed)} have an R-hat above 1.05"
        for r in c.itertuples()
    ]
    weak = (
        " Where that is so, ranks are of fewer independent draws than they should be, in the control as in the mocks that it controls: both tests are weaker than their numbers of mocks."
        if len(c) and c.unmixed.sum()
        else ""
    )
    return " Chains: " + "; ".join(parts) + "." + weak if parts else ""


def _ranks_table(r: pd.DataFrame) -> str:
    rows = [
        [
            "simulator" if x.mocks_of == "simulator" else "likelihood",
            str(x.parameter),
            str(int(x.mocks)),
            f"{x.p_value:.2g}",
            f"{x.covered68:.0%}",
            f"{x.covered95:.0%}",
        ]
        for x in r.itertuples()
    ]
    return table(["mocks of", "parameter", "mocks", "p of uniform ranks", "68 % holds", "95 % holds"], rows)


def _correlated(t: Tables) -> str:
    """The same mocks with the noise of bins going together as it does over the training."""
    c = t["correlated"]
    if not len(c):
        return ""
    text = "\n\nMocks of the simulator with a correlation between the noise of bins in the likelihood (`noise_correlation`): one for all parameters, from the mocks of the training about the mean of their point, shrunk towards independent bins by a rule without a free number. Beside them the control, as many mocks that are drawn from this likelihood at parameters from the prior: they test the sampler alone."
    if control_fails(t):
        own, mocks = (float(c[c.mocks_of == what].p_value.min()) for what in ("emulator", "simulator"))
        said = f" **The control fails**: ranks of mocks of the likelihood itself are not uniform either (least p {number(own)}, the level {number(0.05 / 7)}), so that this table cannot tell the sampler from the likelihood, and the bar is not measured. The least p of the simulator's mocks is {number(mocks)}, which by this rule proves nothing."
    else:
        least = min(_least(t, c), default=float("nan"))
        level = number(0.05 / 7)
        said = f" **The control holds.** The least p of seven is {number(least)}, the bar {level}: " + (
            ("**ranks that cannot be told from uniform ones**" + (", by little." if least < 0.15 / 7 else ".")) if least >= 0.05 / 7 else "**still not uniform.** What is left is the error of the emulator's mean that its members do not share, a correlation that is not the same at all parameters, noise that is not Gaussian, and the prior; which of these it is was not measured."
        )  # fmt: skip
    said += _mixing(t, "together")
    said += " Over the seven parameters on average: " + _held(t["ranks"], c) + "."
    return text + said + "\n\n" + _ranks_table(c)


def _held(r: pd.DataFrame, c: pd.DataFrame) -> str:
    """What intervals of both likelihoods hold of the truths of the simulator's mocks."""
    parts = []
    for level, column in (("68 %", "covered68"), ("95 %", "covered95")):
        apart, joint = (float(x[x.mocks_of == "simulator"][column].mean()) if len(x) else float("nan") for x in (r, c))
        parts.append(f"{level} intervals hold {joint:.1%} of the truths" + (f" ({apart:.1%} with independent bins)" if len(r) else ""))
    return ", ".join(parts)


def _why(t: Tables) -> str:
    """Where the control holds and the ranks of the simulator's mocks do not: noise of bins that goes together."""
    b = t["between"]
    if not len(b) or control_fails(t) or min(least_p(t), default=1.0) >= 0.05 / 7:
        return ""
    said = ", ".join(
        f"{name} {number(float(some[(some.bins == 'small') & (some.apart == 1)].correlation.iloc[0]))} and {number(float(some[(some.bins == 'large') & (some.apart == 1)].correlation.iloc[0]))}"
        for name, some in b.groupby("statistic", sort=False)
    )
    return f" **The posteriors of the simulator's mocks are too narrow.** The likelihood here takes the noise of bins as independent (the emulator's option `rank` is 0). It is not: the median correlation of neighbouring bins over the mocks of a point, in the ten small and the ten large bins, is for {said}."


def tng300(t: Tables) -> str:
    f = t["tng300"]
    if not len(f):
        return ""
    rows = [
        [
            str(r.data),
            str(r.parameter),
            f"{number(r['mean'])} ± {number(r.deviation)}",
            number(r.best),
            number(r.published),
            f"{number(r.chi2)} on {int(r.bins)} bins",
        ]
        for _, r in f.iterrows()
    ]
    one = f.iloc[0]
    return (
        f"## A measured omega\n\nomega of the lightest sample of TNG300-1, {int(one.bins)} bins, fitted as the publication does it: the five numbers of the occupation held at their published values, both strengths free from −1 to 1, a Gaussian likelihood of omega alone. That sample lies outside the region of the emulator above (its log Mmin is below {number(t.meta['settings']['low'])}), so {int(one.mocks)} mocks of its occupation stand in for the emulator (halos of at least {one.lightest:.0e} solar masses / h in a box of {number(one.box)} Mpc/h): with the occupation held, omega is linear in the two amplitudes, and the fit is exact. The jackknife covariance of the publication is not known here; the error of every bin is the floor of 10⁻⁶ (a variance) that it adds; a mock beside it has its own noise too.\n\n"
        + table(["omega of", "strength", "found", "best", "published", "chi-squared"], rows)
        + "\n\n**This is no reproduction.** Halos here are not those of Bolshoi-Planck: how far their long axes follow the tide is a number of this package, and mu_cen trades against it one for one; bins were taken to be even in the logarithm. What it shows is the way, and how well a mock with the published strengths gives them back in the same likelihood."
    )
