"""A running scene: the world of a task in MuJoCo, the hand's controller, the state of everything."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._errors import OrbitscopeError
from ..._expect import expect_number, shown
from ..._seed import derive
from ...symmetry import Rigid
from ._arm import Arm
from ._mjcf import FINGERS, TIMESTEP, WORKSPACE, world
from ._need import needed
from ._poses import Array, orthonormal, pose, turned
from ._task import Start, Task

#: Control steps per second; bounded speeds of hand (m/s, rad/s) and of each finger (m/s).
RATE, SPEED, TURN, FINGER = 20, 0.4, 2.0, 0.12
_PIECES = 5  # the target moves in so many pieces within a control step
_LEASH = 0.03  # m by which the target may be ahead of the hand: what bounds the forces
_SETTLE = 60  # physics steps before an episode, in which things come to rest


class Scene:
    """A task's world in MuJoCo with its floating hand.

    * `task`: what stands on the table. `cone`: "elliptic", or "pyramidal", whose contacts break the symmetry under turns.
    * `frame`: where the table stands in the world, a turn about the vertical and a shift; by default the identity.
    * `arm`: None, and the hand floats; "jaco": an arm of six joints carries it, by inverse kinematics (see `Arm`).

    An action is seven numbers in [-1, 1]: velocity and turning rate of the hand in the world, each in units of its bound (longer ones are
    shortened to it: a ball, which no turn changes, and no box), and the fingers: open from 0 on, shut below. A control step is 0.05 s.
    """

    def __init__(self, task: Task, *, cone: str = "elliptic", frame: Rigid | None = None, arm: str | None = None) -> None:
        if cone not in ("elliptic", "pyramidal"):
            raise OrbitscopeError(f"Scene: `cone` should be 'elliptic' or 'pyramidal', got {shown(cone)}.")
        self.task, self.mujoco = task, needed("mujoco")
        xml = world(task.name, *task.world(), cone=cone)
        self.arm = None if arm is None else Arm(arm, self.mujoco, xml)
        self.model = self.mujoco.MjModel.from_xml_string(xml) if self.arm is None else self.arm.model
        self.data = self.mujoco.MjData(self.model)
        self._bodies = {name: self._number("BODY", name) for name in ("scene", "hand", *task.fixtures, *task.things)}
        self._free = {name: int(self.model.jnt_qposadr[self._number("JOINT", name)]) for name in ("hand", *task.things)}
        self._fingers = [int(self.model.jnt_qposadr[self._number("JOINT", name)]) for name in ("left", "right")]
        self._motors = [int(self.model.actuator(name).id) for name in ("left", "right")]
        self._speeds = int(self.model.jnt_dofadr[self._number("JOINT", "hand")])
        self.unreached = 0  # control pieces for which the arm stayed, as it could not reach
        self._joints = [int(self.model.jnt_qposadr[self._number("JOINT", name)]) for name in task.joints]
        self._faults = [int(getattr(self.mujoco.mjtWarning, f"mjWARN_BAD{n}")) for n in ("QPOS", "QVEL", "QACC")]
        self.frame = pose(np.zeros(3))
        self.target, self.grip, self.steps = pose(np.zeros(3)), FINGERS[1], 0
        self.open = True
        self.memory = np.zeros(task.memory)
        self.watch: Callable[[Array], object] | None = None  # called with the action after every control step
        self.move(frame or self.frame)

    def _number(self, kind: str, name: str) -> int:
        found = self.mujoco.mj_name2id(self.model, getattr(self.mujoco.mjtObj, f"mjOBJ_{kind}"), name)
        if found < 0:
            raise OrbitscopeError(f"Scene: the world of {self.task.name} has no {kind.lower()} {name!r}. Its `world` should define it.")
        return int(found)

    # --- beginning -----------------------------------------------------------------------------------------------------------------

    def reset(self, seed: int = 0, *, start: Start | None = None) -> None:
        """Begin an episode anew.

        * `seed`: of the layout. `start`: a layout of its own instead.
        """
        expect_number(seed, "reset: `seed`", whole=True)
        if start is None:
            start = self.task.start(np.random.default_rng(derive(seed, f"manipulation {self.task.name}")))
        check_start(self.task, start)
        self.mujoco.mj_resetData(self.model, self.data)
        for name, where in start.bodies.items():
            if name in self._free:
                self._place(name, self.frame @ where)
            else:
                self.model.body_pos[self._bodies[name]], self.model.body_quat[self._bodies[name]] = where.offset, self._quaternion(where)
        hand = self.frame @ start.hand
        self._place("hand", hand)
        self.target, self.open, self.grip, self.steps = hand, start.open, start.opening, 0
        self.memory = np.zeros(self.task.memory)
        for at in self._fingers:
            self.data.qpos[at] = start.opening
        if not start.open:  # what is held is held tight at once
            self.grip = FINGERS[0]
        self.unreached = 0
        if self.arm is not None:
            self.mujoco.mj_kinematics(self.model, self.data)
            self.arm.begin(self.data, hand)
        self._command(self.target)
        self.mujoco.mj_forward(self.model, self.data)
        self.mujoco.mj_step(self.model, self.data, nstep=_SETTLE)
        self.task.remember(self)

    def move(self, frame: Rigid) -> None:
        """Let the table stand elsewhere from the next `reset` on.

        * `frame`: its pose, a turn about the vertical and a shift. Raises `OrbitscopeError` for a tilted one, which gravity would tell.
        """
        if frame.ndim != 3 or abs(frame.matrix[2, 2] - 1) > 1e-9 or frame.determinant != 1:
            raise OrbitscopeError(f"frame: should be a turn about the vertical and a shift of space, got {frame}.")
        self.frame = frame
        number = self._bodies["scene"]
        self.model.body_pos[number], self.model.body_quat[number] = frame.offset, self._quaternion(frame)

    def place(self, bodies: Mapping[str, Rigid], opening: float, joints: Array) -> None:
        """Put everything where it was recorded, without physics.

        * `bodies`: poses in the world of the hand, all fixtures and all things. `opening`: of each finger, m. `joints`: of mechanisms.
        """
        back = self.frame.inverse()
        for name, where in bodies.items():
            if name in self._free:
                self._place(name, where)
            else:
                there, number = back @ where, self._bodies[name]
                self.model.body_pos[number], self.model.body_quat[number] = there.offset, self._quaternion(there)
        self.data.qpos[self._fingers] = opening
        self.data.qpos[self._joints] = joints
        self.mujoco.mj_kinematics(self.model, self.data)
        self.mujoco.mj_camlight(self.model, self.data)

    def throw(self, name: str, velocity: ArrayLike) -> None:
        """Give a free thing a velocity.

        * `name`: of the thing. `velocity`: [3] in the world, m/s.
        """
        if name not in self.task.things:
            raise OrbitscopeError(f"throw: {name!r} is no free thing of {self.task.name}. It has {', '.join(self.task.things) or 'none'}.")
        at = int(self.model.jnt_dofadr[self._number("JOINT", name)])
        self.data.qvel[at : at + 3] = velocity

    def _place(self, name: str, where: Rigid) -> None:
        at = self._free[name]
        self.data.qpos[at : at + 3], self.data.qpos[at + 3 : at + 7] = where.offset, self._quaternion(where)

    def _quaternion(self, where: Rigid) -> Array:
        out = np.empty(4)
        self.mujoco.mju_mat2Quat(out, np.ascontiguousarray(where.matrix).ravel())
        return out

    # --- going on ------------------------------------------------------------------------------------------------------------------

    def act(self, action: ArrayLike) -> None:
        """One control step.

        * `action`: seven numbers, see the class. Raises `OrbitscopeError` for other shapes and what is not finite.
        """
        given = np.asarray(action, dtype=np.float64)
        if given.shape != (7,) or not np.isfinite(given).all():
            raise OrbitscopeError(f"act: `action` should be 7 finite numbers, got {shown(action)}.")
        before, grip = self.target, self.grip
        self.open = bool(given[6] >= 0)
        goal = FINGERS[1] if self.open else FINGERS[0]
        aim = self._bounded(_ball(given[:3]) * (SPEED / RATE), _ball(given[3:6]) * (TURN / RATE))
        self.grip = grip + float(np.clip(goal - grip, -FINGER / RATE, FINGER / RATE))
        each, last = _ball(given[3:6]) * (TURN / RATE / _PIECES), before.matrix
        for k in range(1, _PIECES + 1):
            last = turned(each) @ last
            way = before.offset + (aim.offset - before.offset) * (k / _PIECES)
            self._command(pose(way, last if k < _PIECES else aim.matrix), grip + (self.grip - grip) * k / _PIECES)
            self.mujoco.mj_step(self.model, self.data, nstep=round(1 / (RATE * TIMESTEP * _PIECES)))
        self.target, self.steps = aim, self.steps + 1
        self.task.remember(self)
        if self.watch is not None:
            self.watch(given)

    def _bounded(self, shift: Array, turn: Array) -> Rigid:
        """The next target: within the workspace, and never far ahead of the hand."""
        hand = self.hand
        place = self.frame.inverse().matrix @ (self.target.offset + shift - self.frame.offset)
        reach = float(np.hypot(place[0], place[1]))
        place[:2] *= min(1.0, WORKSPACE[0] / reach) if reach > 0 else 1.0
        place[2] = np.clip(place[2], 0.0, WORKSPACE[1])
        ahead = self.frame.matrix @ place + self.frame.offset - hand.offset
        short = min(1.0, _LEASH / max(float(np.sqrt(ahead @ ahead)), 1e-12))
        return pose(hand.offset + ahead * short, turned(turn) @ self.target.matrix)

    def _command(self, where: Rigid, grip: float | None = None) -> None:
        self.data.mocap_pos[0], self.data.mocap_quat[0] = where.offset, self._quaternion(where)
        self.data.ctrl[self._motors] = self.grip if grip is None else grip
        if self.arm is not None:
            self.unreached += not self.arm.command(self.data, where)

    # --- looking -------------------------------------------------------------------------------------------------------------------

    def pose(self, name: str) -> Rigid:
        """Where a body is in the world.

        * `name`: of a fixture, a thing, "hand" or "scene".
        """
        if name not in self._bodies:
            raise OrbitscopeError(f"pose: the scene of {self.task.name} has no body {name!r}. It has {', '.join(self._bodies)}.")
        number = self._bodies[name]
        return pose(self.data.xpos[number], self.data.xmat[number].reshape(3, 3))

    def on_table(self, name: str) -> Rigid:
        """Where a body is in the frame of the table.

        * `name`: as of `pose`.
        """
        return self.frame.inverse() @ self.pose(name)

    @property
    def hand(self) -> Rigid:
        """Where the hand is."""
        return self.pose("hand")

    @property
    def opening(self) -> float:
        """Mean distance of the pads from the middle of the hand, m."""
        return float(np.mean([self.data.qpos[at] for at in self._fingers]))

    @property
    def joints(self) -> Array:
        """The numbers of the task's mechanisms, m or radians."""
        return np.array([self.data.qpos[at] for at in self._joints])

    @property
    def speed(self) -> tuple[float, float]:
        """Of the hand: m/s and rad/s."""
        v = self.data.qvel[self._speeds : self._speeds + 6]
        return float(np.sqrt(v[:3] @ v[:3])), float(np.sqrt(v[3:] @ v[3:]))

    @property
    def broken(self) -> bool:
        """Whether the simulation left all bounds: numbers that are not finite, which MuJoCo resets and says, or a thing that flew off."""
        if any(self.data.warning[k].number for k in self._faults):
            return True
        return not (np.isfinite(self.data.qpos).all() and np.abs(self.data.qvel).max(initial=0.0) < 1e3)

    def observe(self) -> dict[str, Array]:
        """What a policy may see of the state: positions and the three axes of each pose as vectors of the world, then numbers.

        "hand" [12], "opening" [1] and, where the task has them, "bodies" [bodies, 12], "joints" [joints], "memory".
        """
        found = {"hand": flattened(self.hand), "opening": np.array([self.opening])}
        names = (*self.task.fixtures, *self.task.things)
        if names:
            found["bodies"] = np.stack([flattened(self.pose(name)) for name in names])
        if self.task.joints:
            found["joints"] = self.joints
        if self.task.memory:
            found["memory"] = self.memory.copy()
        return found

    # --- the whole state -----------------------------------------------------------------------------------------------------------

    def get_state(self) -> Array:
        """Everything that the future depends on, as one vector: physics, fixtures, the controller."""
        kind = self.mujoco.mjtState.mjSTATE_INTEGRATION
        physics = np.empty(self.mujoco.mj_stateSize(self.model, kind))
        self.mujoco.mj_getState(self.model, self.data, physics, kind)
        numbers = [self._bodies[n] for n in ("scene", *self.task.fixtures)]
        fixed = [np.concatenate([self.model.body_pos[k], self.model.body_quat[k]]) for k in numbers]
        own = np.array([self.grip, float(self.open), float(self.steps)])
        return np.concatenate([physics, *fixed, flattened(self.target), flattened(self.frame), own, self.memory])

    def set_state(self, state: ArrayLike) -> None:
        """Go back to where `get_state` was called.

        * `state`: its vector. Raises `OrbitscopeError` for another length.
        """
        given, now = np.array(state, dtype=np.float64), self.get_state()
        if given.shape != now.shape or not np.isfinite(given).all():
            raise OrbitscopeError(f"set_state: `state` of {self.task.name} should be {len(now)} finite numbers, got {shown(state)}.")
        kind = self.mujoco.mjtState.mjSTATE_INTEGRATION
        size = self.mujoco.mj_stateSize(self.model, kind)
        at = size
        for name in ("scene", *self.task.fixtures):
            number = self._bodies[name]
            self.model.body_pos[number], self.model.body_quat[number] = given[at : at + 3], given[at + 3 : at + 7]
            at += 7
        self.target, self.frame = (pose(p[:3], p[3:].reshape(3, 3).T) for p in (given[at : at + 12], given[at + 12 : at + 24]))
        self.grip, self.open, self.steps = float(given[at + 24]), bool(given[at + 25]), int(given[at + 26])
        self.memory = given[at + 27 :].copy()
        self.mujoco.mj_setState(self.model, self.data, given[:size], kind)
        for k in self._faults:
            self.data.warning[k].number = 0
        # A forward pass fills in positions of bodies; it must not touch the warm start, from which the solver would go on elsewhere.
        warm = self.data.qacc_warmstart.copy()
        self.mujoco.mj_forward(self.model, self.data)
        self.data.qacc_warmstart[:] = warm


