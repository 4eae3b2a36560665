from dataclasses import replace

import pytest

from cups_train.config import RecordingConfig
from cups_train.errors import RecordingError
from cups_train.recording.bag import Topic
from cups_train.recording.topics import choose_stereo, find_info

PLAIN = RecordingConfig()
TEXT = "std_msgs/msg/Header"


def _chosen(bags, rows, config=PLAIN, name="drive"):
    pair = choose_stereo(bags.write(rows, name), config)
    return pair.left.image, pair.right.image


def test_sides_come_from_the_baseline_not_from_the_names(bags):
    assert _chosen(bags, bags.stereo(bags.steady(2), left="/cam1/image_raw", right="/cam0/image_raw")) == (
        "/cam1/image_raw",
        "/cam0/image_raw",
    )


def test_info_with_a_name_of_its_own(bags):
    rows = []
    for row in bags.stereo(bags.steady(2), left="/x/left_image", right="/y/right_image"):
        side = "right" if row.topic.startswith("/y") else "left"
        rows.append(
            replace(row, topic=f"/rig/{side}_{'camera_info' if row.topic.endswith('camera_info') else 'image'}")
        )
    assert _chosen(bags, rows) == ("/rig/left_image", "/rig/right_image")


def test_info_by_frame_id(bags):
    rows = []
    for row in bags.stereo(bags.steady(2), left="/left/image", right="/right/image"):
        side = row.topic.split("/")[1]
        row.message.header.frame_id = f"{side}_optical"
        rows.append(replace(row, topic=f"/calibration/{side}") if row.topic.endswith("camera_info") else row)
    assert _chosen(bags, rows) == ("/left/image", "/right/image")


def test_several_pairs_are_listed_and_options_choose(bags):
    rows = bags.stereo(bags.steady(2), left="/front/left/image", right="/front/right/image")
    rows += bags.stereo(bags.steady(2), left="/rear/left/image", right="/rear/right/image")
    path = bags.write(rows)
    with pytest.raises(
        RecordingError, match=r"/front/left/image \(Image, 2\).*--left.*--right.*--left-info.*--right-info"
    ):
        choose_stereo(path, PLAIN)
    pair = choose_stereo(path, RecordingConfig(left="/rear/left/image", right="/rear/right/image"))
    assert pair.left.calibration.topic == "/rear/left/camera_info"
    named = RecordingConfig(left="/rear/left/image", right="/rear/right/image", right_info="/front/right/camera_info")
    assert choose_stereo(path, named).right.calibration.topic == "/front/right/camera_info"


def test_raw_goes_with_raw(bags):
    """Left raw and right compressed is no pair; both kinds recorded are two pairs, which `--left` decides."""
    rows = bags.stereo(bags.steady(2))
    for row in list(rows):
        if row.topic.endswith("image_raw"):
            message = bags.compressed(bags.pair(0)["right" in row.topic], row.log_ns)
            rows.append(
                replace(row, topic=row.topic + "/compressed", type="sensor_msgs/msg/CompressedImage", message=message)
            )
    path = bags.write(rows)
    with pytest.raises(
        RecordingError, match="/stereo/left/image_raw [+] /stereo/right/image_raw; /stereo/left/image_raw/compressed"
    ):
        choose_stereo(path, PLAIN)
    pair = choose_stereo(path, RecordingConfig(left="/stereo/left/image_raw/compressed"))
    assert pair.right.image == "/stereo/right/image_raw/compressed"


