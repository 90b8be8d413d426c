"""What the parts of the page share: names of maps, numbers as text, ratios of maps seed by seed."""

import numpy as np
import pandas as pd
from judgement import FEWEST, interval

CONSISTENT = "hamiltonian_map"
NAMES = {
    "hamiltonian_map": "midpoint generating function",
    "hamiltonian_map/autodecoder": "midpoint generating function, autodecoder",
    "dhn": "DHN (4, 2), perceptrons",
    "dhn/autodecoder": "DHN (4, 2), perceptrons, autodecoder",
    "dhn/transformer": "DHN (4, 2), small transformers",
    "dhn/one": "DHN (1, 1)",
    "dhn/two": "DHN (2, 1)",
    "dhn/clean": "DHN (4, 2) without denoising",
    "dhn/plain": "DHN (4, 2) without a Hamiltonian",
    "dhn/plain-clean": "DHN (4, 2) without either",
    "dhn/refine": "DHN (2, 1), the middle frame as a mask too",
    "hnn": "HNN, leapfrog",
    "hnn_euler": "HNN, Euler",
    "sympnet": "SympNet",
    "motion_mlp": "residual perceptron",
    "motion_transformer": "transformer on four frames",
}


def number(value: float) -> str:
    """Three digits, a dash for what is not there."""
    return "–" if not np.isfinite(value) else f"{value:.3g}"


def each(values: pd.Series) -> str:
    """A number per seed."""
    return ", ".join(map(number, values.to_numpy(float))) if len(values) else "–"


def listed(frame: pd.DataFrame) -> list[str]:
    """The maps that a table has, in the order of `NAMES`."""
    return [m for m in NAMES if m in set(frame.model)]


def ratios(frame: pd.DataFrame, column: str, over: str, under: str) -> np.ndarray:
    """A column of one map over that of another, seed by seed, where both were trained."""
    known = frame.pivot_table(index="seed", columns="model", values=column)
    if over not in known or under not in known:
        return np.empty(0)
    return (known[over] / known[under]).dropna().to_numpy(float)


def times(found: np.ndarray) -> str:
    """Geometric mean of ratios with its interval over seeds, in words; which side of 1 it lies on, or that it is not known."""
    if len(found) < FEWEST:
        return f"not judged, {len(found)} of {FEWEST} seeds"
    low, high = np.exp(interval(np.log(found)))
    word = "more" if low > 1 else "less" if high < 1 else "undetermined"
    return f"{number(float(np.exp(np.log(found).mean())))} times ({number(float(low))} to {number(float(high))}): {word}"
