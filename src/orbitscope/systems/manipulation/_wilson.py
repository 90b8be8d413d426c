"""The interval of a rate of success."""

from math import sqrt

from ..._errors import OrbitscopeError

_Z = 1.959963984540054  # of a normal distribution, 95 of 100


def wilson(successes: int, trials: int) -> tuple[float, float]:
    r"""The 95 % interval of Wilson for a rate: $(\hat p + z^2/2n \pm z \sqrt{\hat p (1 - \hat p)/n + z^2/4n^2}) / (1 + z^2/n)$.

    * `successes`: how many of the trials succeeded. `trials`: n, at least 1.

    Raises `OrbitscopeError` unless 0 <= successes <= trials. Source: Wilson, J. American Statistical Association 22 (1927) 209.

    >>> [round(v, 3) for v in wilson(40, 40)]
    [0.912, 1.0]
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise OrbitscopeError(f"wilson: needs 0 <= successes <= trials, trials at least 1, got {successes} of {trials}.")
    p, z = successes / trials, _Z**2 / trials
    half = _Z * sqrt(p * (1 - p) / trials + z / (4 * trials))
    return max(0.0, (p + z / 2 - half) / (1 + z)), min(1.0, (p + z / 2 + half) / (1 + z))
