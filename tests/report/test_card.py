"""The symmetry card: its schema, its numbers, and what the three forms say."""

import importlib.util
import json
import re

import numpy as np
import pytest
import torch
import xarray as xr

import orbitscope as osc
from orbitscope.cli import main


@pytest.fixture(scope="module")
def tree():
    """A convolution on noise, probed."""
    torch.manual_seed(0)
    values = torch.randn(8, 3, 2, 8, 8)
    data = osc.Trajectories(values, osc.Layout.of("velocity:vector:m/s"), osc.Grid.square(8), dt=0.1)
    model = torch.nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular")
    return osc.examine(model, data, "c2", osc.ProbeConfig(trajectories=6, times=1, steps=0, control=0), title="A | <b>convolution</b>")


def test_the_numbers_are_those_of_the_instruments(tree):
    (group,) = osc.card(tree).to_dict()["groups"]
    error, verdict = tree["C2/equivariance"].to_dataset(), tree["C2/verdict"].to_dataset()
    own, gap = 0.0, 0.0
    for i in range(error.sizes["transition"]):
        own += float(error["squared_error"].sel(subgroup="{e}")[i])
        gap += float(error["copy_gap"].sel(element="r")[i])
    assert group["commutator"]["gap_over_error"] == pytest.approx((gap / own) ** 0.5, rel=1e-4)
    assert group["commutator"]["largest_median"] == pytest.approx(float(error["commutator"].sel(element="r").median()), rel=1e-4)
    assert group["breaking"]["value"] == pytest.approx(float(verdict["subgroup_share"].max()), rel=1e-4)
    assert group["averaging"]["arithmetic"] == 2 and group["order"] == 2


def keys(value, path=""):
    """The paths of all keys; a list stands for its first entry."""
    if isinstance(value, list):
        return keys(value[0], path + "[]") if value and isinstance(value[0], dict) else set()
    found = set()
    for key, item in value.items() if isinstance(value, dict) else ():
        at = f"{path}.{key}" if path else key
        found |= {at} | (set() if at in ("conventions.grid", "provenance.settings", "conventions.normaliser") else keys(item, at))
    return found


def test_the_schema_on_the_page_is_the_schema_of_a_card(tree):
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs/how-to/card.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]*) \| ([^|]*) \|$", page[page.index("<!-- schema") :], re.M)
    said = set()
    for where, content in rows:
        owner = re.findall(r"`([^`]+)`", where)
        said |= set(owner) if len(owner) > 1 else {owner[0], *(f"{owner[0]}.{name}" for name in re.findall(r"`(\w+)`", content))}
    said = {s.removesuffix("[]") for s in said}
    found = {k for k in keys(osc.card(tree).to_dict()) if not re.fullmatch(r"conventions\.fields\[\]\..*", k)}
    assert said == found
    assert osc.card(tree).to_dict()["schema"] == "orbitscope symmetry card 1"


def test_three_forms_strict_and_safe(tree, tmp_path):
    damaged = tree.copy(deep=True)
    damaged["C2/equivariance"]["commutator"][:] = np.nan
    card = osc.card(damaged)
    json.loads(card.to_json(), parse_constant=lambda c: pytest.fail(f"{c} in JSON"))
    text, page = card.to_markdown(), card.to_html()
    assert text.startswith("---\ntags:") and '"C2"' in text and "\\|" in text and "<b>conv" not in text + page
    assert not re.search(r"(?:src|href)=", page) and "not available" in page
    assert osc.card(tree)._repr_html_().startswith("<style>")
    for name in ("c.md", "c.html", "c.json"):
        card.save(tmp_path / name)
    with pytest.raises(osc.OrbitscopeError, match="exists"):
        card.save(tmp_path / "c.md")
    with pytest.raises(osc.OrbitscopeError, match=r"\.html, \.md or \.json"):
        card.save(tmp_path / "c.pdf")


def test_the_verb_and_what_it_refuses(tree, tmp_path, capsys):
    osc.save_probe(tree, tmp_path / "p.nc")
    assert main(["card", str(tmp_path / "p.nc"), "--out", str(tmp_path / "c.json")]) == 0
    assert json.loads((tmp_path / "c.json").read_text())["provenance"]["probe"] == str(tmp_path / "p.nc")
    assert "convolution" in capsys.readouterr().out
    bare = xr.DataTree.from_dict({"/": xr.Dataset(attrs={"kind": "orbitscope probe"})})
    with pytest.raises(osc.OrbitscopeError, match="no verdict"):
        osc.card(bare)


def test_any_case_has_a_card(case):
    for options in ({"swapped": True}, {"parts": ("verdict",), "training": False, "file_audit": False}):
        made = osc.card(case(groups=("D4", "Tx8"), **options))
        assert [g["group"] for g in made.content["groups"]] == ["D4", "Tx8"] and made.to_html() and made.to_markdown()
    assert "refuses" in osc.card(case(swapped=True, groups=("D4",))).content["warning"]


def test_what_the_normaliser_does_stands_on_the_card(case):
    tree = case(groups=("D4",))
    values = xr.Dataset({"normaliser_commutator": (("element", "transition"), [[0.0, 0.0], [0.1, 0.3]])}, coords={"element": ["e", "r"]})
    tree["D4/normaliser"] = xr.DataTree(values.assign_attrs(sentence="It does not commute."))
    made = osc.card(tree)
    assert made.to_dict()["conventions"]["normaliser"] == {"D4": {"commutator": 0.2, "sentence": "It does not commute."}}
    assert "D4: It does not commute." in made.to_markdown() and "D4: It does not commute." in made.to_html()


def test_the_rates_in_the_package_are_those_of_the_calibration():
    from pathlib import Path

    script = Path(__file__).parents[2] / "docs" / "make_error_rates.py"
    spec = importlib.util.spec_from_file_location("make_error_rates", script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.OUT.read_text(encoding="utf-8") == module.text()
