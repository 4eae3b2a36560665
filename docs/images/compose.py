"""The pictures of the documents, from the demo's run: `python docs/images/compose.py runs/demo`.

overview.jpg: an unseen street, what k-means, the pseudo labels and the network make of it. street_1.jpg to
street_6.jpg: image, truth, k-means with as many classes (before) and the network (after).
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

HERE = Path(__file__).parent
GAP = 6  # px between pictures


def beside(*pictures: np.ndarray) -> np.ndarray:
    """(H, W, 3) pictures of one size in a row."""
    gap = np.full((pictures[0].shape[0], GAP, 3), 255, np.uint8)
    return np.hstack([part for picture in pictures for part in (picture, gap)][:-1])


def below(*rows: np.ndarray) -> np.ndarray:
    """Rows of one width under each other."""
    gap = np.full((GAP, rows[0].shape[1], 3), 255, np.uint8)
    return np.vstack([part for row in rows for part in (row, gap)][:-1])


def main(run: Path) -> None:
    """Write all pictures beside this file."""
    folders = sorted(path for path in (run / "evaluation" / "pictures").iterdir() if path.is_dir())
    streets = [
        {path.stem.split("_", 1)[1]: cv2.imread(str(path)) for path in sorted(folder.glob("*.jpg"))}
        for folder in folders
    ]
    for number, street in enumerate(streets, 1):
        last = street.get("self_train", street["bootstrap"])
        row = beside(street["image"], street["truth"]), beside(street["kmeans"], last)
        cv2.imwrite(str(HERE / f"street_{number}.jpg"), below(*row), [cv2.IMWRITE_JPEG_QUALITY, 85])
    first = streets[2 % len(streets)]
    shown = below(beside(first["image"], first["kmeans"]), beside(first["labels"], first["bootstrap"]))
    cv2.imwrite(str(HERE / "overview.jpg"), shown, [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
