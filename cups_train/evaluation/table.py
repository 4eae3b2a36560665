"""An evaluation as text for the terminal."""
from __future__ import annotations

from cups_train.evaluation.evaluation import Evaluation, Quality


def render_table(evaluation: Evaluation) -> str:
    """Figures in per cent: one line a class, then the means and how they were made."""
    width = max([len(c.category.name) for c in evaluation.per_class] + [14])
    lines = [f"{'class':<{width}}  kind      PQ     SQ     RQ     tp     fp     fn"]
    for c in evaluation.per_class:
        kind = "thing" if c.category.isthing else "stuff"
        lines.append(f"{c.category.name:<{width}}  {kind}  {_quality(c.quality)}  {c.tp:>5}  {c.fp:>5}  {c.fn:>5}")
    lines.append("-" * len(lines[0]))
    for name, quality in (("all", evaluation.all), ("things", evaluation.things), ("stuff", evaluation.stuff)):
        lines.append(f"{name:<{width}}         {_quality(quality)}")
    lines.append(f"acc {_percent(evaluation.acc)}  mIoU {_percent(evaluation.miou)}  |  seven categories: acc {_percent(evaluation.acc7)}  "
                 f"mIoU {_percent(evaluation.miou7)}  |  AP {_percent(evaluation.ap)}  AP50 {_percent(evaluation.ap50)}  |  "
                 f"void {_percent(evaluation.void_share)}")
    fitted = f"{evaluation.pseudo_classes} pseudo classes assigned by {evaluation.matching}"
    how = "ids compared as they are" if evaluation.assignment is None else fitted
    lines.append(f"{evaluation.images} images, {how}, void rule {evaluation.void_rule}; all figures in %")
    return "\n".join(lines)


def _quality(quality: Quality) -> str:
    return "  ".join(f"{100 * value:5.1f}" for value in (quality.pq, quality.sq, quality.rq))


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
