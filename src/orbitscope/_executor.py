"""The one door to several processes and machines: parts of some work, done by anything of the shape of `concurrent.futures.Executor`."""

import contextlib
import math
import queue
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from typing import Any, TypeVar

from ._cluster import Cluster
from ._errors import OrbitscopeError
from ._expect import shown
from ._part import Hear, do, hearing, packed, payload_of, unpacked
from ._workers import WorkerLost, Workers, cores

P = TypeVar("P")
Q = TypeVar("Q")
R = TypeVar("R")
Where = Executor | int | str | None
"""Where parts are done: an executor, a number of processes of this machine, "dask://host:port"; None: here, one after the other."""
_LOOK = 0.2  # seconds between two looks at what the workers tell
_PER_WORKER = 4  # bundles of parts for each worker, so that all end at about the same time


def executor(where: int | str | None = None) -> Executor:
    """Workers to be used for several calls: `with orbitscope.executor(4) as pool: orbitscope.examine(..., executor=pool)`.

    The argument `executor` of `simulate`, `audit`, `equivariance`, `influence` and `examine` takes what this gives, the same words, and any
    other `concurrent.futures.Executor` (mpi4py.futures, loky) or a `distributed.Client`. Every worker computes with one thread, and the
    results are those of one process with one thread, bit for bit, whatever the number of workers and the order in which they end.

    A local process that is killed is replaced and its part done again, three times at most. Models and functions travel by pickle between
    these processes, as in `concurrent.futures`; values that lie in a file travel as its path and the indices.

    * `where`: a number of processes of this machine; None: one per core; "dask://host:port": the scheduler of a dask cluster.

    Raises `OrbitscopeError` for a number below 1, another kind of address, a scheduler that does not answer, and workers with other
    versions.
    """
    found = _made(cores() if where is None else where)
    if found is None:
        raise OrbitscopeError(f"executor: expected a number of processes or dask://host:port, got {shown(where)}.")
    return found


def _made(where: object) -> Executor | None:
    if isinstance(where, int) and not isinstance(where, bool):
        return Workers(where)
    if isinstance(where, str) or type(where).__module__.partition(".")[0] == "distributed" and hasattr(where, "get_executor"):
        return Cluster(where)
    return None


@contextlib.contextmanager
def opened(where: Where) -> Iterator[Executor]:
    """The executor of `where`; one that was made here is closed at the end, at once where an error or Ctrl-C ends the block."""
    made = _made(where)
    if made is not None:
        with made:
            yield made
    elif isinstance(where, Executor) or callable(getattr(where, "submit", None)):
        yield where  # pyright: ignore[reportReturnType]
    else:
        raise OrbitscopeError(
            f"executor: expected a concurrent.futures.Executor, a number of processes or dask://host:port, got {shown(where)}."
        )


def count_of(pool: Executor) -> int:
    """How many parts an executor works on at a time; the cores of this machine where it does not say."""
    for name in ("count", "_max_workers", "max_workers", "_num_workers"):
        if isinstance(number := getattr(pool, name, None), int) and number > 0:
            return number
    return cores()


def run_parts(
    where: Where,
    parts: Sequence[P],
    work: Callable[[Q, P], R],
    prepare: Callable[..., Q],
    args: tuple[Any, ...] = (),
    *,
    here: Q | None = None,
    name: Callable[[P], str] = str,
    bundle: bool = False,
    finished: Callable[[int, int], object] | None = None,
    hear: Hear | None = None,
) -> Generator[R]:
    """`work(prepared, part)` of every part, in the order of the parts; `prepared` is `prepare(*args)`, made once in every worker.

    Without an executor everything happens here, when its result is asked for, with `here` as what is prepared, if given. With one, some
    parts are under way ahead of the one that is asked for, so that results wait in memory only for as many.

    * `where`: see `Where`.
    * `work`, `prepare`: functions at the top of a module.
    * `name`: of a part, for errors.
    * `bundle`: several parts at a time, where the results are small and the parts many.
    * `finished`: called with (done, total) after every part.
    * `hear`: called with what the parts `tell`.

    Raises the first error of a part, and `OrbitscopeError` that names the part where its worker ended too often.
    """
    if where is None:
        with hearing(hear):
            prepared = prepare(*args) if here is None else here
        for done, part in enumerate(parts, 1):
            with hearing(hear):
                found = work(prepared, part)
            if finished is not None:
                finished(done, len(parts))
            yield found
        return
    run: _Run | None = None
    try:
        with opened(where) as pool:
            run = _Run(pool, parts, payload_of(work, prepare, args), name, bundle, finished, hear)
            yield from run.results()
    finally:
        if run is not None:
            run.listen()  # the last words may come when the workers end


