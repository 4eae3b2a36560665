"""Settings from YAML files and from `key.path=value`, and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from cups_train.config.settings import Config
from cups_train.errors import CupsError, briefly


def load_config(path: Path | None, overrides: list[str] | None = None, over: Path | None = None) -> Config:
    """Defaults, then the YAML file, then the file `over` it, then `key.path=value` overrides. Raises CupsError with all
    mistakes in one message."""
    tree: dict[str, Any] = {}
    for file in (path, over):
        for name, value in _read_tree(file).items() if file is not None else ():
            tree[name] = (
                {**tree[name], **value} if isinstance(value, dict) and isinstance(tree.get(name), dict) else value
            )
    for override in overrides or []:
        _override(tree, override)
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        mistakes = "; ".join(_mistake(e["loc"], e) for e in error.errors())
        raise CupsError(
            f"expected settings that fit, found {mistakes} (`--config` and `-o key.path=value` set them)"
        ) from error


def _mistake(place: tuple[int | str, ...], error: Mapping[str, Any]) -> str:
    """One of pydantic's errors; one of several settings together says its own sentence."""
    own = error["type"] == "value_error"
    return (
        str(error["ctx"]["error"])
        if own
        else f"{'.'.join(map(str, place))}: {error['msg']}, found {_told(error['input'])}"
    )


def _told(value: object) -> str:
    return repr(briefly(value)) if isinstance(value, str) else briefly(value)


def _read_tree(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        raise CupsError(
            f"expected a YAML file of settings (--config), found {path}, which cannot be read: {briefly(str(error))}"
        ) from error
    if not isinstance(tree, dict):
        raise CupsError(f"expected sections with keys in {path} (--config), found {type(tree).__name__}")
    return tree


def _override(tree: dict[str, Any], override: str) -> None:
    path, equals, value = override.partition("=")
    if not equals or not path:
        raise CupsError(f"expected -o key.path=value, found {briefly(override)!r}")
    *parents, leaf = path.split(".")
    for name in parents:
        tree = tree.setdefault(name, {})
        if not isinstance(tree, dict):
            raise CupsError(f"expected -o key.path=value with a section before the dot, found {briefly(override)!r}")
    try:
        tree[leaf] = yaml.safe_load(value)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise CupsError(
            f"expected a value in -o {briefly(override)!r}, found none that YAML knows: {briefly(str(error))}"
        ) from error


def dump_config(config: Config) -> str:
    """YAML of all settings in force."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
