"""A scenario and its equation with other parameters than the defaults."""

import math
from collections.abc import Mapping
from typing import Any

from .._errors import OrbitscopeError
from ._equation import Equation
from ._simulate import Scenario, scenario


def planned(name: str, initial: Mapping[str, Any], law: Mapping[str, Any]) -> tuple[Scenario, Equation]:
    """A scenario with other parameters of its initial states, and its equation with other parameters.

    The values are brought to the kind of the defaults (1 where a float belongs becomes 1.0), so that the same words always make the same
    provenance. Raises `OrbitscopeError` that names the flag and the known parameters.

    * `name`: of the scenario.
    * `initial`: parameters of its initial states.
    * `law`: parameters of its equation.
    """
    plan = scenario(name)
    initial = fitted(initial, plan.initial_parameters, "--initial", f"the initial states of {plan.name}")
    if initial:
        plan = scenario(name, **initial)
    known = plan.equation().parameters
    return plan, plan.equation(**fitted(law, known, "--equation", f"the equation of {plan.name}"))


def fitted(given: Mapping[str, Any], known: Mapping[str, Any], flag: str, owner: str) -> dict[str, Any]:
    """The given values as the kinds of the known ones; an unknown name or another kind raises.

    * `given`: name -> value.
    * `known`: name -> default.
    * `flag`: the argument that they came in, for the error's text.
    * `owner`: whose parameters they are, for the error's text.
    """
    if unknown := sorted(set(given) - set(known)):
        listed = ", ".join(f"{k}={v}" for k, v in known.items()) or "none"
        raise OrbitscopeError(f"{flag}: {', '.join(unknown)} is no parameter of {owner}. Known, with the defaults: {listed}.")
    return {name: _fit(value, known[name], f"{flag} {name}") for name, value in given.items()}


def _fit(value: Any, like: Any, what: str) -> Any:
    """`value` as the kind of `like`."""
    if (isinstance(value, float) and not math.isfinite(value)) or (isinstance(value, int) and abs(value) >= 2**63):
        raise OrbitscopeError(f"{what}: expected a finite number (default {like}), got {str(value)[:24]}.")
    if isinstance(like, bool) or like is None or value is None:
        good, made = like is None or value is None or isinstance(value, bool), value
    elif isinstance(like, float):
        good = isinstance(value, int | float) and not isinstance(value, bool)
        made = float(value) if good else value
    elif isinstance(like, int):
        good = isinstance(value, int | float) and not isinstance(value, bool) and int(value) == value
        made = int(value) if good else value
    elif isinstance(like, tuple | list):
        parts = tuple(value) if isinstance(value, tuple | list) else (value,)
        good, made = True, tuple(_fit(v, like[0] if like else None, what) for v in parts)
    else:
        good, made = isinstance(value, type(like)), value
    if not good:
        kind = {bool: "true or false", float: "a number", int: "a whole number", str: "a word"}.get(type(like), type(like).__name__)
        raise OrbitscopeError(f"{what}: expected {kind} (default {like}), got {value!r}.")
    return made
