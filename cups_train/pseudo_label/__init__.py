"""Stage 1c: alignment of classes and moving objects, thing/stuff split, label store, quality gate."""

from cups_train.pseudo_label.gate import check
from cups_train.pseudo_label.label import label_picture, read_rules
from cups_train.pseudo_label.results import export_results
from cups_train.pseudo_label.stage import Basis, label_recording, make_labels

__all__ = ["Basis", "check", "export_results", "label_picture", "label_recording", "make_labels", "read_rules"]
