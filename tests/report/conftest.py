"""Synthetic probe results of every shape that the report may meet."""

import json
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import xarray as xr

import orbitscope as osc
from orbitscope.probe._provenance import element_coordinates

D4 = ("e", "r", "r2", "r3", "s", "sr", "sr2", "sr3")
V4 = {"e", "r2", "sr", "sr3"}
LAYOUTS = {
    "navier-stokes": {"ndim": 2, "fields": [{"name": "velocity", "representation": "vector", "unit": "m/s"}]},
    "euler": {
        "ndim": 2,
        "fields": [
            {"name": "density", "representation": "scalar", "unit": "kg/m^3"},
            {"name": "momentum", "representation": "vector", "unit": "kg/(m^2 s)"},
            {"name": "energy", "representation": "scalar", "unit": "J/m^3"},
        ],
    },
}
CHANNELS = {"navier-stokes": 2, "euler": 4}


def make_case(
    title: str = "Navier-Stokes, UNet",
    *,
    model: str = "unet small",
    equation: str = "navier-stokes",
    groups: Sequence[str] = ("D4", "Tx32", "Ty32"),
    swapped: bool = False,
    parts: Sequence[str] = ("audit", "equivariance", "influence", "verdict", "fields"),
    training: bool = True,
    file_audit: bool = True,
    size: int = 32,
    seed: int = 0,
    ripple: int = 8,
    elements: dict[str, tuple[str, ...]] | None = None,
) -> xr.DataTree:
    """A probe result with plausible numbers; `swapped` shows the pattern of a file whose components are exchanged."""
    rng = np.random.default_rng(seed)
    nodes: dict[str, xr.Dataset] = {"/": xr.Dataset(attrs=_attrs(title, model, equation, swapped, size))}
    if training:
        nodes["/training"] = _training(rng)
    if file_audit:
        nodes["/audit"] = _file_audit(equation, swapped)
    for group in groups:
        names = (elements or {}).get(group) or (D4 if group == "D4" else tuple(map(str, range(int(group[2:])))))
        bad = np.array([swapped and group == "D4" and n not in V4 for n in names])
        nodes[f"/{group}"] = xr.Dataset(attrs={"group": group, "order": len(names)})
        makers: dict[str, Callable[[], xr.Dataset]] = {
            "audit": lambda n=names, b=bad: _audit(rng, n, b, swapped),
            "equivariance": lambda n=names, b=bad: _equivariance(rng, n, b, ripple, CHANNELS[equation]),
            "influence": lambda n=names, b=bad: _influence(rng, n, b, ripple),
            "verdict": lambda n=names, b=bad, g=group: _verdict(n, b, g, swapped),
        }
        nodes |= {f"/{group}/{part}": _placed(make(), group, names) for part, make in makers.items() if part in parts}
        if "fields" in parts and group == "D4":
            nodes[f"/{group}/fields"] = _fields(rng, equation, size, swapped)
    return xr.DataTree.from_dict(nodes)


def _placed(data: xr.Dataset, group: str, names: tuple[str, ...]) -> xr.Dataset:
    """With what every element is, as the instruments say it; a group that the library does not know has none of that."""
    try:
        return data.assign_coords(element_coordinates(osc.parse_group(group), list(names)))
    except osc.OrbitscopeError:
        return data


def _attrs(title: str, model: str, equation: str, swapped: bool, size: int) -> dict:
    return {
        "kind": "orbitscope probe", "orbitscope_version": "0.1.0", "torch_version": "2.13.0", "created": "2026-11-21T08:00:00+00:00",
        "command": f"orbitscope probe runs/{model.split()[0]} ns.nc --group d4 --metric gauss_newton --out probe.nc",
        "machine": "2 cores, 24 GiB", "device": "cpu", "model": model, "model_path": "runs/unet", "model_parameters": 117_482,
        "data_path": f"{equation}{'-swapped' if swapped else ''}.nc",
        "data_description": f"{equation}.gauss, {size} x {size}, 160 trajectories",
        "layout": json.dumps(LAYOUTS[equation]), "dt": 0.05, "seed": 0, "settings": json.dumps({"transitions": 16, "groups": ["D4"]}),
        "title": title,
        "grid": json.dumps({"shape": [size, size], "extent": [1.0, 1.0], "boundary": ["periodic", "periodic"], "centring": "cell"}),
    }  # fmt: skip


