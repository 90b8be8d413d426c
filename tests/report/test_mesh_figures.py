"""The same body in other meshes on the page: pictures, words and table from what was measured."""

import base64
import io

import numpy as np
import pytest
import torch
import xarray as xr
from PIL import Image

from orbitscope.report._case import read_cases
from orbitscope.report._mesh_figures import mesh_caption, mesh_pictures, mesh_table
from orbitscope.report._page import build
from orbitscope.systems.meshes import SYSTEM, mesh_reading

MOVES = ("split_100", "midpoint", "remesh_200")


@pytest.fixture(scope="module")
def reading() -> xr.Dataset:
    plan = SYSTEM.scenario("radar.shapes")
    data = plan.make(4, 0, None, **{**plan.parameters, "kinds": ("box", "l"), "faces": 112})
    torch.manual_seed(0)
    return mesh_reading(SYSTEM.model("mesh_graph").make(data, width=8), data, moves=MOVES)


def tree(reading: xr.Dataset) -> xr.DataTree:
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs={"kind": "orbitscope probe"}), "/meshes": reading})


def test_a_picture_for_each_body_shows_every_mesh(reading):
    (case,) = read_cases([tree(reading)])
    assert not case.groups and case.meshes is not None
    pictures = mesh_pictures(case)
    assert [p.channel for p in pictures] == [f"example {b}" for b in reading["body"].values] and len(pictures) == 2
    for picture in pictures:
        image = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.uri.split(",")[1]))).convert("RGB")).astype(int)
        assert image.shape[:2] == (picture.height, picture.width) and all(m in picture.description for m in MOVES)
        panel = image[: picture.height // 2, : picture.width // 4]
        assert (panel < 200).any(2).mean() > 0.1  # a body is there
        bars = (abs(image - [179, 67, 30]).max(2) < 12).sum(1).max()
        assert bars > 0.15 * picture.width  # the largest change fills its bar


def test_words_and_table_are_the_numbers(reading):
    (case,) = read_cases([tree(reading)])
    worst = str(reading["element"].values[int(reading["typical"].values.argmax())])
    assert f"most under {worst}" in mesh_caption(case).found and "Over 4 examples" in mesh_caption(case).found
    table = mesh_table(case)
    assert table is not None and [r[0] for r in table.rows] == ["e", *MOVES]
    assert table.rows[1][1] == "nothing (exact)" and table.rows[3][1].endswith("of the size")


def test_the_page_has_the_section_and_other_cases_have_none(reading):
    found = build(read_cases([tree(reading)]))["cases"][0]
    assert found.meshes is not None and found.meshes.figures[0].main and found.meshes.open_tables
    bare = build(read_cases([xr.DataTree.from_dict({"/": xr.Dataset(attrs={"kind": "orbitscope probe"})})]))["cases"][0]
    assert bare.meshes is None


def test_a_mesh_that_was_not_kept_is_said_and_not_drawn(reading):
    some = reading.copy(deep=True)
    some["corners"][:, 2] = np.nan
    assert len(mesh_pictures(read_cases([tree(some)])[0])) == 2
    assert not mesh_pictures(read_cases([tree(some.drop_vars("corners"))])[0])
    assert mesh_caption(read_cases([tree(some.drop_vars("typical"))])[0]).found == ""
