"""All settings of a run."""

from __future__ import annotations

from pydantic import Field, model_validator

from cups_ros.types import MAX_CLASSES
from cups_train.config.bootstrap import BootstrapConfig
from cups_train.config.export import ExportConfig
from cups_train.config.labels import LabelConfig
from cups_train.config.motion import MotionConfig
from cups_train.config.network import NetworkConfig
from cups_train.config.recording import RecordingConfig
from cups_train.config.render import RenderConfig
from cups_train.config.section import Section
from cups_train.config.self_train import SelfTrainConfig
from cups_train.config.semantics import SemanticsConfig


class Config(Section):
    """All settings of a run; written to its config.yaml as they were in force."""

    seed: int = Field(1996, ge=0, description="seed of everything random")
    workers: int = Field(0, ge=0, description="processes of per-frame work; 0: one a core")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    recording: RecordingConfig = RecordingConfig()
    motion: MotionConfig = MotionConfig()
    semantics: SemanticsConfig = SemanticsConfig()
    labels: LabelConfig = LabelConfig()
    network: NetworkConfig = NetworkConfig()
    bootstrap: BootstrapConfig = BootstrapConfig()
    self_train: SelfTrainConfig = SelfTrainConfig()
    export: ExportConfig = ExportConfig()
    render: RenderConfig = RenderConfig()

    @model_validator(mode="after")
    def _fits_one_byte(self) -> Config:
        """Told before the work of hours, not where labels are written."""
        if self.semantics.clusters + self.labels.kinds > MAX_CLASSES:
            raise ValueError(
                f"{self.semantics.clusters} semantics.clusters and {self.labels.kinds} labels.kinds, of at most "
                f"{MAX_CLASSES} together"
            )
        return self