def _training(rng: np.random.Generator) -> xr.Dataset:
    epochs = np.arange(1, 13)
    train = 2e-2 * np.exp(-epochs / 3) + 1.5e-4 * rng.uniform(0.9, 1.1, 12)
    attrs = {"test_smse": 1.7e-4, "persistence_smse": 2.9e-3, "epochs": 12, "seconds": 51.2, "schedule": "constant", "parameters": 117_482}
    return xr.Dataset({"train_loss": ("epoch", train), "validation_loss": ("epoch", train * 1.15)}, coords={"epoch": epochs}, attrs=attrs)


def _file_audit(equation: str, swapped: bool) -> xr.Dataset:
    checks = ("divergence", "solver") if equation == "navier-stokes" else ("mass", "solver")
    good, poor = np.array([2e-6, 4e-4]), np.array([0.71, 1.6])
    fits = "components swapped" if swapped else "declared"
    score = np.array([poor, good, poor * 0.9]) if swapped else np.array([good, poor, poor * 1.1])
    verdict = "file contradicts its declared convention" if swapped else "consistent"
    attrs = {
        "verdict": verdict, "convention_declared": "component 0 along x", "convention_fits": fits if swapped else "component 0 along x",
        "explanation": "Read as declared, the velocity has a divergence of 0.71 of its gradient; with the components swapped it is 2e-6."
        if swapped else "The declared reading fits every check to the accuracy of the solver.",
    }  # fmt: skip
    names = ["declared", "components swapped", "component 0 negated"]
    return xr.Dataset({"score": (("convention", "check"), score)}, coords={"convention": names, "check": list(checks)}, attrs=attrs)


def _audit(rng: np.random.Generator, names: tuple[str, ...], bad: np.ndarray, swapped: bool) -> xr.Dataset:
    residual = np.where(bad, 1.4, 3e-6) * rng.uniform(0.8, 1.25, len(names))
    raw = np.where(bad, 1e-4, rng.uniform(0.1, 1, len(names)))
    verdict = np.where(bad, "file contradicts its declared convention", "symmetry of the physics and of the file")
    return xr.Dataset(
        {
            "residual": ("element", residual), "residual_floor": ((), 2.5e-6), "p_value": ("element", np.minimum(1, raw * 3)),
            "p_value_raw": ("element", raw), "verdict": ("element", verdict.astype(object)),
            "shift": (("element", "axis"), np.zeros((len(names), 2))), "determinant": ("element", np.ones(len(names))),
        },
        coords={"element": list(names)},
    )  # fmt: skip


