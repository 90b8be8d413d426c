"""Which systems there are, and the names that belong to each, so that no system is imported before one of its names is used."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """The names of one system: scenarios are `family` or begin with `family.`; models, and endings of files for `view`, are listed.
    Environments are a name of the list, or one of the list with a hyphen and a variant behind."""

    families: tuple[str, ...]
    models: tuple[str, ...]
    suffixes: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()


TABLE: dict[str, Names] = {
    "control": Names(
        (),
        (),
        environments=(
            "acrobot",
            "ant",
            "ball2d",
            "ball3d",
            "ball_in_cup",
            "balls2d",
            "balls3d",
            "cartpole",
            "cartpole_pixels",
            "cup_catch",
            "hopper",
            "pendulum",
            "point_mass",
            "reacher",
            "swimmer",
            "trading",
            "walker",
            "walker2d",
        ),
    ),
    "galaxies": Names(("galaxies",), ("alignment_emulator", "iaemu")),
    "manipulation": Names(("manipulation",), ("keypose_mlp", "transporter", "hep")),
    "mechanics": Names(("mechanics",), ("dhn", "hamiltonian_map", "hnn", "hnn_euler", "motion_mlp", "motion_transformer", "sympnet")),
    "meshes": Names(
        ("radar", "capacity"),
        (
            "mesh_mlp",
            "mesh_graph",
            "mesh_token",
            "mesh_codebook",
            "mesh_quadrature",
            "mesh_integral",
            "mesh_autoencoder",
            "mesh_masked",
            "mesh_contrast",
        ),
        (".stl", ".obj", ".ply", ".off", ".glb", ".gltf"),
    ),
    "points": Names(
        ("shapes", "particle", "pendulum", "crystal", "diffusion"),
        ("e3net", "relaxed_e3net", "residual_e3net", "coordinate_net"),
        (".xyz", ".extxyz"),
    ),
    "words": Names(("words",), ("matrixnet", "words_lstm", "words_mlp", "words_transformer")),
}
"""Folder in this room -> its names."""
