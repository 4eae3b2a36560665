"""The whole evaluation against published figures and against an independent program."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from cups_train.evaluation.figures import Evaluation
from cups_train.evaluation.metrics.assignment import save_assignment
from cups_train.evaluation.protocols import MATCHINGS
from cups_train.evaluation.score import EvaluationOptions, evaluate

FIGURES = ("pq", "sq", "rq", "acc", "miou", "acc7", "miou7")


def test_panopticapi_figures(shared: Path) -> None:
    data = shared / "data" / "pq_testdata"
    cases = json.loads((data / "expected.json").read_text())["cases"]
    assert len(cases) == 6
    for case in cases:
        found = evaluate(data / case["prediction"], data / case["ground_truth"], EvaluationOptions(no_assignment=True))
        for quality, name in ((found.all, "All"), (found.things, "Things"), (found.stuff, "Stuff")):
            assert quality.to_json() == pytest.approx({k: case[name][k] for k in ("pq", "sq", "rq")}, abs=1e-9)
        assert {str(c.category.id): (c.tp, c.fp, c.fn) for c in found.per_class} == {
            k: (c["tp"], c["fp"], c["fn"]) for k, c in case["per_class"].items()
        }
        for c in found.per_class:
            assert c.quality.pq == pytest.approx(case["per_class"][str(c.category.id)]["pq"], abs=1e-9)


def test_measured_table_of_void_rules(shared: Path, tmp_path: Path) -> None:
    """Altered copies of the sample truth: figures in per cent measured with panopticapi and torchmetrics."""
    expected = {  # PQ, things, stuff under the official rule | under the published one, crowd an ordinary segment
        "a": ((100, 100, 100), (100, 100, 100)),
        "b": ((21.7849, 0, 43.5699), (26.8053, 0, 53.6107)),
        "c": ((81.7460, 88.4921, 75), (100, 100, 100)),
        "d": ((65, 30, 100), (100, 100, 100)),
        "e": ((81.2372, 83.4755, 78.9990), (100, 100, 100)),
        "f": ((100, 100, 100), (100, 100, 100)),
    }
    for case, figures in expected.items():
        result, truth, no_crowd = _altered_copies(shared / "data" / "pq_testdata" / "gt", tmp_path / case, case)
        for folder, void, wanted in ((truth, "official", figures[0]), (no_crowd, "published", figures[1])):
            found = evaluate(result, folder, EvaluationOptions(no_assignment=True, void=void))
            assert [100 * q.pq for q in (found.all, found.things, found.stuff)] == pytest.approx(wanted, abs=1e-4), (
                case,
                void,
            )


def _altered_copies(source: Path, folder: Path, case: str) -> tuple[Path, Path, Path]:
    tree = json.loads((source / "panoptic.json").read_text())
    (folder / "result" / "panoptic").mkdir(parents=True)
    (folder / "plain").mkdir()
    (folder / "plain" / "panoptic").symlink_to(source / "panoptic")
    plain = {
        **tree,
        "annotations": [
            {**a, "segments_info": [{**s, "iscrowd": 0} for s in a["segments_info"]]} for a in tree["annotations"]
        ],
    }
    (folder / "plain" / "panoptic.json").write_text(json.dumps(plain))
    for annotation in plain["annotations"]:
        bgr = cv2.imread(str(source / "panoptic" / annotation["file_name"])).astype(np.int64)
        ids = _alter(bgr[..., 2] + 256 * bgr[..., 1] + 65536 * bgr[..., 0], case)
        cv2.imwrite(
            str(folder / "result" / "panoptic" / annotation["file_name"]),
            np.stack([ids // 65536, ids // 256 % 256, ids % 256], axis=-1).astype(np.uint8),
        )
        annotation["segments_info"] = [s for s in annotation["segments_info"] if (ids == s["id"]).any()]
    (folder / "result" / "panoptic.json").write_text(json.dumps(plain))
    return folder / "result", source, folder / "plain"


def _alter(ids: np.ndarray, case: str) -> np.ndarray:
    values, areas = (a.tolist() for a in np.unique(ids[ids > 0], return_counts=True))
    if case == "b":
        moved = np.zeros_like(ids)
        moved[8:, 16:] = ids[:-8, :-16]
        return moved
    if case == "c":
        return np.where(np.isin(ids, values[::3]), 0, ids)
    if case == "d":
        return np.where(np.isin(ids, [v for v, n in zip(values, areas, strict=True) if n < 4096]), 0, ids)
    if case == "e":
        return np.where(np.arange(ids.shape[1]) < ids.shape[1] // 4, 0, ids)
    if case == "f":
        return np.where(ids == 0, values[int(np.argmax(areas))], ids)
    return ids


def test_equals_independent_scorer(shared: Path, tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]]) -> None:
    rng = np.random.default_rng(5)
    folders = [random_pair(tmp_path / str(n), rng, pseudo) for n, pseudo in enumerate((14, 14, 14, 6))]
    both = [",".join(str(pair[side]) for pair in folders[:2]) for side in (0, 1)]
    third = [str(p) for p in folders[2]]
    few = [str(p) for p in folders[3]]
    cases: list[tuple[list[str], list[str], EvaluationOptions]] = [
        (both, [], EvaluationOptions()),
        (both, ["--void", "published"], EvaluationOptions(void="published")),
        (both, ["--matching", "majority"], EvaluationOptions(matching="majority")),
        (few, [], EvaluationOptions()),
        (both, ["--matching", "strict"], EvaluationOptions(matching="strict")),
        (few, ["--matching", "strict"], EvaluationOptions(matching="strict")),
        (
            third,
            ["--fit-result", both[0], "--fit-truth", both[1]],
            EvaluationOptions(fit_result=both[0], fit_truth=both[1]),
        ),
        ([third[1], third[1]], ["--as-is"], EvaluationOptions(no_assignment=True)),
    ]
    for folder, arguments, options in cases:
        out = tmp_path / "scorer.json"
        scorer = [sys.executable, str(shared / "tools" / "score_panoptic.py")]
        subprocess.run([*scorer, *folder, *arguments, "--json", str(out)], check=True, capture_output=True)
        _assert_equal(evaluate(*folder, options), json.loads(out.read_text()))


@pytest.mark.parametrize("seed", [5, 6])
def test_unknown_objects_are_void_or_a_class_as_the_scorer_has_it(
    shared: Path, tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]], seed: int
) -> None:
    """The scorer knows no predicted crowd. Told that it is a class, we agree with it on the folder as it is; else on
    one without these segments."""
    result, truth = random_pair(tmp_path, np.random.default_rng(seed))
    with_crowd, erased = _with_crowd(result, tmp_path / "crowd"), _with_crowd(result, tmp_path / "erased", erase=True)
    for matching in MATCHINGS:
        for folder, unknown in ((with_crowd, "class"), (erased, "void")):
            out = tmp_path / "scorer.json"
            scorer = [
                sys.executable,
                str(shared / "tools" / "score_panoptic.py"),
                str(folder),
                str(truth),
                "--matching",
                matching,
            ]
            subprocess.run([*scorer, "--json", str(out)], check=True, capture_output=True)
            _assert_equal(
                evaluate(with_crowd, truth, EvaluationOptions(matching=matching, unknown=unknown)),
                json.loads(out.read_text()),
            )


def test_without_unknown_objects_the_switch_changes_nothing(
    tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]]
) -> None:
    pair = random_pair(tmp_path, np.random.default_rng(7))
    assert evaluate(*pair) == evaluate(*pair, EvaluationOptions(unknown="class"))


def test_unknown_objects_are_given_to_no_true_class(
    tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]]
) -> None:
    result, truth = random_pair(tmp_path, np.random.default_rng(8))
    folder = _with_crowd(result, tmp_path / "crowd")
    void, scored = (
        evaluate(folder, truth, EvaluationOptions(matching="majority", unknown=unknown))
        for unknown in ("void", "class")
    )
    assert void.assignment is not None and scored.assignment is not None
    assert 15 not in void.assignment.panoptic and scored.assignment.panoptic[15] is not None
    assert (void.pseudo_classes, scored.pseudo_classes) == (14, 15) and void.void_share > scored.void_share
    save_assignment(tmp_path / "saved.json", scored.assignment)
    assert evaluate(folder, truth, EvaluationOptions(assignment=tmp_path / "saved.json", unknown="class")) == scored


def _with_crowd(result: Path, folder: Path, erase: bool = False) -> Path:
    """A copy in which every third segment of an image belongs to one crowd segment of class 15, or is void."""
    tree = json.loads((result / "panoptic.json").read_text())
    (folder / "panoptic").mkdir(parents=True)
    if not erase:
        tree["categories"].append({"id": 15, "name": "unknown object", "isthing": 1, "color": [9, 9, 9], "unknown": 1})
    for annotation in tree["annotations"]:
        path = Path("panoptic") / annotation["file_name"]
        bgr, rows = cv2.imread(str(result / path)), annotation["segments_info"]
        ids = bgr.astype(int) @ [65536, 256, 1]
        bgr[np.isin(ids, [row["id"] for row in rows[::3]])] = (0, 0, 0) if erase else (255, 255, 255)
        cv2.imwrite(str(folder / path), bgr)
        del rows[::3]
        if not erase:
            rows.append({"id": 2**24 - 1, "category_id": 15, "iscrowd": 1, "score": 1.0})
    (folder / "panoptic.json").write_text(json.dumps(tree))
    return folder


def _assert_equal(found: Evaluation, expected: dict) -> None:
    ours = found.to_json()
    for name in FIGURES:
        assert ours[name] == pytest.approx(expected[name], abs=1e-12), name
    for kind in ("things", "stuff"):
        assert ours[kind] == pytest.approx({k: expected[kind][k] for k in ("pq", "sq", "rq")}, abs=1e-12)
    assert [(c["category_id"], c["tp"], c["fp"], c["fn"]) for c in ours["per_class"]] == [
        (c["category_id"], c["tp"], c["fp"], c["fn"]) for c in expected["per_class"]
    ]
    assert ours["assignment"] == expected["assignment"]
    assert found.void_share == pytest.approx(expected["void_share"], abs=1e-12)