def _equivariance(rng: np.random.Generator, names: tuple[str, ...], bad: np.ndarray, ripple: int, channels: int) -> xr.Dataset:
    n, m = len(names), 16
    wave = 1 + 0.02 * (1 - np.cos(2 * np.pi * np.arange(n) / ripple))
    error = np.where(bad, 68, wave if n > 8 else 1.0)[:, None] * rng.lognormal(0, 0.08, (n, m))
    commutator = np.where(bad, 0.165, 0.015 * (wave**8 if n > 8 else 1))[:, None] * rng.lognormal(0, 0.2, (n, m))
    error[0], commutator[0] = 1.0, 0.0
    by = ("element", "transition", "channel")
    return xr.Dataset(
        {
            "relative_error": (by[:2], error), "commutator": (by[:2], commutator),
            "floor": ("element", np.where(np.arange(n) == 0, 0, 3e-7)),
            "relative_error_by_channel": (by, np.repeat(error[..., None], channels, -1)),
            "commutator_by_channel": (by, np.repeat(commutator[..., None], channels, -1)),
        },
        coords={"element": list(names), "trajectory": ("transition", np.arange(m) // 4), "time": ("transition", 0.05 * (np.arange(m) % 4))},
        attrs={"norm": "root mean square over channels and space, each field divided by its scale"},
    )  # fmt: skip


def _influence(rng: np.random.Generator, names: tuple[str, ...], bad: np.ndarray, ripple: int) -> xr.Dataset:
    n, times, trajectories = len(names), 8, 3
    level = np.where(bad, 0.02, 0.45 + 0.1 * np.cos(2 * np.pi * np.arange(n) / ripple))
    level[0] = 1.0
    dt = np.abs(np.subtract.outer(np.arange(times), np.arange(times)))[None, :, None, :, None]
    same = np.eye(trajectories)[None, None, :, None, :]
    coherence = (level[:, None, None, None, None] * np.exp(-dt / 3)) * (same + 0.3 * (1 - same))
    coherence = coherence + 0.03 * rng.normal(size=(n, times, trajectories, times, trajectories))
    null = np.full(n, 0.13)
    dims = ("element", "bra_time", "bra_trajectory", "ket_time", "ket_trajectory")
    return xr.Dataset(
        {
            "influence": (dims, coherence * 2.3e-5), "coherence": (dims, coherence),
            "loss": (dims[:3], np.ones((n, times, trajectories)) * 1e-4),
            "response": ("element", level), "response_low": ("element", level - 0.08), "response_high": ("element", level + 0.07),
            "null": ("element", null), "null_low": ("element", null - 0.1), "null_high": ("element", null + 0.11),
            "excess": ("element", level - null), "excess_low": ("element", level - null - 0.06),
            "excess_high": ("element", level - null + 0.05),
            "control": ("element", np.ones(n)), "kept_rank": ("element", np.full(n, 46)), "condition": ("element", np.full(n, 3.2e7)),
        },
        coords={
            "element": list(names), "bra_time": 0.05 * np.arange(times), "ket_time": 0.05 * np.arange(times),
            "bra_trajectory": np.arange(trajectories), "ket_trajectory": np.arange(trajectories),
        },
        attrs={"metric": "gauss_newton", "damping": 1e-6, "loss": "SMSE", "sign": "positive = a step on the ket lowers the bra's loss",
               "normalisation": "cosine"},
    )  # fmt: skip


def _verdict(names: tuple[str, ...], bad: np.ndarray, group: str, swapped: bool) -> xr.Dataset:
    kept = [n for n, b in zip(names, bad, strict=True) if not b]
    columns = {
        "data": np.where(bad, "file contradicts its declared convention", "symmetry of the physics and of the file"),
        "output": np.where(bad, "broken", "holds"),
        "moving": np.where(bad, "costs", "costs nothing"),
        "learning": np.where(bad, "not shared", "shared"),
    }
    whole = not bad.any()
    attrs = {
        "sentence_data": f"All of {group} is a symmetry of the physics and of the file." if whole
        else "Four of eight elements turn a true transition into a false one, because the file's components are swapped.",
        "sentence_output": f"The model commutes with all of {group} to 1.5 % (relative error 0.97 to 1.04)." if whole
        else "The model commutes with e, r2, sr, sr3 to 1.5 %; on r, r3, s, sr2 it is 68 times worse than untransformed.",
        "sentence_learning": "Coherence exceeds its null by 0.2 to 0.4 on every element: learning at x is learning at gx." if whole
        else "Coherence exceeds its null on e, r2, sr, sr3 only.",
        "sentence_next": "Nothing to repair." if whole else "Repair the file first: load it with its components swapped, then probe again.",
        "learnt_subgroup": ", ".join(kept), "learnt_at_most": ", ".join(kept), "margin": 0.05, "tolerance": 1.25,
    }  # fmt: skip
    learnt = ("element", ~bad)
    share = np.where(bad, 0.49, 0.02) * (np.arange(len(names)) > 0)
    numbers = {"share": share, "share_low": 0.8 * share, "share_high": 1.2 * share}
    numbers |= {k.replace("share", "moved_error"): np.where(bad, 68, 1.0) for k in numbers}
    return xr.Dataset(
        {k: ("element", v.astype(object)) for k, v in columns.items()} | {k: ("element", v) for k, v in numbers.items()}
        | {"in_learnt": learnt, "in_learnt_at_most": learnt},
        coords={"element": list(names)}, attrs=attrs,
    )  # fmt: skip


def _fields(rng: np.random.Generator, equation: str, size: int, swapped: bool) -> xr.Dataset:
    c = CHANNELS[equation]
    grid = (np.arange(size) + 0.5) / size
    x = np.zeros((c, size, size))
    for k in range(c):
        for _ in range(6):
            i, j = rng.integers(-3, 4, 2)
            x[k] += rng.normal() * np.cos(2 * np.pi * (i * grid[:, None] + j * grid[None, :]) + rng.uniform(0, 6.3)) / (1 + i * i + j * j)
        if equation == "euler" and k in (0, 3):
            x[k] = np.exp(0.5 * x[k])
    elements = ("r", "r2", "s")
    moved = np.stack([np.rot90(x, 1, (1, 2)), np.rot90(x, 2, (1, 2)), x[:, ::-1]])
    gfx = np.roll(moved, 1, -1) * 0.98
    noise = np.array([0.4 if swapped and e not in V4 else 0.02 for e in elements])[:, None, None, None]
    fgx = gfx + noise * rng.normal(size=gfx.shape)
    order = ("element", "channel", "x", "y")
    return xr.Dataset(
        {"state": (order[1:], x), "gx": (order, moved), "f_gx": (order, fgx), "g_fx": (order, gfx), "difference": (order, fgx - gfx)},
        coords={"element": list(elements)},
    )


@pytest.fixture(scope="session")
def case() -> Callable[..., xr.DataTree]:
    """The factory of probe results."""
    return make_case
