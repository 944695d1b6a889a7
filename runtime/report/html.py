"""A report as one HTML file: no network, light and dark, printable."""

from __future__ import annotations

from functools import partial
from importlib.resources import files
from json import dumps
from typing import TYPE_CHECKING, Any

from softex_mlir.errors import UserError
from softex_mlir.isa_sim.energy import CALIBRATION, coefficients, is_calibrated
from softex_mlir.isa_sim.machine_basis import fields_of
from softex_mlir.runtime.costs.energy_sweep import conclusion, swept
from softex_mlir.runtime.costs.verdict import unit_name
from softex_mlir.runtime.quantities import prefix, quantity, rate, size
from softex_mlir.runtime.report.charts import colour, figures
from softex_mlir.runtime.report.messages import phrase, sentences, translator

if TYPE_CHECKING:
    from softex_mlir.runtime.report.contents import Contents

SECTIONS = {
    "decision": "Decision",
    "layers": "Where the time goes",
    "roofline": "Roofline",
    "timeline": "Timeline of the units",
    "memory": "Memory over time",
    "energy": "Where the energy goes",
    "error": "Error",
    "placement": "Which unit runs what",
    "calibration": "What the figures rest on",
}
"""Sections by their ids in the page."""


def html(contents: Contents, language: str = "en") -> str:
    """The page.

    Raises:
        UserError: there is no such language, or the libraries of the extra `report` are missing.
    """
    try:
        from jinja2 import Environment, StrictUndefined
        from plotly.offline import (  # pyright: ignore[reportMissingTypeStubs]
            get_plotlyjs,
        )
    except ImportError as error:
        raise UserError(
            f"a report as HTML needs {error.name}: pip install 'softex-mlir[report]' "
            "(--format md, csv and json need nothing)"
        ) from error
    t = translator(language)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(_asset("page.html.j2"))
    profile = contents.summary.profile

    def named(name: str) -> str:
        return t(unit_name(name))

    def several(names: str) -> str:
        return " + ".join(map(named, names.split("+")))

    data: dict[str, Any] = {
        "figures": figures(contents, t),
        "timeline": {
            "cycles": profile.cycles,
            "hertz": profile.operating_point.frequency_hz,
            "layers": list(contents.layers),
            "tracks": [
                {"label": t(track.label), "colour": colour(track.name), "spans": track.spans}
                for track in contents.tracks
            ],
            "outside": t("start and end"),
        },
    }
    energy_scale, energy_prefix = prefix(profile.energy_j)
    return template.render(
        quantity=quantity,
        reason=partial(sentences, t),
        rate=rate,
        size=size,
        energy_scale=energy_scale,
        energy_prefix=energy_prefix,
        language=language,
        t=t,
        c=contents,
        summary=contents.summary,
        profile=profile,
        rows=[row for row in profile.kinds if row.exclusive_cycles],
        verdict=verdict_words(contents, language),
        advice=phrase(t, contents.summary.verdict.advice),
        losses=[
            (phrase(t, loss.reason), loss.share, phrase(t, loss.remedy))
            for loss in contents.summary.verdict.losses
        ],
        coefficients=coefficients(profile.machine),
        calibrated=is_calibrated(profile.machine),
        calibration=CALIBRATION,
        choices=swept(profile),
        conclusion=phrase(t, conclusion(swept(profile))),
        unit_name=named,
        units_name=several,
        machine_values=list(fields_of(profile.machine)),
        sections=SECTIONS,
        closed=max((track.closed for track in contents.tracks), default=0),
        # A closing tag inside the data would end the script.
        data=dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/"),
        plotly=get_plotlyjs(),
        style=_asset("page.css"),
        script=_asset("page.js"),
    )


def _asset(name: str) -> str:
    return files("softex_mlir.runtime.report").joinpath("assets", name).read_text(encoding="utf-8")


def verdict_words(contents: Contents, language: str) -> str:
    """The verdict; English is as the commands print it."""
    verdict, t = contents.summary.verdict, translator(language)
    if language == "en":
        return str(verdict)
    separator = t(", ")
    words = t("bound by {unit} ({share}): {kinds} take {kinds_share} of the time").format(
        unit=t(unit_name(verdict.unit)),
        share=f"{verdict.share:.0%}",
        kinds=separator.join(map(t, verdict.kinds)),
        kinds_share=f"{verdict.kinds_share:.0%}",
    )
    costs = [
        t("{reason} costs {share}").format(reason=phrase(t, loss.reason), share=f"{loss.share:.1%}")
        for loss in verdict.losses[:2]
    ]
    return t("; ").join([words, *costs])
