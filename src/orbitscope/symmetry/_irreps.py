"""Which irrep a word names, in a group or without one."""

import re
from collections.abc import Iterator

from .._errors import OrbitscopeError
from ._averaging import has_reflections, is_planar, number_of_rotations
from ._group import Group
from ._groups import octahedral
from ._octahedral import OCTAHEDRAL_IRREPS, OctahedralIrrep
from ._planar import PlanarIrrep
from ._representation import Representation
from ._rotational import RotationIrrep

_SPHERICAL, _PLANAR = re.compile(r"(\d+)([eo])"), re.compile(r"(\d+)(-?)")


def irrep(name: str, group: Group | None = None) -> Representation:
    """The irrep of that name ("2", "0-", "1o", "Eg"), checked against `group` where one is given; raises `OrbitscopeError` for others."""
    if group is not None and group.ndim == 2:
        return _in_the_plane(name, group)
    if match := _SPHERICAL.fullmatch(name):
        return RotationIrrep(int(match[1]), match[2] == "o")
    if group is not None:
        return _in_space(name, group)
    if match := _PLANAR.fullmatch(name):
        return PlanarIrrep(int(match[1]), odd=bool(match[2]))
    if name in set(_mulliken("", "g", "u")):
        return OctahedralIrrep(name)
    raise OrbitscopeError(
        f"representation: 'irrep:{name}' is no irrep. In the plane there are irrep:k and irrep:0-, in space irrep:0e, 1o, ... and those of "
        f"the cube, irrep:{', '.join(OCTAHEDRAL_IRREPS)}, with g or u under reflections."
    )


def _in_the_plane(name: str, group: Group) -> PlanarIrrep:
    match, order, reflects = _PLANAR.fullmatch(name), number_of_rotations(group), has_reflections(group)
    most = 10**6 if group.sampled else order // 2
    if match is None or int(match[1]) > most or not is_planar(group):
        raise OrbitscopeError(
            f"representation: 'irrep:{name}' is no irrep of {group.name}; in the plane 'irrep:k' has k = 0 .. {most}, "
            "with a '-' for the odd one."
        )
    frequency, odd = int(match[1]), bool(match[2])
    last = not group.sampled and frequency > 0 and 2 * frequency == order
    if odd and not (reflects and (frequency == 0 or last)):
        raise OrbitscopeError(
            f"representation: 'irrep:{name}' of {group.name}: only one-component irreps of a group with reflections come odd and even."
        )
    return PlanarIrrep(frequency, odd, order if last else 0, reflects)


def _in_space(name: str, group: Group) -> OctahedralIrrep:
    reflects = has_reflections(group)
    known = set(_mulliken("g", "u") if reflects else _mulliken(""))
    if name not in known or set(group.elements) != set(octahedral(reflections=reflects)):
        raise OrbitscopeError(
            f"representation: 'irrep:{name}' is no irrep here; in space O has irrep:A1, A2, E, T1, T2, and O_h the same with g or u, "
            "and every group has irrep:0e, 1o, 2e, ... Their subgroups have vectors, tensors and regular fields."
        )
    return OctahedralIrrep(name)


def _mulliken(*parities: str) -> Iterator[str]:
    return (base + p for p in parities for base in OCTAHEDRAL_IRREPS)
