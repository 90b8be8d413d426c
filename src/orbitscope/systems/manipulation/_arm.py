"""An arm that carries the hand: a model and inverse kinematics of dm_control, joints driven to where the hand shall be."""

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..._errors import OrbitscopeError
from ..._expect import shown
from ...symmetry import Rigid
from ._need import needed
from ._poses import Array, pose

ARMS = ("jaco",)
HIDDEN = 4  # group of the arm's shapes, which no camera sees
_BASE = (-0.45, 0.0, 0.0)  # m: where the arm stands, in the frame of the table
_WRIST = (0.0, 0.0, -0.15)  # m: where the hand is fixed to the arm, in the frame of the hand
_JOINTS = tuple(f"joint_{k}" for k in range(1, 7))
_GAIN, _DAMPING = 2e4, 600.0  # N m / rad and N m s / rad: as stiff as the pull on a hand without an arm
_TRIES, _CLOSE, _FEW = 40, 1e-7, 15


class Arm:
    """The arm of Kinova (Jaco, six joints) that comes with dm_control, with the hand of the table top at its wrist.

    * `name`: "jaco". `mujoco`: the module. `xml`: of the world that it is added to; it stands beside the table and moves with it.

    Its links touch nothing and no camera sees them, as if they had been cut from the pictures; limits of joints 2 and 3 are kept, those of
    speed and torque of the real arm are not. Source: dm_control (Apache 2.0), its model and `qpos_from_site_pose`.

    Raises `OrbitscopeError` for another name.
    """

    model: Any
    """The world with the arm, as a model of MuJoCo."""

    def __init__(self, name: str, mujoco: Any, xml: str) -> None:
        if name not in ARMS:
            raise OrbitscopeError(f"Scene: `arm` should be one of {', '.join(ARMS)}, or None, got {shown(name)}.")
        needed("dm_control")
        with warnings.catch_warnings():  # a machine without a display is none of our concern
            warnings.simplefilter("ignore")
            from dm_control.entities.manipulators.kinova import assets_path
            from dm_control.mujoco import Physics
            from dm_control.mujoco.wrapper import MjModel
            from dm_control.utils.inverse_kinematics import qpos_from_site_pose
        self._mujoco, self._inverse = mujoco, qpos_from_site_pose
        self.model = _joined(mujoco, xml, Path(assets_path.KINOVA_ROOT) / "jaco_arm.xml")
        self._names = [f"arm-{n}" for n in _JOINTS]
        joints = [self.model.joint(n) for n in self._names]
        self._at = np.array([int(j.qposadr[0]) for j in joints])
        self._ctrl = np.array([int(self.model.actuator(n).id) for n in self._names])
        self._limits = np.array([j.range if j.limited[0] else (-np.inf, np.inf) for j in joints])
        self._physics = Physics.from_model(MjModel(self.model))

    def joints(self, hand: Rigid, near: Array, steps: int = 60) -> Array | None:
        """Angles of the joints [6] that bring the hand to a pose, found from angles `near` [6] by; None where it is out of reach.

        * `hand`: in the world. `steps`: of the search, at most.
        """
        where = hand @ pose(_WRIST)
        turn = np.empty(4)
        self._mujoco.mju_mat2Quat(turn, np.ascontiguousarray(where.matrix).ravel())
        self._physics.data.qpos[self._at] = near
        absl = logging.getLogger("absl")
        before = absl.level
        absl.setLevel(logging.ERROR)  # it tells of every search that ends elsewhere
        try:
            found = self._inverse(
                self._physics, "arm-wristsite", where.offset, turn, joint_names=self._names, tol=_CLOSE, max_steps=steps, inplace=True
            )
        finally:
            absl.setLevel(before)
        angles = np.array(self._physics.data.qpos[self._at])
        inside = (angles >= self._limits[:, 0]).all() and (angles <= self._limits[:, 1]).all()
        return angles if found.success and inside else None

    def begin(self, data: Any, hand: Rigid) -> None:
        """Put the arm where it carries the hand, elbow up if it can; raises `OrbitscopeError` where it cannot.

        * `data`: of MuJoCo, in which joints and their targets are set. `hand`: in the world.
        """
        rng, found = np.random.default_rng(0), []
        for _ in range(_TRIES):
            start = np.concatenate([rng.uniform(-1, 1, 1), rng.uniform(1.8, 2.8, 1), rng.uniform(3.6, 5.4, 1), rng.uniform(-3, 3, 3)])
            angles = self.joints(hand, start)
            if angles is not None:
                found.append(angles)
            if len(found) == 4:
                break
        if not found:
            raise OrbitscopeError(f"reset: the hand at {np.round(hand.offset, 3).tolist()} is out of the arm's reach. Take another layout.")
        # The joint in the middle of the wrist stretched out is a singular pose: furthest from it, motions stay small.
        best = max(found, key=lambda a: float(np.abs(np.sin(a[4]))))
        data.qpos[self._at], data.ctrl[self._ctrl] = best, best

    def command(self, data: Any, hand: Rigid) -> bool:
        """Send the joints toward a pose of the hand; False, and they stay, where it is out of reach.

        * `data`: of MuJoCo, whose targets of joints are read and set. `hand`: in the world.
        """
        angles = self.joints(hand, np.array(data.ctrl[self._ctrl]), _FEW)
        if angles is None or np.abs(angles - data.ctrl[self._ctrl]).max() > 0.5:  # a jump to another branch
            return False
        data.ctrl[self._ctrl] = angles
        return True


def _joined(mujoco: Any, xml: str, path: Path) -> Any:
    """The world with the arm at its table, motors at its joints, and the hand at its wrist in place of the pull on it."""
    spec, arm = mujoco.MjSpec.from_string(xml), mujoco.MjSpec.from_file(str(path))
    for shape in arm.geoms:
        shape.contype, shape.conaffinity, shape.group = 0, 0, HIDDEN
    for body in arm.bodies[1:]:
        body.gravcomp = 1.0
    spec.attach(arm, frame=spec.body("scene").add_frame(pos=_BASE), prefix="arm-")
    for name in _JOINTS:
        motor = spec.add_actuator(name=f"arm-{name}", target=f"arm-{name}", trntype=mujoco.mjtTrn.mjTRN_JOINT)
        motor.set_to_position(kp=_GAIN, kv=_DAMPING)
    spec.body("hand").add_site(name="wrist", pos=_WRIST)
    for weld in list(spec.equalities):
        if weld.type == mujoco.mjtEq.mjEQ_WELD:
            spec.delete(weld)
    fixed = spec.add_equality(
        name="wrist", type=mujoco.mjtEq.mjEQ_WELD, objtype=mujoco.mjtObj.mjOBJ_SITE, name1="arm-wristsite", name2="wrist"
    )
    fixed.solref, fixed.solimp = [0.005, 1.0], [0.98, 0.998, 0.001, 0.5, 2.0]
    return spec.compile()