class _Failed:
    """Of some parts, until it is their turn."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class _Run:
    """The parts of one work on one executor."""

    def __init__(
        self, pool: Executor, parts: Sequence[Any], payload: bytes, name: Callable[[Any], str], bundle: bool,
        finished: Callable[[int, int], object] | None, hear: Hear | None,
    ) -> None:  # fmt: skip
        self.pool, self.payload, self.name, self.finished, self.hear = pool, payload, name, finished, hear
        self.key, count = uuid.uuid4().hex, count_of(pool)
        size = max(1, math.ceil(len(parts) / (_PER_WORKER * count))) if bundle else 1
        self.bundles = [parts[i : i + size] for i in range(0, len(parts), size)]
        self.total, self.done, self.ahead = len(parts), 0, 2 * count
        self.pending: dict[Future[bytes], int] = {}
        self.found: dict[int, list[Any] | _Failed] = {}
        self.failed = False
        self.sent = 0
        self.messages: queue.SimpleQueue[tuple[Any, ...]] | None = getattr(pool, "messages", None)
        self.aside: dict[str, list[Any]] = getattr(pool, "aside", {})

    def results(self) -> Generator[Any]:
        try:
            for k in range(len(self.bundles)):
                while k not in self.found:
                    self._send(k + self.ahead)
                    self._wait()
                found = self.found.pop(k)
                if isinstance(found, _Failed):  # in its turn, as it would come here: what stands before it is handed out first
                    raise found.error
                yield from found
        finally:
            for future in self.pending:
                future.cancel()
            self.listen()

    def _send(self, until: int) -> None:
        while self.sent < min(until, len(self.bundles)) and not self.failed:
            parts = packed(list(self.bundles[self.sent]))
            try:
                self.pending[self.pool.submit(do, self.key, self.payload, parts)] = self.sent
            except (BrokenExecutor, RuntimeError) as error:
                self._fail(self.sent, self._lost(self.sent, error))
            self.sent += 1

    def _wait(self) -> None:
        done, _ = wait(self.pending, timeout=_LOOK, return_when=FIRST_COMPLETED)
        self.listen()
        for future in done:
            k = self.pending.pop(future)
            try:
                found = unpacked(self._answer(k, future))
            except Exception as error:
                self._fail(k, error)
                continue
            self.found[k] = found
            self.done += len(found)
            if self.finished is not None:
                self.finished(self.done, self.total)

    def _fail(self, k: int, error: Exception) -> None:
        self.found[k], self.failed = _Failed(error), True

    def _answer(self, k: int, future: Future[bytes]) -> bytes:
        try:
            return future.result()
        except (ImportError, AttributeError) as error:
            raise OrbitscopeError(
                f"executor: its workers cannot import orbitscope ({error}). Install it where they run, in the same version."
            ) from error
        except (BrokenExecutor, CancelledError, WorkerLost, OSError) as error:
            raise self._lost(k, error) from error
        except Exception as error:
            if type(error).__module__.startswith("distributed"):  # KilledWorker, and connections that broke
                raise self._lost(k, error) from error
            raise

    def _lost(self, k: int, error: BaseException) -> OrbitscopeError:
        words = str(error) if isinstance(error, WorkerLost) else f"{type(error).__name__}: {error}".strip().rstrip(":")
        names = [self.name(part) for part in self.bundles[k]]
        which = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        return OrbitscopeError(f"executor: the part {which} has no result. {words}")

    def listen(self) -> None:
        """Hand on what was told; the words on another work that shares the workers wait until it listens."""
        if self.messages is None:
            return
        with contextlib.suppress(queue.Empty):
            while True:
                key, words = self.messages.get_nowait()
                self.aside.setdefault(key, []).append(words)
        for words in self.aside.pop(self.key, []):
            if self.hear is not None:
                self.hear(*words)
