"""What happens inside a worker: a part of some work is done, what it needs is kept for the next part, and its progress is told.

Everything travels as bytes made here, not by the executor: torch would send tensors through shared memory that ends with the worker, and an
error that cannot be rebuilt on the other side would break the pool. Nothing of it is ever a file.
"""

import contextlib
import importlib
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from ._errors import OrbitscopeError
from ._parent import end_with_parent

Hear = Callable[..., object]
FINE, FAILED = b"+", b"-"
SAID = ("", ())  # the last word on some parts

# One part at a time in a process: threads and kernels of torch are switched for all of it.
_ALONE = threading.RLock()
_kept: tuple[str, Any, Any] | None = None
_hear: Hear | None = None
_channel: Any = None
_busy = False


class Ended(BaseException):
    """The worker is told to end while a part is being worked on: what is half-written is taken away first."""


def tell(*words: Any) -> None:
    """How far this part is, in numbers and words: goes to whatever `run_parts` was given as `hear`, in whichever process that is."""
    if _hear is not None:
        _hear(*words)


@contextlib.contextmanager
def hearing(hear: Hear | None) -> Iterator[None]:
    """Within, `tell` calls `hear`; None leaves it as it was."""
    global _hear
    before = _hear

    def heard(*words: Any) -> None:
        """What `hear` tells in turn goes to whoever listened before."""
        global _hear
        mine, _hear = _hear, before
        try:
            assert hear is not None
            hear(*words)
        finally:
            _hear = mine

    _hear = before if hear is None else heard
    try:
        yield
    finally:
        _hear = before


def packed(value: Any) -> bytes:
    """`value` for another process; with cloudpickle, where it is installed, also what a notebook or a script defines."""
    try:
        import cloudpickle as pickler
    except ImportError:
        pickler = pickle
    try:
        return pickler.dumps(value, protocol=5)
    except Exception as error:  # pickling runs code of whatever is pickled
        raise OrbitscopeError(
            f"executor: what a part needs cannot be sent to another process ({type(error).__name__}: {error}). Define classes and "
            "functions at the top of a module that the workers can import, or leave `executor` out."
        ) from error


def payload_of(work: Callable[[Any, Any], Any], prepare: Callable[..., Any], args: tuple[Any, ...]) -> bytes:
    """What a worker needs: where modules are looked for here, and the work."""
    return packed(([folder or os.getcwd() for folder in sys.path], packed((work, prepare, args))))


def do(key: str, payload: bytes | None, parts: bytes, topic: str = "") -> bytes:
    """Some parts of the work `key`, one after the other. `payload` says how to prepare and to work; what was prepared is kept.

    Returns the results behind `FINE`, or the error, for `unpacked`; raises nothing of its own.
    """
    with _ALONE, _one_thread(), hearing(_to_parent(key, topic)):
        try:
            return _results(*_ready(key, payload), parts)
        except Ended:
            os._exit(1)
        except Exception as error:
            return _failure(error)
        finally:
            if _channel is not None:
                _channel.send(SAID)


def _ready(key: str, payload: bytes | None) -> tuple[Callable[[Any, Any], Any], Any]:
    global _kept
    if _kept is None or _kept[0] != key:
        _kept = None  # before the next is made: both may be large
        assert payload is not None
        try:
            path, rest = pickle.loads(payload)
            sys.path += [folder for folder in path if folder not in sys.path]
            work, prepare, args = pickle.loads(rest)
        except (ImportError, AttributeError) as error:
            raise OrbitscopeError(
                f"executor: a worker cannot find what it needs ({error}). What is defined in a notebook or a script travels where "
                "cloudpickle is installed (`pip install 'orbitscope[cluster]'`); else define it in a module that the workers can import."
            ) from error
        _kept = (key, work, prepare(*args))
    return _kept[1], _kept[2]


def _results(work: Callable[[Any, Any], Any], prepared: Any, parts: bytes) -> bytes:
    return FINE + pickle.dumps([work(prepared, part) for part in pickle.loads(parts)], protocol=5)


def _failure(error: Exception) -> bytes:
    """An error as bytes that can be read; where its class cannot be rebuilt, its words remain."""
    error.__traceback__, words = None, "".join(traceback.format_exception(error))
    error.__cause__ = error.__context__ = None
    try:
        found = pickle.dumps((error, words), protocol=5)
        pickle.loads(found)
        return FAILED + found
    except Exception:  # any class may refuse to be pickled or rebuilt, in code of its own; that must not hide what it had to say
        kind = OrbitscopeError if isinstance(error, OrbitscopeError) else RuntimeError
        said = str(error) if kind is OrbitscopeError else f"{type(error).__name__}: {error}"
        return FAILED + pickle.dumps((kind(said), words), protocol=5)


def unpacked(answer: bytes) -> list[Any]:
    """The results in `answer`; the worker's error is raised, with its traceback as a note."""
    found = pickle.loads(memoryview(answer)[1:])
    if answer.startswith(FINE):
        return found
    error, words = found
    error.add_note(f"In a worker:\n{words}")
    raise error


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """One thread for torch, as many workers as cores: at these sizes more gain little, and on a busy machine lose a factor of fifty."""
    global _busy
    torch: Any = None
    if _channel is None or "torch" in sys.modules:  # else this is a worker that has not needed it yet, and was told at its start (`begin`)
        torch = importlib.import_module("torch")
    threads, _busy = torch.get_num_threads() if torch else 1, True
    if threads > 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        _busy = False
        if threads > 1:
            torch.set_num_threads(threads)


def _to_parent(key: str, topic: str) -> Hear | None:
    """Inside a worker: its pipe; of dask, its events on `topic`."""
    if (channel := _channel) is not None:
        return lambda *words: channel.send((key, words))
    if not topic or "distributed" not in sys.modules:
        return None
    from distributed import get_worker

    worker = get_worker()
    return lambda *words: worker.log_event(topic, list(words))


def begin(channel: Any) -> None:
    """First thing in a worker of this machine: it ends with its parent, tells through `channel`, and leaves Ctrl-C to the parent."""
    global _channel
    import warnings

    end_with_parent()
    # torch is slow to import, and not every part needs it; what is imported later reads these.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    warnings.filterwarnings("ignore", category=FutureWarning)  # of other libraries: nobody at a command line can change them
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    _channel = channel


def _end(*_: Any) -> None:
    if not _busy:
        os._exit(1)
    raise Ended


def ready() -> int:
    """The process, once it has begun."""
    return os.getpid()
