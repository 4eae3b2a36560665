"""Stage 1c: alignment of classes and moving objects, thing/stuff split, label store, quality gate."""
from cups_train.pseudo_label.align import align
from cups_train.pseudo_label.label import label_picture
from cups_train.pseudo_label.run import export_results, label_recording, read_rules, run
from cups_train.pseudo_label.split import find_split
from cups_train.pseudo_label.statistics import check, gate

__all__ = ["align", "check", "export_results", "find_split", "gate", "label_picture", "label_recording", "read_rules", "run"]
