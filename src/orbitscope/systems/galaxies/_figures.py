"""Pictures of emulators and posteriors: functions with their bands, corner plots, calibration."""

import numpy as np
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#777777"
_TITLES = {"xi": "position-position, ξ", "omega": "position-orientation, ω", "eta": "orientation-orientation, η"}


def corner_figure(found: xr.Dataset, truth: dict[str, float] | None = None) -> Figure:
    """Every pair of parameters of a posterior, with regions of 68 and 95 %, and each one alone on the diagonal.

    * `found`: of `infer`. `truth`: true values by name, drawn as lines, where they are known.
    """
    names = [str(n) for n in found["parameter"].values]
    draws = found["sample"].values.reshape(-1, len(names))
    count = len(names)
    figure = _sheet((1.6 * count + 1.2, 1.6 * count + 0.8))
    axes = figure.subplots(count, count, squeeze=False, sharex="col")
    for i in range(count):
        for j in range(count):
            ax = axes[i, j]
            if j > i:
                ax.axis("off")
                continue
            if i == j:
                ax.hist(
                    draws[:, j], int(np.clip(0.7 * len(draws) ** 0.5, 10, 36)), density=True, histtype="stepfilled", color=_BLUE, alpha=0.5
                )
                ax.set_yticks([])
            else:
                _regions(ax, draws[:, j], draws[:, i])
            for value, line in ((names[j], ax.axvline), (names[i], ax.axhline)):
                if truth is not None and value in truth and (line is ax.axvline or i != j):
                    line(truth[value], color=_ORANGE, lw=1)
            ax.tick_params(labelsize=7)
            ax.locator_params(nbins=4)
            if j > 0 or i == 0:
                ax.set_yticklabels([])
            if j == 0 and i > 0:
                ax.set_ylabel(names[i], fontsize=9)
            if i == count - 1:
                ax.set_xlabel(names[j], fontsize=9)
    figure.subplots_adjust(0.11, 0.1, 0.98, 0.97, 0.06, 0.06)
    return figure


def _regions(ax, x: np.ndarray, y: np.ndarray) -> None:
    """Areas that hold 68 and 95 % of the draws, from a smoothed histogram."""
    from scipy.ndimage import gaussian_filter

    counts, across, up = np.histogram2d(x, y, int(np.clip(0.7 * len(x) ** 0.5, 10, 36)))  # fewer draws, coarser cells
    smooth = gaussian_filter(np.pad(counts, 3), 1.2)
    step = across[1] - across[0], up[1] - up[0]
    middles = [np.arange(len(e) - 1 + 6) * s + e[0] - 2.5 * s for e, s in zip((across, up), step, strict=True)]
    order = np.sort(smooth.ravel())[::-1]
    levels = [order[np.searchsorted(np.cumsum(order), q * order.sum())] for q in (0.95, 0.68)]
    ax.contourf(*middles, smooth.T, [*np.maximum.accumulate([levels[0], levels[1] * (1 + 1e-9)]), smooth.max() * (1 + 1e-6)],
                colors=[_BLUE], alpha=0.35)  # fmt: skip
    ax.contour(*middles, smooth.T, sorted(set(levels)), colors=[_BLUE], linewidths=0.7)


def fit_figure(found: xr.Dataset, radii: np.ndarray | None = None) -> Figure:
    """The data of a posterior and what the emulator says of them, with the deviation over the posterior.

    * `found`: of `infer`. `radii`: middles of the bins, in Mpc/h; None: numbers of bins.
    """
    figure = _sheet((11, 3.4))
    used = found["used"].values.astype(bool)
    across = np.arange(used.shape[1]) if radii is None else radii
    for k, ax in enumerate(figure.subplots(1, 3)):
        name = str(found["statistic"].values[k])
        middle, spread = found["predicted"].values[k], found["deviation"].values[k]
        ax.fill_between(across, middle - spread, middle + spread, color=_BLUE, alpha=0.3, lw=0)
        ax.plot(across, middle, color=_BLUE, label="emulator, over the posterior")
        if used[k].any():
            ax.plot(across[used[k]], found["data"].values[k][used[k]], "o", color=_ORANGE, ms=3, label="data")
        _axes(ax, name, radii is not None)
        ax.legend(fontsize=7, frameon=False)
    figure.tight_layout()
    return figure


