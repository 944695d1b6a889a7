"""A report as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from softex_mlir.isa_sim.energy import coefficients
from softex_mlir.runtime.costs.energy_sweep import conclusion, swept
from softex_mlir.runtime.costs.verdict import unit_name
from softex_mlir.runtime.quantities import quantity, rate
from softex_mlir.runtime.report.messages import phrase, translator

if TYPE_CHECKING:
    from softex_mlir.runtime.report.contents import Contents


def markdown(contents: Contents, language: str = "en") -> str:
    """The report as Markdown: the figures of the page, without its drawings."""
    return "\n".join(_lines(contents, language)) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def _lines(contents: Contents, language: str) -> Iterator[str]:
    from softex_mlir.runtime.report.html import verdict_words

    t = translator(language)
    summary, profile = contents.summary, contents.summary.profile
    yield f"# {summary.model or t('model')}, {t('on machine')} {summary.machine}"
    yield ""
    yield f"- {t('what binds')}: {verdict_words(contents, language)}"
    yield f"- {t('what to change')}: {phrase(t, summary.verdict.advice)}"
    yield from (f"- {t('quality against FP32')}: {line}" for line in summary.quality)
    yield f"- {profile.energy.note}"
    yield ""
    head = ("operating point", "latency", "inferences a second", "energy", "average power")
    yield from _table(
        [*map(t, head), "TOPS/W"],
        [
            (
                f"{p.point.name}: {p.point.voltage} V, {p.point.frequency_hz / 1e6:.0f} MHz",
                quantity(p.seconds, "s"),
                rate(p.inferences_per_second),
                quantity(p.energy_j, "J"),
                quantity(p.watts, "W"),
                f"{p.tops_per_watt:.3g}",
            )
            for p in profile.points
        ],
    )
    yield from (f"## {t('Where the time goes')}", "")
    head = ("kind of layers", "share of the time", "bound by", "cycles", "lower bound", "energy")
    yield from _table(
        [t(name) for name in head],
        [
            (
                t(row.title),
                f"{row.exclusive_cycles / max(profile.cycles, 1):.1%}",
                t(unit_name(row.bound_by)),
                f"{row.exclusive_cycles:,}",
                f"{row.bound_cycles:,}",
                quantity(row.energy.total_j, "J"),
            )
            for row in profile.kinds
            if row.exclusive_cycles
        ],
    )
    if contents.operations:
        yield from (f"## {t('Error by layer')}", "")
        yield from _table(
            [t("layer"), t("operation"), t("cosine with FP32"), t("max error"), t("mean error")],
            [
                (
                    row["layer"],
                    row["operation"],
                    f"{row['cosine']:.6f}",
                    f"{row['max_error']:.3g}",
                    f"{row['mean_error']:.3g}",
                )
                for row in contents.operations
            ],
        )
    yield from (f"## {t('What the figures rest on')}", "")
    yield from _table(
        [t("cause"), t("value"), t("rests on"), t("reason")],
        [
            (
                t(unit_name(c.cause)),
                f"{c.value:g} {t(c.unit)}",
                t(c.source.basis.value),
                t(c.source.words),
            )
            for c in coefficients(profile.machine)
        ],
    )
    yield phrase(t, conclusion(swept(profile)))
