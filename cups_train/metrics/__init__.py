"""Evaluation against truth: panoptic quality, semantic figures, mask AP."""
from cups_train.metrics.assignment import Assignment, load_assignment, save_assignment
from cups_train.metrics.evaluation import Evaluation, EvaluationOptions, evaluate
from cups_train.metrics.table import render_table

__all__ = ["Assignment", "Evaluation", "EvaluationOptions", "evaluate", "load_assignment", "render_table", "save_assignment"]