def bands_figure(radii: np.ndarray, mean: np.ndarray, deviation: np.ndarray, rows: np.ndarray) -> Figure:
    """The three functions of one parameter point: realisations, and an emulator's mean with its 68 % band of one realisation.

    * `radii`: middles of the bins, in Mpc/h, [R]. `mean`, `deviation`: of the emulator, [3, R]. `rows`: realisations, [n, 3, R].
    """
    figure = _sheet((11, 3.4))
    for k, ax in enumerate(figure.subplots(1, 3)):
        ax.plot(radii, rows[:, k].T, color=_GREY, lw=0.6, alpha=0.6)
        ax.plot([], [], color=_GREY, lw=0.6, label="realisations")
        ax.fill_between(radii, mean[k] - deviation[k], mean[k] + deviation[k], color=_BLUE, alpha=0.3, lw=0)
        ax.plot(radii, mean[k], color=_BLUE, label="emulator, 68 % band")
        _axes(ax, ("xi", "omega", "eta")[k], True)
        ax.legend(fontsize=7, frameon=False)
    figure.tight_layout()
    return figure


def calibration_figure(found: xr.Dataset) -> Figure:
    """Error over noise, coverage, and error bars over measured scatter, by bin; histograms of the probability integral.

    * `found`: of `calibration`.
    """
    figure = _sheet((11, 6.4))
    axes = figure.subplots(2, 3)
    radii = found["radius"].values if "radius" in found.coords else np.arange(found.sizes["bin"])
    colours = (_BLUE, _ORANGE, "#009E73")
    for k, name in enumerate(found["statistic"].values):
        one = found.isel(statistic=k)
        axes[0, 0].plot(radii, one["floor_one"], color=colours[k], marker=".", label=str(name))
        axes[0, 1].plot(radii, 100 * one["coverage"][0], color=colours[k], marker=".")
        axes[0, 1].plot(radii, 100 * one["coverage"][1], color=colours[k], marker=".")
        axes[0, 2].plot(radii, one["aleatoric_ratio"], color=colours[k], marker=".")
        height = np.nanmean(one["pit"].values, 0) * found.sizes["quantile"]
        axes[1, k].bar(found["quantile"], height, 1 / found.sizes["quantile"], color=colours[k], alpha=0.6)
        axes[1, k].axhline(1, color="black", lw=0.8)
        axes[1, k].set(title=f"{name}: where values lie in their distribution", xlabel="probability integral", ylabel="density")
    axes[0, 0].axhline(1.2, color="black", lw=0.8, ls=":")
    axes[0, 0].set(title="error over the noise of one realisation", ylabel="1 is the floor")
    axes[0, 0].set_ylim(0.9, None)
    axes[0, 0].legend(fontsize=8, frameon=False)
    for level in found["level"].values:
        axes[0, 1].axhspan(100 * level - 3, 100 * level + 3, color=_GREY, alpha=0.2, lw=0)
    axes[0, 1].set(title="coverage of 68 and 95 % intervals", ylabel="%")
    axes[0, 2].axhline(1, color="black", lw=0.8)
    axes[0, 2].set(title="aleatoric deviation over measured scatter", ylabel="ratio")
    for ax in axes[0]:
        if "radius" in found.coords:
            ax.set_xscale("log")
        ax.set_xlabel("r [Mpc/h]" if "radius" in found.coords else "bin")
    for ax in axes.ravel():
        ax.title.set_fontsize(9)
        ax.tick_params(labelsize=8)
    figure.tight_layout()
    return figure


def _axes(ax, name: str, in_mpc: bool) -> None:
    ax.set_title(_TITLES[name], fontsize=10)
    ax.set_xlabel("r [Mpc/h]" if in_mpc else "bin", fontsize=9)
    if in_mpc:
        ax.set_xscale("log")
    if name == "xi":
        ax.set_yscale("symlog", linthresh=0.1)
    ax.tick_params(labelsize=8)


def _sheet(size: tuple[float, float]) -> Figure:
    figure = Figure(figsize=size, facecolor="white", dpi=130)
    FigureCanvasAgg(figure)
    return figure
