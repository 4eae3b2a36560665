"""The rules of the house, read from the source: who imports whom, how many arguments, which names are spelled where."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

import pytest

from cups_train.folders import layout

ROOT = Path(__file__).parents[1]
PROGRAMS = ("cups_ros", "cups_train", "launch", "benchmarks", "ros_wheels")
STAGES = ("motion", "semantics", "pseudo_label", "bootstrap", "self_train")
WITHOUT_ROS = ("engines", "model", "fusion", "decoding", "tracking", "types")
ROS = {"rclpy", "launch", "launch_ros", "cv_bridge", "builtin_interfaces", "rcl_interfaces"}
MOST_ARGUMENTS, LONGEST_CHAIN, WITH_SHAPES = 6, 14, 0.95
# of one axis
SIZE = re.compile(r"\.\.\.|\d+(?: or \d+)?|[a-z]|\d*[A-Z][A-Za-z0-9_]*(?: ?[-+*/] ?\d+)?|[a-z] ?[-+*/] ?\d+")


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@lru_cache(maxsize=1)
def sources() -> dict[str, tuple[ast.Module, bool]]:
    """Module -> its tree, and whether it is a package."""
    paths = [path for package in ("cups_ros", "cups_train") for path in sorted((ROOT / package).rglob("*.py"))]
    return {module_name(path): (ast.parse(path.read_text()), path.name == "__init__.py") for path in paths}


def imports(module: str, lazy: bool) -> Iterator[str]:
    """Every module that is imported when `module` is read; `lazy`: or inside of its functions. Not for type checking
    alone."""
    tree, is_package = sources()[module]
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not lazy:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: len(module.split(".")) - node.level + is_package] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" if f"{base}.{alias.name}" in sources() else base for alias in node.names)
        waiting += ast.iter_child_nodes(node)


@lru_cache(maxsize=2)
def graph(lazy: bool) -> dict[str, frozenset[str]]:
    """Our modules, and those of ours that each imports."""
    return {module: frozenset(imports(module, lazy)) & (sources().keys() - {module}) for module in sources()}


def reached(module: str) -> set[str]:
    """All that `module` imports, itself included, however far away and however late."""
    found, waiting = set(), [module]
    while waiting:
        if (name := waiting.pop()) not in found:
            found.add(name)
            waiting += graph(True)[name]
    return found


def inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def functions(tree: ast.AST, name: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Functions and methods with their full names, without those inside of functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from functions(node, f"{name}.{node.name}")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{name}.{node.name}", node


def every_function() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for module, (tree, _) in sources().items():
        yield from functions(tree, module)


def arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    """Those that a caller gives."""
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return [a for a in every if a.arg not in ("self", "cls")]


def states_a_shape(text: str) -> bool:
    """(N,), (n, 3), (H, W), (5, H/4, W/4), (..., 2), or that any shape will do; (x, y) is none."""
    groups = [[axis.strip() for axis in group.split(",")] for group in re.findall(r"\(([^()]*,[^()]*)\)", text)]
    return "any shape" in text or any(
        all(SIZE.fullmatch(axis) for axis in axes[:-1])
        and (axes[-1] == "" or SIZE.fullmatch(axes[-1]))
        and (axes[-1] == "" or re.search(r"[A-Z0-9.]", "".join(axes)))
        for axes in groups
    )


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("a map (H, W)", True),
        ("(5, H/4, W/4) float32", True),
        ("points (..., 3)", True),
        ("(n,)", True),
        ("(K + 1,) sums", True),
        ("the point (x, y)", False),
        ("words (one, two)", False),
        ("(H x W)", False),
    ],
)
def test_what_counts_as_a_shape(text, states):
    assert states_a_shape(text) == states


def test_no_import_circle_not_even_a_late_one():
    circles = {
        module: sorted(other for other in graph(True)[module] if module in reached(other)) for module in sources()
    }
    assert {module: others for module, others in circles.items() if others} == {}


def test_geometry_knows_no_settings():
    readers = [module for module in sources() if inside(module, "cups_train.geometry")]
    assert readers and [m for m in readers if any(inside(other, "cups_train.config") for other in reached(m))] == []


def test_the_vehicle_needs_no_workshop():
    foreign = [
        (module, name)
        for module in sources()
        if inside(module, "cups_ros")
        for name in imports(module, True)
        if name.split(".")[0] in ("cups_train", "torch", "torchvision")
    ]
    assert foreign == []


@pytest.mark.parametrize("part", WITHOUT_ROS)
def test_what_both_sides_share_needs_no_ros(part):
    names = {
        name
        for module in sources()
        if inside(module, f"cups_ros.{part}")
        for near in reached(module)
        for name in imports(near, True)
    }
    assert {
        n for n in names if n.split(".")[0] in ROS or n.split(".")[0].endswith("_msgs") or inside(n, "cups_ros.msg")
    } == set()


def test_a_file_of_a_run_is_named_in_one_place():
    names = {
        value
        for value in vars(layout).values()
        if isinstance(value, str) and re.fullmatch(r"[\w.]+\.(json|jsonl|yaml|log|safetensors)", value)
    }
    spelled = [
        (module, node.value)
        for module, (tree, _) in sources().items()
        if inside(module, "cups_train") and module != layout.__name__
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.split("/")[-1] in names
    ]
    assert len(names) > 10 and spelled == []


def test_stages_are_named_by_their_table():
    """Where a run folder is asked for one of its stages."""
    asked = [
        (module, ast.unparse(node))
        for module, (tree, _) in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args
        if node.func.attr in ("stage", "making", "fingerprint", "is_finished", "checkpoint")
        if isinstance(node.args[0], ast.Constant)
    ]
    assert asked == []


def test_stages_meet_in_folders_alone():
    met = [
        (module, other)
        for stage in STAGES
        for module in sources()
        if inside(module, f"cups_train.{stage}")
        for other in graph(True)[module]
        if any(inside(other, f"cups_train.{s}") for s in STAGES if s != stage)
    ]
    assert met == []


def test_chains_of_imports_are_short():
    """Of modules of cups_train, each imported as the one before it is read."""

    @cache
    def chain(module: str) -> tuple[str, ...]:
        below = [chain(other) for other in graph(False)[module] if inside(other, "cups_train")]
        return (module, *max(below, key=len, default=()))

    longest = max((chain(module) for module in sources() if inside(module, "cups_train")), key=len)
    assert len(longest) <= LONGEST_CHAIN, " -> ".join(longest)


def test_no_function_takes_many_arguments():
    assert [
        (name, len(arguments(node))) for name, node in every_function() if len(arguments(node)) > MOST_ARGUMENTS
    ] == []


def test_public_array_functions_state_shapes():
    """One that takes or gives arrays says at least one of their shapes, such as (H, W), or that any will do."""
    missing, count = [], 0
    for name, node in every_function():
        notes = [a.annotation for a in arguments(node)] + [node.returns]
        arrays = any(note is not None and re.search(r"\b(np\.ndarray|Tensor)\b", ast.unparse(note)) for note in notes)
        if arrays and not any(part.startswith("_") for part in name.split(".")):
            count += 1
            if not states_a_shape(ast.get_docstring(node) or ""):
                missing.append(name)
    assert count > 100 and len(missing) <= (1 - WITH_SHAPES) * count, f"{len(missing)} of {count}: {', '.join(missing)}"
