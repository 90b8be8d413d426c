"""Which steps of an episode are keyframes, by the published rule, and what is learnt from them."""

import numpy as np
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ._drive import gap
from ._episode import Episode
from ._scene import unflattened

_STILL = (0.02, 0.1)  # m/s and rad/s below which the hand stands
_PAUSE = 4  # frames after a stop in which there is no other


def keyframes(episode: Episode, *, merge: bool = True) -> NDArray[np.int64]:
    """The steps of an episode that are keyframes: the fingers are told something else, the hand stops, or the episode ends.

    * `episode`: a recording. `merge`: of several in a row at the same pose of the hand, keep the last, at which the fingers are done.

    The hand stops where its speed is nearly 0 (the rule speaks of joints, of which a floating hand has none: here 0.02 m/s and 0.1 rad/s)
    while the fingers are told the same from two steps before to one after, not at the last step but one, and not within four frames of a
    stop. A keyframe at the last step but one is left out. Raises `OrbitscopeError` for an episode without steps.

    Source: James and Davison, IEEE RA-L 7 (2022) 1612, as PerAct uses it; `merge` is of this package.
    """
    last = len(episode)
    if last < 1:
        raise OrbitscopeError(f"keyframes: the episode of {episode.task} has no steps, so there is no keyframe. Record it again.")
    still = (episode.speed[:, 0] < _STILL[0]) & (episode.speed[:, 1] < _STILL[1])
    told, found, pause = episode.open, [], 0
    for t in range(last + 1):
        same = 2 <= t < last - 1 and told[t - 2] == told[t - 1] == told[t] == told[t + 1]
        stops = pause <= 0 and bool(still[t]) and same
        pause = _PAUSE if stops else pause - 1
        if t > 0 and (told[t] != told[t - 1] or t == last or stops):
            found.append(t)
    if len(found) > 1 and found[-2] == last - 1:
        del found[-2]
    if merge:
        poses = [unflattened(episode.hand[t]) for t in found]
        found = [t for k, t in enumerate(found) if k + 1 == len(found) or gap(poses[k], poses[k + 1]) > 1.5]
    return np.array(found, dtype=np.int64)


def decisions(episode: Episode, between: int = 0) -> list[tuple[int, int]]:
    """Pairs (step at which a policy looks, step of the keyframe that it should name): each keyframe is named at the one before.

    * `episode`: a recording. `between`: at how many steps of the way, evenly spread, it is named too: for control in closed loop.
    """
    marks = [0, *keyframes(episode).tolist()]
    found = []
    for a, b in zip(marks, marks[1:], strict=False):
        looks = {a + round((b - a) * k / (between + 1)) for k in range(between + 1)}
        found += [(look, b) for look in sorted(looks) if look < b]
    return found
