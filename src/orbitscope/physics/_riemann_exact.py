"""The exact solution of the Riemann problem of an ideal gas in one dimension: the judge of the Euler solver's tests."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError


@dataclass(frozen=True)
class GasState:
    """Density, velocity and pressure on one side of a membrane."""

    density: float
    velocity: float
    pressure: float

    def sound(self, gamma: float) -> float:
        """Speed of sound, sqrt(gamma p / rho)."""
        return math.sqrt(gamma * self.pressure / self.density)


def star_region(left: GasState, right: GasState, gamma: float = 1.4) -> tuple[float, float]:
    """Pressure and velocity between the two outer waves, by Newton's method on the pressure to rounding.

    Raises `OrbitscopeError` for states that are not physical and for states so fast apart that vacuum opens between them.
    Source: Toro, "Riemann Solvers and Numerical Methods for Fluid Dynamics", section 4.2 and 4.3.
    """
    for side, state in (("left", left), ("right", right)):
        if not (state.density > 0 and state.pressure > 0):
            raise OrbitscopeError(f"star_region: `{side}` should have positive density and pressure, got {state}.")
    jump = right.velocity - left.velocity
    if 2 / (gamma - 1) * (left.sound(gamma) + right.sound(gamma)) <= jump:
        raise OrbitscopeError(f"star_region: {left} and {right} part so fast that vacuum opens between them; that is not solved here.")
    # Two rarefactions give a closed form, which is a bound from one side for every case and exact for that one.
    z = (gamma - 1) / (2 * gamma)
    above = left.sound(gamma) + right.sound(gamma) - 0.5 * (gamma - 1) * jump
    pressure = (above / (left.sound(gamma) / left.pressure**z + right.sound(gamma) / right.pressure**z)) ** (1 / z)
    for _ in range(100):
        (fl, dl), (fr, dr) = _side(pressure, left, gamma), _side(pressure, right, gamma)
        new = max(pressure - (fl + fr + jump) / (dl + dr), 1e-3 * pressure)
        done = abs(new - pressure) <= 1e-15 * pressure
        pressure = new
        if done:
            break
    return pressure, 0.5 * (left.velocity + right.velocity + _side(pressure, right, gamma)[0] - _side(pressure, left, gamma)[0])


def _side(p: float, state: GasState, gamma: float) -> tuple[float, float]:
    """Change of velocity across the wave that takes `state` to pressure p, and its derivative by p."""
    if p > state.pressure:  # shock
        a, b = 2 / ((gamma + 1) * state.density), (gamma - 1) / (gamma + 1) * state.pressure
        root = math.sqrt(a / (p + b))
        return (p - state.pressure) * root, root * (1 - (p - state.pressure) / (2 * (p + b)))
    ratio = p / state.pressure
    speed = state.sound(gamma)
    change = 2 * speed / (gamma - 1) * (ratio ** ((gamma - 1) / (2 * gamma)) - 1)
    return change, ratio ** (-(gamma + 1) / (2 * gamma)) / (state.density * speed)


def riemann_exact(left: GasState, right: GasState, speed: NDArray[Any], gamma: float = 1.4) -> NDArray[Any]:
    """(density, velocity, pressure) [3, ...] on the rays x / t = `speed`, membrane at x = 0.

    Source: Toro, section 4.5. Errors as `star_region`.
    """
    pressure, velocity = star_region(left, right, gamma)
    xi = np.asarray(speed, dtype=float)
    # The right side is the mirror image of the left one.
    mirror = GasState(right.density, -right.velocity, right.pressure)
    on_left, on_right = _fan(left, pressure, velocity, xi, gamma), _fan(mirror, pressure, -velocity, -xi, gamma)
    on_right[1] = -on_right[1]
    return np.where(xi <= velocity, on_left, on_right)


def _fan(state: GasState, pressure: float, velocity: float, xi: NDArray[Any], gamma: float) -> NDArray[Any]:
    """Left of the contact: the undisturbed state, the wave, the star region."""
    r, u, p, a = state.density, state.velocity, state.pressure, state.sound(gamma)
    ratio, g = pressure / p, (gamma - 1) / (gamma + 1)
    before = np.stack([np.full_like(xi, v) for v in (r, u, p)])
    if pressure > p:
        star = (r * (ratio + g) / (g * ratio + 1), velocity, pressure)
        shock = u - a * math.sqrt((gamma + 1) / (2 * gamma) * ratio + (gamma - 1) / (2 * gamma))
        return np.where(xi < shock, before, np.stack([np.full_like(xi, v) for v in star]))
    star = (r * ratio ** (1 / gamma), velocity, pressure)
    head, tail = u - a, velocity - a * ratio ** ((gamma - 1) / (2 * gamma))
    sound = np.maximum(2 / (gamma + 1) * a + g * (u - xi), 0.0)  # within the fan; not used outside it
    fan = np.stack(
        [
            r * (sound / a) ** (2 / (gamma - 1)),
            2 / (gamma + 1) * (a + 0.5 * (gamma - 1) * u + xi),
            p * (sound / a) ** (2 * gamma / (gamma - 1)),
        ]
    )
    return np.where(xi < head, before, np.where(xi < tail, fan, np.stack([np.full_like(xi, v) for v in star])))
