"""Settings that concern several sections."""

import re
from pathlib import Path

import pytest

from cups_ros.types import Classes
from cups_train.config import Config, Section, load_config
from cups_train.errors import CupsError
from cups_train.pseudo_label.label import Rules

PACKAGE = Path(__file__).parents[3] / "cups_train"
RECIPES = sorted((PACKAGE.parent / "config" / "train").glob("*.yaml"))


def test_classes_and_kinds_share_one_byte():
    assert load_config(None, ["semantics.clusters=230"]).labels.kinds == 24
    with pytest.raises(CupsError, match="found 231 semantics.clusters and 24 labels.kinds, of at most 254 together"):
        load_config(None, ["semantics.clusters=231"])
    assert load_config(None, ["semantics.clusters=254", "labels.kinds=0"]).semantics.clusters == 254


def _sources() -> dict[str, str]:
    """Module -> text of all that reads settings."""
    return {
        str(p.relative_to(PACKAGE)): p.read_text()
        for p in PACKAGE.rglob("*.py")
        if p.relative_to(PACKAGE).parts[0] != "config"
    }


@pytest.mark.parametrize("section", [name for name, value in Config() if isinstance(value, Section)])
def test_every_setting_is_read(section):
    text = "\n".join(_sources().values())
    names = type(getattr(Config(), section)).model_fields
    assert not [name for name in names if not re.search(rf"\.{name}\b", text)]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda p: p.stem)
def test_a_recipe_states_what_its_labels_are_made_with(recipe):
    config = load_config(recipe).labels
    rules = Rules(Classes(()), config)
    assert rules.config == config and rules.kinds is None
    if config.split == "published":
        assert config.likeness == config.min_instances == 0
    if config.votes == "published":
        assert config.kinds == 0 and config.thing_vote == 1


def test_no_switch_stands_for_settings_that_are_stated_otherwise():
    found = [
        name
        for name, text in _sources().items()
        if name.split("/")[0] != "published" and re.search(r"\bcompat\b|\"reference\"", text)
    ]
    assert not found
