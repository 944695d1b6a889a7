"""How programs and results show themselves in a notebook: the figures, the layers, the timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from softex_mlir.runtime.costs.verdict import unit_name, verdict
from softex_mlir.runtime.quantities import quantity
from softex_mlir.runtime.report.charts import colour

if TYPE_CHECKING:
    from softex_mlir.runtime.profile import Profile

WIDTH, ROW = 800, 18
"""Of the timeline: pixels of a run, of a track."""


def profile_html(profile: Profile, title: str) -> str:
    """A profile as a fragment of HTML without scripts."""
    point = profile.operating_point
    facts = (
        ("latency", f"{quantity(profile.seconds, 's')}, {profile.cycles:,} cycles"),
        ("at", f"{point.voltage} V, {point.frequency_hz / 1e6:.0f} MHz"),
        ("energy", f"{quantity(profile.energy_j, 'J')} ({profile.energy.note})"),
        ("throughput", f"{profile.gops:.4g} GOPS, {profile.peak_share:.1%} of the peak"),
        ("verdict", str(verdict(profile))),
    )
    return "".join(
        (
            f"<div><b>{escape(title)}</b>",
            _table((), facts),
            "<details><summary>layers</summary>",
            _table(
                ("layer", "time", "cycles", "bound by", "at least", "MMAC", "µJ"),
                [
                    (
                        row.title,
                        f"{row.exclusive_cycles / max(profile.cycles, 1):.1%}",
                        f"{row.exclusive_cycles:,}",
                        unit_name(row.bound_by),
                        f"{row.bound_cycles:,}",
                        f"{row.macs / 1e6:.4g}",
                        f"{row.energy.total_j * 1e6:.4g}",
                    )
                    for row in profile.layers
                    if row.exclusive_cycles
                ],
            ),
            "</details><details><summary>timeline</summary>",
            _timeline(profile),
            "</details></div>",
        )
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"

    top = f"<thead>{line(head, 'th')}</thead>" if head else ""
    return f"<table>{top}<tbody>{''.join(line(row, 'td') for row in rows)}</tbody></table>"


def _timeline(profile: Profile) -> str:
    tracks = [track for track in profile.ledger.tracks if not track.programming]
    shapes: list[str] = []
    for place, track in enumerate(tracks):
        y = place * ROW
        shapes.append(f'<text x="0" y="{y + 12}" font-size="11">{unit_name(track.name)}</text>')
        fill = colour(track.name)
        shapes += [
            f'<rect x="{x}" y="{y}" width="{width}" height="{ROW - 4}" fill="{fill}"/>'
            for x, width in _drawn(track.start.tolist(), track.end.tolist(), profile.cycles)
        ]
    size = f'width="{WIDTH + 80}" height="{ROW * len(tracks)}"'
    return f'<svg {size} fill="currentColor">{"".join(shapes)}</svg>'


def _drawn(start: list[int], end: list[int], cycles: int) -> Iterator[tuple[int, int]]:
    """Spans in pixels, behind the names; those that touch are one."""
    begin = last = -1
    for a, b in zip(start, end, strict=True):
        x, stop = 80 + a * WIDTH // cycles, 80 + max(b * WIDTH // cycles, a * WIDTH // cycles + 1)
        if x > last:
            if last >= 0:
                yield begin, last - begin
            begin = x
        last = max(last, stop)
    if last >= 0:
        yield begin, last - begin
