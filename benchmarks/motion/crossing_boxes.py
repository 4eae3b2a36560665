"""Recall of hand-made boxes of moving road users by instances of a result folder or a motion folder.

    python benchmarks/motion/crossing_boxes.py FOLDER boxes.json [--frames 20]

FOLDER holds panoptic.json (thing segments count) or motion.json. A box counts where its track moves, its distance is
known and it is not heavily occluded (0 or 1); it is found where an instance's box overlaps it with IoU > 0.5.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

Box = tuple[float, float, float, float]  # x1, y1, x2, y2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("boxes", type=Path)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--nearer-than", type=float, default=1e9, metavar="M")
    args = parser.parse_args()
    truth = true_boxes(json.loads(args.boxes.read_text()), args.frames, args.nearer_than)
    found = {key: found_boxes(args.folder, key) for key in truth}
    hits = [any(iou(box, f) > 0.5 for f in found[key]) for key, boxes in truth.items() for box in boxes]
    print(f"recall {np.mean(hits):.3f} of {len(hits)} boxes in {len(truth)} frames")


def true_boxes(tree: dict[str, Any], frames: int, nearest: float) -> dict[str, list[Box]]:
    """KEY -> boxes that count."""
    rows: dict[str, list[Box]] = {}
    for row in tree["boxes"]:
        known = row["moving"] and row["distance_m"] is not None and row["occluded"] < 2
        if row["frame"] < frames and known and row["distance_m"] < nearest:
            rows.setdefault(f"{row['frame']:06d}", []).append(tuple(row["box"]))
    return rows


def found_boxes(folder: Path, key: str) -> list[Box]:
    if (folder / "panoptic.json").is_file():
        tree = json.loads((folder / "panoptic.json").read_text())
        things = {c["id"] for c in tree["categories"] if c["isthing"]}
        rows = next(a["segments_info"] for a in tree["annotations"] if a["file_name"] == f"{key}.png")
        return [(x, y, x + w, y + h) for x, y, w, h in (r["bbox"] for r in rows if r["category_id"] in things)]
    instances = cv2.imread(str(folder / "instances" / f"{key}.png"), cv2.IMREAD_UNCHANGED)
    boxes = [cv2.boundingRect((instances == i).astype(np.uint8)) for i in np.unique(instances[instances > 0])]
    return [(x, y, x + w, y + h) for x, y, w, h in boxes]


def iou(a: Box, b: Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union


if __name__ == "__main__":
    main()
