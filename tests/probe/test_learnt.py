"""The learnt subgroup: from each subgroup's own share, of models whose breaking is known."""

import numpy as np
import pytest
import torch
import xarray as xr

import orbitscope as osc
from orbitscope.probe import learnt_subgroup
from orbitscope.symmetry import GridAction

D4 = osc.dihedral(4)


def planted(kept: tuple[str, ...], share: float, *, trajectories: int = 8, skill: float = 0.1, group: osc.Group = D4) -> xr.Dataset:
    """A result of `equivariance`: x and y are random, f(x) = y + a symmetric error + a breaking that only `kept` leaves alone.

    The breaking is a fixed field averaged over `kept`, less its average over the group; its share of the squared error is `share`.
    """
    rng = torch.Generator().manual_seed(7)
    layout, grid = osc.Layout.of("u"), osc.Grid.square(8)
    action = GridAction(layout, grid)
    field = torch.randn(1, 8, 8, generator=rng, dtype=torch.float64)
    field = torch.stack([action(group[n], field) for n in kept]).mean(0)
    field = field - torch.stack([action(g, field) for g in group]).mean(0)
    field = field / field.square().mean().sqrt() if len(kept) < len(group) else 0 * field

    class Model(torch.nn.Module):
        """Halves its state: a symmetric error against y = 0; adds the fixed field."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return np.sqrt(skill * (1 - share)) * x + np.sqrt(skill * share) * field

    values = torch.randn(trajectories, 3, 1, 8, 8, generator=rng, dtype=torch.float64)
    values[trajectories // 2 :] = -values[: trajectories - trajectories // 2]  # products with the fixed field cancel over the pairs
    values = values / values[:, 0].square().mean().sqrt()
    values[:, 1:] *= 1e-9
    return osc.equivariance(Model().double(), osc.Trajectories(values, layout, grid, dt=1.0), group, trajectories=None, times=1)


SUBGROUPS = [("e",), ("e", "r2"), ("e", "s"), ("e", "sr3"), ("e", "r", "r2", "r3"), ("e", "r2", "sr", "sr3"), tuple(g.name for g in D4)]


@pytest.mark.parametrize("kept", SUBGROUPS, ids=", ".join)
@pytest.mark.parametrize("share", [0.3, 0.95])
def test_the_subgroup_that_was_left_alone_is_found(kept: tuple[str, ...], share: float) -> None:
    found = learnt_subgroup(D4, planted(kept, share))
    assert found.attrs["learnt_subgroup"] == found.attrs["holding_subgroup"] == ", ".join(kept) and found.attrs["learnt_order"] == len(kept)
    assert found.attrs["learnt_at_most"] == ", ".join(kept)
    whole = found.isel(subgroup=int(found["member"].values.sum(1).argmax()))
    if len(kept) < 8:
        assert float(whole["share"]) == pytest.approx(share, rel=1e-6) and str(whole["word"].values) == "broken"
        # What is purely breaking is gone after averaging, on the originals as on the copies.
        assert float(whole["gain"]) == pytest.approx(share, rel=1e-6)
        assert float(whole["gain_low"]) <= float(whole["gain"]) <= float(whole["gain_high"])
    else:
        assert set(found["word"].values) == {"exact up to rounding"}


def test_a_small_breaking_holds_and_one_at_the_margin_is_left_open() -> None:
    small, middle = (learnt_subgroup(D4, planted(("e", "r2"), share)) for share in (0.02, 0.05))
    assert small.attrs["learnt_order"] == 8 and small.attrs["exact_order"] == 2
    assert middle.attrs["learnt_order"] < 8 and middle.attrs["learnt_at_most_order"] == 8
    assert learnt_subgroup(D4, planted(("e", "r2"), 0.3), margin=0.5).attrs["learnt_order"] == 8


def test_nothing_is_learnt_without_skill_though_it_may_hold() -> None:
    """Skill is the error over persistence's; a symmetric error of the size of the step is no knowledge."""
    found = learnt_subgroup(D4, planted(("e", "r2"), 0.02, skill=0.9))
    assert found.attrs["learnt_subgroup"] == found.attrs["learnt_at_most"] == "" and found.attrs["learnt_order"] == 0
    assert found.attrs["holding_order"] == 8 and found.attrs["exact_subgroup"] == "e, r2"
    assert found.attrs["learnt_support"] == 0 and learnt_subgroup(D4, planted(("e",), 0.3)).attrs["learnt_support"] == pytest.approx(0.975)


@pytest.mark.parametrize("trajectories", [1, 3])
def test_few_trajectories_decide_nothing_but_what_is_exact(trajectories: int) -> None:
    found = learnt_subgroup(D4, planted(("e", "r2"), 0.3, trajectories=trajectories))
    assert found.attrs["learnt_subgroup"] == "e, r2" and found.attrs["learnt_at_most_order"] == 8
    assert set(found["word"].values) == {"exact up to rounding", "undecided"}


def test_wrong_arguments() -> None:
    measured = planted(("e", "r2"), 0.3)
    for wrong in ({"margin": 0.0}, {"margin": 1.0}, {"level": 1.5}):
        with pytest.raises(osc.OrbitscopeError, match="between 0 and 1"):
            learnt_subgroup(D4, measured, **wrong)
    with pytest.raises(osc.OrbitscopeError, match="older version made it"):
        learnt_subgroup(D4, measured.drop_vars("breaking"))
