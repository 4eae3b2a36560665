"""What stands beside the node (manual, layouts, package description) names what the node really has. No ROS."""

from __future__ import annotations

import ast
import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from cups_ros.health import Counts
from cups_ros.settings import INPUTS, OUTPUTS, PARAMETERS

ROOT = Path(__file__).parents[2]
MANUAL = (ROOT / "docs/vehicle.md").read_text()
TOPICS = {f"/{topic.topic}" for topic in OUTPUTS} | {"/diagnostics"}
FACTS = ("state", "model", "engine", "rate_hz", "latency_p50_ms", "latency_p99_ms", "age_s", "last_error")
MARKER_SPACES = {"things", "things_text", "stuff", "stuff_text"}
OURS = {"cups_ros", "cups_train"}
PIP = {"onnxruntime", "tensorrt", "tensorrt_rtx", "torch"}  # not in rosdep; the manual names them
SYSTEM = {"cv2": "python3-opencv", "numpy": "python3-numpy", "scipy": "python3-scipy", "yaml": "python3-yaml"}


def sections() -> dict[str, str]:
    return dict(re.findall(r"^##+ (.*?)\n(.*?)(?=^##|\Z)", MANUAL, re.MULTILINE | re.DOTALL))


def rows(text: str) -> list[list[str]]:
    """The cells of all tables of a text whose first cell is code."""
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in text.splitlines() if line.startswith("| `")]


def test_table_of_topics_holds_every_topic_and_no_other() -> None:
    named = [re.findall(r"`([^`]+)`", row[0])[0] for row in rows(sections()["Topics"])]
    assert named == [
        *(topic.topic for topic in INPUTS),
        *(t.topic for t in sorted(OUTPUTS, key=lambda t: named.index(t.topic))),
        "/diagnostics",
    ]


def test_parameters_that_the_manual_names_exist() -> None:
    names = {p.name for p in PARAMETERS} | {"panoptic_node"}  # the last one is the name of a diagnostic
    for name in re.findall(r"`([a-z_]+): ", MANUAL):
        assert name in names, name
    for name in re.findall(r"-p ([a-z_]+):=", MANUAL):
        assert name in names, name


def test_values_of_diagnostics_that_the_manual_and_the_layout_name_exist() -> None:
    keys = {*FACTS, *(field.name for field in fields(Counts))}
    named = set(re.findall(r"`([a-z_0-9]+)`", sections()["Health"])) & {field.name for field in fields(Counts)} | set(
        FACTS
    )
    assert named == keys, "the manual explains every value"
    assert all(f"`{key}`" in MANUAL for key in keys)
    layout = (ROOT / "config/panoptic.foxglove.json").read_text()
    assert set(re.findall(r'key==\\"(\w+)\\"', layout)) <= keys
    assert set(re.findall(r'name==\\"([^\\]+)\\"', layout)) == {"panoptic_node: panoptic"}


def test_layout_of_foxglove_shows_topics_of_the_node() -> None:
    layout = json.loads((ROOT / "config/panoptic.foxglove.json").read_text())
    panels = layout["configById"]
    topics = {panel["imageMode"]["imageTopic"] for panel in panels.values() if "imageMode" in panel}
    topics |= {name for panel in panels.values() for name in panel.get("topics", {})}
    topics |= {
        re.match(r"[^.]*", panel[key]).group()
        for panel in panels.values()
        for key in ("topicPath", "topicToRender")
        if key in panel
    }
    topics |= {
        re.match(r"[^.]*", path["value"]).group() for panel in panels.values() for path in panel.get("paths", [])
    }
    assert topics <= TOPICS and {"/cups/overlay", "/cups/markers", "/cups/panoptic", "/diagnostics"} <= topics
    assert set(panels) == set(re.findall(r'"([A-Za-z0-9]+![a-z]+)"', json.dumps(layout["layout"])))
    spaces = panels["3D!metres"]["topics"]["/cups/markers"]["namespaces"]
    assert set(spaces) <= MARKER_SPACES


def test_layout_of_rviz_shows_topics_of_the_node_with_their_qos() -> None:
    layout = yaml.safe_load((ROOT / "config/panoptic.rviz").read_text())
    of_topic = {f"/{topic.topic}": topic for topic in OUTPUTS}
    shown = [display for display in layout["Visualization Manager"]["Displays"] if "Topic" in display]
    assert len(shown) == 3
    for display in shown:
        topic = of_topic[display["Topic"]["Value"]]
        assert display["Topic"]["Reliability Policy"].replace(" ", "_").lower() == topic.reliability
        assert display["Topic"]["Durability Policy"].replace(" ", "_").lower() == topic.durability
        assert set(display.get("Namespaces", {})) <= MARKER_SPACES


@pytest.mark.parametrize("file", ["panoptic.launch.py", "live_camera.launch.py", "recording.launch.py"])
def test_launch_arguments_that_the_manual_names_exist(file: str) -> None:
    declared = arguments(ROOT / "launch" / file)
    for command in re.findall(rf"ros2 launch cups_ros {re.escape(file)}((?: [\w:=/{{}}.,]+)+)", MANUAL):
        assert set(re.findall(r"(\w+):=", command)) <= set(declared), command


def test_manual_lists_every_launch_argument_with_its_default() -> None:
    listed = {row[0].strip("`"): row[1] for row in rows(sections()["Launch arguments of `panoptic.launch.py`"])}
    declared = arguments(ROOT / "launch/panoptic.launch.py")
    assert set(listed) == set(declared)
    for name, default in declared.items():
        if default is not None:
            assert listed[name] == (f"`{default}`" if default else ""), name


def arguments(path: Path) -> dict[str, Any]:
    """Launch arguments that a file declares, with their default: "" where it is empty, None where it is computed."""
    found = {}
    for call in ast.walk(ast.parse(path.read_text())):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "DeclareLaunchArgument":
            default = next((word.value for word in call.keywords if word.arg == "default_value"), None)
            name = call.args[0]
            assert isinstance(name, ast.Constant)
            found[name.value] = default.value if isinstance(default, ast.Constant) else None
    return found


def imported(folder: Path) -> set[str]:
    """Packages that the files of a folder import."""
    found = set()
    for path in folder.rglob("*.py"):
        for statement in ast.walk(ast.parse(path.read_text())):
            if isinstance(statement, ast.Import):
                found |= {name.name.split(".")[0] for name in statement.names}
            elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
                found.add(statement.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - OURS


def test_package_names_everything_that_is_imported() -> None:
    tree = ElementTree.parse(ROOT / "package.xml").getroot()
    named = {str(element.text) for element in tree if element.tag in ("depend", "exec_depend")}
    wanted = {SYSTEM.get(name, name) for name in imported(ROOT / "cups_ros") | imported(ROOT / "launch")} - PIP
    assert wanted <= named, wanted - named
    assert {"vision_msgs", "cv_bridge"} <= named
    interfaces = {
        line.strip()
        for line in re.findall(r"DEPENDENCIES ([\w ]+)\)", (ROOT / "CMakeLists.txt").read_text())[0].split()
    }
    assert interfaces <= {str(element.text) for element in tree if element.tag == "depend"}


def test_versions_of_package_and_distribution_are_the_same() -> None:
    version = ElementTree.parse(ROOT / "package.xml").getroot().findtext("version")
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text()
