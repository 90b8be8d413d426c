# ruff: noqa: E501 - prose templates
"""The part of the page on laws whose truth is known: fields, gravity, damping, diffusion, and the order parameter against amplitude."""

import numpy as np
import pandas as pd
from harness import table
from tables import groups, of, said, spread
from tasks import SCANNED, TASKS, VARIANTS

from orbitscope.systems.points import SYSTEM

#: The pendulum by a network that can make its map, on two draws of trajectories, and by one that cannot.
WIDE, NARROW = ("pendulum", "pendulum-again"), ("pendulum-narrow",)
FITTED = 0.01  # training error of a run that has learnt the pendulum's map


def fields(frame: pd.DataFrame) -> str:
    """Fields, pendulum, diffusion."""
    rows = []
    for name in ("fields", "fields-tilted", "fields-noisy"):
        for variant in ("relaxed", "residual", "coordinates", "strict"):
            some = of(frame, name, variant)
            if len(some):
                rows.append([
                    TASKS[name].title, VARIANTS[variant],
                    *(said(some[c].abs().max()) for c in ("electric_angle", "magnetic_angle")),
                    *(f"{100 * some[c].abs().max():.2g} %" for c in ("electric_size", "magnetic_size")), said(some.trajectory.median()),
                ])  # fmt: skip
    diffusion, more = of(frame, "diffusion"), _pendulum(frame)
    if len(diffusion):
        more.append(
            f"Diffusion tensor: relative error {said(diffusion.tensor.max())} in the worst of {len(diffusion)} seeds; θ is 2e alone, and its group is {groups(diffusion, 'group')}, that of three different principal values."
        )
    return f"""## Fields, gravity, damping, diffusion

A charge obeys $\\dot v = E + v \\times B$. Conventions: E is polar (1o), B axial (1e), q/m is 1, and a positive B turns the velocity as $v \\times B$ says; in e3nn's basis both have the order x, y, z. The strict network, which knows no direction, cannot have either. For every network E is its answer at rest and B the skew part of its linear one, by differences. Errors are the worst over seeds: angles in degrees, sizes relative; "trajectory" is the relative error of the last velocity of held-out trajectories, integrated with the learnt acceleration.

{table(["task", "network", "angle of E", "angle of B", "size of E", "size of B", "trajectory, median"], rows)}

{" ".join(more)}"""


def _pendulum(frame: pd.DataFrame) -> list[str]:
    """Gravity by the network that can make the map and by one that cannot; damping."""
    seen = [(name, some) for name in (*WIDE, *NARROW) if len(some := of(frame, name))]
    if not seen:
        return []
    told = []
    for name, some in seen:
        which = f"{'' if name in WIDE else 'narrow, '}trajectories of seed {TASKS[name].draw}"
        told.append(
            f"{which}: {said(some.gravity_angle.median())} degrees ({said(some.gravity_angle.min())} to {said(some.gravity_angle.max())}) at a training error of {said(some.train.median())}"
        )
    wide = pd.concat([some for name, some in seen if name in WIDE])
    if not len(wide):
        return [f"Pendulum: {'; '.join(told)}."]
    tried = of(frame, WIDE[0])
    kept = tried[tried.start > 0]
    worst = f", which had ended at {said(kept.train_first.min())} to {said(kept.train_first.max())} with the first" if len(kept) else ""
    return [
        f"Pendulum: the direction of gravity is θ's own, up to sign; its error, median, least and largest over seeds, {'; '.join(told)}. {_why(frame)} On the trajectories of seed {TASKS[WIDE[0]].draw} each run tries {TASKS[WIDE[0]].starts} first weights and keeps those of the lower training error: the second ones in {len(kept)} of {len(tried)}{worst}. On the others it has one try. Damping {spread(wide.damping)} for {TASKS['pendulum'].parameters['damping']:g} (from what of the answer is odd under time reversal; damping breaks that and not O(3), so θ does not show it)."
    ]


