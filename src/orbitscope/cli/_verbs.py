"""The verbs: where the settings of each stand, whose fields are its flags and its names in a TOML file; their `run` does the work.

Nothing is imported before it is needed, so that `--help` is quick; a test looks that no verb's settings bring torch.
"""

import importlib

TABLE = {
    "simulate": ("_verbs_files", "make trajectories of a fluid and write them to a file"),
    "scenarios": ("_verbs_files", "what can be simulated, with all parameters"),
    "train": ("_verbs_train", "train an emulator on a file of trajectories"),
    "audit": ("_verbs_models", "which symmetries do the physics and the file have, and does the file keep its convention?"),
    "discover": ("_verbs_discover", "which symmetry is in examples, or in a model, that nobody declared?"),
    "infer": ("_verbs_infer", "which parameters gave such data? chains through a trained emulator"),
    "plan": ("_verbs_plan", "plan in an environment with its true model; does every decision turn with the world?"),
    "probe": ("_verbs_models", "which symmetries has a model learnt? (audit, equivariance error, influence, verdict)"),
    "doctor": ("_verbs_doctor", "which convention has a model? prints the command that probes it"),
    "epochs": ("_verbs_models", "how symmetry came and went over a training, from its checkpoints"),
    "transfer": ("_verbs_models", "what a few steps on the copies under each element do to all others"),
    "forecast": ("_verbs_forecast", "what a model of motion says: frames to come or in between, codes of systems it has not seen"),
    "evaluate": ("_verbs_evaluate", "how often does a policy do its task, in episodes of its own?"),
    "check": ("_verbs_check", "has a model lost symmetry since an earlier probe? exit code 1 if so, for CI"),
    "report": ("_verbs_models", "one HTML page from one or more probes"),
    "card": ("_verbs_card", "one page on one model, for people and programs"),
    "quickstart": ("_quickstart", "all of it on two small data sets"),
    "info": ("_verbs_files", "what is in a file or a run folder"),
    "view": ("_verbs_files", "a picture sheet and an animation of a file of trajectories"),
    "assemble": ("_verbs_files", "one file from the parts that simulate --shard made"),
    "repair": ("_verbs_files", "simulate the damaged trajectories of a file again"),
}
"""Verb: module and what it does, in a line. The class has the name of the verb with a capital."""


def settings(verb: str) -> type:
    """The dataclass of a verb."""
    return getattr(importlib.import_module(f".{TABLE[verb][0]}", __package__), verb.capitalize())
