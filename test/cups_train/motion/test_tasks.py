"""Which frame is compared with which."""

from types import SimpleNamespace

from cups_train.motion.tasks import list_tasks


def test_the_last_frame_is_compared_with_the_one_before():
    stamps = [SimpleNamespace(key=f"{i:06d}", follows=i < 2) for i in range(3)]
    tasks = list_tasks(SimpleNamespace(stamps=stamps), None)
    assert [(t.partner, t.backwards) for t in tasks] == [("000001", False), ("000002", False), ("000001", True)]
