"""Whole systems on the rooms above, one folder each: scenarios, models and symmetries by name, so that the same verbs work on all.

A system has no instrument of its own. It is imported when one of its names is used, and its extra packages when they are needed.
"""

from ._lookup import load_system, near_names, of_environment, of_file, of_model, of_scenario, systems
from ._runs import SystemRun, is_system_run, open_runs, train_system
from ._system import Inferred, Story, System, SystemModel, SystemScenario

__all__ = [
    "Inferred",
    "Story",
    "System",
    "SystemModel",
    "SystemRun",
    "SystemScenario",
    "is_system_run",
    "load_system",
    "near_names",
    "of_environment",
    "of_file",
    "of_model",
    "of_scenario",
    "open_runs",
    "systems",
    "train_system",
]
