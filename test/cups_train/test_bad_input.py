"""Bad input through the real command line: exit code 2, one sentence (expected, found, what mends it), nothing left that a later run would trust."""
import hashlib
import importlib.util
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rosbags.rosbag2 import StoragePlugin
from safetensors.torch import save_file

from cups_ros.types import Classes, Panoptic, PseudoClass
from cups_train import pipeline
from cups_train.cli import main
from cups_train.config import RecordingConfig, load_config
from cups_train.errors import ModelError
from cups_train.files import write_image, write_json
from cups_train.network import NetworkSpec, PanopticNetwork, save_checkpoint
from cups_train.recording import open_recording
from cups_train.result_folder import ResultWriter
from cups_train.run_folder import RunFolder
from cups_train.training.state import load_state


def _builder():
    """The bag builder of the recording tests."""
    spec = importlib.util.spec_from_file_location("bag_builder", Path(__file__).parent / "recording" / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


BAGS = _builder()
CLASSES = Classes((PseudoClass(1, "c1", False, (9, 9, 9)), PseudoClass(2, "c2", True, (8, 8, 8))))
LEFT, RIGHT = "/stereo/left/image_raw", "/stereo/right/image_raw"
TINY = ["workers=1", "device=cpu", "network.backbone=resnet18", "network.channels=16", "network.hidden=16", "network.height=64", "network.width=96",
        "bootstrap.steps=1", "bootstrap.batch=1", "self_train.steps=1", "self_train.batch=1"]  # for the case that a command is not refused
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Payload:
    """Unpickling it writes a file."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def bags(tmp_path):
    return BAGS.Bags(tmp_path)


@pytest.fixture
def refused(capfd):
    """Run a command that must end with one sentence; the sentence. `after`: work was under way, so that progress stands before it."""
    def run(*argv, after=False):
        assert main([str(a) for a in argv]) == 2
        lines = capfd.readouterr().err.splitlines()
        sentence = lines.pop()
        assert sentence.startswith(f"cups-train {argv[0]}: expected ") and re.search(r"\bfound\b", sentence), sentence
        assert after or not lines, lines
        assert not any("Traceback" in line or line.startswith("cups-train") for line in lines), lines
        return sentence
    return run


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    bags = BAGS.Bags(tmp_path_factory.mktemp("good"))
    return bags.write(bags.stereo(bags.steady(3)))


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "checkpoint.safetensors"
    spec = NetworkSpec(CLASSES, 64, 96, "resnet18", "group", 16, 16, 1, 16, 16, 8)
    save_checkpoint(PanopticNetwork(spec), path, step=1, stage="bootstrap")
    return path


def make_run(root, path, network):
    """A run that is labelled and bootstrapped, without the work."""
    recording, config = open_recording(path, RecordingConfig()), load_config(None, TINY)
    run = RunFolder.create(root, config)
    pipeline._write_indices([recording], run)
    with run.making("labels", {}, 1) as folder:
        for stamp in recording.stamps:
            write_image(folder / recording.name / f"{stamp.key}_class.png", np.ones((48, 64), np.uint8))
            write_image(folder / recording.name / f"{stamp.key}_instance.png", np.zeros((48, 64), np.uint16))
        frames = [{"key": s.key, "stamp_ns": s.stamp_ns, "instances": [], "reason": "nothing moves"} for s in recording.stamps]
        write_json(folder / recording.name / "labels.json", {"recording": recording.name, "frames": frames})
        write_json(root / "classes.json", {"classes": CLASSES.to_json()})
    with run.making("bootstrap", {}, 1) as folder:
        shutil.copyfile(network, folder / "checkpoint.safetensors")
    return root


@pytest.fixture
def a_run(tmp_path, drive, network):
    return make_run(tmp_path / "run", drive, network)


def make_result(folder, keys=("000000", "000001"), kind="prediction"):
    writer = ResultWriter(folder, CLASSES, {"kind": kind})
    for key in keys:
        writer.write(key, 0, Panoptic(np.ones((4, 6), np.uint8), np.zeros((4, 6), np.uint16), ()))
    writer.close()
    return folder


def changed(bags, **messages):
    """The rows of a stereo bag with one message of a topic put in place of another: topic's side -> (number, message)."""
    rows = bags.stereo(bags.steady(3))
    for side, (number, message) in messages.items():
        rows = [replace(r, message=message) if r.topic.endswith(f"{side}/image_raw") and r.log_ns == bags.steady(3)[number] else r for r in rows]
    return rows


def truncated(path, share):
    for file in (*path.glob("*.mcap"), *path.glob("*.db3")):
        file.write_bytes(file.read_bytes()[:int(file.stat().st_size * share)])
    return path


def custom_topic(bags, storage=StoragePlugin.MCAP):
    """A good pair beside a topic whose type nobody knows."""
    path = bags.folder / "custom"
    writer = BAGS.Writer(path, version=9, storage_plugin=storage)
    with writer:
        connections = {t: writer.add_connection(t, "radar_msgs/msg/Echo", msgdef="float32 range", rihs01="RIHS01_0") for t in ("/radar",)}
        for row in sorted(bags.stereo(bags.steady(3)), key=lambda r: r.log_ns):
            if row.topic not in connections:
                connections[row.topic] = writer.add_connection(row.topic, row.type, typestore=BAGS.STORE)
            writer.write(connections[row.topic], row.log_ns, BAGS.STORE.serialize_cdr(row.message, row.type))
        writer.write(connections["/radar"], bags.start, b"\x00\x01\x00\x00\x00\x00\x80\x3f")
    return path


def raw_bytes(bags, data):
    """A pair whose second left message is these bytes."""
    path = bags.folder / "bytes"
    writer = BAGS.Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
    with writer:
        connections = {}
        for row in sorted(bags.stereo(bags.steady(3)), key=lambda r: r.log_ns):
            if row.topic not in connections:
                connections[row.topic] = writer.add_connection(row.topic, row.type, typestore=BAGS.STORE)
            damaged = row.topic == LEFT and row.log_ns == bags.steady(3)[1]
            writer.write(connections[row.topic], row.log_ns, data if damaged else BAGS.STORE.serialize_cdr(row.message, row.type))
    return path


def empty_file(bags):
    (bags.folder / "empty.mcap").write_bytes(b"")
    return bags.folder / "empty.mcap"


def small_right(bags):
    rows = [replace(r, message=bags.raw(bags.pair(0)[1][:24, :32], r.log_ns)) if r.topic == RIGHT else
            replace(r, message=bags.info(True, height=24, width=32)) if r.topic == "/stereo/right/camera_info" else r
            for r in bags.stereo(bags.steady(2))]
    return bags.write(rows)


# name: how it is made, what the sentence says, options
UNREADABLE = {
    "nowhere": (lambda bags: bags.folder / "nowhere", "found no .*nowhere", ()),
    "no messages": (lambda bags: bags.write([]), "expected messages in .*record again", ()),
    "empty file": (empty_file, "found an empty file; record again", ()),
    "mcap cut off": (lambda bags: truncated(bags.write(bags.stereo(bags.steady())), 0.6), "mcap recover", ()),
    "db3 cut off": (lambda bags: truncated(bags.write(bags.stereo(bags.steady(8)), storage=StoragePlugin.SQLITE3), 0.4), "copy it again", ()),
    "a header cut off": (lambda bags: raw_bytes(bags, b"\x00\x01\x00"), f"{LEFT}.*3 bytes", ()),
}
UNFIT = {
    "missing topic": (lambda bags: bags.write(bags.stereo(bags.steady(2))), r"the topic /nope .*`--left`", ("--left", "/nope", "--right", RIGHT)),
    "no camera_info": (lambda bags: bags.write(bags.stereo(bags.steady(2), infos=False)), "camera_info .*`--left-info`", ()),
    "one camera": (lambda bags: bags.write([r for r in bags.stereo(bags.steady(2)) if "left" in r.topic]), "one camera, .*`--right`", ()),
    "unknown type": (custom_topic, r"on /radar, found radar_msgs/msg/Echo; `--left`", ("--left", "/radar", "--right", RIGHT)),
    "two sizes": (small_right, "left and right of one size, found 64x48 .*32x24 .*`--right`", ()),
    "one pair": (lambda bags: bags.write(bags.stereo(bags.steady(1))), "found only one stereo pair.*record longer", ()),
}
READERS = {"run": "--out", "motion": "--out", "pseudo-label": "--out", "predict": "--out"}


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
    text = f"an image on {LEFT} at stamp {bags.steady(3)[1]} ns, found one that cannot be decoded: unknown encoding 'jello8'"
    for verb in ("run", "motion", "pseudo-label", "predict"):
        out, model = tmp_path / verb, [network] if verb == "predict" else []
        assert text in refused(verb, *model, path, "--out", out, "-o", "workers=1", after=True)
        assert not [p for n in ("done.json", "motion.json", "panoptic.json") for p in out.rglob(n)]
    assert text in refused("predict", network, path, "--left", LEFT, "--out", tmp_path / "one", after=True)
    assert not (tmp_path / "one" / "panoptic.json").exists()


def test_a_damaged_file_among_images(network, refused, tmp_path):
    write_image(tmp_path / "images" / "a.png", np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "images" / "b.png").write_bytes((tmp_path / "images" / "a.png").read_bytes()[:20])
    assert "replace or delete it" in refused("predict", network, tmp_path / "images", "--out", tmp_path / "p", after=True)
    assert not (tmp_path / "p" / "panoptic.json").exists()


# what --out must not be

OUTS = ("run", "motion", "pseudo-label", "predict", "export", "pseudo-label --export")


def out_command(verb, drive, network, a_run, out):
    if verb == "export":
        return ["export", a_run, "--out", out]
    if verb == "pseudo-label --export":
        return ["pseudo-label", drive, "--out", a_run, "--export", out]
    return [verb, *([network] if verb == "predict" else []), drive, "--out", out]


@pytest.mark.parametrize("verb", OUTS)
def test_out_is_a_foreign_folder_or_a_file(verb, drive, network, a_run, refused, tmp_path):
    photos, note = tmp_path / "photos", tmp_path / "note.txt"
    (photos / "instances").mkdir(parents=True)
    (photos / "instances" / "me.jpg").write_text("me")
    (photos / "panoptic").mkdir()
    (photos / "mine.txt").write_text("mine")
    note.write_text("note")
    for out in (photos, note, note / "below"):
        before = {p: p.read_bytes() for p in (*photos.rglob("*"), note) if p.is_file()}
        sentence = refused(*out_command(verb, drive, network, a_run, out))
        assert str(out) in sentence and ("another" in sentence or "--out" in sentence), sentence
        assert {p: p.read_bytes() for p in (*photos.rglob("*"), note) if p.is_file()} == before


def test_predictions_never_take_the_place_of_a_truth(drive, network, a_run, refused, tmp_path):
    truth = make_result(tmp_path / "truth", kind="truth")
    for verb in ("predict", "pseudo-label --export"):
        assert "truth" in refused(*out_command(verb, drive, network, a_run, truth))
    assert json.loads((truth / "panoptic.json").read_text())["info"]["kind"] == "truth"


def test_figures_that_cannot_be_written(refused, tmp_path):
    result = make_result(tmp_path / "result")
    (tmp_path / "note").write_text("")
    command = ("evaluate", result, "--truth", make_result(tmp_path / "truth", kind="truth"))
    assert "--json" in refused(*command, "--json", tmp_path / "note" / "out.json")
    assert "--save-assignment" in refused(*command, "--save-assignment", tmp_path)


# settings

BAD_CONFIGS = {"not YAML": b"motion: [1, 2\n  runs: 3", "not text": b"\xff\xfe\x00motion", "a list": b"- motion\n",
               "nothing of ours": b"engine: 3\nmotion: {runs: x}\n"}


@pytest.mark.parametrize("name", BAD_CONFIGS)
def test_an_unreadable_config(name, drive, network, capfd, tmp_path):
    (tmp_path / "c.yaml").write_bytes(BAD_CONFIGS[name])
    for verb in ("inspect", "run", "motion", "pseudo-label", "predict"):
        out = [] if verb == "inspect" else ["--out", str(tmp_path / "out")]
        model = [str(network)] if verb == "predict" else []
        assert main([verb, *model, str(drive), *out, "--config", str(tmp_path / "c.yaml")]) == 2
        err = capfd.readouterr().err
        assert err.count("\n") == 1 and "found" in err and "--config" in err
        assert not (tmp_path / "out").exists()


def test_a_config_that_is_not_there(drive, refused, tmp_path):
    for path in (tmp_path / "none.yaml", tmp_path):
        assert "--config" in refused("inspect", drive, "--config", path)


def test_the_config_of_a_run_is_named_where_it_is_damaged(a_run, refused):
    (a_run / "config.yaml").write_bytes(b"motion: [1,\n\xff")
    for verb in ("train", "self-train", "check", "name"):
        assert str(a_run / "config.yaml") in refused(verb, a_run)


# models

def damage(path, how, mark):
    if how == "pickle":
        path.write_bytes(pickle.dumps({"model": Payload(mark)}))
    elif how == "torch":
        torch.save({"model": Payload(mark)}, path)
    elif how == "cut off":
        path.write_bytes(path.read_bytes()[:5000])
    elif how == "noise in the header":
        path.write_bytes(path.read_bytes()[:8] + b"\xff" * 100 + path.read_bytes()[108:])
    elif how == "another program's":
        save_file({"a": torch.zeros(2)}, path)
    else:
        save_file({"a": torch.zeros(2)}, path, {"format": "cups-network-1", "spec": how, "facts": "{}"})


DAMAGES = ("pickle", "torch", "cut off", "noise in the header", "another program's", "[]", "{}", "null")


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_checkpoint_is_never_executed(how, drive, network, a_run, refused, tmp_path):
    path, mark = tmp_path / "c.safetensors", tmp_path / "executed"
    shutil.copyfile(network, path)
    damage(path, how, mark)
    assert str(path) in refused("predict", path, drive, "--out", tmp_path / "p")
    shutil.copyfile(path, a_run / "bootstrap" / "checkpoint.safetensors")
    for command in (("predict", a_run, drive, "--out", tmp_path / "p"), ("export", a_run, "--out", tmp_path / "m"), ("self-train", a_run)):
        assert "bootstrap" in refused(*command, after=command[0] == "self-train")
    assert not mark.exists() and not (tmp_path / "p").exists() and not (tmp_path / "m").exists() and not (a_run / "self_train" / "done.json").exists()


def test_a_checkpoint_under_another_name_is_refused(drive, refused, tmp_path):
    for name in ("c.pt", "c.pkl", "c.ckpt"):
        damage(tmp_path / name, "torch", tmp_path / "executed")
        assert ".safetensors" in refused("predict", tmp_path / name, drive, "--out", tmp_path / "p")
    assert not (tmp_path / "executed").exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("how", ["pickle", "torch", "cut off"])
def test_a_damaged_training_state_is_never_executed(how, network, tmp_path):
    state = tmp_path / "state" / "000001"
    state.mkdir(parents=True)
    write_json(state / "state.json", {"step": 1, "networks": ["network"], "identity": {}})
    shutil.copyfile(network, state / "network.safetensors")
    torch.save({"state": torch.zeros(3000)}, state / "optimiser.pt")
    damage(state / "optimiser.pt", how, tmp_path / "executed")
    with pytest.raises(ModelError, match="damaged file; delete .*state to start again"):
        load_state(tmp_path, {}, "network", torch.device("cpu"))
    assert not (tmp_path / "executed").exists()


def test_a_damaged_model_folder(drive, refused, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    shape = {"boxes": [8, 4], "scores": [8], "class_id": [8], "masks": [8, 28, 28], "semantic": [64, 96]}
    card = {"format": 1, "input": {"name": "image", "height": 64, "width": 96, "layout": "NHWC", "dtype": "uint8", "color": "rgb"},
            "outputs": [{"name": n, "shape": s, "dtype": "float32", "meaning": ""} for n, s in shape.items()],
            "classes": CLASSES.to_json(), "thresholds": {"score": 0.5}, "sha256": "0" * 64}
    noise = b"\x08\x07 not a graph"
    digest = "f3b0" + "0" * 60
    (model / "model.onnx").write_bytes(noise)
    for text, said in (("{", "JSON"), ("[]", "format 1"), ('{"format": 7}', "format 1"), ('{"format": 1}', "complete"),
                       (json.dumps({**card, "sha256": digest}), "sha256"), (json.dumps({**card, "classes": []}), "no classes"),
                       (json.dumps({**card, "sha256": hashlib.sha256(noise).hexdigest()}), "ONNX Runtime refuses")):
        (model / "model.json").write_text(text)
        sentence = refused("predict", model, drive, "--out", tmp_path / "p")
        assert said in sentence and "export" in sentence, sentence
    (model / "model.onnx").unlink()
    (model / "model.json").write_text(json.dumps(card))
    assert "model.onnx" in refused("predict", model, drive, "--out", tmp_path / "p")
    assert not (tmp_path / "p").exists()


# results and truths

def test_results_and_truths_that_do_not_fit(drive, refused, tmp_path):
    result, truth = make_result(tmp_path / "r", ["000000"]), make_result(tmp_path / "t", kind="truth")
    assert "panoptic.json" in refused("evaluate", tmp_path, "--truth", truth)
    assert "found none for 1 in" in refused("evaluate", result, "--truth", truth)
    assert "--truth" in refused("evaluate", result, "--truth", make_result(tmp_path / "e", []))
    (result / "panoptic" / "000000.png").write_bytes(b"")
    assert "000000.png" in refused("evaluate", result, "--truth", make_result(tmp_path / "t1", ["000000"]))
    for text in ("{", "[]", "{}", '{"images": [], "categories": [{}], "annotations": []}'):
        (result / "panoptic.json").write_text(text)
        assert "panoptic.json" in refused("evaluate", result, "--truth", truth)


def test_a_run_is_told_of_a_bad_truth_before_it_works_for_hours(drive, refused, tmp_path):
    bags = BAGS.Bags(tmp_path)
    other = bags.write(bags.stereo(bags.steady(2)), "other")
    for truth, text in ((tmp_path / "none", "panoptic.json"), (make_result(tmp_path / "long", ["000000", "000001", "000002"]), "000002")):
        assert text in refused("run", drive, "--out", tmp_path / "run", "--val", other, "--truth", truth)
        assert not (tmp_path / "run").exists()


def test_a_truth_that_is_not_of_this_recording_leaves_the_motion_folder_alone(drive, refused, tmp_path):
    out = tmp_path / "m"
    write_json(out / "motion.json", {"frames": [], "settings": {}})
    assert "--given" in refused("motion", drive, "--out", out, "--given", make_result(tmp_path / "t"))
    assert (out / "motion.json").exists() and not (out / "frames").exists()


# runs

def test_a_folder_that_is_no_run(drive, refused, tmp_path):
    for verb in ("train", "self-train", "check", "name", "export"):
        out = ["--out", tmp_path / "m"] if verb == "export" else []
        for path in (tmp_path, tmp_path / "none", drive / "metadata.yaml"):
            assert "cups-train run" in refused(verb, path, *out)


def test_a_recording_that_has_changed_since(bags, network, refused, tmp_path):
    path = bags.write(bags.stereo(bags.steady(3)))
    run = make_run(tmp_path / "run", path, network)
    shutil.rmtree(path)
    bags.write(bags.stereo(bags.steady(4)))
    for command in (("train", run), ("self-train", run), ("name", run), ("pseudo-label", path, "--out", run, "--export", tmp_path / "e")):
        assert "pseudo-label" in refused(*command)
    shutil.rmtree(path)
    for command in (("train", run), ("self-train", run), ("name", run)):
        assert str(path) in refused(*command)
    assert not (tmp_path / "e").exists() and not (run / "names.html").exists() and not (run / "self_train").exists()


def test_damaged_files_of_a_run(a_run, drive, refused, tmp_path):
    index = next(a_run.glob("recording/*/index.json"))
    text = index.read_text()
    for damaged in ("{", "[]", "{}"):
        index.write_text(damaged)
        for verb in ("train", "self-train", "name"):
            assert "index.json" in refused(verb, a_run)
    index.write_text(text)
    for damaged in ("{", "{}", '{"classes": [{"id": 7}]}'):
        (a_run / "classes.json").write_text(damaged)
        for verb in ("train", "name"):
            assert "classes.json" in refused(verb, a_run, after=True)
    for damaged in ("{", "[]", "{}"):
        (a_run / "labels" / "done.json").write_text(damaged)
        assert "labels" in refused("check", a_run) and "labels" in refused("train", a_run, after=True)


def test_stages_that_are_not_there_name_the_command_that_makes_them(a_run, refused, tmp_path):
    shutil.rmtree(a_run / "bootstrap")
    assert "`cups-train train" in refused("self-train", a_run, after=True)
    assert "`cups-train train" in refused("export", a_run, "--out", tmp_path / "m")
    shutil.rmtree(a_run / "labels")
    for verb in ("train", "check"):
        assert "`cups-train pseudo-label" in refused(verb, a_run, after=True)


# interruption

def motion_command(path, out):
    return [sys.executable, "-m", "cups_train.cli", "motion", str(path), "--out", str(out), "-o", "workers=2"]


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def heed_interrupts():
    """Jobs in the background of a script ignore Ctrl-C, and so would their children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupted_motion(path, out):
    """What `cups-train motion` says when Ctrl-C comes while frames are under way; None where all of them were done before it came."""
    process = subprocess.Popen(motion_command(path, out), env={**os.environ, **ONE_THREAD}, stderr=subprocess.PIPE, text=True, start_new_session=True,
                               preexec_fn=heed_interrupts)
    until = time.monotonic() + 60
    while not list((out / "frames").glob("0*.json")) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # to all processes of the command
    err = process.communicate(timeout=60)[1]
    assert process.returncode in (0, 130), err
    return err if process.returncode else None


def test_an_interrupted_motion_goes_on_and_gives_the_same_bytes(bags, tmp_path):
    path = bags.write(bags.stereo(bags.steady(16)))
    for _ in range(5):  # on a busy machine the signal may come late
        shutil.rmtree(tmp_path / "a", ignore_errors=True)
        err = interrupted_motion(path, tmp_path / "a")
        if err is not None:
            break
    assert err is not None
    assert err.splitlines()[-1] == "cups-train motion: interrupted; the same command goes on where it stopped" and "Traceback" not in err
    assert not (tmp_path / "a" / "motion.json").exists()
    assert main(motion_command(path, tmp_path / "a")[3:-1] + ["workers=1"]) == 0
    assert main(motion_command(path, tmp_path / "b")[3:-1] + ["workers=1"]) == 0
    assert files(tmp_path / "a") == files(tmp_path / "b") and (tmp_path / "a" / "motion.json").exists()
