"""The camera's way from odometry and tf, against poses worked out by hand."""

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore

from cups_train.config import RecordingConfig
from cups_train.geometry import se3
from cups_train.recording import open_recording

TYPES = get_typestore(Stores.ROS2_JAZZY).types
ODOMETRY, TF = "nav_msgs/msg/Odometry", "tf2_msgs/msg/TFMessage"
# x, y, z, w: optical axes (x right, y down, z forward) in a frame with x forward, y left, z up
OPTICAL = (-0.5, 0.5, -0.5, 0.5)
LEVEL = (0.0, 0.0, 0.0, 1.0)


def _transform(bags, parent, child, stamp, place, turn):
    t = TYPES
    value = t["geometry_msgs/msg/Transform"](
        t["geometry_msgs/msg/Vector3"](*place), t["geometry_msgs/msg/Quaternion"](*turn)
    )
    return t["geometry_msgs/msg/TransformStamped"](bags.header(stamp, parent), child, value)


def _odometry(bags, stamp, place, turn):
    t, zero = TYPES, TYPES["geometry_msgs/msg/Vector3"](0.0, 0.0, 0.0)
    pose = t["geometry_msgs/msg/Pose"](t["geometry_msgs/msg/Point"](*place), t["geometry_msgs/msg/Quaternion"](*turn))
    twist = t["geometry_msgs/msg/TwistWithCovariance"](t["geometry_msgs/msg/Twist"](zero, zero), np.zeros(36))
    return t[ODOMETRY](
        bags.header(stamp, "odom"), "base_link", t["geometry_msgs/msg/PoseWithCovariance"](pose, np.zeros(36)), twist
    )


def _recording(bags, rows, mounted=True):
    """Four pairs 0.1 s apart; the camera sits 1 m before and 1.5 m above base_link and looks forward."""
    images = bags.stereo(bags.steady())
    row = type(images[0])
    mount = TYPES[TF]([_transform(bags, "base_link", "camera", 0, (1.0, 0.0, 1.5), OPTICAL)])
    extra = [row("/tf_static", TF, bags.start - 1, mount)] if mounted else []
    return open_recording(bags.write([*images, *extra, *(row(*r) for r in rows)]), RecordingConfig())


def _turn(angle):
    return (0.0, 0.0, np.sin(angle / 2), np.cos(angle / 2))


def test_odometry_becomes_steps_of_the_camera(bags):
    """Poses between the images, 0.06 s apart: 10 m/s forward and 0.5 rad/s to the left."""
    stamps = [bags.start - 20_000_000 + i * 60_000_000 for i in range(7)]
    angle = [0.5 * (s - bags.start) / 1e9 for s in stamps]
    rows = [
        ("/odom", ODOMETRY, s, _odometry(bags, s, (10 * (s - bags.start) / 1e9, 0.0, 0.0), _turn(a)))
        for s, a in zip(stamps, angle, strict=True)
    ]
    step = _recording(bags, rows).ego_prior("000000", "000001")
    # base_link goes 1 m forward and turns by 0.05 rad; the camera, 1 m before it, swings out by sin(0.05) m to the left
    assert step[:3, 3] == pytest.approx([-np.sin(0.05), 0, 1 + np.cos(0.05) - 1], abs=1e-3)
    assert step[:3, :3] == pytest.approx(se3.rotation(np.array([0, -0.05, 0])), abs=1e-6)


def test_tf_serves_where_there_is_no_odometry(bags):
    rows = [
        ("/tf", TF, s, TYPES[TF]([_transform(bags, "odom", "base_link", s, (0.3 * i, 0.0, 0.0), LEVEL)]))
        for i, s in enumerate(bags.steady())
    ]
    recording = _recording(bags, rows)
    assert recording.ego_prior("000001", "000002") == pytest.approx(
        se3.transform(np.eye(3), np.array([0, 0, 0.3])), abs=1e-9
    )
    assert recording.ego_prior("000002", "000001")[2, 3] == pytest.approx(-0.3)


def test_no_prior_without_a_mount_in_a_gap_or_over_a_jump(bags):
    rows = [
        ("/odom", ODOMETRY, s, _odometry(bags, s, (x, 0.0, 0.0), LEVEL))
        for s, x in zip(bags.steady(), (0.0, 1.0, 50.0, 51.0), strict=True)
    ]
    recording = _recording(bags, rows[:3])
    assert recording.ego_prior("000000", "000001") is not None
    assert recording.ego_prior("000001", "000002") is None and recording.ego_prior("000002", "000003") is None
    bags.folder = bags.folder / "other"
    assert _recording(bags, rows, mounted=False).ego_prior("000000", "000001") is None
    assert (
        open_recording(bags.write(bags.stereo(bags.steady()), "plain"), RecordingConfig()).ego_prior("000000", "000001")
        is None
    )
