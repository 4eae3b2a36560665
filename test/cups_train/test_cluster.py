"""Frames over a Ray cluster give what one process gives, also when a machine is lost; without Ray, one sentence says
what to install."""

import sys
import time
from pathlib import Path

import pytest

from cups_train import parallel
from cups_train.cli import main
from cups_train.cluster import absolute, on_cluster
from cups_train.config import RenderConfig
from cups_train.errors import CupsError
from cups_train.parallel import map_frames, work_on, worker_count

CORES = 2


class Immediately:
    """A cluster of another size than this machine, which answers when it is asked."""

    workers = 7

    def __init__(self):
        self.submitted = 0

    def submitter(self, function):
        def submit(item):
            self.submitted += 1
            return lambda: function(item)

        return submit


def test_the_cluster_in_force_gets_the_work_and_no_more_than_fits():
    cluster = Immediately()
    with work_on(cluster):
        assert (worker_count(0), worker_count(3)) == (7, 3)
        answers = map_frames(str, range(100), 3)
        assert next(answers) == "0" and cluster.submitted == 3 * parallel.AHEAD
        assert list(answers) == [str(i) for i in range(1, 100)] and cluster.submitted == 100
        assert list(map_frames(str, range(5), 1)) == ["0", "1", "2", "3", "4"] and cluster.submitted == 100
    assert worker_count(3) == 3 and worker_count(0) != 7


def test_without_ray_one_sentence_names_the_extra(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["pseudo-label", str(tmp_path), "--out", str(tmp_path / "run"), "--cluster", "auto"]) == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1 and 'pip install ".[cluster]"' in text and not (tmp_path / "run").exists()


def test_only_training_runs_under_torchrun(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["pseudo-label", str(tmp_path), "--out", str(tmp_path / "run")]) == 2
    assert "leave torchrun out" in capsys.readouterr().err


def test_other_machines_get_absolute_paths(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert absolute([Path("a"), Path("/b")]) == [tmp_path / "a", Path("/b")] and absolute(["a", None]) == ["a", None]


@pytest.fixture(scope="module")
def two_machines():
    """A head without cores and a machine with two: what stands for a cluster on this one."""
    pytest.importorskip("ray", reason='Ray is not installed: pip install ".[cluster]"')
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_raylet_start_wait_time_s", "180")  # on a busy machine
        patch.setenv("PYTHONPATH", ":".join(p for p in sys.path if p))  # what an installation on every machine gives
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 100 << 20})
        cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
        lost = cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
        cluster.wait_for_nodes()
        yield cluster, lost
        cluster.shutdown()


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    from cups_train.render import render

    folder = tmp_path_factory.mktemp("street")
    render(folder, 6, 1, RenderConfig(scene="standstill", height=128, width=256))
    return folder / "recording"


def test_motion_is_the_same_byte_for_byte(two_machines, street, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["motion", str(street), "--out", "here", "-o", "workers=1"]) == 0
    assert main(["motion", str(street), "--out", "there", "--cluster", two_machines[0].address]) == 0
    here, there = (sorted(p for p in (tmp_path / n).rglob("*") if p.is_file()) for n in ("here", "there"))
    assert [p.relative_to(tmp_path / "here") for p in here] == [
        p.relative_to(tmp_path / "there") for p in there
    ] and len(here) > 6
    assert [p.read_bytes() for p in here] == [p.read_bytes() for p in there]


def test_a_users_mistake_is_the_same_error(two_machines):
    def fail(number):
        raise CupsError(f"expected no {number}")

    with on_cluster(two_machines[0].address), pytest.raises(CupsError, match="^expected no 1$"):
        list(map_frames(fail, [1, 2], worker_count(0)))


def test_work_of_a_lost_machine_is_done_again(two_machines):
    def slow(number):
        time.sleep(0.5)
        return number * number

    cluster, lost = two_machines
    with on_cluster(cluster.address):
        assert worker_count(0) == CORES
        answers = map_frames(slow, range(12), CORES)
        found = [next(answers) for _ in range(3)]
        cluster.remove_node(lost, allow_graceful=False)
        assert found + list(answers) == [i * i for i in range(12)]


def test_no_cluster_is_one_sentence(capsys, tmp_path):
    pytest.importorskip("ray", reason='Ray is not installed: pip install ".[cluster]"')
    assert main(["motion", str(tmp_path), "--out", str(tmp_path / "m"), "--cluster", "nonsense://x"]) == 2
    assert "--cluster nonsense://x" in capsys.readouterr().err.splitlines()[-1]