def _why(frame: pd.DataFrame) -> str:
    """That the direction is as good as the fit, from all runs."""
    every = pd.concat([of(frame, name) for name in (*WIDE, *NARROW)])
    good, bad = every[every.train <= FITTED], every[every.train > FITTED]
    hidden = {name: TASKS[name].network["hidden"] for name in (WIDE[0], NARROW[0])}
    narrow = of(frame, NARROW[0])
    apart = f", the {len(bad)} others by {said(bad.gravity_angle.min())} to {said(bad.gravity_angle.max())}" if len(bad) else ""
    return f"The direction is as good as the fit: the {len(good)} runs whose training error is at most {FITTED:g} are off by at most {said(good.gravity_angle.max())} degrees{apart}. What a network leaves over is not alike in all directions, as {TASKS[WIDE[0]].train} trajectories are not, and turns θ. The narrow network ({hidden[NARROW[0]]} between its layers) leaves the force along the rod, a product of squares and vectors, unlearnt in {int((narrow.train > FITTED).sum())} of {len(narrow)} runs; the other one has {hidden[WIDE[0]]}."


def line(rows: pd.DataFrame, phase: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Order parameters [run, amplitude] along the axis of the phase over each run's slope, and how far the last lies off the axis [run].

    Between them the amplitudes, as parts of the largest.
    """
    cases = int(rows.cases.iloc[0])
    along, name = np.linspace(0, 1, cases), "along" if "case_0_along" in rows and rows.case_0_along.notna().all() else "z"
    assert name == "along" or phase == "P4mm"
    sizes = rows[[f"case_{k}_{name}" for k in range(cases)]].to_numpy()
    slope = sizes @ along / (along @ along)
    off = np.sqrt(np.maximum(rows[f"case_{cases - 1}"].to_numpy() ** 2 - sizes[:, -1] ** 2, 0)) / np.abs(sizes[:, -1])
    return sizes / slope[:, None], along, off


def amplitude(frame: pd.DataFrame) -> str:
    """One number for each amplitude and phase, how far from a line, and the group that is left."""
    rows, cases = [], 0
    for name in ("perovskite-scan", *(f"batio3-{phase}" for phase in SCANNED)):
        some, task = of(frame, name), TASKS[name]
        if not len(some):
            continue
        sizes, along, off = line(some, task.parameters["phase"])
        cases = len(along)
        plan = SYSTEM.scenario(task.scenario)
        largest = {**plan.parameters, **task.parameters}["amplitude"]
        rows.append([
            task.title, f"{largest:.3f}", str(len(some)), said(np.abs(sizes - along).max()), said(np.abs(sizes[:, 0]).max()),
            said(float(np.degrees(np.arctan(off)).max())), groups(some, "group"), groups(some, "joint"),
        ])  # fmt: skip
    if not rows:
        return ""
    head = [
        "crystal", "largest displacement of B, Å", "seeds", "largest departure from a line through 0", "at amplitude 0",
        "largest angle to the phase's axis, degrees", "group of θ", "with the inputs' group",
    ]  # fmt: skip
    return f"""## Order parameter against amplitude

One fit for each phase, of {cases} amplitudes from 0, each with a θ of its own, all other weights shared. θ is then one vector for each amplitude, up to a factor of the seed: along the axis of the phase, and proportional to the amplitude. Departures are over the largest order parameter. The inputs' group is Oh; at amplitude 0 all of it is left, beyond it the group in the last column, which is the point group of the phase. BaTiO3: edge of the cubic cell and pattern of the displacements as published (`crystal.batio3`); the pattern is that of the tetragonal phase and turned for the others, so that what differs from phase to phase is its axis alone.

{table(head, rows)}

![Order parameter against amplitude](symmetry-breaking-amplitude.png)

*Order parameter of each amplitude in units of each seed's own slope, all seeds, along the axes of three phases of BaTiO3.*"""
