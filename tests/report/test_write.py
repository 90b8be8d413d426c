"""The HTML file: whole or not at all, self-contained, honest about what is missing."""

import json
import os
import re

import numpy as np
import pytest
import xarray as xr

from orbitscope import OrbitscopeError
from orbitscope.report import write_report

SCRIPT = re.compile(r"<script.*?</script>", re.S)


def page_text(path):
    """The page without its scripts."""
    return SCRIPT.sub("", path.read_text(encoding="utf-8"))


def test_a_full_page_has_every_section_and_no_outside_address(case, tmp_path):
    trees = [case("Navier-Stokes, UNet"), case("Swapped", swapped=True, groups=("D4",))]
    calls = []
    out = write_report(
        trees, tmp_path / "sub" / "r.html", intro="One.\n\nTwo.", command="orbitscope report a.nc", progress=lambda *a: calls.append(a)
    )
    text = page_text(out)
    assert calls == [(1, 2), (2, 2)]
    for words in (
        "Navier-Stokes, UNet",
        "The audit refuses its blessing",
        "Coherence alone misleads",
        "orbitscope report a.nc",
        "117\u202f482",
    ):
        assert words in text
    assert [int(n) for n in re.findall(r"<h([1-6])", text)][:2] == [1, 2]
    assert re.findall(r'(?:src|href)="(?!#|data:)', text) == []
    assert out.stat().st_size < 9e6 and not list(out.parent.glob("*.part"))


@pytest.fixture(scope="module")
def full(case, tmp_path_factory):
    """The page of a case with every part, which the shorter ones are compared with."""
    return write_report([case()], tmp_path_factory.mktemp("full") / "r.html").read_text()


def test_an_audit_shared_by_two_models_is_shown_once(case, tmp_path):
    twin = [case("UNet", groups=("D4",)), case("ViT", groups=("D4",))]
    assert page_text(write_report(twin, tmp_path / "r.html")).count("Which convention the file keeps.</b>") == 1


@pytest.mark.parametrize(
    "options",
    [
        {"parts": ("audit",), "training": False},
        {"parts": ("equivariance", "verdict")},
        {"parts": ("influence",), "file_audit": False},
        {"parts": ("equivariance",), "training": False, "file_audit": False},
        {"parts": ("verdict",), "training": False, "file_audit": False},
        {"groups": (), "file_audit": False},
        {"groups": (), "training": False, "file_audit": False},
        {"groups": ("Ty32",), "parts": ("equivariance", "influence")},
    ],
)
def test_missing_parts_give_a_shorter_page(case, full, tmp_path, options):
    short = write_report([case(**options)], tmp_path / "short.html").read_text()
    assert len(short) < len(full) and "How to read this" in short


@pytest.mark.parametrize("count", [1, 2, 300])
def test_any_number_of_elements(case, tmp_path, count):
    names = {"SO2": tuple("e" if k == 0 else f"r{k}" for k in range(count)), "Tx5": tuple(map(str, range(count)))}
    out = write_report(
        [case(groups=("SO2", "Tx5"), elements=names, parts=("audit", "equivariance", "influence", "verdict"))], tmp_path / "r.html"
    )
    assert "SO2" in page_text(out)


def test_nan_and_infinity_read_not_available(case, tmp_path):
    tree = case(groups=("D4", "Tx8"))
    for node in tree.subtree:
        for name, values in node.data_vars.items():
            if values.dtype.kind == "f" and name != "x":
                node[name] = values.copy(data=np.full(values.shape, np.nan if name != "commutator" else np.inf))
    tree["training"].attrs["test_smse"] = float("nan")
    out = write_report([tree], tmp_path / "r.html")
    assert "not available" in page_text(out)
    for block in re.findall(r'<script type="application/json">(.*?)</script>', out.read_text(), re.S):
        json.loads(block, parse_constant=lambda c: pytest.fail(f"{c} in JSON"))


def test_one_missing_number_spoils_nothing_else(case, tmp_path):
    tree = case(groups=("D4",))
    tree["D4/influence"]["response"][2] = np.nan
    tree["D4/equivariance"]["relative_error"][1, :4] = np.nan
    assert "not available" in page_text(write_report([tree], tmp_path / "r.html"))


def test_a_users_words_are_escaped_everywhere(case, tmp_path):
    evil = "<script>alert(1)</script>"
    tree = case(
        evil, model=evil, groups=("D4",), elements={"D4": ("e", evil, "<b>r2</b>")}, parts=("audit", "equivariance", "influence", "verdict")
    )
    tree["audit"].dataset = tree["audit"].to_dataset().assign_coords(convention=[evil, "b", "c"])
    text = write_report([tree], tmp_path / "r.html", title=evil, intro=evil, command=evil).read_text()
    assert "<script>alert" not in text and "&lt;script&gt;alert(1)" in text and "<b>r2</b>" not in text


def test_files_are_read_and_foreign_ones_refused(case, tmp_path):
    good, foreign, broken = (tmp_path / n for n in ("good.nc", "foreign.nc", "broken.nc"))
    case(groups=("D4",)).to_netcdf(good, engine="h5netcdf")
    xr.Dataset({"data": ("x", [1.0])}).to_netcdf(foreign, engine="h5netcdf")
    broken.write_bytes(good.read_bytes()[:2000])
    assert write_report([good], tmp_path / "r.html").exists()
    for path, words in ((foreign, "not a probe result"), (broken, "cannot read"), (tmp_path / "none.nc", "no file"), (tmp_path, "no file")):
        with pytest.raises(OrbitscopeError, match=words):
            write_report([path], tmp_path / "other.html")
    with pytest.raises(OrbitscopeError, match="none were given"):
        write_report([], tmp_path / "other.html")
    assert not (tmp_path / "other.html").exists()


def test_what_exists_is_kept_unless_forced(case, tmp_path, monkeypatch):
    out = tmp_path / "r.html"
    out.write_text("mine")
    with pytest.raises(OrbitscopeError, match="--force"):
        write_report([case(groups=())], out)
    with pytest.raises(OrbitscopeError, match="is a folder"):
        write_report([case(groups=())], tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OrbitscopeError, match="No space left"):
            write_report([case(groups=())], out, force=True)
    assert out.read_text() == "mine" and not list(tmp_path.glob("*.part"))
    assert write_report([case(groups=())], out, force=True) == out and out.stat().st_size > 4e6
