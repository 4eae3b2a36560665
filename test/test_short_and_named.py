"""The rules of the house about size: short files and functions, and no anonymous tuple of more than two values."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAMS = ("cups_ros", "cups_train", "launch", "benchmarks", "ros_wheels")
MOST_LINES, LONGEST_FUNCTION = 300, 40


def long_tuples(tree: ast.AST) -> list[str]:
    """Anonymous tuples of more than two values: in what functions take and give, in fields and in names of types. A
    type of as many equal numbers may have a name: a colour, a point, a box."""
    notes: list[ast.expr | None] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            notes.append(node.returns)
        elif isinstance(node, ast.arg | ast.AnnAssign):
            notes.append(node.annotation)
        elif isinstance(node, ast.Assign) and not is_named_number(node.value):
            notes.append(node.value)
    parts = [part for note in notes if note is not None for part in ast.walk(note)]
    return [ast.unparse(part) for part in parts if len(tuple_of(part)) > 2]


def tuple_of(node: ast.AST) -> list[str]:
    """The types in `tuple[A, B]`; none of anything else, nor of `tuple[A, ...]`."""
    if not (
        isinstance(node, ast.Subscript) and ast.unparse(node.value) == "tuple" and isinstance(node.slice, ast.Tuple)
    ):
        return []
    return [] if "..." in (types := [ast.unparse(item) for item in node.slice.elts]) else types


def is_named_number(node: ast.AST) -> bool:
    return len(set(tuple_of(node))) == 1 and tuple_of(node)[0] in ("int", "float")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def f() -> tuple[int, str, bool]: ...", 1),
        ("def f(rows: Iterator[tuple[int, int, int]]): ...", 1),
        ("rows: list[tuple[float, float, float]] = []", 1),
        ("Row = tuple[int, str, bool]", 1),
        ("Color = tuple[int, int, int]\ndef f() -> Color: ...", 0),
        ("def f(size: tuple[int, int]) -> tuple[int, ...]: ...", 0),
    ],
)
def test_what_counts_as_a_long_tuple(text, found):
    assert len(long_tuples(ast.parse(text))) == found


def test_no_anonymous_tuple_of_more_than_two():
    paths = [path for folder in PROGRAMS for path in (ROOT / folder).rglob("*.py")]
    trees = {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in paths}
    assert {name: found for name, tree in trees.items() if (found := long_tuples(tree))} == {}


def test_files_and_functions_are_short():
    """Files of programs and of tests; functions of programs."""
    programs = [path for folder in PROGRAMS for path in (ROOT / folder).rglob("*.py")]
    lines = {
        str(path.relative_to(ROOT)): path.read_text().count("\n") for path in [*programs, *ROOT.glob("test/**/*.py")]
    }
    assert len(lines) > 300 and {name: count for name, count in lines.items() if count >= MOST_LINES} == {}
    found = [
        (str(path.relative_to(ROOT)), node.name, length)
        for path in programs
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (length := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    assert found == []
