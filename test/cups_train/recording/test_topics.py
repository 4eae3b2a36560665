from dataclasses import replace

import pytest

from cups_train.config import RecordingConfig
from cups_train.errors import RecordingError
from cups_train.recording.topics import choose_stereo

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
