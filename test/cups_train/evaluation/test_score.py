"""The whole evaluation: against published figures, against an independent program, and its file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from cups_train.errors import ResultError
from cups_train.evaluation.figures import Evaluation
from cups_train.evaluation.metrics.assignment import save_assignment
from cups_train.evaluation.protocols import MATCHINGS
from cups_train.evaluation.score import EvaluationOptions, evaluate
from cups_train.evaluation.table import render_table

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


@pytest.mark.parametrize("pseudo", [4, 14, 30])
def test_strict_equals_loops_over_the_maps(
    tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]], pseudo: int
) -> None:
    """Another way to the same figures: the best assignment by trying them, pixels instead of tables, segments as
    masks."""
    result, truth = random_pair(tmp_path, np.random.default_rng(pseudo), pseudo, images=2)
    found = evaluate(result, truth, EvaluationOptions(matching="strict"))
    predicted, true = ByPixel(result), ByPixel(truth)
    assert found.assignment is not None
    for separate, ours in ((True, found.assignment.panoptic), (False, found.assignment.semantic)):
        named = [c for c in ours.values() if c is not None]
        assert len(named) == len(set(named))  # a true class has one name
        assert shared_pixels(predicted, true, ours) == most_shared_pixels(predicted, true, separate)
    accuracy, miou = semantic_by_pixel(predicted, true, found.assignment.semantic)
    assert (found.acc, found.miou) == pytest.approx((accuracy, miou), abs=1e-12)
    expected = panoptic_by_pixel(predicted, true, found.assignment.panoptic)
    assert {c.category.id: (c.tp, c.fp, c.fn) for c in found.per_class} == {
        c: tuple(counts) for c, (_, *counts) in expected.items()
    }
    assert [c.quality.pq for c in found.per_class] == pytest.approx([pq for pq, *_ in expected.values()], abs=1e-12)
    assert found.all.pq == pytest.approx(np.mean([pq for pq, *_ in expected.values()]), abs=1e-12)


class ByPixel:
    """A folder as maps of every image: segments, classes, crowd; and its last crowd segment of each class, which alone
    excuses."""

    def __init__(self, folder: Path) -> None:
        tree = json.loads((folder / "panoptic.json").read_text())
        self.thing = {c["id"]: bool(c["isthing"]) for c in tree["categories"]}
        self.images, self.excuses = [], []
        for annotation in tree["annotations"]:
            ids = cv2.imread(str(folder / "panoptic" / annotation["file_name"])).astype(int) @ [65536, 256, 1]
            classes, crowd = np.zeros_like(ids), np.zeros(ids.shape, bool)
            self.excuses.append(
                {row["category_id"]: row["id"] for row in annotation["segments_info"] if row["iscrowd"]}
            )
            for row in annotation["segments_info"]:
                classes[ids == row["id"]] = row["category_id"]
                crowd |= (ids == row["id"]) & bool(row["iscrowd"])
            self.images.append((ids, classes, crowd))

    def known(self) -> np.ndarray:
        """(N,) true where a pixel of a truth has a class and is no crowd."""
        return np.concatenate([((ids > 0) & ~crowd).ravel() for ids, _, crowd in self.images])

    def classes(self) -> np.ndarray:
        """(N,) class ids of all pixels, 0 = void."""
        return np.concatenate([classes.ravel() for _, classes, _ in self.images])


def shared_pixels(predicted: ByPixel, true: ByPixel, assignment: Mapping[int, int | None]) -> int:
    table = {c: target or 0 for c, target in assignment.items()} | {0: 0}
    named = np.array([table[c] for c in predicted.classes().tolist()])
    return int(((named == true.classes()) & (named > 0) & true.known()).sum())


def most_shared_pixels(predicted: ByPixel, true: ByPixel, separate: bool) -> int:
    """The largest total of a one-to-one assignment: dynamic programming over sets of true classes."""
    p, t = predicted.classes()[true.known()], true.classes()[true.known()]
    best = {frozenset[int](): 0}
    for c in sorted(predicted.thing):
        grown = dict(best)
        for used, total in best.items():
            for target in sorted(set(true.thing) - used):
                if separate and predicted.thing[c] != true.thing[target]:
                    continue
                key, value = used | {target}, total + int(((p == c) & (t == target)).sum())
                grown[key] = max(grown.get(key, 0), value)
        best = grown
    return max(best.values())


def semantic_by_pixel(predicted: ByPixel, true: ByPixel, assignment: Mapping[int, int | None]) -> tuple[float, float]:
    """(accuracy, mean IoU)."""
    table = {c: target or 0 for c, target in assignment.items()} | {0: 0}
    p, t = np.array([table[c] for c in predicted.classes().tolist()])[true.known()], true.classes()[true.known()]
    return float((p == t).mean()), float(
        np.mean([((p == c) & (t == c)).sum() / ((p == c) | (t == c)).sum() for c in np.unique(t)])
    )


def panoptic_by_pixel(
    predicted: ByPixel, true: ByPixel, assignment: Mapping[int, int | None]
) -> dict[int, tuple[float, int, int, int]]:
    """True class -> PQ, TP, FP, FN by the official rule, from masks."""
    sums: dict[int, list[float]] = {c: [0.0, 0, 0, 0] for c in true.thing}
    for (ids, classes, _), (true_ids, true_classes, crowd), excuses in zip(
        predicted.images, true.images, true.excuses, strict=True
    ):
        masks = {}
        for segment in np.unique(ids[ids > 0]).tolist():
            mask = ids == segment
            target = assignment[int(classes[mask][0])]
            if target is not None:
                key = (target, segment if true.thing[target] else 0)
                masks[key] = masks.get(key, np.zeros_like(mask)) | mask
        unused = dict(masks)
        for segment in np.unique(true_ids[(true_ids > 0) & ~crowd]).tolist():
            mask = true_ids == segment
            c = int(true_classes[mask][0])
            ious = {
                key: (mask & m).sum() / ((mask | m) & ~(m & (true_ids == 0))).sum()
                for key, m in masks.items()
                if key[0] == c
            }
            hit = next((key for key, iou in ious.items() if iou > 0.5), None)
            sums[c][3] += hit is None
            if hit is not None:
                sums[c][0] += ious[hit]
                sums[c][1] += 1
                del unused[hit]
        for (c, _), m in unused.items():
            excused = (m & (true_ids == 0)).sum() + (m & (true_ids == excuses.get(c, -1))).sum()
            sums[c][2] += int(2 * excused <= m.sum())
    return {c: (s / (tp + fp / 2 + fn / 2), tp, fp, fn) for c, (s, tp, fp, fn) in sums.items() if tp + fp + fn}


def test_file_has_the_agreed_keys(tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]]) -> None:
    found = evaluate(*random_pair(tmp_path, np.random.default_rng(1)))
    tree = json.loads(json.dumps(found.to_json()))
    assert list(tree) == [
        "pq",
        "sq",
        "rq",
        "things",
        "stuff",
        "per_class",
        "acc",
        "miou",
        "acc7",
        "miou7",
        "ap",
        "ap50",
        "void_rule",
        "matching",
        "assignment",
        "images",
    ]
    assert set(tree["per_class"][0]) == {"category_id", "name", "isthing", "pq", "sq", "rq", "tp", "fp", "fn"}
    assert tree["images"] == 3 and 0 < tree["ap"] <= tree["ap50"] < 1 and len(tree["assignment"]) == 14
    assert "14 pseudo classes assigned by hungarian" in render_table(found)


def test_saved_assignment_gives_the_same_figures(tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]]) -> None:
    result, truth = random_pair(tmp_path, np.random.default_rng(2))
    fitted = evaluate(result, truth, EvaluationOptions(matching="majority"))
    assert fitted.assignment is not None
    save_assignment(tmp_path / "saved.json", fitted.assignment)
    assert evaluate(result, truth, EvaluationOptions(assignment=tmp_path / "saved.json")) == fitted
    plain = {str(k): v for k, v in fitted.assignment.panoptic.items()}
    (tmp_path / "plain.json").write_text(json.dumps(plain))
    assert evaluate(result, truth, EvaluationOptions(assignment=tmp_path / "plain.json")).all == fitted.all
    (tmp_path / "foreign.json").write_text(json.dumps({"1": 99}))
    with pytest.raises(ResultError, match=r"expected true classes of .*found \[99\]"):
        evaluate(result, truth, EvaluationOptions(assignment=tmp_path / "foreign.json"))


def test_order_of_images_and_names_of_pseudo_classes_do_not_matter(
    tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]]
) -> None:
    result, truth = random_pair(tmp_path, np.random.default_rng(3))
    before = evaluate(result, truth)
    tree = json.loads((result / "panoptic.json").read_text())
    swapped = {
        **tree,
        "annotations": tree["annotations"][::-1],
        "categories": [{**c, "id": 16 - c["id"]} for c in tree["categories"]],
    }
    for annotation in swapped["annotations"]:
        for row in annotation["segments_info"]:
            row["category_id"] = 16 - row["category_id"]
    (result / "panoptic.json").write_text(json.dumps(swapped))
    after = evaluate(result, truth)
    assert after.all == before.all and after.per_class == before.per_class
    assert (after.acc, after.miou, after.ap) == (before.acc, before.miou, before.ap)


def test_several_processes_give_the_same(tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]]) -> None:
    result, truth = random_pair(tmp_path, np.random.default_rng(4))
    assert evaluate(result, truth, EvaluationOptions(workers=2)) == evaluate(result, truth)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("missing image", "expected a result for each of the 3 images"),
        ("size", "at the size of its truth, 64 x 48, found 10 x 10"),
        ("unknown id", "expected every id of"),
        ("no json", "expected a result folder with panoptic.json"),
        ("category", r"among its categories, found \[99\]"),
        ("broken json", "delete it and make it again"),
        ("broken png", "found a damaged file"),
    ],
)
def test_bad_input_is_said_in_one_sentence(
    tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]], damage: str, message: str
) -> None:
    result, truth = random_pair(tmp_path, np.random.default_rng(6))
    tree = json.loads((result / "panoptic.json").read_text())
    if damage == "missing image":
        tree["annotations"] = tree["annotations"][:-1]
    elif damage == "category":
        tree["annotations"][0]["segments_info"][0]["category_id"] = 99
    elif damage == "unknown id":
        tree["annotations"][0]["segments_info"] = tree["annotations"][0]["segments_info"][2:]
    (result / "panoptic.json").write_text("{" if damage == "broken json" else json.dumps(tree))
    if damage == "size":
        cv2.imwrite(str(result / "panoptic" / "000001.png"), np.zeros((10, 10, 3), np.uint8))
    elif damage == "broken png":
        (result / "panoptic" / "000001.png").write_bytes(b"no image")
    elif damage == "no json":
        (result / "panoptic.json").unlink()
    with pytest.raises(ResultError, match=message) as caught:
        evaluate(result, truth)
    assert "\n" not in str(caught.value)


def test_one_folder_above_names_those_inside(tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]]) -> None:
    _, truth = random_pair(tmp_path, np.random.default_rng(7))
    with pytest.raises(
        ResultError, match=r"folders in it that have one: result, truth \(join those wanted by commas\)"
    ):
        evaluate(tmp_path, truth)


def test_results_without_truth_are_left_out(tmp_path: Path, random_pair: Callable[..., tuple[Path, Path]]) -> None:
    result, truth = random_pair(tmp_path, np.random.default_rng(8))
    tree = json.loads((truth / "panoptic.json").read_text())
    (truth / "panoptic.json").write_text(json.dumps({**tree, "annotations": tree["annotations"][1:]}))
    assert evaluate(result, truth).images == 2


def test_ways_to_assign_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="found --no-assignment and --fit-result"):
        evaluate("a", "b", EvaluationOptions(no_assignment=True, fit_result="c", fit_truth="d"))
    with pytest.raises(ResultError, match="together"):
        evaluate("a", "b", EvaluationOptions(fit_result="c"))
