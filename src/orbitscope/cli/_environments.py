"""What the verbs do with environments: audit their symmetry, train agents in them."""

from collections.abc import Sequence
from pathlib import Path

import xarray as xr
from rich.console import Console
from rich.table import Table

from .._errors import OrbitscopeError
from ..probe import command, save_probe
from ..systems.control import AUDIT_KIND, audit_environment, environment, symmetry_of
from ._early import check_out
from ._output import record, several
from ._progress import stages

_COLOURS = {"exact": "green", "approximate": "yellow", "not a symmetry": "red"}


def audit_environments(
    names: Sequence[str], groups: Sequence[str] | None, *, samples: int, seed: int, out: Path | None, force: bool
) -> int:
    """Print the audit of every environment, by the groups asked for or by what is declared; 1 if something declared is no symmetry."""
    if out is not None and len(names) > 1:
        raise OrbitscopeError(f"out: {out} can hold one environment, and {len(names)} are audited. Audit them one after the other.")
    check_out(force, out=out)
    code = 0
    for name in names:
        with several(len(names)):
            code = max(code, _audited(name, groups, samples, seed, out, force))
    return code


def _audited(name: str, groups: Sequence[str] | None, samples: int, seed: int, out: Path | None, force: bool) -> int:
    console, found = Console(), {}
    env = environment(name)
    for words in groups or (None,):
        symmetry = symmetry_of(name, words)
        symmetry = env.of(symmetry) if hasattr(env, "of") else symmetry
        with stages() as bars:
            table = audit_environment(env, symmetry, episodes=max(1, samples // 2), seed=seed, progress=bars)
        found[symmetry.group.name] = table
        colour = _COLOURS[table.attrs["verdict"]]
        console.print(f"{name}, {symmetry.group.name}: [bold {colour}]{table.attrs['verdict']}[/].", highlight=False, soft_wrap=True)
        console.print(table.attrs["explanation"], highlight=False, soft_wrap=True, markup=False)
        console.print(_shown(symmetry.group.name, table))
    record(environment=name, groups=found, verdict={group: table.attrs["verdict"] for group, table in found.items()})
    if out is not None:
        tree = {"/": xr.Dataset(attrs={"kind": AUDIT_KIND, "title": name, "environment": name, "command": command()})}
        tree |= {f"/{group.replace('/', '-')}": table for group, table in found.items()}
        save_probe(xr.DataTree.from_dict(tree), out, force=force)
        print(out)
    return 1 if any(table.attrs["verdict"] == "not a symmetry" for table in found.values()) else 0


def _shown(group: str, table: xr.Dataset) -> Table:
    shown = Table(title=f"{group}: {table.attrs['steps']} paired steps")
    for head in ("element", "epsilon R", "epsilon P", "share of R", "share of P", "observation", "roll-out", "verdict"):
        shown.add_column(head, justify="left" if head in ("element", "verdict") else "right")
    for name in table["element"].values.tolist():
        row = table.sel(element=name)
        numbers = ("reward_epsilon", "transition_epsilon", "reward_share", "transition_share")
        worst = float(row["observation_error"].max())
        cells = [f"{float(row[n]):.2g}" for n in numbers] + [f"{worst:.2g}", f"{float(row['rollout_error']):.2g}"]
        shown.add_row(name, *cells, str(row["verdict"].values))
    return shown
