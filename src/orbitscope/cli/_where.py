"""Where a verb's parts are done, from its flags."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor

from .._errors import OrbitscopeError
from .._executor import executor


@contextlib.contextmanager
def at_work(workers: int | None, cluster: str | None) -> Iterator[Executor | None]:
    """The executor that `--workers` or `--cluster` asks for, closed at the end; None, where neither does: this process alone.

    Raises `OrbitscopeError` for both at once, for fewer than one process, and for a cluster that cannot be used.
    """
    if workers is not None and cluster is not None:
        raise OrbitscopeError("--workers: processes of this machine do not go with --cluster. Give one of the two.")
    if workers is not None and workers < 1:
        raise OrbitscopeError(f"--workers: expected at least 1 process, got {workers}.")
    if workers is None and cluster is None:
        yield None
        return
    with executor(workers if cluster is None else cluster) as pool:
        yield pool
