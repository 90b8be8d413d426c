"""What other people's tools read: the mark of a typed package, the pinned versions, names that are on their way out."""

import re
import tomllib

import yaml
from blocks import ROOT

import orbitscope as osc

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _name(requirement: str) -> str:
    """The name of a requirement, as registries compare it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=!~\[ ;]", requirement, maxsplit=1)[0]).lower()


def test_the_package_says_that_it_is_typed():
    """Without this file a type checker reads every name of orbitscope as Any. The wheel takes the whole folder."""
    assert (ROOT / "src" / "orbitscope" / "py.typed").read_text() == ""
    assert "Typing :: Typed" in _PROJECT["classifiers"]


def test_every_dependency_is_pinned_within_its_range():
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split("\n") if line and not line.startswith("#"))
    pins = {_name(name): version for name, version in pins.items()}
    extras = [r for extra in _PROJECT["optional-dependencies"].values() for r in extra]
    for requirement in [*_PROJECT["dependencies"], *extras]:
        name, lowest = requirement.split(">=")
        assert _name(name) in pins, f"{name} has no exact version in constraints.txt"
        assert _numbers(pins[_name(name)]) >= _numbers(lowest), f"{name} is pinned below its range"


def _numbers(version: str) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", version)]


def test_hooks_run_the_tools_of_the_environment():
    """What a commit checks is what `make lint` checks, in the same versions; nothing is fetched."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    assert all(hook["language"] == "system" and hook["entry"].startswith(".venv/bin/") for hook in hooks)
    makefile = (ROOT / "Makefile").read_text()
    lint = re.search(r"^lint: (.*)$", makefile, re.M)
    assert lint
    recipes = [re.search(rf"^{target}:.*\n((?:\t.*\n)+)", makefile, re.M) for target in lint[1].split()]
    assert all(recipes)
    wanted = {re.sub(r"^\t\$\(BIN\)/| --.*| \.$", "", line) for recipe in recipes if recipe for line in recipe[1].splitlines()}
    assert wanted == {re.sub(r"^\.venv/bin/| --.*", "", hook["entry"]) for hook in hooks}


def test_an_old_name_says_when_it_goes_and_is_gone_by_then():
    version = _numbers(osc.__version__)[:2]
    warned = [p for p in sorted((ROOT / "src").rglob("*.py")) if re.search(r"warn\([^)]*DeprecationWarning", p.read_text(), re.S)]
    assert warned, "nothing is deprecated: drop this test's search, or mend its pattern"
    for path in warned:
        goes = re.findall(r"goes (?:in|with)(?: version)? (\d+\.\d+)", path.read_text())
        assert goes, f"{path.name} warns of an old name and does not say with which version it goes (CONTRIBUTING.md, Deprecation)"
        assert all(_numbers(when) > version for when in goes), f"{path.name} keeps an old name beyond {min(goes)}"
