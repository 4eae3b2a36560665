"""Stage 3: the network's heads learn from a slow copy of themselves that looks at every image several times."""

from cups_train.self_train.training import self_train

__all__ = ["self_train"]
