"""Two probes of the same data: what counts as worse, as better, and as not comparable."""

import json

import numpy as np
import pytest
import xarray as xr

import orbitscope as osc
from orbitscope.cli import main
from orbitscope.probe import KIND, save_probe


def made(share=(0.0, 0.02), width=0.01, words=("exact up to rounding", "holds"), excess=0.5, learning="shared", **attrs):
    """A probe as `examine` leaves it, of what is compared only: the identity and r."""
    share = np.array(share)
    elements = {"element": ["e", "r"], "element_identity": ("element", [True, False])}
    verdict = xr.Dataset(
        {
            "share": ("element", share), "share_low": ("element", share - width), "share_high": ("element", share + width),
            "output": ("element", list(words)), "moving": ("element", ["costs nothing"] * 2), "learning": ("element", [learning] * 2),
        },
        coords=elements,
    )  # fmt: skip
    ends = {f"excess{end}": ("element", [np.nan, excess + d]) for end, d in (("", 0), ("_low", -0.1), ("_high", 0.1))}
    about = {"kind": KIND, "data_description": "flow", "settings": json.dumps({"seed": 0, "margin": 0.05}), "dt": 0.1, **attrs}
    fields = xr.Dataset({"state": (("channel", "x"), np.ones((1, 3)))})
    tree = {"/C2/verdict": verdict, "/C2/influence": xr.Dataset(ends, coords=elements), "/C2/fields": fields}
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=about), **tree})


@pytest.mark.parametrize(
    ("new", "outcome", "quantity"),
    [
        ({}, "same", None),
        ({"share": (0.9, 0.03)}, "same", None),  # the intervals overlap; the identity is not asked
        ({"share": (0.0, 0.049)}, "same", None),  # apart by less than the tolerance
        ({"share": (0.0, 0.0501)}, "worse", "share"),
        ({"share": (0.0, -0.02)}, "better", "share"),
        ({"words": ("exact up to rounding", "broken")}, "worse", "share"),
        ({"words": ("exact up to rounding", "undecided")}, "same", None),  # nothing is known, so nothing is lost
        ({"excess": 0.2}, "worse", "excess"),
        ({"excess": 0.9}, "better", "excess"),
        ({"learning": "opposed"}, "worse", "excess"),
        ({"excess": float("nan")}, "same", None),
        ({"share": (0.0, 0.2), "excess": 0.9}, "worse", "share"),
    ],
)
def test_worse_is_beyond_both_intervals_and_the_tolerance_or_another_word(new, outcome, quantity):
    found = osc.compare(made(**new), made())
    assert found.outcome == outcome
    if quantity:
        change = found.changes[0]
        assert (change.group, change.element, change.quantity) == ("C2", "r", quantity)
        assert f"C2 r: {quantity}" in str(change) and "before" in str(change)
    assert osc.compare(made(**new), made(), tolerance=10).outcome in ("same", outcome)


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (made(data_description="smoke"), "data"),
        (made(dt=0.2), "time step"),
        (made(settings='{"seed": 1, "margin": 0.05}'), "seed"),
        (made().drop_nodes("C2"), "groups"),
        (made().assign({}), None),
    ],
)
def test_what_is_not_the_same_question_is_not_compared(new, said):
    found = osc.compare(new, made())
    assert found.outcome == ("not comparable" if said else "same")
    assert said is None or any(said in reason for reason in found.reasons)


def test_other_states_are_noticed():
    other = made()
    other["C2/fields"] = xr.DataTree(other["C2/fields"].to_dataset() * 2)
    assert osc.compare(other, made()).reasons == ("the states of the data of C2 differ",)


def test_exit_codes_for_ci(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, tree in (("last", made()), ("good", made()), ("bad", made(share=(0.0, 0.2))), ("other", made(dt=0.2))):
        save_probe(tree, tmp_path / f"{name}.nc")
    assert main(["check", "good.nc", "--against", "last.nc"]) == 0
    assert main(["check", "bad.nc", "--against", "last.nc"]) == 1
    assert "C2 r: share worse, 0.02 (0.01 to 0.03, holds) before, 0.2 (0.19 to 0.21, holds) now" in capsys.readouterr().out
    assert main(["check", "bad.nc", "--against", "last.nc", "--tolerance", "0.5"]) == 0
    assert main(["check", "other.nc", "--against", "last.nc"]) == 2 and "time step" in capsys.readouterr().err
    assert main(["check", "good.nc", "--against", "none.nc"]) == 2
    with pytest.raises(osc.OrbitscopeError, match="tolerance"):
        osc.compare(made(), made(), tolerance=float("nan"))
    with pytest.raises(osc.OrbitscopeError, match="new"):
        osc.compare(3, made())  # type: ignore[arg-type]
