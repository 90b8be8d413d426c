"""The page in a real browser without a network: every plot drawn, no script error."""

import os
import re
import shutil
import subprocess

import numpy as np
import pytest

import orbitscope as osc
from orbitscope.report import write_report
from orbitscope.report._plot import DARK, INK

BROWSER = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium, chromium-browser or google-chrome on PATH, and $CHROMIUM is not set")


# Whether any text of a figure reaches out of its picture, once everything is drawn.
CLIPPED = """<script>addEventListener("load", function () { var wait = setInterval(function () {
  if (document.documentElement.dataset.plots !== "drawn") return;
  clearInterval(wait);
  var out = [];
  document.querySelectorAll(".canvas").forEach(function (canvas) {
    var box = canvas.getBoundingClientRect();
    canvas.querySelectorAll("text").forEach(function (text) {
      var t = text.getBoundingClientRect();
      if (t.width && (t.left < box.left - 1 || t.right > box.right + 1 || t.top < box.top - 1 || t.bottom > box.bottom + 1))
        out.push(canvas.closest("figure").id + ": " + text.textContent);
    });
  });
  document.documentElement.dataset.clipped = out.join(" | ") || "none";
}, 200); });</script></body>"""


def rgb(colour):
    """As a browser writes it."""
    return f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})"


def browse(page, profile, *asked):
    """Run the browser without a network."""
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update"
    offline = ["--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9", "--disable-sync", f"--user-data-dir={profile}"]
    asked = ["--enable-logging=stderr", "--virtual-time-budget=60000", *asked, page.as_uri()]
    assert BROWSER is not None
    return subprocess.run([BROWSER, *flags.split(), *offline, *asked], capture_output=True, text=True, timeout=180, check=True)


def opened(page, profile, width=1280, dark=False):
    """The DOM after the page's scripts have run, and what the browser logged."""
    done = browse(page, profile, f"--window-size={width},3000", f"--blink-settings=preferredColorScheme={1 - dark}", "--dump-dom")
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="module")
def page(case, tmp_path_factory):
    """A whole case and a damaged one."""
    damaged = case("With gaps <img src=x onerror=alert(1)>", swapped=True, groups=("D4", "Tx8"))
    damaged["D4/influence"]["response"][2] = np.nan
    damaged["D4/equivariance"]["commutator"][:] = np.nan
    out = write_report([case(groups=("D4", "Tx32", "Ty32")), damaged], tmp_path_factory.mktemp("page") / "r.html")
    out.write_text(out.read_text().replace("</body>", CLIPPED))
    return out


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (500, True)])
def test_every_plot_is_drawn_without_a_network(page, tmp_path, width, dark):
    plots = page.read_text().count('<div class="plot"')
    dom, log = opened(page, tmp_path / "profile", width, dark)
    assert 'data-clipped="none"' in dom, re.findall('data-clipped="[^"]*"', dom)
    drawn = re.sub(r"<script.*?</script>", "", dom, flags=re.S)
    assert (f"fill: {rgb(DARK[INK])}" in drawn) == dark and (f"fill: {rgb(INK)}" in drawn) != dark
    assert plots == 12 + 11
    assert 'data-plots="drawn"' in dom
    assert len(re.findall(r'<div class="canvas js-plotly-plot"', dom)) == plots
    assert dom.count('class="main-svg"') >= plots
    assert 'class="script-error"' not in dom and log == []
    outside = re.findall(r'(?:src|href)="(?!#|data:)[^"]*', re.sub(r"<script.*?</script>", "", dom, flags=re.S))
    assert outside == []


def test_five_cases_print_on_fewer_than_ten_pages(case, tmp_path):
    parts = ("audit", "equivariance", "influence", "verdict")
    trees = [case(f"Case {k}", model=f"model {k}", equation=("navier-stokes", "euler")[k % 2], parts=parts, seed=k) for k in range(4)]
    trees.append(case("Components swapped", swapped=True, groups=("D4",), parts=parts))
    page = write_report(trees, tmp_path / "r.html")
    browse(page, tmp_path / "profile", "--no-pdf-header-footer", f"--print-to-pdf={tmp_path / 'r.pdf'}")
    pages = len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "r.pdf").read_bytes()))
    assert 3 <= pages < 10
    card = osc.card(trees[0]).save(tmp_path / "card.html")
    browse(card, tmp_path / "profile", "--no-pdf-header-footer", f"--print-to-pdf={tmp_path / 'card.pdf'}")
    assert len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "card.pdf").read_bytes())) == 1
