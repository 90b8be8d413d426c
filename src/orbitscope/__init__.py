"""orbitscope: measure symmetry in machine-learned models of physical systems."""
