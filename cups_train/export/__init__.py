"""Exported model folders."""
from cups_train.export.run import run

__all__ = ["run"]
