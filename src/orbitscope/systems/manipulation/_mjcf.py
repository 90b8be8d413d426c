"""The world as MuJoCo's XML: table, cameras, the floating hand; tasks add fixtures and things."""

import numpy as np

from ._poses import Array

#: Radius and height of the workspace, m, about the middle of the table's top.
WORKSPACE = (0.32, 0.45)
#: Opening of each finger, m from the middle of the hand to its pad: shut and wide.
FINGERS = (0.0, 0.045)
TIMESTEP = 0.002
CAMERAS = 4
_EYE, _LOOK, _FOV = (0.62, 0.55), (0.0, 0.0, 0.06), 48.0

# Friction cones are elliptic: a pyramidal cone has corners along axes that MuJoCo lays by the world's, so that a turned scene moves in
# another way. A high `impratio` keeps what is held from creeping.
_WORLD = """<mujoco model="{name}">
<compiler angle="radian" autolimits="true"/>
<option timestep="{timestep}" cone="{cone}" integrator="implicitfast" impratio="50" iterations="60" tolerance="1e-10" ls_tolerance="1e-4"/>
<statistic extent="1" center="0 0 0.1"/>
<visual>
  <headlight ambient="0.35 0.35 0.35" diffuse="0.25 0.25 0.25" specular="0 0 0"/>
  <quality shadowsize="0" offsamples="0"/><global offwidth="{pixels}" offheight="{pixels}"/><map znear="0.02" zfar="4"/></visual>
<default>
  <geom condim="4" friction="1 0.01 0.0001" solref="0.005 1" solimp="0.98 0.998 0.001"/>
  <default class="pad"><geom friction="1.5 0.02 0.0001" rgba="0.25 0.25 0.28 1"/></default>
  <default class="mark"><geom contype="0" conaffinity="0"/></default>
</default>
<worldbody>
<light pos="0.3 0.2 1.6" dir="-0.15 -0.1 -1" castshadow="false" diffuse="0.4 0.4 0.4" ambient="0 0 0" specular="0 0 0"/>
<body name="scene">
  <geom name="table" type="plane" size="0.45 0.45 0.05" rgba="0.86 0.83 0.78 1"/>
{cameras}
{fixtures}
</body>
<body name="target" mocap="true"/>
<body name="hand" gravcomp="1">
  <freejoint name="hand"/>
  <geom name="palm" type="box" size="0.02 0.055 0.02" pos="0 0 -0.085" mass="0.4" rgba="0.55 0.57 0.6 1"/>
  <geom name="wrist" type="cylinder" size="0.018 0.02" pos="0 0 -0.125" mass="0.2" rgba="0.55 0.57 0.6 1"/>
  <body name="left" gravcomp="1">
    <joint name="left" type="slide" axis="0 1 0" range="{shut} {wide}" damping="2"/>
    <geom name="left" class="pad" type="box" size="0.009 0.006 0.0375" pos="0 0.006 -0.0225" mass="0.05"/>
  </body>
  <body name="right" gravcomp="1">
    <joint name="right" type="slide" axis="0 -1 0" range="{shut} {wide}" damping="2"/>
    <geom name="right" class="pad" type="box" size="0.009 0.006 0.0375" pos="0 -0.006 -0.0225" mass="0.05"/>
  </body>
</body>
{things}
</worldbody>
<contact><exclude body1="hand" body2="left"/><exclude body1="hand" body2="right"/><exclude body1="left" body2="right"/></contact>
<equality>
  <weld body1="target" body2="hand" solref="0.02 1" solimp="0.9 0.95 0.001"/>
  <joint joint1="left" joint2="right" solref="0.005 1" solimp="0.98 0.998 0.001"/>
</equality>
<actuator>
  <position name="left" joint="left" kp="2000" kv="40" ctrlrange="{shut} {wide}" forcerange="-25 25"/>
  <position name="right" joint="right" kp="2000" kv="40" ctrlrange="{shut} {wide}" forcerange="-25 25"/>
</actuator>
</mujoco>
"""


def world(name: str, fixtures: str, things: str, *, cone: str = "elliptic", pixels: int = 512) -> str:
    """The XML of a task's world: `fixtures` stand on the table and move with it, `things` are free."""
    return _WORLD.format(
        name=name, fixtures=fixtures, things=things, cone=cone, cameras=_cameras(), timestep=TIMESTEP, shut=FINGERS[0], wide=FINGERS[1],
        pixels=pixels,
    )  # fmt: skip


def _cameras() -> str:
    """Cameras all around, a quarter turn from one to the next."""
    lines = []
    for k in range(CAMERAS):
        angle = np.pi / 4 + 2 * np.pi * k / CAMERAS
        eye = np.array([_EYE[0] * np.cos(angle), _EYE[0] * np.sin(angle), _EYE[1]])
        right, up = _axes(np.array(_LOOK) - eye)
        words = (" ".join(f"{v:.9f}" for v in vector) for vector in (eye, np.concatenate([right, up])))
        lines.append('  <camera name="camera{}" pos="{}" xyaxes="{}" fovy="{}"/>'.format(k, *words, _FOV))
    return "\n".join(lines)


def _axes(forward: Array) -> tuple[Array, Array]:
    """The right and up directions of a camera that looks forward, upright."""
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.sqrt(right @ right)
    up = np.cross(right, forward)
    return right, up / np.sqrt(up @ up)


def box(
    size: tuple[float, float, float], at: tuple[float, float, float] = (0, 0, 0), colour: str = "0.6 0.6 0.62 1", more: str = ""
) -> str:
    """A box of half lengths `size`, m."""
    return f'<geom type="box" size="{_text(size)}" pos="{_text(at)}" rgba="{colour}" {more}/>'


def rod(radius: float, start: tuple[float, float, float], end: tuple[float, float, float], colour: str, more: str = "") -> str:
    """A capsule from one point to another: pads hold it along a line, at any turn about its axis."""
    return f'<geom type="capsule" size="{radius}" fromto="{_text(start)} {_text(end)}" rgba="{colour}" {more}/>'


def disc(radius: float, half: float, at: tuple[float, float, float], colour: str, more: str = "") -> str:
    """An upright cylinder."""
    return f'<geom type="cylinder" size="{radius} {half}" pos="{_text(at)}" rgba="{colour}" {more}/>'


def free(name: str, geoms: str) -> str:
    """A free thing."""
    return f'<body name="{name}"><freejoint name="{name}"/>{geoms}</body>'


def fixed(name: str, geoms: str) -> str:
    """A fixture, or with joints inside a mechanism."""
    return f'<body name="{name}">{geoms}</body>'


def _text(numbers: tuple[float, ...]) -> str:
    return " ".join(f"{v:.6g}" for v in numbers)