def flattened(where: Rigid) -> Array:
    """A pose as 12 numbers: position, then its x, y and z axis."""
    return np.concatenate([where.offset, where.matrix.T.ravel()])


def unflattened(numbers: ArrayLike) -> Rigid:
    """The pose of 12 numbers: position, then its axes."""
    given = np.asarray(numbers, dtype=np.float64)
    return pose(given[:3], orthonormal(given[3:].reshape(3, 3).T))


def check_start(task: Task, start: Start) -> None:
    """Raise `OrbitscopeError` unless a layout places every body of the task, inside the workspace."""
    wanted = {*task.fixtures, *task.things}
    if set(start.bodies) != wanted:
        raise OrbitscopeError(f"start: {task.name} places {', '.join(sorted(wanted)) or 'nothing'}, got {', '.join(sorted(start.bodies))}.")
    places: Mapping[str, Any] = {**start.bodies, "hand": start.hand}
    for name, where in places.items():
        x, y, z = where.offset
        if np.hypot(x, y) > WORKSPACE[0] or not -0.01 <= z <= WORKSPACE[1]:
            raise OrbitscopeError(
                f"start: {name} of {task.name} is at {np.round(where.offset, 3).tolist()}, outside the workspace (radius {WORKSPACE[0]} m, "
                f"height {WORKSPACE[1]} m). Move it in."
            )


def _ball(vector: Array) -> Array:
    length = float(np.sqrt(vector @ vector))
    return vector / length if length > 1 else vector
