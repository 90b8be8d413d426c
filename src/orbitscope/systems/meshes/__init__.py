"""Surfaces of triangles: shapes, re-meshing, and networks that should not care how a surface is cut into faces."""

from ._codebook import FaceCodebook
from ._doors import Fault, faults, load_mesh, mend
from ._faces import face_features, mean_over_faces, mean_over_neighbours, normal_and_area, ordered
from ._graph import FaceGraph, FaceMLP
from ._integral import WaveIntegral, wave_integrals
from ._mesh import Mesh
from ._networks import FaceTokens, MeshIntegral, MeshNetwork, MeshQuadrature
from ._pretrain import ContrastLoss, FaceAutoencoder, MeshContrast, ReconstructionLoss
from ._reading import geometric_error, mesh_reading, seen_faces
from ._remesh import APPROXIMATE, EXACT, OPERATORS, Operator, RandomRemesh, Remesh, remeshing, surface_error
from ._scenarios import CapacityLaw, RadarLaw, radar_directions
from ._shadow import in_light
from ._shapes import CONVEX, CURVED, SHAPES, box, capsule, hull, prism, random_shape, regular, sphere
from ._state import MeshState, mesh_of, mesh_state, trimmed
from ._system import SYSTEM, started

__all__ = [
    "APPROXIMATE",
    "CONVEX",
    "CURVED",
    "EXACT",
    "OPERATORS",
    "SHAPES",
    "SYSTEM",
    "CapacityLaw",
    "ContrastLoss",
    "FaceAutoencoder",
    "FaceCodebook",
    "FaceGraph",
    "FaceMLP",
    "FaceTokens",
    "Fault",
    "Mesh",
    "MeshContrast",
    "MeshIntegral",
    "MeshNetwork",
    "MeshQuadrature",
    "MeshState",
    "Operator",
    "RadarLaw",
    "RandomRemesh",
    "ReconstructionLoss",
    "Remesh",
    "WaveIntegral",
    "box",
    "capsule",
    "face_features",
    "faults",
    "geometric_error",
    "hull",
    "in_light",
    "load_mesh",
    "mean_over_faces",
    "mean_over_neighbours",
    "mend",
    "mesh_of",
    "mesh_reading",
    "mesh_state",
    "normal_and_area",
    "ordered",
    "prism",
    "radar_directions",
    "random_shape",
    "regular",
    "remeshing",
    "seen_faces",
    "sphere",
    "started",
    "surface_error",
    "trimmed",
    "wave_integrals",
]
