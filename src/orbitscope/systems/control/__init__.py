"""Control: environments and their symmetries, declared once and measured; planners and agents that use as much of them as is there."""

import importlib
from typing import TYPE_CHECKING, Any

from ..._errors import OrbitscopeError
from ._balls import BALLS, Balls, balls
from ._control_system import SYSTEM, ControlSystem
from ._env_audit import AUDIT_KIND, audit_environment, epsilons
from ._env_symmetry import EnvSymmetry
from ._environments import EnvironmentSpec, environment, environment_spec, environments, register_environment, symmetry_of
from ._finite import FiniteProcess, ValueBound, value_bound
from ._market import Fold, Market, index_market, walk_forward
from ._model_based import ModelBasedAgent, ModelBasedConfig, evaluate_agent
from ._pixel_tasks import PIXEL_DOMAINS, pixel_symmetry
from ._planner import METHODS, Plan, Planner
from ._planner_actions import ActionSet, BoxActions, DiscActions
from ._planner_audit import decision_errors, warm_start
from ._planning import PLAN_KIND, plan_episodes, plan_picture, save_plan
from ._quaternions import body_axes, body_quaternion
from ._regression import PlaceEnergy, marker_pictures
from ._simulator import SimulatorModel
from ._trading import TradingConfig, TradingPolicy, net_returns, past_windows
from ._trading_symmetry import market_group, trading_symmetry

if TYPE_CHECKING:
    from ._agent import AGENTS, Agent, returns
    from ._agent_audit import asked_of, audits_of
    from ._agent_networks import ARMS, Head, Magnitudes, NetworkPlan, Trunk
    from ._agent_probe import CriticMap, PolicyMap, ProbedMap, probed_maps
    from ._agent_runs import AgentRun, is_agent_run, open_agent, open_agents, train_agent
    from ._agent_summary import agent_asymmetry, agent_summary
    from ._balls_env import BallsEnv
    from ._breaking import BREAKINGS, Broken
    from ._gym_env import GymEnv
    from ._learnt_bound import LearntBound, learnt_bound
    from ._model_learner import MODEL_POLICIES, ModelLearner
    from ._picture_networks import Flat, PictureTrunk
    from ._pixel_env import PixelEnv
    from ._policies import SymmetricPPOPolicy, SymmetricReplayBuffer, SymmetricSACPolicy
    from ._suite import SuiteEnv
    from ._trading_env import TradingEnv

_NEED_ROBOTS = {
    **dict.fromkeys(("AGENTS", "Agent", "returns"), "_agent"),
    **dict.fromkeys(("ARMS", "Head", "Magnitudes", "NetworkPlan", "Trunk"), "_agent_networks"),
    **dict.fromkeys(("CriticMap", "PolicyMap", "ProbedMap", "probed_maps"), "_agent_probe"),
    **dict.fromkeys(("AgentRun", "is_agent_run", "open_agent", "open_agents", "train_agent"), "_agent_runs"),
    **dict.fromkeys(("agent_asymmetry", "agent_summary"), "_agent_summary"),
    **dict.fromkeys(("asked_of", "audits_of"), "_agent_audit"),
    **dict.fromkeys(("BREAKINGS", "Broken"), "_breaking"),
    **dict.fromkeys(("LearntBound", "learnt_bound"), "_learnt_bound"),
    **dict.fromkeys(("MODEL_POLICIES", "ModelLearner"), "_model_learner"),
    **dict.fromkeys(("SymmetricPPOPolicy", "SymmetricReplayBuffer", "SymmetricSACPolicy"), "_policies"),
    **dict.fromkeys(("Flat", "PictureTrunk"), "_picture_networks"),
    "BallsEnv": "_balls_env",
    "GymEnv": "_gym_env",
    "PixelEnv": "_pixel_env",
    "SuiteEnv": "_suite",
    "TradingEnv": "_trading_env",
}
"""Names that need packages of the extra [robots], and their modules: they are imported when they are first used."""

__all__ = [
    "AGENTS",
    "ARMS",
    "AUDIT_KIND",
    "BALLS",
    "BREAKINGS",
    "METHODS",
    "MODEL_POLICIES",
    "PIXEL_DOMAINS",
    "PLAN_KIND",
    "SYSTEM",
    "ActionSet",
    "Agent",
    "AgentRun",
    "Balls",
    "BallsEnv",
    "BoxActions",
    "Broken",
    "ControlSystem",
    "CriticMap",
    "DiscActions",
    "EnvSymmetry",
    "EnvironmentSpec",
    "FiniteProcess",
    "Flat",
    "Fold",
    "GymEnv",
    "Head",
    "LearntBound",
    "Magnitudes",
    "Market",
    "ModelBasedAgent",
    "ModelBasedConfig",
    "ModelLearner",
    "NetworkPlan",
    "PictureTrunk",
    "PixelEnv",
    "PlaceEnergy",
    "Plan",
    "Planner",
    "PolicyMap",
    "ProbedMap",
    "SimulatorModel",
    "SuiteEnv",
    "SymmetricPPOPolicy",
    "SymmetricReplayBuffer",
    "SymmetricSACPolicy",
    "TradingConfig",
    "TradingEnv",
    "TradingPolicy",
    "Trunk",
    "ValueBound",
    "agent_asymmetry",
    "agent_summary",
    "asked_of",
    "audit_environment",
    "audits_of",
    "balls",
    "body_axes",
    "body_quaternion",
    "decision_errors",
    "environment",
    "environment_spec",
    "environments",
    "epsilons",
    "evaluate_agent",
    "index_market",
    "is_agent_run",
    "learnt_bound",
    "marker_pictures",
    "market_group",
    "net_returns",
    "open_agent",
    "open_agents",
    "past_windows",
    "plan_episodes",
    "pixel_symmetry",
    "plan_picture",
    "probed_maps",
    "register_environment",
    "returns",
    "save_plan",
    "symmetry_of",
    "trading_symmetry",
    "train_agent",
    "value_bound",
    "walk_forward",
    "warm_start",
]


def __getattr__(name: str) -> Any:
    if name not in _NEED_ROBOTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(f".{_NEED_ROBOTS[name]}", __package__)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("orbitscope"):
            raise
        raise OrbitscopeError(f"control: {name} needs the package {error.name}: pip install 'orbitscope[robots]'.") from error
    return getattr(module, name)
