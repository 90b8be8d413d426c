"""Point masses that are driven to targets in the plane or in space: their exact step, reward and symmetries, batched."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ..._expect import expect_number, near
from ...symmetry import FieldAction, Group, Layout, Symmetry, Values, parse_group
from ._planner_actions import DiscActions

_AT_MARGIN = math.sqrt(-2 * math.log(0.1))  # a Gaussian of so many widths is 0.1


@dataclass(frozen=True)
class Balls:
    r"""`count` point masses in `ndim` dimensions, each with a force of its own and a target, without contacts.

    $$v' = v + h\, \frac{f a + w - d\, v}{m + h d}, \qquad p' = p + h v', \qquad
      r = \frac1N \sum_i T(|p_i - t_i|)\, \frac{5 - |a_i|^2}{5}$$

    which is MuJoCo's Euler step with implicit damping, `repeat` times for one action. T is 1 within `radius` of the target and falls as a
    Gaussian to 0.1 at `margin` beyond.

    * `ndim`: 2 or 3. `count`: N. `mass`: m, kg. `damping`: d, N s/m. `force`: f, N, of an action of length 1. `timestep`: h, s. `repeat`:
      steps for one action. `radius`, `margin`: of the reward, m. `arena`: radius in which balls and targets start, m. `wind`: w, a constant
      force on every ball, [ndim], N; it breaks the symmetry.
    * `length`: actions in an episode.

    A state is [p, v, t], each ball after ball, [3 N ndim]; an action [N ndim], cut to length 1 ball by ball. Without wind every rotation
    and reflection about the origin, and every exchange of balls with their targets, is a symmetry.

    >>> balls = Balls(2)
    >>> balls.step(torch.zeros(1, 6), torch.tensor([[1.0, 0.0]]))[0, :2]
    tensor([0.0047, 0.0000])
    """

    ndim: int = 2
    count: int = 1
    mass: float = 1.0
    damping: float = 1.0
    force: float = 4.0
    timestep: float = 0.02
    repeat: int = 2
    radius: float = 0.05
    margin: float = 1.0
    arena: float = 1.0
    wind: tuple[float, ...] = ()
    length: int = 100

    def __post_init__(self) -> None:
        for name in ("ndim", "count", "repeat", "length"):
            expect_number(getattr(self, name), f"Balls: `{name}`", whole=True)
        if self.ndim not in (2, 3) or self.count < 1 or self.repeat < 1 or self.length < 1:
            raise OrbitscopeError(
                f"Balls: `ndim` 2 or 3, `count`, `repeat` and `length` at least 1; got {self.ndim}, {self.count}, "
                f"{self.repeat}, {self.length}."
            )
        if len(self.wind) not in (0, self.ndim):
            raise OrbitscopeError(f"Balls: `wind` should be {self.ndim} numbers or none, got {self.wind}.")

    @property
    def size(self) -> int:
        """Components of an action, N ndim."""
        return self.count * self.ndim

    @property
    def actions(self) -> DiscActions:
        """What actions there are: one vector of length at most 1 for each ball."""
        return DiscActions(1.0, size=self.ndim, count=self.count)

    def step(self, states: Tensor, actions: Tensor) -> Tensor:
        """The next states [rows, 3 N ndim] of `states` [rows, 3 N ndim] after one action each, `actions` [rows, N ndim]."""
        p, v, target = states.split(self.size, -1)
        pull = self.force * self.actions.project(actions)
        if any(self.wind):
            pull = pull + torch.as_tensor(self.wind * self.count, dtype=states.dtype)
        h = self.timestep
        for _ in range(self.repeat):
            v = v + (h / (self.mass + h * self.damping)) * (pull - self.damping * v)
            p = p + h * v
        return torch.cat([p, v, target], -1)

    def reward(self, states: Tensor, actions: Tensor) -> Tensor:
        """The reward [rows], 0 to 1, of `states` [rows, 3 N ndim] that were reached by `actions` [rows, N ndim]."""
        p, _, target = states.split(self.size, -1)
        away = (p - target).unflatten(-1, (self.count, self.ndim)).square().sum(-1).sqrt()
        squares = self.actions.project(actions).unflatten(-1, (self.count, self.ndim)).square().sum(-1)
        beyond = (away - self.radius).clamp_min(0.0) * (_AT_MARGIN / self.margin)
        return (torch.exp(-0.5 * beyond.square()) * (5 - squares)).mean(-1) / 5

    def cost(self, states: Tensor, actions: Tensor) -> Tensor:
        """One minus the reward of `states` reached by `actions`, [rows]: the running cost of a planner."""
        return 1 - self.reward(states, actions)

    def start(self, generator: torch.Generator, rows: int) -> Tensor:
        """`rows` first states, [rows, 3 N ndim], float64: balls at rest and targets, both even in the disc or ball of radius
        `arena`; drawn from `generator`."""
        u = torch.randn(rows, 2, self.count, self.ndim + 2, generator=generator, dtype=torch.float64)
        p = self.arena * (u / u.norm(dim=-1, keepdim=True))[..., : self.ndim]  # a sphere of two dimensions more, seen from above
        return torch.cat([p[:, 0].flatten(1), torch.zeros(rows, self.size, dtype=torch.float64), p[:, 1].flatten(1)], -1)

    def symmetry(self, group: Group | str | None = None) -> Symmetry:
        """States and actions under a `group` of rotations and reflections about the origin; None: D4 in the plane, the cube's in space."""
        group = ("d4" if self.ndim == 2 else "oh") if group is None else group
        group = parse_group(group, ndim=self.ndim) if isinstance(group, str) else group
        fields, force = self.words()
        states, forces = Layout.of(*fields, ndim=self.ndim), Layout.of(force, ndim=self.ndim)
        return Symmetry(group, FieldAction(states, Values()), FieldAction(forces, Values()))

    def words(self) -> tuple[tuple[str, ...], str]:
        """The fields of a state and that of an action, as a `Layout` takes them."""
        vectors = f"vector*{self.count}"
        return tuple(f"{name}:{vectors}:{unit}" for name, unit in _FIELDS), f"force:{vectors}"

    def xml(self) -> str:
        """The same world in MJCF, MuJoCo's format, with targets as mocap bodies."""
        axes = ("1 0 0", "0 1 0", "0 0 1")[: self.ndim]
        balls, motors, targets = [], [], []
        for i in range(self.count):
            joints = "".join(
                f'<joint name="ball{i}_{"xyz"[a]}" type="slide" axis="{axis}" damping="{self.damping}"/>' for a, axis in enumerate(axes)
            )
            colour = _COLOURS[i % len(_COLOURS)]
            balls.append(
                f'<body name="ball{i}">{joints}<geom name="ball{i}" type="sphere" size="0.05" mass="{self.mass}" contype="0" '
                f'conaffinity="0" rgba="{colour} 1"/></body>'
            )
            targets.append(
                f'<body name="target{i}" mocap="true"><geom name="target{i}" type="sphere" size="{self.radius}" contype="0" '
                f'conaffinity="0" rgba="{colour} 0.4"/></body>'
            )
            motors += [f'<motor joint="ball{i}_{"xyz"[a]}" gear="{self.force}" ctrllimited="false"/>' for a in range(self.ndim)]
        return (
            f'<mujoco model="balls"><option timestep="{self.timestep}" gravity="0 0 0" integrator="Euler"/>'
            f'<visual><quality shadowsize="0" offsamples="0"/></visual><worldbody><light pos="0 0 4" castshadow="false"/>'
            f'<camera name="above" pos="0 0 {4 * self.arena}"/>{"".join(balls)}{"".join(targets)}</worldbody>'
            f"<actuator>{''.join(motors)}</actuator></mujoco>"
        )


_FIELDS = (("position", "m"), ("velocity", "m/s"), ("target", "m"))
_COLOURS = ("0.84 0.37 0", "0 0.45 0.7", "0 0.62 0.45", "0.8 0.47 0.65")

BALLS: dict[str, dict[str, Any]] = {
    "ball2d": {"ndim": 2, "count": 1},
    "ball3d": {"ndim": 3, "count": 1},
    "balls2d-2": {"ndim": 2, "count": 2},
    "balls3d-2": {"ndim": 3, "count": 2},
    "balls3d-3": {"ndim": 3, "count": 3},
}
"""Name -> what `Balls` is made of."""


def balls(name: str, **changed: Any) -> Balls:
    """The `Balls` of that `name`, with whatever is `changed`; raises `OrbitscopeError`, with the names that there are, for another."""
    if name not in BALLS:
        raise OrbitscopeError(f"balls: there is no {name!r}.{near(name, BALLS)} Known: {', '.join(BALLS)}.")
    return Balls(**{**BALLS[name], **changed})
