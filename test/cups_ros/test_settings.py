from __future__ import annotations

from pathlib import Path

import yaml

from cups_ros.settings import BEHAVIOUR, INPUTS, OUTPUTS, PARAMETERS, Live
from cups_ros.types import Thresholds

ROOT = Path(__file__).parents[2]


def test_file_holds_every_parameter_with_its_default() -> None:
    values = yaml.safe_load((ROOT / "config/panoptic.yaml").read_text())["/**"]["ros__parameters"]
    assert values == {p.name: p.default for p in PARAMETERS}


def test_manual_lists_every_parameter_with_its_text_and_every_topic_with_its_qos() -> None:
    manual = (ROOT / "docs/operations.md").read_text()
    for parameter in BEHAVIOUR:
        assert f"| `{parameter.name}` |" in manual and f"{parameter.text} | {parameter.when} |" in manual, parameter.name
    for topic in (*INPUTS, *OUTPUTS):
        assert f"| `{topic.name}` | `{topic.topic}` | {topic.reliability} | {topic.durability} | {topic.depth} |" in manual, topic.name


def test_thresholds_are_the_models_unless_they_are_set() -> None:
    values = {p.name: p.default for p in PARAMETERS}
    model = Thresholds(0.4, 0.3, 0.6, 0.01)
    assert Live.read(values.__getitem__).thresholds(model) == model
    values |= {"score_threshold": 0.0, "stuff_area_threshold": 0.2}
    assert Live.read(values.__getitem__).thresholds(model) == Thresholds(0.0, 0.3, 0.6, 0.2)


def test_choices() -> None:
    table = {p.name: p for p in PARAMETERS}
    assert table["input_transport"].refusal("compressed") == ""
    assert table["input_transport"].refusal("theora") == "input_transport is 'theora', expected one of raw, compressed"
