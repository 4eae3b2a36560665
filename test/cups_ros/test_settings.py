from __future__ import annotations

from pathlib import Path

import yaml

from cups_ros.settings import PARAMETERS

ROOT = Path(__file__).parents[2]


def test_file_holds_every_parameter_with_its_default() -> None:
    values = yaml.safe_load((ROOT / "config/panoptic.yaml").read_text())["/**"]["ros__parameters"]
    assert values == {p.name: p.default for p in PARAMETERS}


def test_manual_lists_every_parameter_with_its_text() -> None:
    manual = (ROOT / "docs/operations.md").read_text()
    for parameter in PARAMETERS:
        assert f"`{parameter.name}`" in manual and parameter.text in manual, parameter.name


def test_choices() -> None:
    table = {p.name: p for p in PARAMETERS}
    assert table["input_transport"].refusal("compressed") == ""
    assert table["input_transport"].refusal("theora") == "input_transport is 'theora', expected one of raw, compressed"
