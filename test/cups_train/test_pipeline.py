"""All stages on two tiny rendered streets: every artefact is there, a second call changes nothing, one model gives one
answer everywhere."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from cups_train.cli import main
from cups_train.config import NetworkConfig, RenderConfig, SemanticsConfig
from cups_train.files import read_image, sha256
from cups_train.pipeline import settings_of
from cups_train.render import render

TINY = [
    "workers=1",
    "semantics.clusters=8",
    "semantics.steps=2",
    "semantics.cluster_steps=60",
    "semantics.height=128",
    "semantics.channels=16",
    "labels.min_instances=1",
    "labels.max_class_share=1",
    "network.backbone=own",
    "network.channels=16",
    "network.hidden=32",
    "network.mask_convs=1",
    "network.semantic_channels=16",
    "network.proposals=16",
    "network.detections=8",
    "network.height=64",
    "network.width=128",
    "bootstrap.steps=2",
    "bootstrap.batch=2",
    "bootstrap.rois=16",
    "bootstrap.checkpoint_every=1",
    "self_train.steps=1",
    "self_train.batch=1",
    "self_train.scales=[1.0]",
    "self_train.rois=16",
]


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    folder = tmp_path_factory.mktemp("street")
    for name, seed in (("a", 1), ("b", 2)):
        render(folder / name, 4, seed, RenderConfig(scene="standstill", height=128, width=256))
    return folder


@pytest.fixture(scope="module")
def run_folder(street):
    typed(command(street))
    return street / "run"


def typed(words):
    """A command in a process of its own, as people type it: the last bits of a float32 convolution differ with what a
    process did before."""
    subprocess.run([sys.executable, "-m", "cups_train.cli", *words], check=True)


def command(street):
    options = [word for setting in TINY for word in ("-o", setting)]
    return [
        "run",
        f"{street}/a/recording",
        "--out",
        f"{street}/run",
        "--val",
        f"{street}/b/recording",
        "--truth",
        f"{street}/b/truth",
        *options,
    ]


def tree(folder):
    return {
        p.relative_to(folder): p.stat().st_mtime_ns
        for p in folder.rglob("*")
        if p.is_file() and p.parts[-2] not in ("evaluation", "report")
    }


def test_a_run_leaves_everything(run_folder):
    stages = [
        run_folder / s / "done.json" for s in ("motion", "semantics", "labels", "bootstrap", "self_train", "model")
    ]
    assert all(s.is_file() for s in stages)
    figures = json.loads((run_folder / "metrics.json").read_text())
    assert figures.keys() == {"kmeans", "labels", "bootstrap", "self_train"}
    assert all(0 <= f["official"]["pq"] <= 1 and f["official"]["images"] == 4 for f in figures.values())
    assert all(
        (f["official"]["matching"], f["majority"]["matching"]) == ("hungarian", "majority") for f in figures.values()
    )
    page = (run_folder / "report" / "index.html").read_text()
    assert page.count("data:image/jpeg;base64,") >= 10 and 'src="http' not in page


def test_the_same_command_again_makes_nothing_again(street, run_folder):
    stages = ("motion", "semantics", "labels", "bootstrap", "self_train", "model")
    before = {s: tree(run_folder / s) for s in stages}
    assert main(command(street)) == 0
    assert {s: tree(run_folder / s) for s in stages} == before


DAMAGES = {
    "motion/a-recording/instances/000001.png": None,
    "semantics/encoder.safetensors": "cut",
    "semantics/a-recording/000002.png": "",
    "labels/a-recording/000001_class.png": "cut",
    "classes.json": None,
    "bootstrap/checkpoint.safetensors": "cut",
}
TIMED = {"done.json", "inputs.json", "train.log", "metrics.jsonl"}


def hashes(run):
    return {
        str(p.relative_to(run)): sha256(p)
        for stage in ("motion", "semantics", "labels", "bootstrap", "self_train", "model")
        for p in (run / stage).rglob("*")
        if p.is_file() and p.name not in TIMED
    } | {"classes.json": sha256(run / "classes.json")}


def test_damaged_files_are_made_again_with_the_same_bytes_and_nothing_is_trained_anew(street, run_folder):
    run, command_again = street / "healed", command(street)
    shutil.copytree(run_folder, run)
    command_again[command_again.index("--out") + 1] = str(run)
    before, kept = hashes(run), {s: (run / s / "done.json").stat().st_mtime_ns for s in ("self_train", "model")}
    for name, text in DAMAGES.items():
        path = run / name
        if text is None:
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[: 40 if text else 0])
    typed(command_again)
    assert hashes(run) == before
    assert {s: (run / s / "done.json").stat().st_mtime_ns for s in kept} == kept


def test_the_exported_model_answers_as_its_checkpoint(street, run_folder, tmp_path):
    assert main(["export", str(run_folder), "--out", str(tmp_path / "model")]) == 0
    for name, model in (
        ("exported", tmp_path / "model"),
        ("checkpoint", run_folder / "self_train" / "checkpoint.safetensors"),
    ):
        assert main(["predict", str(model), f"{street}/b/recording", "--out", str(tmp_path / name)]) == 0
    for key in ("000000", "000003"):
        answers = [read_image(tmp_path / name / "panoptic" / f"{key}.png") for name in ("exported", "checkpoint")]
        assert np.mean(np.any(answers[0] != answers[1], axis=-1)) < 0.002


def test_labels_of_a_seen_recording_are_the_labels_of_training(street, run_folder, tmp_path):
    options = ["-o", "workers=1"]
    assert (
        main(
            [
                "predict",
                str(run_folder),
                f"{street}/a/recording",
                "--out",
                str(tmp_path / "again"),
                "--stage",
                "labels",
                *options,
            ]
        )
        == 0
    )
    assert (
        main(
            [
                "pseudo-label",
                f"{street}/a/recording",
                "--out",
                str(run_folder),
                "--export",
                str(tmp_path / "labels"),
                *options,
            ]
        )
        == 0
    )
    again, labels = (json.loads((tmp_path / n / "panoptic.json").read_text()) for n in ("again", "labels"))
    assert again["annotations"] == labels["annotations"] and again["categories"] == labels["categories"]
    for row in labels["images"]:
        images = [read_image(tmp_path / n / "panoptic" / row["file_name"]) for n in ("again", "labels")]
        assert (images[0] == images[1]).all()


def test_names_and_merges_given_by_a_person_reach_results(street, run_folder, tmp_path):
    """The two largest stuff classes become one."""
    assert main(["name", str(run_folder)]) == 0
    names = run_folder / "names.yaml"
    text = names.read_text()
    rows = json.loads((run_folder / "labels" / "statistics.json").read_text())["classes"]
    kept, gone = (c["id"] for c in sorted(rows, key=lambda c: (c["isthing"], -c["area_share"]))[:2])
    given = {f"{kept}:": "{name: tarmac, color: [1, 2, 3]}", f"{gone}:": f"{{merge_into: {kept}}}"}
    lines = [
        f"{line.split()[0]} {given[line.split()[0]]}" if line.split()[0] in given else line
        for line in text.splitlines()
    ]
    names.write_text("\n".join(lines) + "\n")
    try:
        assert main(["predict", str(run_folder), f"{street}/b/recording", "--out", str(tmp_path / "p")]) == 0
        assert main(["export", str(run_folder), "--out", str(tmp_path / "m")]) == 0
        labels = [
            "pseudo-label",
            f"{street}/a/recording",
            "--out",
            str(run_folder),
            "--export",
            str(tmp_path / "labels"),
            "-o",
            "workers=1",
        ]
        assert main(labels) == 0
    finally:
        names.write_text(text)
    card = json.loads((tmp_path / "m" / "model.json").read_text())["classes"]
    assert card[kept - 1] | {"isthing": 0} == {"id": kept, "name": "tarmac", "isthing": 0, "color": [1, 2, 3]}
    assert card[gone - 1] | {"isthing": 0} == {
        "id": gone,
        "name": "tarmac",
        "isthing": 0,
        "color": [1, 2, 3],
        "merge_into": kept,
    }
    for folder in ("p", "labels"):
        result = json.loads((tmp_path / folder / "panoptic.json").read_text())
        assert result["categories"] == card
        kinds = [s["category_id"] for a in result["annotations"] for s in a["segments_info"]]
        assert gone not in kinds
    assert kept in kinds


def test_one_camera_and_a_folder_of_images_are_answered_too(street, run_folder, tmp_path):
    left = "/stereo/left/image_rect/compressed"
    assert (
        main(["predict", str(run_folder), f"{street}/b/recording", "--left", left, "--out", str(tmp_path / "one")]) == 0
    )
    assert len(json.loads((tmp_path / "one" / "panoptic.json").read_text())["images"]) == 4
    assert (
        main(
            [
                "predict",
                str(run_folder),
                str(tmp_path / "one" / "overlays"),
                "--out",
                str(tmp_path / "images"),
                "--stage",
                "labels",
            ]
        )
        == 0
    )
    keys = [i["file_name"] for i in json.loads((tmp_path / "images" / "panoptic.json").read_text())["images"]]
    assert keys == ["000000.png", "000001.png", "000002.png", "000003.png"]


def test_a_recording_in_which_nothing_moves_stops_at_the_gate(street, tmp_path, capsys):
    render(tmp_path / "still", 4, 3, RenderConfig(scene="static", height=128, width=256))
    options = [word for setting in TINY for word in ("-o", setting)]
    assert main(["pseudo-label", f"{tmp_path}/still/recording", "--out", f"{tmp_path}/run", *options]) == 2
    assert "moving" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run" / "labels" / "done.json").exists()


def test_a_recording_cannot_be_trained_on_and_scored(street, tmp_path, capsys):
    recording, truth = f"{street}/a/recording", f"{street}/a/truth"
    assert main(["run", recording, "--out", f"{tmp_path}/run", "--val", recording, "--truth", truth]) == 2
    assert "in both" in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_weights_are_known_by_what_is_in_them(tmp_path):
    """A stage is made again where a file of weights changed under its name, and kept where the file was only moved."""
    here, there = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    here.write_bytes(b"one")
    there.write_bytes(b"one")
    settings = [settings_of(NetworkConfig(weights=path)) for path in (here, there)]
    here.write_bytes(b"two")
    assert settings[0] == settings[1] != settings_of(NetworkConfig(weights=here))
    assert (
        settings_of(NetworkConfig())["weights"] is None
        and settings_of(SemanticsConfig(weights="timm:vit"))["weights"] == "timm:vit"
    )
    numbers = SemanticsConfig(term_weights=(0.5, 0.6, 0.7, 0.1))  # weights that are no file
    assert list(settings_of(numbers)["term_weights"]) == [0.5, 0.6, 0.7, 0.1]
