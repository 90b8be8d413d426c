"""What became of a trajectory in the Euler solver; shared by both implementations, free of numba."""

OK, UNPHYSICAL, STALLED = 0, 1, 2
#: How often one step may be taken again before the trajectory is given up.
REPAIRS = 60
REASON = {
    UNPHYSICAL: "density or pressure is no longer positive, or a value is NaN or infinite",
    STALLED: "the time step shrank so far that the limit of steps per call was reached",
}
