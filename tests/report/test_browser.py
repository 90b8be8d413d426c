"""The page in a real browser without a network: every plot drawn, no script error."""

import os
import re
import shutil
import subprocess

import numpy as np
import pytest

from orbitscope.report import write_report

BROWSER = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium, chromium-browser or google-chrome on PATH, and $CHROMIUM is not set")


def opened(page, profile, width=1280):
    """The DOM after the page's scripts have run, and what the browser logged."""
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update"
    offline = ["--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9", "--disable-sync", f"--user-data-dir={profile}"]
    asked = ["--enable-logging=stderr", "--virtual-time-budget=60000", f"--window-size={width},3000", "--dump-dom", page.as_uri()]
    done = subprocess.run([BROWSER, *flags.split(), *offline, *asked], capture_output=True, text=True, timeout=180, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="module")
def page(case, tmp_path_factory):
    """A whole case and a damaged one."""
    damaged = case("With gaps <img src=x onerror=alert(1)>", swapped=True, groups=("D4", "Tx8"))
    damaged["D4/influence"]["response"][2] = np.nan
    damaged["D4/equivariance"]["commutator"][:] = np.nan
    return write_report([case(groups=("D4", "Tx32", "Ty32")), damaged], tmp_path_factory.mktemp("page") / "r.html")


@pytest.mark.parametrize("width", [1280, 500])
def test_every_plot_is_drawn_without_a_network(page, tmp_path, width):
    plots = page.read_text().count('<div class="plot"')
    dom, log = opened(page, tmp_path / "profile", width)
    assert plots == 12 + 11
    assert 'data-plots="drawn"' in dom
    assert len(re.findall(r'<div class="canvas js-plotly-plot"', dom)) == plots
    assert dom.count('class="main-svg"') >= plots
    assert 'class="script-error"' not in dom and log == []
    outside = re.findall(r'(?:src|href)="(?!#|data:)[^"]*', re.sub(r"<script.*?</script>", "", dom, flags=re.S))
    assert outside == []
