from __future__ import annotations

import re
from pathlib import Path

import yaml

from cups_ros.settings import BEHAVIOUR, INPUTS, OUTPUTS, PARAMETERS, Live
from cups_ros.types import Thresholds

ROOT = Path(__file__).parents[2]


def test_file_holds_every_parameter_with_its_default() -> None:
    values = yaml.safe_load((ROOT / "config/panoptic.yaml").read_text())["/**"]["ros__parameters"]
    assert values == {p.name: p.default for p in PARAMETERS}


def shown(value: bool | str | int | float) -> str:
    """A default as the manual writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"`{value}`" if isinstance(value, str) and value else str(value)


def test_manual_lists_every_parameter_with_its_default_and_text_and_every_topic_with_its_qos() -> None:
    manual = (ROOT / "docs/vehicle.md").read_text()
    tables = manual.split("## Parameters")[1].split("## Images")[0]
    rows = [line for line in tables.splitlines() if line.startswith("| `") and not line.startswith("| `TOPIC`")]
    assert rows == [
        *(f"| `{p.name}` | {shown(p.default)} | {p.text} | {p.when} |" for p in BEHAVIOUR),
        *(f"| `{t.name}` | `{t.topic}` | {t.reliability} | {t.durability} | {t.depth} |" for t in (*INPUTS, *OUTPUTS)),
    ]


def test_comments_of_the_file_are_the_texts_of_the_parameters() -> None:
    comments = dict(re.findall(r"^    (\w+): [^#]*# (.*)$", (ROOT / "config/panoptic.yaml").read_text(), re.MULTILINE))
    for parameter in BEHAVIOUR:
        assert comments[parameter.name] == (" | ".join(parameter.choices) or parameter.text), parameter.name


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
