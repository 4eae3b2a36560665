"""Every option of every stage: type, text, unit, range and default. The command line, the YAML and the docs come from
here."""

from cups_train.config.bootstrap import BootstrapConfig
from cups_train.config.export import ExportConfig
from cups_train.config.labels import LabelConfig
from cups_train.config.load import dump_config, load_config
from cups_train.config.motion import MotionConfig
from cups_train.config.network import NetworkConfig
from cups_train.config.recording import RecordingConfig
from cups_train.config.render import RenderConfig
from cups_train.config.section import Section
from cups_train.config.self_train import SelfTrainConfig
from cups_train.config.semantics import SemanticsConfig
from cups_train.config.settings import Config
from cups_train.config.training import TrainingConfig

__all__ = [
    "BootstrapConfig",
    "Config",
    "ExportConfig",
    "LabelConfig",
    "MotionConfig",
    "NetworkConfig",
    "RecordingConfig",
    "RenderConfig",
    "Section",
    "SelfTrainConfig",
    "SemanticsConfig",
    "TrainingConfig",
    "dump_config",
    "load_config",
]
