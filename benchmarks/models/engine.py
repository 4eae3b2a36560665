"""Prints latency and rate of the full, light and tiny network by input size, precision and back end, with random
weights.

No arguments are needed.

    python benchmarks/models/engine.py [--variants full,light,tiny] [--sizes 512x1024,256x512] [--precisions fp32]
        [--engines ...] [--merge]
                                       [--keep DIR]

One line a variant, size, precision and engine: `engine_*` is the engine alone (canvas in, raw outputs out), `all_*` is
what the node does with an image of 640 x 1280 (letterbox, engine, panoptic merge). Random weights draw every instance
that fits, so that the merge is at its slowest. `cpu_ms` is the processor time of all threads: on a machine with other
work the figure to trust. Engines that cannot run here are named once with the reason. Where there is a GPU, torch with
a CUDA graph is measured beside them, and fp16 in place of int8. It ends after `--minutes`, most of which the exports
take, and names what it had no time for; `--keep DIR` keeps the models for the next time.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
import yaml

from cups_ros.engines import ENGINES
from cups_ros.model import ModelError, load_model
from cups_ros.types import Classes, PseudoClass, Thresholds
from cups_train.config import ExportConfig, NetworkConfig
from cups_train.export.card import make_card
from cups_train.export.graph import write_graph
from cups_train.export.int8 import quantise
from cups_train.export.parity import probe_images
from cups_train.export.precision import in_half
from cups_train.files import sha256, write_json
from cups_train.network import NetworkSpec, PanopticNetwork, build_network, make_spec

ROOT = Path(__file__).resolve().parents[2]
RECIPES = {"full": "vehicle", "light": "street", "tiny": "tiny"}  # variant -> recipe under config/train
CLASSES = Classes(tuple(PseudoClass(i, f"c{i}", i % 3 == 0, (i, i, i)) for i in range(1, 28)))
IMAGE_SIZE = (640, 1280)
GPU = torch.cuda.is_available()
CALIBRATION_IMAGES = 1  # of random weights only the speed is asked
LEAST_RUNS = 3
WARM_UP = 1


def spec_of(variant: str, size: tuple[int, int]) -> NetworkSpec:
    """The network of the variant's recipe at this input size."""
    recipe = yaml.safe_load((ROOT / "config/train" / f"{RECIPES[variant]}.yaml").read_text()).get("network", {})
    return make_spec(NetworkConfig(**{**recipe, "height": size[0], "width": size[1]}), CLASSES, [size])


def export(network: PanopticNetwork, folder: Path, config: ExportConfig) -> Path:
    """A model folder of a network with random weights; one that is there is kept. Random weights have ties, so that
    parity is not asked for."""
    if (folder / "model.json").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    card = make_card(network.spec, config, folder.name, {})
    merge = (
        Thresholds(score=config.score, overlap=config.overlap, stuff_area=config.stuff_area) if config.merge else None
    )
    graph = folder / "model.onnx"
    if config.precision == "int8":
        single = export(
            network,
            folder.with_name(folder.name.replace("int8", "fp32")),
            config.model_copy(update={"precision": "fp32"}),
        )
        quantise(
            single / "model.onnx",
            iter(probe_images(network.spec.height, network.spec.width, CALIBRATION_IMAGES)),
            graph,
        )
    else:
        write_graph(in_half(network) if config.precision == "fp16" else network, graph, {}, merge)
    write_json(folder / "model.json", {**card, "sha256": sha256(graph)})
    return folder


def timed(run: Callable[[], object], seconds: float) -> str:
    """Median, 99th percentile, rate and processor time of `run`, called for `seconds` and at least LEAST_RUNS times."""
    for _ in range(WARM_UP):
        run()
    times: list[float] = []
    busy, end = time.process_time(), time.perf_counter() + seconds
    while len(times) < LEAST_RUNS or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    busy = 1e3 * (time.process_time() - busy) / len(times)
    return (
        f"p50_ms={np.median(times):.1f} p99_ms={np.percentile(times, 99):.1f} hz={1e3 / np.mean(times):.1f} "
        f"cpu_ms={busy:.1f}"
    )


