"""Words of reports in other languages: a TOML file each, from the English words to theirs."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING

from softex_mlir.errors import UserError

if TYPE_CHECKING:
    from softex_mlir.runtime.costs.verdict import Phrase

LANGUAGES = ("en", "ja")

Translate = Callable[[str], str]


def catalogue(language: str) -> dict[str, str]:
    """English words to those of a language; empty for English.

    Raises:
        UserError: there is no such language.
    """
    if language not in LANGUAGES:
        raise UserError(f"--lang {language}: expected {' or '.join(LANGUAGES)}")
    if language == "en":
        return {}
    text = files(__name__).joinpath(f"{language}.toml").read_text(encoding="utf-8")
    return {key: str(value) for key, value in tomllib.loads(text).items()}


def translator(language: str) -> Translate:
    """The function that translates words and sentences made from templates of the catalogue; what
    it does not know stays English."""
    words = catalogue(language)
    templates = {
        re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(english))): other
        for english, other in words.items()
        if "{" in english
    }

    def translate(text: str) -> str:
        if text in words:
            return words[text]
        found = ((form.fullmatch(text), other) for form, other in templates.items())
        return next((other.format(**m.groupdict()) for m, other in found if m), text)

    return translate


def sentences(translate: Translate, text: str) -> str:
    """Sentences joined by "; " in another language."""
    return translate("; ").join(map(translate, text.split("; ")))


def phrase(translate: Translate, words: Phrase) -> str:
    """A phrase in another language."""
    return translate(words.words).format(
        **{
            name: translate(value) if isinstance(value, str) else value
            for name, value in words.values.items()
        }
    )
