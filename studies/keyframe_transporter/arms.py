# ruff: noqa: E501 - prose
"""The arms of the study: switches of the model, what they mean, and which full arm each is an ablation of."""

from typing import Any

#: Name -> switches of `transporter_for`; `turned`: whether scenes are turned in training.
ARMS: dict[str, dict[str, Any]] = {
    "transporter": {}, "modulo": {}, "scene only": {"lift": False}, "hand only": {"order": 1}, "neither": {"order": 1, "lift": False},
    "not told apart": {"held": False}, "one level": {"search": "one"}, "mlp": {}, "nearest demonstration": {},
    "flat": {"search": "flat"}, "turn prior": {"turn_prior": True},
    "neither, turn prior": {"order": 1, "lift": False, "turn_prior": True}, "scene only, turn prior": {"lift": False, "turn_prior": True},
    "hand only, turn prior": {"order": 1, "turn_prior": True},
    "turn prior, not turned": {"turn_prior": True, "turned": False},
    "hand only, turn prior, not turned": {"order": 1, "turn_prior": True, "turned": False},
    "transporter, not turned": {"turned": False}, "hand only, not turned": {"order": 1, "turned": False},
}  # fmt: skip
#: Name -> words of the page.
MEANT = {
    "transporter": "full: equivariant networks, what is held turned before its network (lift)",
    "modulo": "full, with every pose that is as good as the demonstrated one counted as right: turns about the pole while the hand is on its way",
    "scene only": "symmetry on the scene's side only: no lift, a plain network for the hand",
    "hand only": "symmetry on the hand's side only: lift, plain networks",
    "neither": "no symmetry built in; turned and shifted scenes in training",
    "not told apart": "what is held is not told from the scene; the kernel is the hand's own bones",
    "one level": "one level of 25 mm and 45 degrees in place of two",
    "mlp": "place by voxels, then Euler angles by an MLP, in the manner of C2F-ARM",
    "nearest demonstration": "the keyframe of the demonstration that looked most alike",
    "flat": "one level of 12 mm: every pose of the fine level over the whole table at once",
    "turn prior": "full, with a learnt weight against turning the hand",
    "neither, turn prior": "no symmetry built in, with such a weight",
    "scene only, turn prior": "symmetry on the scene's side only, with such a weight",
    "hand only, turn prior": "symmetry on the hand's side only, with such a weight",
    "transporter, not turned": "full, scenes not turned in training",
    "hand only, not turned": "symmetry on the hand's side only, scenes not turned in training",
    "turn prior, not turned": "full, with such a weight, scenes not turned in training",
    "hand only, turn prior, not turned": "symmetry on the hand's side only, with such a weight, scenes not turned in training",
}
FULL = ("transporter", "turn prior", "transporter, not turned", "turn prior, not turned")
"""Arms that others are ablations of."""


def full_of(arm: str) -> str:
    """The full arm that an ablation is one of: with or without the prior on turns, in scenes that are turned in training or not."""
    return ("turn prior" if "turn prior" in arm else "transporter") + ", not turned" * arm.endswith("not turned")


assert set(MEANT) == set(ARMS)
