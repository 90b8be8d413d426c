"""The page and the figures of a discovered symmetry."""

import dataclasses
import re
from typing import Any

import numpy as np
import pytest
import torch

import orbitscope as osc
from orbitscope import OrbitscopeError, load_discovery, plot
from orbitscope.cli import main
from orbitscope.discover import Discovery, discover_symmetry
from orbitscope.report import write_discovery


class Radius(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.square().sum(1, keepdim=True)


class Distance(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x[:, 0] - x[:, 1]).square().sum(1, keepdim=True)


class Lopsided(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(2 * x[:, :1]) + x[:, :1] * x[:, 1:] ** 2 + 0.4 * x[:, 1:]


def found(model: torch.nn.Module, words: str, shape: tuple[int, ...]) -> Discovery:
    x = torch.randn(200, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return discover_symmetry((x, model(x)), words, model=model)


@pytest.fixture(scope="module")
def discoveries() -> dict[str, Discovery]:
    circle = found(Radius(), "gl2", (2,))
    charts = np.abs(np.random.default_rng(0).standard_normal((5, 4)))
    spread = dataclasses.replace(circle.evidence, spread=np.linspace(0.1, 2.0, 50), by_chart=charts)
    return {
        "circle": dataclasses.replace(circle, evidence=spread, components=np.diag([1.0, -1.0])[None]),
        "space": found(Radius(), "gl3", (3,)),
        "points": found(Distance(), "aff2", (2, 2)), "none": found(Lopsided(), "gl2", (2,)),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["circle", "space", "points", "none"])
def test_the_page_says_it_in_words_first_and_needs_no_network(discoveries, name, tmp_path):
    path = discoveries[name].save(tmp_path / "found.nc")
    text = write_discovery(path, tmp_path / "page.html", command="orbitscope report found.nc").read_text(encoding="utf-8")
    body = text[text.index("<main>") : text.index("</main>")]
    sentence = discoveries[name].sentence().split("'")[0]
    assert sentence in body and body.index(sentence) < body.index("<figure")
    assert not re.search(r'(src|href)="https?:', body) and "NaN" not in body and "orbitscope report found.nc" in body
    titles = re.findall(r"<h3>(.*?)</h3>", body)
    assert ("What algebra it is" in titles) == (name != "none") and ("Where it holds" in titles) == (name == "circle")
    told = {"circle": "for o2 in audit", "space": "for o in audit", "points": "for so2 tx ty in audit", "none": "Nothing was found within"}
    assert told[name] in body
    if name == "circle":
        assert "Elements of further components" in body and "<td>the same</td>" in body and "lies in it" in body


def traces(figure: Any) -> Any:
    return figure.data


def test_figures_show_the_numbers(discoveries):
    circle = discoveries["circle"]
    figure: Any = plot.breaking(circle)
    drawn: Any = {t.name: t for t in figure.data}
    assert {"exact", "broken", "noise of the predictors"} <= drawn.keys() and figure.layout.yaxis.type == "log"
    size = np.sqrt(circle.evidence.breaking[1:])
    assert np.allclose(drawn["broken"].y, size, rtol=1e-4) and list(drawn["broken"].x) == [2, 3, 4]
    ends = traces(plot.generators(circle))[-1]
    shafts = [(ends.x[k], ends.y[k], ends.x[k + 1], ends.y[k + 1]) for k in range(0, len(ends.x) - 1, 7)]
    for a, b, c, d in shafts:  # along circles
        assert abs(a * (c - a) + b * (d - b)) < 1e-3
    assert len(traces(plot.generators(discoveries["points"]))) == 3 * 4
    assert np.allclose(np.array(traces(plot.generators(discoveries["space"]))[0].z, dtype=float), discoveries["space"].basis[0], atol=1e-4)
    assert np.allclose(np.array(traces(plot.breaking_by_chart(circle))[0].z, dtype=float), np.sqrt(circle.evidence.by_chart).T, rtol=1e-4)
    assert len(traces(plot.span_angles(circle))[0].x) == 50


def test_mistakes(discoveries, tmp_path):
    wrong: Any = 3
    for call, said in (
        (lambda: plot.breaking_by_chart(discoveries["space"]), "chart"), (lambda: plot.span_angles(discoveries["none"]), "angle"),
        (lambda: plot.breaking(wrong), "found: should be a Discovery or its file"),
        (lambda: plot.generators(tmp_path / "no.nc"), "no.nc"),
        (lambda: write_discovery(tmp_path / "no.nc", tmp_path / "p.html"), "no.nc"),
        (lambda: write_discovery(discoveries["none"], tmp_path), "is a folder"),
    ):  # fmt: skip
        with pytest.raises(OrbitscopeError, match=said):
            call()


def test_from_the_command_line(discoveries, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    discoveries["circle"].save("found.nc")
    assert main(["report", "found.nc", "--out", "page.html", "--title", "What is in here"]) == 0
    assert "<h1>What is in here</h1>" in (tmp_path / "page.html").read_text() and "so(2)" in capsys.readouterr().out
    assert main(["report", "found.nc", "--out", "page.html"]) == 2 and "exists" in capsys.readouterr().err
    assert main(["report", "found.nc", "found.nc", "--out", "other.html"]) == 2 and "a page of its own" in capsys.readouterr().err
    assert load_discovery("found.nc").count == 1 and osc.plot is plot
