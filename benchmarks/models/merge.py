"""Prints how far the merge inside the graph equals the sequential merge of the host, on the answers of a trained model.

    python benchmarks/models/merge.py MODEL RECORDING [RECORDING...] [--truth TRUTH[,TRUTH...]]

Every image is answered once by the model; both merges start from the same raw outputs. The map of ids is compared at
the size of the network's input, panoptic quality (where truth is given, one folder a recording) at the size of the
images, as the node publishes them.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from cups_ros.fusion import Letterbox, fuse, letterbox
from cups_ros.merged import unpack
from cups_ros.model import Model, load_model
from cups_ros.types import Panoptic, RawOutput
from cups_train.config import RecordingConfig
from cups_train.evaluation.score import EvaluationOptions, evaluate
from cups_train.export.graph_fusion import GraphFusion
from cups_train.folders.results import ResultWriter
from cups_train.recording.recording import open_recordings


def difference(first: Panoptic, second: Panoptic) -> float:
    """Share of pixels with another class or instance."""
    return float(((first.class_id != second.class_id) | (first.instance_id != second.instance_id)).mean())


@dataclass(frozen=True, eq=False)
class BothWays:
    """One image merged on the host and in the graph."""

    difference: float  # share of pixels that differ at the size of the network
    instances: int
    host: Panoptic  # at the size of the image
    graph: Panoptic


def both_ways(model: Model, image: np.ndarray) -> BothWays:
    """image: (H, W, 3) uint8 RGB."""
    canvas, box = letterbox(image, model.input_size)
    raw = model.raw(canvas)
    whole = box.content_size == tuple(model.input_size)  # else the node merges on the host
    small = fuse(raw, model.classes, model.thresholds, Letterbox(model.input_size, model.input_size))
    host = fuse(raw, model.classes, model.thresholds, box)
    return BothWays(
        difference(small, in_graph(model, raw, model.input_size)),
        int(small.instance_id.max()),
        host,
        in_graph(model, raw, image.shape[:2]) if whole else host,
    )


def in_graph(model: Model, raw: RawOutput, size: tuple[int, int]) -> Panoptic:
    """What the merge inside of the graph makes of the network's output, at `size`."""
    merge = GraphFusion(model.classes, model.thresholds)
    parts = (
        torch.from_numpy(np.asarray(part)) for part in (raw.boxes, raw.scores, raw.class_id, raw.masks, raw.semantic)
    )
    merged = merge(*parts)
    return unpack(merged.panoptic.numpy(), merged.segments.numpy(), model.classes, size)


def main() -> int:
    args = _arguments()
    model = load_model(args.model, engines=("onnxruntime-cpu",))
    if args.score is not None:
        model.thresholds = replace(model.thresholds, score=args.score)
    differences, instances, folders = [], 0, {"host": [], "graph": []}
    with tempfile.TemporaryDirectory() as place:
        for recording in open_recordings(args.recording, RecordingConfig()):
            writers = {way: ResultWriter(Path(place) / way / recording.name, model.classes) for way in folders}
            for stamp in recording.stamps:
                answer = both_ways(model, recording.left(stamp.key))
                differences.append(answer.difference)
                instances += answer.instances
                for way, panoptic in (("host", answer.host), ("graph", answer.graph)):
                    writers[way].write(stamp.key, stamp.stamp_ns, panoptic)
            for way, writer in writers.items():
                writer.close()
                folders[way].append(writer.folder)
        found = (
            {way: 100 * evaluate(results, args.truth, EvaluationOptions()).all.pq for way, results in folders.items()}
            if args.truth
            else {}
        )
    print(
        f"images={len(differences)} instances={instances} equal_mean={1 - np.mean(differences):.5f} "
        f"equal_worst={1 - max(differences):.5f} " + " ".join(f"pq_{way}={pq:.2f}" for way, pq in found.items())
    )
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="exported model folder")
    parser.add_argument("recording", type=Path, nargs="+")
    parser.add_argument(
        "--truth", type=lambda text: [Path(part) for part in text.split(",")], help="truth folders, joined by commas"
    )
    parser.add_argument(
        "--score", type=float, help="threshold of the score instead of the card's: a lower one draws more instances"
    )
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
