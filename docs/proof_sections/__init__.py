"""The sections of the page of proofs, in its order."""

import sys
from pathlib import Path

# The computations stand beside the tests, which use them too.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "physics"))

from . import accuracy, budgets, convection, gallery, laws, randomness, riemann, symmetry, tubes  # noqa: E402
from ._section import Section  # noqa: E402

SECTIONS: tuple[Section, ...] = (
    accuracy.SECTION,
    tubes.SECTION,
    riemann.SECTION,
    symmetry.SECTION,
    laws.CONTINUUM,
    laws.CONSERVATION,
    budgets.SECTION,
    convection.SECTION,
    randomness.SECTION,
    gallery.SECTION,
)