def test_wrong_sign_of_the_baseline(bags):
    rows = bags.stereo(bags.steady(2), left="/right/image", right="/left/image")
    with pytest.raises(RecordingError, match="left and right swapped"):
        _chosen(bags, rows)


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ({"left": "/nothing"}, "expected the topic /nothing .*/stereo/left/image_raw.*`--left` names it"),
        ({"right_info": "/nothing"}, "expected the topic /nothing .*`--right-info` names it"),
        (
            {"left": "/text"},
            "expected sensor_msgs/msg/Image or sensor_msgs/msg/CompressedImage on /text, found std_msgs/msg/Header",
        ),
        ({"left_info": "/stereo/left/image_raw"}, "expected sensor_msgs/msg/CameraInfo on /stereo/left/image_raw"),
        ({"left": "/stereo/left/image_raw", "right": "/stereo/left/image_raw"}, "as left and right"),
    ],
)
def test_options_that_do_not_fit(bags, option, text):
    rows = bags.stereo(bags.steady(2))
    rows.append(replace(rows[0], topic="/text", type=TEXT, message=bags.header(bags.start)))
    path = bags.write(rows)
    with pytest.raises(RecordingError, match=text):
        choose_stereo(path, RecordingConfig(**option))


@pytest.mark.parametrize(
    ("image", "infos", "belongs"),
    [
        ("/zed/left/image_raw_color", ("camera_info", "camera_info_raw"), "/zed/left/camera_info_raw"),
        ("/zed/left/image_rect_color", ("camera_info", "camera_info_raw"), "/zed/left/camera_info"),
        ("/zed/left_raw/image_raw_color", ("camera_info",), "/zed/left_raw/camera_info"),
        ("/zed/left/color/raw/image", ("camera_info",), "/zed/left/color/raw/camera_info"),
        ("/camera/infra1/image_rect_raw", ("camera_info",), "/camera/infra1/camera_info"),
        ("/oak/left/image_rect", ("camera_info", "camera_info_raw"), "/oak/left/camera_info"),
        ("/multisense/left/image_mono_rect", ("image_mono_rect/camera_info",), None),
        ("/multisense/left/image_rect", ("camera_info", "image_rect/camera_info"), None),
        (
            "/my_camera/pylon_ros2_camera_node/image_raw",
            ("camera_info",),
            "/my_camera/pylon_ros2_camera_node/camera_info",
        ),
        ("/flir_camera/image_raw/compressed", ("camera_info",), "/flir_camera/camera_info"),
        ("/image_raw", ("camera_info",), "/camera_info"),
        ("/left/rgb", ("camera_info",), "/left/camera_info"),
        (
            "/kitti/camera_gray_left/image_raw",
            ("camera_info", "camera_info_raw"),
            "/kitti/camera_gray_left/camera_info_raw",
        ),
        ("/rig/left_image_raw", ("left_camera_info", "right_camera_info"), "/rig/left_camera_info"),
    ],
)
def test_camera_info_by_the_longest_common_name(bags, image, infos, belongs):
    parent = image.removesuffix("/compressed").rpartition("/")[0]
    there = tuple(Topic(f"{parent}/{name}", "sensor_msgs/msg/CameraInfo", 1) for name in infos)
    topics = (*there, Topic(image, "sensor_msgs/msg/Image", 1))
    expected = belongs or f"{image}/camera_info"
    assert find_info(bags.folder, topics, image) == expected


def test_a_depth_camera_has_pictures_too(bags):
    names = [f"/depth_camera/infra{side}/image_rect_raw" for side in (1, 2)]
    rows = bags.stereo(bags.steady(2), left=names[0], right=names[1])
    rows += [
        replace(
            row,
            topic="/depth_camera/depth/image_rect_raw",
            message=bags.raw(bags.pair(0)[0][..., :2], row.log_ns, "16UC1"),
        )
        for row in rows
        if row.topic == names[0]
    ]
    assert _chosen(bags, rows) == tuple(names)


def test_every_reason_is_told(bags):
    rows = bags.stereo(bags.steady(2))
    for row in rows:
        if row.topic == "/stereo/left/camera_info":
            row.message.k[:], row.message.p[:] = 0, 0
        elif row.topic == "/stereo/right/camera_info":
            row.message.distortion_model, row.message.d[:] = "omni", 0.1
    with pytest.raises(RecordingError, match="no focal length .*left/camera_info.*'omni' on /stereo/right/camera_info"):
        choose_stereo(bags.write(rows), PLAIN)
