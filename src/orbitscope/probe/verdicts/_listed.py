"""Names of elements as a person would list them."""

from collections.abc import Sequence

import numpy as np


def listed(names: Sequence[str], limit: int = 8) -> str:
    """Names in braces; long lists of shifts in short, with their common step if they have one.

    >>> listed(["e", "r2"]), listed([str(k) for k in range(0, 64, 4)])
    ('{e, r2}', '{0, 4, 8, ..., 60}')
    """
    if len(names) <= limit:
        return "{" + ", ".join(names) + "}"
    if all(n.isdigit() for n in names):
        steps = np.unique(np.diff([int(n) for n in names]))
        if len(steps) == 1:
            return "{" + ", ".join([*names[:3], "...", names[-1]]) + "}"
    return f"{len(names)} elements ({', '.join(names[:4])}, ...)"
