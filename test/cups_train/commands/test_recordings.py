"""Recordings and images that cannot be used, through the real command line: exit code 2, one sentence, nothing left
that a later run would trust."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from cups_train.cli import main
from cups_train.files import write_image

STORE = get_typestore(Stores.ROS2_JAZZY)
LEFT, RIGHT = "/stereo/left/image_raw", "/stereo/right/image_raw"


def changed(bags, **messages):
    """The rows of a stereo bag with one message of a topic put in place of another: topic's side -> (number,
    message)."""
    rows = bags.stereo(bags.steady(3))
    for side, (number, message) in messages.items():
        rows = [
            replace(r, message=message)
            if r.topic.endswith(f"{side}/image_raw") and r.log_ns == bags.steady(3)[number]
            else r
            for r in rows
        ]
    return rows


def truncated(path, share):
    for file in (*path.glob("*.mcap"), *path.glob("*.db3")):
        file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
    return path


def custom_topic(bags, storage=StoragePlugin.MCAP):
    """A good pair beside a topic whose type nobody knows."""
    path = bags.folder / "custom"
    writer = Writer(path, version=9, storage_plugin=storage)
    with writer:
        connections = {
            t: writer.add_connection(t, "radar_msgs/msg/Echo", msgdef="float32 range", rihs01="RIHS01_0")
            for t in ("/radar",)
        }
        for row in sorted(bags.stereo(bags.steady(3)), key=lambda r: r.log_ns):
            if row.topic not in connections:
                connections[row.topic] = writer.add_connection(row.topic, row.type, typestore=STORE)
            writer.write(connections[row.topic], row.log_ns, STORE.serialize_cdr(row.message, row.type))
        writer.write(connections["/radar"], bags.start, b"\x00\x01\x00\x00\x00\x00\x80\x3f")
    return path


def raw_bytes(bags, data):
    """A pair whose second left message is these bytes."""
    path = bags.folder / "bytes"
    writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
    with writer:
        connections = {}
        for row in sorted(bags.stereo(bags.steady(3)), key=lambda r: r.log_ns):
            if row.topic not in connections:
                connections[row.topic] = writer.add_connection(row.topic, row.type, typestore=STORE)
            damaged = row.topic == LEFT and row.log_ns == bags.steady(3)[1]
            writer.write(
                connections[row.topic], row.log_ns, data if damaged else STORE.serialize_cdr(row.message, row.type)
            )
    return path


def empty_file(bags):
    (bags.folder / "empty.mcap").write_bytes(b"")
    return bags.folder / "empty.mcap"


def small_right(bags):
    rows = [
        replace(r, message=bags.raw(bags.pair(0)[1][:40, :48], r.log_ns))
        if r.topic == RIGHT
        else replace(r, message=bags.info(True, height=40, width=48))
        if r.topic == "/stereo/right/camera_info"
        else r
        for r in bags.stereo(bags.steady(2))
    ]
    return bags.write(rows)


# name: how it is made, what the sentence says, options
UNREADABLE = {
    "nowhere": (lambda bags: bags.folder / "nowhere", "found no .*nowhere", ()),
    "no messages": (lambda bags: bags.write([]), "expected messages in .*record again", ()),
    "empty file": (empty_file, "found an empty file; record again", ()),
    "mcap cut off": (lambda bags: truncated(bags.write(bags.stereo(bags.steady())), 0.6), "mcap recover", ()),
    "db3 cut off": (
        lambda bags: truncated(bags.write(bags.stereo(bags.steady(8)), storage=StoragePlugin.SQLITE3), 0.4),
        "copy it again",
        (),
    ),
    "a header cut off": (lambda bags: raw_bytes(bags, b"\x00\x01\x00"), f"{LEFT}.*3 bytes", ()),
}
UNFIT = {
    "missing topic": (
        lambda bags: bags.write(bags.stereo(bags.steady(2))),
        r"the topic /nope .*`--left`",
        ("--left", "/nope", "--right", RIGHT),
    ),
    "no camera_info": (
        lambda bags: bags.write(bags.stereo(bags.steady(2), infos=False)),
        "camera_info .*`--left-info`",
        (),
    ),
    "one camera": (
        lambda bags: bags.write([r for r in bags.stereo(bags.steady(2)) if "left" in r.topic]),
        "one camera, .*`--right`",
        (),
    ),
    "unknown type": (
        custom_topic,
        r"on /radar, found radar_msgs/msg/Echo; `--left`",
        ("--left", "/radar", "--right", RIGHT),
    ),
    "two sizes": (small_right, "left and right of one size, found 64x48 .*48x40 .*`--right`", ()),
    "one pair": (lambda bags: bags.write(bags.stereo(bags.steady(1))), "found only one stereo pair.*record longer", ()),
}


@pytest.mark.parametrize("name", [*UNREADABLE, *UNFIT])
def test_a_recording_that_cannot_be_opened_makes_no_folder(name, bags, network, refused, tmp_path):
    make, text, options = {**UNREADABLE, **UNFIT}[name]
    path = make(bags)
    for verb in ("run", "motion", "pseudo-label", "predict"):
        model = [network] if verb == "predict" else []
        assert re.search(text, refused(verb, *model, path, "--out", tmp_path / "out", *options)), verb
        assert not (tmp_path / "out").exists(), verb


@pytest.mark.parametrize("name", UNREADABLE)
def test_inspect_of_an_unreadable_recording(name, bags, refused):
    make, text, _ = UNREADABLE[name]
    assert re.search(text, refused("inspect", make(bags)))


@pytest.mark.parametrize("name", UNFIT)
def test_inspect_reports_what_it_has_seen_and_says_why_it_will_not_do(name, bags, capfd):
    make, text, options = UNFIT[name]
    assert main(["inspect", str(make(bags)), *options]) == 2
    out, err = capfd.readouterr()
    assert "topics\n  /" in out and out.splitlines()[-1].startswith("verdict: cannot be trained on: expected")
    assert err == f"cups-train inspect: {out.splitlines()[-1].split(': ', 2)[2]}\n" and re.search(text, err)


def test_a_foreign_topic_beside_the_pair_disturbs_nobody(bags, capfd):
    for storage in (StoragePlugin.MCAP, StoragePlugin.SQLITE3):
        assert main(["inspect", str(custom_topic(bags, storage))]) == 0
        out, err = capfd.readouterr()
        assert re.search(r"/radar +Echo +1", out) and err == ""
        shutil.rmtree(bags.folder / "custom")


def test_an_undecodable_image_in_the_middle_stops_every_stage_that_reads_it(bags, network, refused, tmp_path):
    jello = bags.raw(bags.pair(1)[0], bags.steady(3)[1], "jello8")
    path = bags.write(changed(bags, left=(1, jello)))
    text = (
        f"an image on {LEFT} at stamp {bags.steady(3)[1]} ns, found one that cannot be decoded: image encoding "
        "'jello8' is not supported"
    )
    for verb in ("run", "motion", "pseudo-label", "predict"):
        out, model = tmp_path / verb, [network] if verb == "predict" else []
        assert text in refused(verb, *model, path, "--out", out, "-o", "workers=1", after=True)
        assert not [p for n in ("done.json", "motion.json", "panoptic.json") for p in out.rglob(n)]
    assert text in refused("predict", network, path, "--left", LEFT, "--out", tmp_path / "one", after=True)
    assert not (tmp_path / "one" / "panoptic.json").exists()


def test_a_damaged_file_among_images(network, refused, tmp_path):
    write_image(tmp_path / "images" / "a.png", np.zeros((40, 40, 3), np.uint8))
    (tmp_path / "images" / "b.png").write_bytes((tmp_path / "images" / "a.png").read_bytes()[:20])
    assert "replace or delete it" in refused(
        "predict", network, tmp_path / "images", "--out", tmp_path / "p", after=True
    )
    assert not (tmp_path / "p" / "panoptic.json").exists()
