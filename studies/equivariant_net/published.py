"""Numbers that the authors of the networks publish with their code: mean over 5 seeds, ocean currents of 2021 and 2022."""

SOURCE = "README of github.com/Rose-STL-Lab/Equivariant-Net"
_COLUMNS = ("rmse future", "rmse domain", "ese future", "ese domain")
_ROWS = {
    "resnet": {
        "plain": (0.82, 1.42, 1.09, 1.23), "motion": (0.80, 1.29, 1.10, 1.19), "magnitude": (0.79, 1.29, 1.01, 1.02),
        "rotation": (0.78, 1.26, 0.88, 0.98), "scale": (0.76, 1.25, 0.98, 1.00),
    },
    "unet": {
        "plain": (0.78, 1.30, 1.17, 1.25), "motion": (0.75, 1.32, 1.19, 1.29), "magnitude": (0.74, 1.27, 0.94, 1.00),
        "rotation": (0.74, 1.08, 0.63, 0.85), "scale": (0.75, 1.12, 0.89, 0.98),
    },
}  # fmt: skip
OCEAN = {b: {kind: dict(zip(_COLUMNS, row, strict=True)) for kind, row in kinds.items()} for b, kinds in _ROWS.items()}