def measure(name: str, folder: Path, engine: str, args: argparse.Namespace) -> str | None:
    """The line of one engine; None where it does not run here."""
    try:
        model = load_model(folder, engines=(engine,), threads=args.threads)
    except ModelError as error:
        if engine not in args.named:
            args.named.add(engine)
            print(
                f"# cannot run here: {str(error).partition('found none (')[2].rpartition(');')[0] or error}", flush=True
            )
        return None
    image = cv2.resize(probe_images(256, 512, 1)[0], IMAGE_SIZE[::-1])
    canvas = np.ascontiguousarray(cv2.resize(image, model.input_size[::-1]))
    alone = timed(lambda: model.raw(canvas), args.seconds)
    whole = timed(lambda: model.infer(image), args.seconds)
    model.close()
    return f"{name} engine={engine} " + " ".join(
        f"{kind}_{part}" for kind, text in (("engine", alone), ("all", whole)) for part in text.split()
    )


def measure_torch(name: str, network: PanopticNetwork, precision: str, seconds: float) -> str:
    """torch on a GPU with the whole network in one CUDA graph, copies to and from the host inside."""
    network = (in_half(network) if precision == "fp16" else network).cuda()
    host = torch.from_numpy(probe_images(network.spec.height, network.spec.width, 1)[0]).pin_memory()
    image = host.cuda()
    anchors = network.anchors(
        network.features(torch.zeros(1, 3, network.spec.height, network.spec.width, device="cuda"))
    )

    def infer() -> tuple[torch.Tensor, ...]:
        return tuple(network.infer(image.permute(2, 0, 1)[None].float() / 255, anchors))

    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            infer()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        answer = infer()

    def run() -> None:
        image.copy_(host, non_blocking=True)
        graph.replay()
        for tensor in answer:
            tensor.cpu()

    return f"{name} engine=torch-cuda-graph " + " ".join(f"engine_{part}" for part in timed(run, seconds).split())


def main() -> int:
    """Print the lines; the exit code."""
    args = _arguments()
    logging.disable(logging.WARNING)
    end, late = time.monotonic() + 60 * args.minutes, []
    print(
        f"# {platform.processor() or platform.machine()}, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f} at the start, "
        f"GPU {torch.cuda.get_device_name() if GPU else 'none'}; "
        f"image {IMAGE_SIZE[0]}x{IMAGE_SIZE[1]}, {len(CLASSES)} classes, random weights",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as temporary:
        for precision, size, variant in itertools.product(
            *(text.split(",") for text in (args.precisions, args.sizes, args.variants))
        ):
            if time.monotonic() > end:
                late.append(f"{variant} {size} {precision}")
                continue
            for line in _lines(variant, size, precision, args.keep or Path(temporary), args):
                print(line, flush=True)
    if late:
        print(f"# no time within --minutes {args.minutes:g} for {', '.join(late)}")
    return 0


def _lines(variant: str, size: str, precision: str, place: Path, args: argparse.Namespace) -> Iterator[str]:
    """One line for each engine that runs this network here."""
    height, width = (int(side) for side in size.split("x"))
    network = build_network(spec_of(variant, (height, width)), seed=1).eval()
    name = f"{variant}_{size}_{precision}" + ("_merge" if args.merge else "")
    folder = export(network, place / name, ExportConfig(precision=precision, merge=args.merge))
    label = f"variant={variant} size={size} precision={precision} merge={'graph' if args.merge else 'host'}"
    yield from filter(None, (measure(label, folder, engine, args) for engine in args.engines.split(",")))
    if GPU and precision != "int8":
        yield measure_torch(label, network, precision, args.seconds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", default="tiny,light,full")
    parser.add_argument("--sizes", default="256x512,512x1024", help="height x width, joined by commas")
    parser.add_argument(
        "--precisions", default="fp32,fp16" if GPU else "fp32,int8", help="fp32, fp16, int8, joined by commas"
    )
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--merge", action="store_true", help="merge inside the graph")
    parser.add_argument("--seconds", type=float, default=2.0, help="time of each figure")
    parser.add_argument("--minutes", type=float, default=7.0, help="nothing new is begun after that")
    parser.add_argument("--threads", type=int, default=0, help="of a CPU engine; 0: its choice")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the models here, and take those that are there")
    args = parser.parse_args()
    args.named = set()
    return args


if __name__ == "__main__":
    raise SystemExit(main())
