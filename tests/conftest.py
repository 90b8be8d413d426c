"""The order of the tests."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Studies first: all tests of one share a run of a minute, which would be made twice where two workers split the last tests of a file.

    Two workers get half of the list each, and take from one another only at the end.
    """
    items.sort(key=lambda item: "tests/studies/" not in item.nodeid)
