"""Clouds against geometry, graphics against rays."""

import sys

import numpy as np
import pytest

from orbitscope import OrbitscopeError
from orbitscope.systems.manipulation import Cameras, Scene, Start, in_hand_box, task, thinned
from orbitscope.systems.manipulation._poses import about, pose


def lifted() -> Scene:
    """A block that stands a known way off, under a hand that is far up, on a table that stands elsewhere."""
    scene = Scene(task("lift"), frame=pose((0.4, -0.2, 0.3), about(2, 0.8)))
    start = Start(pose((0, 0, 0.4), np.diag([1.0, -1.0, -1.0])), {"block": pose((0.1, 0.05, 0.02), about(2, 0.5))}, 0.045, True)
    scene.reset(start=start)
    return scene


def test_the_table_is_at_0_and_the_block_where_it_stands():
    scene = lifted()
    cloud = Cameras(scene, (96, 96)).cloud().moved(scene.frame.inverse())
    block = (pose((0.1, 0.05, 0.0), about(2, 0.5)).inverse().matrix @ (cloud.points - (0.1, 0.05, 0)).T).T
    over = (np.abs(block[:, :2]) < 0.0205).all(1) & (block[:, 2] > 0.001)
    far = (np.abs(block[:, :2]) > 0.03).any(1) & (cloud.points[:, 2] < 0.2)
    assert np.abs(cloud.points[far, 2]).max() < 1e-9 and far.sum() > 3000
    top = over & (block[:, 2] > 0.0399)
    assert abs(block[top, 2].mean() - 0.04) < 1e-4 and top.sum() > 20 and block[over, 2].max() < 0.0402
    sides = np.abs(block[over & ~top][:, :2]).max(1)
    assert np.abs(sides - 0.02).max() < 2e-4, "every point of the block lies on a face"
    orange = cloud.colours[over]
    assert np.abs(orange - (0.84, 0.37, 0.0)).max() < 0.01


def test_graphics_see_what_rays_see():
    scene = lifted()
    try:
        drawn = Cameras(scene, (48, 64), renderer="gl")
    except OrbitscopeError as error:
        pytest.skip(f"no OpenGL here: {error}")
    cast = Cameras(scene, (48, 64))
    for camera in (0, 2):
        one, other = drawn.depth(camera), cast.depth(camera)
        both = np.isfinite(one) & np.isfinite(other)
        assert both.mean() > 0.4 and (np.isfinite(one) != np.isfinite(other)).mean() < 0.02
        apart = np.abs(one[both] - other[both])
        assert np.median(apart) < 1e-5 and (apart > 0.005).mean() < 0.02, "all but pixels at an edge"
    picture = drawn.colour(0).astype(float)
    block = cast.bodies(0) == scene.mujoco.mj_name2id(scene.model, 1, "block")
    red, _, blue = picture[block].mean(0)
    assert block.sum() > 5 and red > 1.5 * blue, "the block is orange in the drawn picture too"
    drawn.close()


def test_without_graphics_the_error_says_what_to_install(monkeypatch):
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setitem(sys.modules, "mujoco.egl", None)
    with pytest.raises(OrbitscopeError, match="libegl1.*renderer='rays'"):
        Cameras(Scene(task("reach")), renderer="gl")


def test_clouds_move_with_the_scene_and_are_thinned_in_no_order():
    here, there = Scene(task("stack")), Scene(task("stack"), frame=pose((0.1, 0.3, 0.2), about(2, 1.1)))
    here.reset(1)
    there.reset(1)
    depths = [Cameras(s, (32, 32)).depth(1) for s in (here, there)]
    assert np.mean(np.isclose(*depths, rtol=0, atol=1e-5)) > 0.99, "all but pixels at an edge"
    one, other = Cameras(here, (32, 32)).cloud(), Cameras(there, (32, 32)).cloud()
    assert np.abs(one.moved(there.frame).points.mean(0) - other.points.mean(0)).max() < 1e-3
    few, again = thinned(one, here, 0.02), thinned(one.chosen(np.random.default_rng(0).permutation(len(one)) >= 0), here, 0.02)
    mixed = np.random.default_rng(0).permutation(len(one))
    shuffled = thinned(type(one)(one.points[mixed], one.colours[mixed]), here, 0.02)
    assert len(few) < len(one) and np.abs(few.points - shuffled.points).max() < 1e-12 and len(again) == len(few)


def test_the_box_about_the_hand_holds_what_is_held():
    scene = Scene(task("ring"))
    scene.reset(3)
    cameras = Cameras(scene, (64, 64))
    cloud = cameras.cloud()
    inside = in_hand_box(cloud, scene.hand)
    colours = cloud.colours[inside]
    orange = (np.abs(colours - (0.84, 0.37, 0.0)).max(1) < 0.02).sum()
    everywhere = (np.abs(cloud.colours - (0.84, 0.37, 0.0)).max(1) < 0.02).sum()
    assert orange > 20 and orange >= 0.95 * everywhere


def test_wrong_cameras_are_said():
    scene = Scene(task("reach"))
    with pytest.raises(OrbitscopeError, match="'rays' or 'gl', got 'egl'"):
        Cameras(scene, renderer="egl")
    with pytest.raises(OrbitscopeError, match="no camera 4"):
        Cameras(scene, cameras=(0, 4))
    with pytest.raises(OrbitscopeError, match="`size`"):
        Cameras(scene, (0, 4))
    scene.reset(0)
    with pytest.raises(OrbitscopeError, match="at least one number"):
        Cameras(scene, cameras=())
    with pytest.raises(OrbitscopeError, match="no camera sees a point"):
        Cameras(scene).cloud(margin=-1)
