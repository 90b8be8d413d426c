"""The one exception type that a user's mistake raises, and what turns the many of a damaged file into it."""

import contextlib
from collections.abc import Iterator


class OrbitscopeError(ValueError):
    """A mistake in what the caller handed over: the message names the argument, what came, and what to do.

    The command line prints the message without a traceback and exits with code 2.
    """


class LearningError(OrbitscopeError):
    """The learning of a model cannot be measured (no derivative exists, or none reaches the weights), though its answers can."""


@contextlib.contextmanager
def reading(
    path: object, who: str = "path", advice: str = "It is damaged, or not what its name says: copy or make it again."
) -> Iterator[None]:
    """Within the block, whatever a library raises over a file becomes an `OrbitscopeError` that names the file; ours go through.

    `path` is the file, `who` the argument it came in, `advice` what to do. The first error stays as the cause. Not only the types that a
    library documents are caught: readers of bytes that were changed fail in every way there is (index, attribute, recursion, overflow).
    """
    try:
        yield
    except OrbitscopeError:
        raise
    except MemoryError as error:
        raise OrbitscopeError(
            f"{who}: {path} asks for more memory than there is ({error or 'refused by the system'}). Where it is not that large, its "
            "header is damaged; where it is, read it in parts."
        ) from error
    except Exception as error:
        said = " ".join(str(error).split())[:300] or "no more is said"
        raise OrbitscopeError(f"{who}: {path} cannot be read ({type(error).__name__}: {said}). {advice}") from error
