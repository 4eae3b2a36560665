"""The figures of benchmarks/labels/tables.py by hand."""

import numpy as np
import pytest


def test_the_assignment_is_fitted_on_one_part_and_scored_on_the_other(program):
    # rows: void, pseudo 1..3; columns: void, true 1..2
    fitted = np.array([[0, 0, 0], [5, 10, 0], [0, 9, 8], [0, 3, 1]])
    scored = np.array([[0, 0, 0], [7, 6, 2], [0, 1, 3], [0, 4, 0]])
    # one to one: 1 -> 1, 2 -> 2 (18 beats 9 + 0); what is left over, 3, to its largest: 1
    accuracy, miou = program.figures(fitted, scored, "hungarian")
    assert accuracy == pytest.approx((6 + 3 + 4) / 16)
    assert miou == pytest.approx(((6 + 4) / (11 + 2) + 3 / (3 + 1 + 2)) / 2)
    # each to its largest: 2 -> 1 too
    accuracy, miou = program.figures(fitted, scored, "majority")
    assert accuracy == pytest.approx(11 / 16) and miou == pytest.approx((11 / 16 + 0) / 2)


def test_classes_are_added_up_to_categories(program):
    table = np.array([[0, 1, 2, 4], [1, 0, 0, 8]])
    groups = np.array([0, 1, 1, 7])  # void, road, sidewalk, car
    assert program.in_groups(table, groups).tolist() == [[0, 3, 0, 0, 0, 0, 0, 4], [1, 0, 0, 0, 0, 0, 0, 8]]
