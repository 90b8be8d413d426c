"""Whether a coordinate has one step, and what is wrong with it where it has none."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError


def uniform_step(values: NDArray[Any]) -> float | None:
    """The common difference of a one-dimensional, growing coordinate; None where there is none.

    Steps may differ by 1e-3 of the step and by what the type of the coordinate rounds: a float32 that counts seconds since 1970
    resolves two minutes, so steps of ten minutes are not believed there.

    >>> uniform_step(np.arange(3) * 0.25)
    0.25
    >>> uniform_step(np.array([0, 600, 1800])) is None
    True
    """
    if values.ndim != 1 or len(values) < 2 or values.dtype.kind not in "fiu":
        return None
    exact = values.dtype.kind in "iu"
    digits = 6 if values.dtype == np.float32 else 15  # 0.05 in float32 should not come out as 0.0500000007
    rounding = 0.0 if exact else 4 * float(np.finfo(values.dtype).eps * np.abs(values).max())
    # The first one is subtracted in the type of the file: nanoseconds since 1970 exceed what float64 tells apart.
    since = (values.astype(np.int64) - np.int64(values[0]) if exact else values - values[0]).astype(np.float64)
    step = float(f"{since[-1] / (len(since) - 1):.{digits}g}")
    if not step > 0 or not np.isfinite(step) or rounding > step / 4:
        return None
    return step if np.abs(np.diff(since) - step).max() <= 1e-3 * step + rounding else None


def required_step(values: NDArray[Any], who: str, insist: str, labels: Any = None) -> float:
    """`uniform_step`, or an `OrbitscopeError` that names the first fault: `who` has it, `insist` says what to do.

    `labels(k)` writes the k-th value for people.
    """
    step = uniform_step(values)
    if step is None:
        raise OrbitscopeError(f"{who} {fault(values, labels)}. {insist}")
    return step


def fault(values: NDArray[Any], labels: Any = None) -> str:
    """What is wrong with a coordinate that is not uniform, in words, with the place.

    >>> fault(np.array([0.0, 1.0, 1.0, 2.0]))
    'repeats a value: 1 and 2 (counted from 0) are both 1.0'
    >>> fault(np.array([0, 1, 2, 5, 6]))
    'has a gap: from 2 (2) to 3 (5) the step is 3, elsewhere 1'
    """
    label = labels or (lambda k: str(values[k]))
    if values.ndim != 1:
        return f"should be one-dimensional and has shape {values.shape}"
    if len(values) < 2:
        return "has one value, which gives no step" if len(values) else "has no value"
    if values.dtype.kind not in "fiu":
        return f"holds {values.dtype}, not numbers"
    if not np.isfinite(values).all():
        return f"holds {values[~np.isfinite(values)][0]}"
    steps = np.diff(values.astype(np.int64) if values.dtype.kind in "iu" else values.astype(np.float64)).astype(np.float64)
    usual = float(np.median(steps))
    if (steps == 0).any():
        k = int(np.argmax(steps == 0))
        return f"repeats a value: {k} and {k + 1} (counted from 0) are both {label(k)}"
    if usual > 0 and (steps < 0).any():
        k = int(np.argmax(steps < 0))
        return f"runs backwards: from {k} ({label(k)}) to {k + 1} ({label(k + 1)})"
    if usual < 0:
        return f"falls, from {label(0)} to {label(len(values) - 1)}"
    if values.dtype == np.float32 and 16 * float(np.finfo(np.float32).eps * np.abs(values).max()) > usual:
        return f"is float32, which cannot tell its steps of about {usual:g} apart at {label(len(values) - 1)}"
    odd = np.abs(steps - usual) > 1e-3 * usual
    if odd.mean() < 0.4 and np.abs(steps / usual - np.round(steps / usual)).max() < 0.02:
        k = int(np.argmax(odd))
        more = f", and {int(odd.sum()) - 1} more" if odd.sum() > 1 else ""
        return f"has a gap: from {k} ({label(k)}) to {k + 1} ({label(k + 1)}) the step is {steps[k]:g}, elsewhere {usual:g}{more}"
    return f"is not uniform: its steps go from {steps.min():g} to {steps.max():g}"
