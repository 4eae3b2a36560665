"""Settings: recipes load, mistakes come in one message."""

from pathlib import Path

import pytest

from cups_train.config import dump_config, load_config
from cups_train.errors import CupsError

RECIPES = sorted((Path(__file__).parents[3] / "config" / "train").glob("*.yaml"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda p: p.stem)
def test_every_recipe_loads(recipe):
    assert load_config(recipe).seed == 1996


def test_there_are_recipes():
    assert {"demo", "street", "vehicle", "tiny", "cityscapes", "published"} <= {p.stem for p in RECIPES}


def test_what_is_in_force_reads_back_equal(tmp_path):
    config = load_config(None, ["motion.runs=3", "network.weights=/tmp/w.safetensors", "bootstrap.jitter=[0.5, 1.0]"])
    (tmp_path / "config.yaml").write_text(dump_config(config))
    assert load_config(tmp_path / "config.yaml") == config and config.motion.runs == 3


def test_a_file_goes_over_the_settings_of_a_run_and_an_override_over_both(tmp_path):
    (tmp_path / "run.yaml").write_text(dump_config(load_config(None, ["motion.runs=3", "motion.vote=0.5", "seed=7"])))
    (tmp_path / "more.yaml").write_text("motion: {runs: 5}\nbootstrap: {steps: 9}\n")
    config = load_config(tmp_path / "run.yaml", ["bootstrap.steps=8"], tmp_path / "more.yaml")
    assert (config.motion.runs, config.motion.vote, config.seed, config.bootstrap.steps) == (5, 0.5, 7, 8)


def test_all_mistakes_come_in_one_message():
    with pytest.raises(CupsError, match=r"motion\.runz.*bootstrap\.lr") as error:
        load_config(None, ["motion.runz=3", "bootstrap.lr=-1"])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("override", ["motion.runs", "=3", "seed.more=1"])
def test_an_override_of_another_form_is_refused(override):
    with pytest.raises(CupsError):
        load_config(None, ["seed=1", override])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CupsError, match=r"nowhere\.yaml"):
        load_config(tmp_path / "nowhere.yaml")


def test_the_published_recipe_states_what_its_motion_stage_runs_with():
    """All of these are read by it; a setting that is not is no part of the section."""
    motion = load_config(Path(__file__).parents[3] / "config" / "train" / "published.yaml").motion
    assert (motion.method, motion.runs, motion.vote, motion.max_depth, motion.min_area) == (
        "published",
        8,
        0.8,
        70.0,
        0.65,
    )


def test_the_old_switch_of_the_motion_stage_is_refused():
    with pytest.raises(CupsError, match=r"motion\.compat"):
        load_config(None, ["motion.compat=reference"])


@pytest.mark.parametrize("symbol", ["gamma", "zeta"])
def test_symbols_of_the_paper_are_no_settings(symbol):
    with pytest.raises(CupsError, match=rf"self_train\.{symbol}"):
        load_config(None, [f"self_train.{symbol}=0.5"])
