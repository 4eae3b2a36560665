"""Figures as text and as rows of tables: strict first, the published protocol second, majority third."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cups_train.evaluation.figures import Evaluation, Quality
from cups_train.evaluation.protocols import MEANINGS, PROTOCOLS, TITLES, Matching

COLUMNS = ("PQ", "SQ", "RQ", "things", "stuff", "acc", "mIoU")
CALLED = {
    "kmeans": "k-means",
    "labels": "the pseudo labels",
    "bootstrap": "the network after stage 2",
    "self_train": "the network after stage 3",
}
MORE_COLUMNS = ("AP50", "PQ, published void rule")  # of the published protocol


@dataclass(frozen=True)
class ScoreRow:
    """The figures of one stage."""

    name: str
    values: tuple[float | None, ...]  # of the table's columns, in per cent


@dataclass(frozen=True)
class ScoreTable:
    """All stages of a run by one matching."""

    title: str
    meaning: str
    columns: tuple[str, ...]
    rows: tuple[ScoreRow, ...]


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
    lines.append(
        f"acc {_percent(evaluation.acc)}  mIoU {_percent(evaluation.miou)}  |  seven categories: acc "
        f"{_percent(evaluation.acc7)}  "
        f"mIoU {_percent(evaluation.miou7)}  |  AP {_percent(evaluation.ap)}  AP50 {_percent(evaluation.ap50)}  |  "
        f"void {_percent(evaluation.void_share)}"
    )
    fitted = f"{evaluation.pseudo_classes} pseudo classes assigned by {evaluation.matching}"
    how = "ids compared as they are" if evaluation.assignment is None else fitted
    lines.append(f"{evaluation.images} images, {how}, void rule {evaluation.void_rule}; all figures in %")
    return "\n".join(lines)


def render_matchings(evaluations: Mapping[Matching, Evaluation]) -> str:
    """One line a matching, with what it means."""
    lines = [_line("by matching", COLUMNS)]
    for matching, evaluation in evaluations.items():
        lines.append(f"{_line(TITLES[matching], _values(evaluation.to_json()))}   {MEANINGS[matching]}")
    return "\n".join(lines)


def score_tables(metrics: Mapping[str, Any]) -> tuple[ScoreTable, ...]:
    """What metrics.json of a run holds, one table a matching by the official void rule; those that it lacks are left
    out."""
    tables = []
    for key, protocol in PROTOCOLS.items():
        if protocol.void != "official":
            continue
        more = key == "official"
        rows = tuple(
            ScoreRow(stage, _values(figures[key]) + (_more_values(figures) if more else ()))
            for stage, figures in metrics.items()
            if key in figures
        )
        if rows:
            tables.append(
                ScoreTable(
                    TITLES[protocol.matching],
                    MEANINGS[protocol.matching],
                    COLUMNS + (MORE_COLUMNS if more else ()),
                    rows,
                )
            )
    return tuple(tables)


def render_stages(metrics: Mapping[str, Any], title: str) -> str:
    """The same as text."""
    lines = []
    for table in score_tables(metrics):
        lines += [
            f"{table.title}: {table.meaning}",
            _line(title, table.columns),
            *(_line(row.name, row.values) for row in table.rows),
            "",
        ]
    return "\n".join(lines)


def in_words(metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """What the strict table of a run's metrics.json shows, a sentence a stage: each beside the one before it."""
    scores = {stage: 100 * figures["strict"]["pq"] for stage, figures in metrics.items() if "strict" in figures}
    names = list(scores)
    return tuple(
        f"{CALLED.get(stage, stage)}: PQ {scores[stage]:.1f}, {_beside(scores[stage] - scores[before])} "
        f"{CALLED.get(before, before)}"
        for before, stage in zip(names, names[1:], strict=False)
    )


def found_objects(metrics: Mapping[str, Any], stage: str) -> str:
    """How many things of each true class a stage found, e.g. "car 41 of 284 (19 false)"; classes without truth are left
    out."""
    rows = [row for row in metrics[stage]["strict"]["per_class"] if row["isthing"] and row["tp"] + row["fn"]]
    return ", ".join(f"{r['name']} {r['tp']} of {r['tp'] + r['fn']} ({r['fp']} false)" for r in rows)


def _beside(points: float) -> str:
    if abs(points) < 0.05:
        return "as good as"
    return f"{abs(points):.1f} points {'above' if points > 0 else 'below'}"


def _values(figures: Mapping[str, Any]) -> tuple[float | None, ...]:
    shares = (
        figures["pq"],
        figures["sq"],
        figures["rq"],
        figures["things"]["pq"],
        figures["stuff"]["pq"],
        figures["acc"],
        figures["miou"],
    )
    return tuple(100 * share for share in shares)


def _more_values(protocols: Mapping[str, Any]) -> tuple[float | None, ...]:
    shares = (protocols["official"]["ap50"], protocols["published"]["pq"])
    return tuple(None if share is None else 100 * share for share in shares)


def _line(name: str, values: tuple[float | None, ...] | tuple[str, ...]) -> str:
    """Figures, or the names of their columns, under each other."""
    widths = [max(8, len(column) + 2) for column in COLUMNS + MORE_COLUMNS]
    texts = ("-" if value is None else value if isinstance(value, str) else f"{value:.1f}" for value in values)
    return f"{name:<26}" + "".join(f"{text:>{width}}" for text, width in zip(texts, widths, strict=False))


def _quality(quality: Quality) -> str:
    return "  ".join(f"{100 * value:5.1f}" for value in (quality.pq, quality.sq, quality.rq))


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
