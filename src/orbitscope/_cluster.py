"""A cluster of dask as an executor: `dask://host:port` is the address of its scheduler."""

import queue
import re
import warnings
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

from ._errors import OrbitscopeError
from ._part import do
from ._version import __version__

R = TypeVar("R")
_WAIT = 10  # seconds for an answer of the scheduler
_LARGE = "1GiB"  # dask warns from 10 MB on: a model may be that large


class Cluster(Executor):
    """The workers of a dask scheduler, by its address, or of a `distributed.Client` that is already there (which stays open).

    A part whose worker is killed goes to another one, as often as dask allows (its setting `distributed.scheduler.allowed-failures`).

    Raises `OrbitscopeError` where dask is not installed, nobody answers, no worker is there, or a worker has other versions.

    * `where`: "dask://host:port" or a `distributed.Client`.
    """

    def __init__(self, where: Any) -> None:
        try:
            import dask.config
            import distributed
        except ImportError as error:
            raise OrbitscopeError(
                f"cluster: dask.distributed is not installed ({error.name or error}). pip install 'orbitscope[cluster]' brings it."
            ) from error
        dask.config.set({"distributed.admin.large-graph-warning-threshold": _LARGE})
        self._own = isinstance(where, str)
        self.client: Any = _client(distributed, where) if isinstance(where, str) else where
        self.messages: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self.aside: dict[str, list[Any]] = {}
        self._topics: set[str] = set()
        try:
            _check_versions(self.client)
            self._pool: Any = self.client.get_executor(pure=False)
            self.count = max(1, sum(self.client.nthreads().values()))
        except BaseException:
            self._close()
            raise

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        if fn is do:
            key: Any = args[0]
            topic = f"orbitscope-{key}"
            if topic not in self._topics:
                self._topics.add(topic)
                self.client.subscribe_topic(topic, lambda event: self.messages.put((key, event[1])))
            args = (*args, topic)
        return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._pool.shutdown(wait=wait and not cancel_futures)  # dask's cancels what it does not wait for
        self._close()

    def _close(self) -> None:
        for topic in self._topics:
            self.client.unsubscribe_topic(topic)
        self._topics.clear()
        if self._own:
            self.client.close()

    def __exit__(self, kind: type[BaseException] | None, value: Any, trace: Any) -> None:
        self.shutdown(wait=kind is None, cancel_futures=True)


def _client(distributed: Any, address: str) -> Any:
    found = re.fullmatch(r"dask://([\w.\-]+|\[[0-9a-fA-F:]+\]):(\d{1,5})/?", address.strip())
    if found is None:
        raise OrbitscopeError(f"cluster: expected dask://host:port, the address of a dask scheduler, got {address!r}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other versions are looked at here, and are an error
            return distributed.Client(f"tcp://{found[1]}:{found[2]}", timeout=_WAIT, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise OrbitscopeError(
            f"cluster: no dask scheduler answers at {found[1]}:{found[2]} within {_WAIT} s ({type(error).__name__}). Start one "
            "(`dask scheduler`), give the port that it prints, and look whether a firewall lies between."
        ) from error


def about() -> dict[str, str]:
    """The versions on which results depend, in this process."""
    import platform

    import numpy
    import torch

    return {
        "python": ".".join(platform.python_version_tuple()[:2]), "orbitscope": __version__, "torch": torch.__version__,
        "numpy": numpy.__version__,
    }  # fmt: skip


def _check_versions(client: Any) -> None:
    if not client.nthreads() and not _comes(client):
        raise OrbitscopeError(f"cluster: the scheduler at {client.scheduler.address} has no worker. Start some: `dask worker ADDRESS`.")
    try:
        found = client.run(about)
    except Exception as error:  # a worker's import errors, and what other versions of dask or Python make of the call
        raise OrbitscopeError(
            f"cluster: a worker cannot work for orbitscope ({type(error).__name__}: {error}). Install the same orbitscope and the same "
            "versions of its dependencies where the workers run."
        ) from error
    here = about()
    for worker, there in found.items():
        if wrong := [f"{name} {there.get(name)} there, {version} here" for name, version in here.items() if there.get(name) != version]:
            raise OrbitscopeError(f"cluster: the worker {worker} has other versions ({'; '.join(wrong)}), so its results could differ.")


def _comes(client: Any) -> bool:
    """Whether a worker comes soon: one that was started together with the command needs some seconds."""
    try:
        client.wait_for_workers(1, timeout=_WAIT)
    except TimeoutError:
        return False
    return True
