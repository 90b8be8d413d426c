"""Figures against slow, obvious references, and every figure against plotly's own validation."""

import json
import math

import numpy as np
import plotly.graph_objects as go
import pytest

from orbitscope.report._audit_figures import audit_figure, convention_figure, training_figure
from orbitscope.report._case import read_cases
from orbitscope.report._element_figures import learning_figure, output_figure
from orbitscope.report._field_pictures import _Panels, _scale, field_pictures
from orbitscope.report._plot import log_ticks, quartiles
from orbitscope.report._shift_figures import learning_curves, output_curves
from orbitscope.report._time_figures import time_figure, time_medians


def figures(tree):
    """Every figure of a case."""
    (case,) = read_cases([tree])
    shifts = [g for g in case.groups if g.translations]
    others = [g for g in case.groups if not g.translations]
    made = [training_figure(case), convention_figure(case), output_curves(case, shifts), learning_curves(case, shifts)]
    made += [f(g) for g in others for f in (output_figure, learning_figure)] + [time_figure(g) for g in case.groups]
    return [f for f in [*made, audit_figure(case, shifts), *(audit_figure(case, [g]) for g in others)] if f is not None]


@pytest.mark.parametrize("swapped", [False, True])
def test_every_figure_is_valid_plotly_and_strict_json(case, swapped):
    made = figures(case(swapped=swapped))
    assert len(made) == 11
    for figure in made:
        spec = json.loads(figure.to_json(), parse_constant=lambda c: pytest.fail(f"{c} in JSON"))
        go.Figure(data=spec["data"], layout=spec["layout"])  # raises on an unknown attribute or value
        assert spec["wide"].keys() == spec["narrow"].keys()


def test_medians_over_time_agree_with_loops():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 4, 5, 2))
    values[0, 0] = math.nan
    same = rng.random((4, 2)) < 0.5
    got = time_medians(values, same)
    for want_same, result in zip((True, False), got, strict=True):
        for t in range(3):
            for u in range(5):
                pool = [
                    values[t, b, u, k] for b in range(4) for k in range(2) if same[b, k] == want_same and np.isfinite(values[t, b, u, k])
                ]
                np.testing.assert_allclose(result[t, u], np.median(pool) if pool else math.nan, rtol=1e-12)


def test_quartiles_agree_with_loops():
    values = np.random.default_rng(1).normal(size=(6, 9))
    values[2, 3], values[4] = math.inf, math.nan
    got = np.stack(quartiles(values, 6))
    for i, row in enumerate(values):
        finite = row[np.isfinite(row)]
        want = np.percentile(finite, (25, 50, 75)) if finite.size else [math.nan] * 3
        np.testing.assert_allclose(got[:, i], want, rtol=1e-12)


@pytest.mark.parametrize(("low", "high"), [(-0.3, 0.3), (-7.0, -1.0), (0.0, 2.0), (-12.0, 4.0), (0.1, 0.9)])
def test_log_axes_carry_a_few_ticks_inside_their_range(low, high):
    ticks = log_ticks(low, high)
    assert 2 <= len(ticks) <= 9
    assert all(low <= math.log10(t) <= high for t in ticks)


def test_pictures_put_x_to_the_right_and_y_up():
    values = np.zeros((4, 3))
    values[3, 0] = 1.0  # largest x, smallest y
    image = _Panels(1, 1, 4 / 3).draw(0, 0, values, (0, 1, "cividis"))
    shown = np.asarray(image.get_array())
    assert image.origin == "lower" and shown.shape == (3, 4)
    assert shown[0, 3] == 1.0


def test_scales_are_centred_for_signed_fields():
    assert _scale(np.array([-1.0, 3.0, math.nan])) == (-3.0, 3.0, "RdBu_r")
    assert _scale(np.array([1.0, 3.0])) == (1.0, 3.0, "cividis")
    assert _scale(np.array([math.nan])) == (0.0, 1.0, "cividis")


def test_a_picture_per_channel_with_its_unit(case):
    (read,) = read_cases([case(equation="euler", groups=("D4",))])
    pictures = field_pictures(read, read.groups[0])
    assert [p.channel for p in pictures] == [
        "density [kg/m^3]",
        "momentum_x [kg/(m^2 s)]",
        "momentum_y [kg/(m^2 s)]",
        "energy [J/m^3]",
    ]
    assert all(p.uri.startswith("data:image/png;base64,") and "Largest differences: r " in p.description for p in pictures)
