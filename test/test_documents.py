"""What the documents tell people to type can be typed, and what they link to is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from cups_train.cli import COMMANDS, parser
from cups_train.config import load_config

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def commands(document: Path) -> list[str]:
    """Every line of a shell block that begins with cups-train; placeholders of a synopsis are left out."""
    blocks = re.findall(r"```bash\n(.*?)```", document.read_text("utf-8"), re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("cups-train ")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_has_the_options_that_it_is_given(document: Path) -> None:
    for line in commands(document):
        args = parser().parse_args(shlex.split(line, comments=True)[1:])
        assert args.command in COMMANDS, line
        if args.config is not None:
            load_config(ROOT / args.config, args.override)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_setting_that_is_told_is_one(document: Path) -> None:
    text = document.read_text("utf-8")
    for override in re.findall(r"-o ([a-z_]+(?:\.[a-z_0-9]+)?=[^\s`]+)", text):
        if not re.search(r"=(\.\.\.|\[\.\.\.\]|[A-Z]+)$", override):  # a placeholder
            load_config(None, [override])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", document.read_text("utf-8"))
    assert not [link for link in links if not (document.parent / link).exists()]


def test_nobody_is_told_to_install_a_package_that_is_not_ours():
    """`cups` of the public index is somebody else's: an extra is installed from a checkout."""
    advised = re.compile(r"\bcups(?:-panoptic)?\[|pip install (?:-\S+ )*[\"']?cups\b")
    documents = [*DOCUMENTS, *ROOT.glob("docs/**/*.md"), *ROOT.glob("docker/*")]
    programs = [
        path for name in ("cups_ros", "cups_train", "launch", "ros_wheels") for path in (ROOT / name).rglob("*.py")
    ]
    found = [str(p.relative_to(ROOT)) for p in documents + programs if advised.search(p.read_text("utf-8"))]
    assert not found, found
