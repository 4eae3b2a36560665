"""Pictures and figures of every stage of a run on one self-contained page."""
from cups_train.report.naming import write_naming_sheet
from cups_train.report.page import write_report

__all__ = ["write_naming_sheet", "write_report"]
