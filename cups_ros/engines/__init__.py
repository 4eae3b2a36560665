"""Back ends that run an exported graph: numpy in, numpy out; no ROS, no torch."""

from cups_ros.engines.engine import Engine, EngineError, EngineMissing, Graph, Signature
from cups_ros.engines.opening import ENGINES, open_engine

__all__ = ["ENGINES", "Engine", "EngineError", "EngineMissing", "Graph", "Signature", "open_engine"]
