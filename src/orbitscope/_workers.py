"""Processes of this machine, of the shape of `concurrent.futures.Executor`: a killed one takes only its own part with it.

Every worker is a pool of one process. In a pool of several, a process that is killed breaks the pool, and nobody knows which part did it.
"""

import contextlib
import os
import queue
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from ._errors import OrbitscopeError
from ._part import FINE, SAID, begin, do, ready

R = TypeVar("R")
TRIES = 3
_PATIENCE = 5.0  # seconds for a worker to take away what is half-written


class WorkerLost(OrbitscopeError):
    """A worker ended without an answer, as often as it was tried."""


class Workers(Executor):
    """`count` processes, each with one thread, started with the first work and again where one is killed.

    What a killed process was doing is done again, three times at most; then its future raises `WorkerLost`. They do not see Ctrl-C, and
    end with this process however it ends. Left on an error or by Ctrl-C, the block ends them at once.

    * `count`: how many, at least 1.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise OrbitscopeError(f"executor: the number of processes must be at least 1, got {count}.")
        self.count = count
        self.messages: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self.aside: dict[str, list[Any]] = {}
        self._todo: queue.SimpleQueue[tuple[Future[Any], Callable[..., Any], tuple[Any, ...], dict[str, Any]] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._alive: set[_Worker] = set()
        self._ended = False

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        if self._ended:
            raise RuntimeError("executor: it is shut down.")
        future: Future[R] = Future()
        self._todo.put((future, fn, args, kwargs))
        if len(self._threads) < self.count:
            self._threads.append(threading.Thread(target=self._serve, daemon=True, name=f"orbitscope-worker-{len(self._threads)}"))
            self._threads[-1].start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._ended = True
        if cancel_futures:
            self._cancel()
        for _ in self._threads:
            self._todo.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def terminate(self) -> None:
        """End all processes now, whatever they are doing; what they have half-written they take away."""
        self._ended = True
        self._cancel()
        for worker in list(self._alive):
            worker.terminate()
        self.shutdown()

    def __exit__(self, kind: type[BaseException] | None, value: Any, trace: Any) -> None:
        self.shutdown() if kind is None else self.terminate()

    def _cancel(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                item = self._todo.get_nowait()
                if item is not None:
                    item[0].cancel()

    def _serve(self) -> None:
        """One thread for each worker: hands it one piece of work after the other."""
        worker: _Worker | None = None
        while (item := self._todo.get()) is not None:
            future, fn, args, kwargs = item
            if not future.set_running_or_notify_cancel():
                continue
            for tried in range(1, TRIES + 1):
                try:
                    worker = worker or self._started()
                    found = worker.call(fn, args, kwargs)
                except BrokenProcessPool:
                    self._drop(worker)
                    worker = None
                    if tried == TRIES or self._ended:
                        future.set_exception(WorkerLost(f"Its process was killed {tried} times (not enough memory?)."))
                        break
                except BaseException as error:
                    future.set_exception(error)
                    break
                else:
                    future.set_result(found)
                    break
        self._drop(worker)

    def _started(self) -> "_Worker":
        worker = _Worker(self.messages.put, self._alive)
        if self._ended:  # while it started
            worker.terminate()
        return worker

    def _drop(self, worker: "_Worker | None") -> None:
        if worker is not None:
            worker.pool.shutdown()
            worker.listener.join(_PATIENCE)  # the last that it told is heard before it counts as gone
            self._alive.discard(worker)


class _Worker:
    """A pool of one process, and the pipe through which it tells how far it is. A pipe of its own: a process that is killed while it writes
    into a shared queue locks it for all others."""

    def __init__(self, heard: Callable[[tuple[Any, ...]], object], alive: "set[_Worker]") -> None:
        import multiprocessing
        from multiprocessing import resource_tracker

        context = multiprocessing.get_context("spawn")
        resource_tracker.ensure_running()  # which unblocks the signal, so before
        if hasattr(signal, "pthread_sigmask"):  # inherited by the process: Ctrl-C passes it by from its first instruction
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        reader, writer = context.Pipe(duplex=False)
        self.knows, self.processes = "", []
        self.pool = ProcessPoolExecutor(1, mp_context=context, initializer=begin, initargs=(writer,))
        alive.add(self)
        try:
            first = self.pool.submit(ready)
            writer.close()  # the process has its own end: when it is gone, the reader comes to an end
            self.processes = list((getattr(self.pool, "_processes", None) or {}).values())
            first.result()
        except BrokenProcessPool as error:
            alive.discard(self)
            if any((process.exitcode or 0) < 0 for process in self.processes):
                raise  # killed, as later
            raise OrbitscopeError(
                "executor: a worker process cannot start. In a script, what uses workers stands below `if __name__ == '__main__':`, "
                "because every process imports the script; on a terminal, what the process said stands above."
            ) from error
        self.said = threading.Semaphore(0)
        self.listener = threading.Thread(target=_listen, args=(reader, heard, self.said.release), daemon=True, name="orbitscope-listener")
        self.listener.start()

    def call(self, fn: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
        """The answer; what `do` prepares from is sent once."""
        if fn is do:
            key = args[0]
            if key == self.knows:
                args = (key, None, *args[2:])
            answer: Any = self.pool.submit(fn, *args, **kwargs).result()
            self.knows = key if answer.startswith(FINE) else ""
            self.said.acquire(timeout=_PATIENCE)  # what was told of these parts is heard before they count as done
            return answer
        return self.pool.submit(fn, *args, **kwargs).result()

    def terminate(self) -> None:
        """Asked first, so that it takes away what is half-written; then killed."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.join(_PATIENCE)
            if process.is_alive():
                process.kill()


def _listen(reader: Any, heard: Callable[[tuple[Any, ...]], object], said: Callable[[], object]) -> None:
    with contextlib.suppress(EOFError, OSError):
        while True:
            said() if (words := reader.recv()) == SAID else heard(words)


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
