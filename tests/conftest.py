"""The order of the tests, and types that are checked while they run."""

import importlib
import warnings

import hypothesis
import pytest

ROOMS = ("symmetry", "nn", "data", "training", "probe")
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--check-types", action="store_true", help="every call is compared with its annotations and shapes; three times as slow"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--check-types", False):
        claw, roar = importlib.import_module("beartype.claw"), importlib.import_module("beartype.roar")
        settings = importlib.import_module("beartype").BeartypeConf(violation_type=TypeError, claw_is_pep526=False, is_pep484_tower=True)
        # Old aliases of types, and an optional type variable, which beartype 0.23 cannot check: such functions are left alone.
        for kind in ("BeartypeDecorHintPep613DeprecationWarning", "BeartypeClawDecorWarning"):
            config.addinivalue_line("filterwarnings", f"ignore::beartype.roar.{kind}")
            warnings.simplefilter("ignore", getattr(roar, kind))
        # It looks at one item of a long list, drawn by `random`, which hypothesis notices.
        config.addinivalue_line("filterwarnings", "ignore:Do not use the `random` module")
        claw.beartype_packages([f"orbitscope.{room}" for room in ROOMS], conf=settings)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Studies first: all tests of one share a run of a minute, which would be made twice where two workers split the last tests of a file.

    Two workers get half of the list each, and take from one another only at the end. What gives wrong types on purpose is left out where
    types are checked: the check would be faster than our own words.
    """
    if items and items[0].config.getoption("--check-types", False):
        items[:] = [item for item in items if item.get_closest_marker("wrong_types") is None]
    items.sort(key=lambda item: "tests/studies/" not in item.nodeid)
