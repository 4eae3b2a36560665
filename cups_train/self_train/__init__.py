"""Stage 3: the network's heads learn from a slow copy of themselves that looks at every image several times."""
from cups_train.self_train.run import run

__all__ = ["run"]
