"""Pictures and figures of every stage of a run on one self-contained page."""
from cups_train.evaluation.consistency import measure as measure_consistency
from cups_train.evaluation.consistency import render as render_consistency
from cups_train.report.naming import write_naming_sheet
from cups_train.report.page import write_report

__all__ = ["measure_consistency", "render_consistency", "write_naming_sheet", "write_report"]
