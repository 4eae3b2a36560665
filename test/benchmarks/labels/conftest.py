"""Programs of benchmarks/labels, which import each other by their folder as when they are started by their path."""

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "benchmarks" / "labels"


@pytest.fixture
def program(monkeypatch, request):
    """The program that the test module is named after."""
    monkeypatch.syspath_prepend(str(FOLDER))
    name = Path(request.node.path).stem.removeprefix("test_")
    spec = importlib.util.spec_from_file_location(f"{name}_benchmark", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # its records look for their module
    spec.loader.exec_module(module)
    return module
