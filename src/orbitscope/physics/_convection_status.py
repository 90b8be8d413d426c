"""How a trajectory of the convection solver ended, in both of its forms."""

OK, UNPHYSICAL, STALLED = 0, 1, 2

REASON = {
    UNPHYSICAL: "it has NaN or infinite values",
    STALLED: "it needs too many steps; its velocity is too large for `dt`",
}
