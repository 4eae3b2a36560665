"""Stage 1c: alignment of classes and moving objects, thing/stuff split, label store, quality gate."""
from cups_train.pseudo_label.align import align
from cups_train.pseudo_label.label import label_frame
from cups_train.pseudo_label.run import export_results, label_recording, run
from cups_train.pseudo_label.split import find_split
from cups_train.pseudo_label.statistics import check, gate
from cups_train.pseudo_label.store import LabelInstance, LabelledFrame, read_labels

__all__ = ["LabelInstance", "LabelledFrame", "align", "check", "export_results", "find_split", "gate", "label_frame", "label_recording",
           "read_labels", "run"]
