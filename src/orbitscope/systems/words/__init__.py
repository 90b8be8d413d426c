"""Groups by generators and relations: words with exact labels, and networks that learn the matrices behind them (MatrixNet)."""

from ._baselines import WordLSTM, WordMLP, WordTransformer
from ._characters import CharacterTable, character_table, symmetric_characters
from ._exact import exact_representation
from ._labels import burau3, cycle_types, harder_narasimhan, jordan_hoelder, orders, permutations, possible_orders
from ._losses import ExactMatch, RelativeError, WordLoss
from ._matrixnet import MatrixNet
from ._moves import Conjugated, FromTheRight, Relators, Respelled
from ._presentations import artin, coxeter, graph, presentation
from ._readout import ReadOut, commutant, read_out
from ._tasks import WordTask, braid3_task, category_task, finite_task, symmetric_task
from ._words_system import SYSTEM, WordsSystem, task_of
from ._zigzag import Zigzag

__all__ = [
    "SYSTEM",
    "CharacterTable",
    "Conjugated",
    "ExactMatch",
    "FromTheRight",
    "ReadOut",
    "MatrixNet",
    "RelativeError",
    "Relators",
    "Respelled",
    "WordLSTM",
    "WordLoss",
    "WordMLP",
    "WordTask",
    "WordTransformer",
    "WordsSystem",
    "Zigzag",
    "artin",
    "braid3_task",
    "burau3",
    "category_task",
    "character_table",
    "commutant",
    "coxeter",
    "cycle_types",
    "exact_representation",
    "finite_task",
    "graph",
    "harder_narasimhan",
    "jordan_hoelder",
    "orders",
    "permutations",
    "possible_orders",
    "presentation",
    "read_out",
    "symmetric_characters",
    "symmetric_task",
    "task_of",
]
