"""Holds the figures of a run against thresholds in a TOML file, for CI.

A run that is unfinished, broken or has failed questions never passes. Measures nothing itself.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from eval.runs import Run, read_run
from rag.errors import UsageError

KEPT = "reranked"
"""The leg whose figures (hit@5, mrr …) are meant: the whole retrieval, as users have it."""


def check(run: Path, thresholds: Path) -> tuple[str, ...]:
    """Return a Chinese line for every threshold that `run` misses; empty where it passes.

    `thresholds` has a table [min] and a table [max] of figures: metrics of the whole run (key_facts), ranking
    figures of the reranked leg ("hit@5", "mrr"), times ("latency.total_s.p50", seconds). Raises `UsageError`
    where the file can't be read or names a figure that the run does not have.
    """
    least, most = _thresholds(thresholds)
    loaded = read_run(run)
    values = figures(loaded)
    unknown = "、".join(name for name in (*least, *most) if name not in values)
    if unknown and loaded.finished:
        known = "、".join(values) or "无"
        raise UsageError(f"门槛文件 {thresholds.name} 里的 {unknown} 这次评测没有", f"有的指标：{known}")
    missed = [f"评测不完整：{note}" for note in loaded.notes]
    if loaded.errors:
        missed.append(f"{len(loaded.errors)} 题出错：{'、'.join(loaded.errors)}")
    for name, value in values.items():
        if name in least and value < least[name]:
            missed.append(f"{name} 为 {value:.4g}，低于门槛 {least[name]:g}")
        if name in most and value > most[name]:
            missed.append(f"{name} 为 {value:.4g}，高于门槛 {most[name]:g}")
    return tuple(missed)


def figures(run: Run) -> dict[str, float]:
    """Every figure that a threshold can name."""
    summary = run.summary
    named = {name: value.value for name, value in summary.overall.items()}
    named |= summary.legs.get(KEPT, {})
    for name, times in summary.latency.items():
        named |= {f"latency.{name}.{percentile}": seconds for percentile, seconds in times.items()}
    return named


def _thresholds(path: Path) -> tuple[dict[str, float], dict[str, float]]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:  # not there, not UTF-8, not TOML
        raise UsageError(f"门槛文件 {path} 读不出来：{error}", "请给出有 [min]、[max] 两张表的 TOML 文件") from error
    wrong = [name for name, value in tables.items() if name not in ("min", "max") or not isinstance(value, dict)]
    if wrong:
        raise UsageError(f"门槛文件 {path.name} 里不认识 {'、'.join(wrong)}", "只能有 [min] 和 [max] 两张表")
    least, most = (dict(_flat(tables.get(name, {}), path)) for name in ("min", "max"))
    if not least and not most:
        raise UsageError(f"门槛文件 {path.name} 里没有门槛", '请在 [min] 或 [max] 下写，例如 "hit@5" = 0.9')
    return least, most


def _flat(table: Mapping[str, object], path: Path, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Names and limits; a dotted name without quotes, which TOML nests, is one name again."""
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _flat(value, path, f"{name}.")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            wrong = f"门槛文件 {path.name} 里 {name} 的值不是数：{value!r}"
            raise UsageError(wrong, "比例写 0 到 1 的小数，用时写秒数")
        else:
            yield name, float(value)
