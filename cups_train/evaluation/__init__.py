"""Evaluation against truth: panoptic quality, semantic figures, mask AP."""
from cups_train.evaluation.assignment import Assignment, load_assignment, save_assignment
from cups_train.evaluation.evaluation import Evaluation, EvaluationOptions, evaluate
from cups_train.evaluation.table import render_table

__all__ = ["Assignment", "Evaluation", "EvaluationOptions", "evaluate", "load_assignment", "render_table", "save_assignment"]
