"""Per-frame work on a Ray cluster: `--cluster`. The only module that imports Ray."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cups_train.errors import CupsError
from cups_train.parallel import Submit, one_thread, work_on

logger = logging.getLogger(__name__)
RETRIES = 10  # times that work is given to another worker because its own is gone
LOCAL = "local"


@contextmanager
def on_cluster(address: str) -> Iterator[None]:
    """Inside, per-frame work goes to the Ray cluster at `address`: `auto`, `ray://HOST:10001`, or `local` for one of
    this machine alone.

    Raises CupsError where Ray is not installed or no cluster answers.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise CupsError(
            'expected Ray for --cluster, found none; `pip install ".[cluster]"` in a checkout installs it, on '
            "every machine of the cluster"
        ) from error
    try:
        ray.init(
            None if address == LOCAL else address,
            include_dashboard=False if address == LOCAL else None,
            logging_level=logging.WARNING,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise CupsError(
            f"expected a Ray cluster at --cluster {address}, found none: {_one_line(error)}; "
            "auto, ray://HOST:10001 and local are possible"
        ) from error
    try:
        cluster = RayCluster(ray)
        logger.info(
            "cluster %s: %d cores on %d machines", address, cluster.workers, len([n for n in ray.nodes() if n["Alive"]])
        )
        with work_on(cluster):
            yield
    finally:
        ray.shutdown()


class RayCluster:
    """One task a frame, one core a task; a task whose machine is lost is done again elsewhere."""

    def __init__(self, ray: Any) -> None:
        self.ray = ray
        self.workers = max(1, int(ray.cluster_resources().get("CPU", 1)))

    def submitter(self, function: Callable[[Any], Any]) -> Submit:
        """The function travels once, the items one by one."""
        task = self.ray.remote(num_cpus=1, max_retries=RETRIES)(_work)
        shipped = self.ray.put(function)

        def submit(item: Any) -> Callable[[], Any]:
            answer = task.remote(shipped, item)
            return lambda: self._result(answer)

        return submit

    def _result(self, answer: Any) -> Any:
        try:
            return self.ray.get(answer)
        except self.ray.exceptions.RayError as error:
            cause = error.cause if isinstance(error, self.ray.exceptions.RayTaskError) else error
            if not isinstance(cause, self.ray.exceptions.RayError):
                raise cause from error
            raise CupsError(
                "expected the cluster to finish its frames with this version of cups on every machine, found "
                f"{_one_line(cause)}; "
                "the same command goes on where it stopped"
            ) from error


def _work(function: Callable[[Any], Any], item: Any) -> Any:
    one_thread()
    return function(item)


def absolute(value: Any) -> Any:
    """A path, or a list of paths, as other machines read it; everything else as it is."""
    if isinstance(value, list):
        return [absolute(item) for item in value]
    return value.absolute() if isinstance(value, Path) else value


def _one_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")
