"""An audit whose residuals were measured elsewhere: in a simulator, which has no file to be compared with."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from ..._errors import OrbitscopeError
from ._decide import CONSISTENT, UNDETERMINED
from ._words import HOLDS, NEARLY, NOT, PHYSICS_ONLY, UNTESTED

_WORDS = ("exact", "approximate", "not a symmetry")


def with_measured(
    checked: xr.Dataset, words: Mapping[str, str], residuals: Mapping[str, float], *, law: str, explanation: str
) -> xr.Dataset:
    """An `audit` of examples without a law, decided by what was measured of the world that they come from.

    * `checked`: of `audit`, whose test of the distribution is kept. `words`: for each element "exact", "approximate" or "not a symmetry";
      one that is not named stays undetermined. `residuals`: how large the difference is, over that of unrelated ones, 0 to about 1.
    * `law`: what was measured, in a few words. `explanation`: what was found, in a sentence.

    Raises `OrbitscopeError` for another word.
    """
    if other := sorted({w for w in words.values() if w not in _WORDS}):
        raise OrbitscopeError(f"with_measured: `words` should be {', '.join(_WORDS)}, got {other[0]!r}.")
    alpha, said, sizes = float(checked.attrs["alpha"]), [], []
    for g, p in zip(checked["element"].values.tolist(), checked["p_value"].values, strict=True):
        exact = UNTESTED if np.isnan(p) else PHYSICS_ONLY if p < alpha else HOLDS
        said.append({"exact": exact, "approximate": NEARLY, "not a symmetry": NOT}.get(words.get(g, ""), UNDETERMINED))
        sizes.append(residuals.get(g, float("nan")))
    about = {"long_name": f"{law}: difference over that of unrelated ones", "units": "1"}
    return checked.assign(
        residual=("element", sizes, about), residual_floor=((), 0.0, about), verdict=("element", said)
    ).assign_attrs(verdict=CONSISTENT, explanation=explanation, law=law)  # fmt: skip
