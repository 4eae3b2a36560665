"""`cups-train name`: a contact sheet of the pseudo classes and the YAML in which a person names them."""
from __future__ import annotations

import base64
import heapq
from pathlib import Path

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape

from cups_ros.types import Classes
from cups_train.files import read_image, write_text
from cups_train.recording import Recording

EXAMPLES = 6  # crops of one class
FRAMES = 40  # frames of one recording that are looked at


def write_naming_sheet(run: Path, recordings: list[Recording], classes: Classes) -> str:
    """Write RUN/names.html (examples of every class, under the names given so far) and, where it is not there yet, RUN/names.yaml.

    `recordings` are those that the run was labelled from. Gives what was written, in words.
    """
    examples = _examples(run, recordings, classes)
    rows = [{"c": c, "images": [_data_uri(crop) for _, _, crop in sorted(examples[c.id], reverse=True)]} for c in classes]
    environment = Environment(loader=PackageLoader("cups_train.report", "."), autoescape=select_autoescape(default=True))
    page = environment.get_template("names.html").render(name=run.name, rows=rows)
    write_text(run / "names.html", page)
    names = run / "names.yaml"
    if not names.exists():
        write_text(names, _names_yaml(classes))
    return f"{run / 'names.html'} shows the classes; write their names and colours into {names}, then export again"


def _names_yaml(classes: Classes) -> str:
    return "# id: name and colour (r, g, b) of a pseudo class; names.html shows what each holds\n" + "".join(
        f"{c.id}: {{name: {c.name}, color: [{', '.join(map(str, c.color))}]}}\n" for c in classes)


def _examples(run: Path, recordings: list[Recording], classes: Classes) -> dict[int, list[tuple[int, int, np.ndarray]]]:
    """For every class the crops of the frames where it is largest: class id -> heap of (pixels, tie-break, RGB)."""
    best: dict[int, list[tuple[int, int, np.ndarray]]] = {c.id: [] for c in classes}
    for number, (recording, key) in enumerate(_some_frames(recordings)):
        path = run / "labels" / recording.name / f"{key}_class.png"
        if not path.is_file():
            continue
        image, label = recording.left(key), read_image(path)
        for kind, pixels in enumerate(np.bincount(label.ravel(), minlength=len(classes) + 1)[: len(classes) + 1]):
            if kind and pixels and (len(best[kind]) < EXAMPLES or pixels > best[kind][0][0]):
                push = heapq.heappush if len(best[kind]) < EXAMPLES else heapq.heapreplace
                push(best[kind], (int(pixels), number, _crop(image, label == kind)))
    return best


def _some_frames(recordings: list[Recording]) -> list[tuple[Recording, str]]:
    return [(r, s.key) for r in recordings for s in r.stamps[:: max(1, len(r.stamps) // FRAMES)]]


def _crop(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The surroundings of a class's largest region, the rest dimmed, 120 px high."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    x, y, w, h, _ = stats[1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))]
    margin = max(8, min(w, h) // 4)
    window = (slice(max(0, y - margin), y + h + margin), slice(max(0, x - margin), x + w + margin))
    crop = np.where(mask[window][..., None], image[window], image[window] // 3)
    scale = 120 / crop.shape[0]
    return cv2.resize(crop, (max(8, min(480, round(crop.shape[1] * scale))), 120), interpolation=cv2.INTER_AREA)


def _data_uri(crop: np.ndarray) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(cv2.imencode(".jpg", crop[..., ::-1])[1].tobytes()).decode()
