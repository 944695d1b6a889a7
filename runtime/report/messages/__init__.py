"""Words of reports in other languages: a TOML file each, from the English words to theirs."""

from __future__ import annotations

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
    """The function that translates words; what the catalogue does not know stays English."""
    words = catalogue(language)
    return lambda text: words.get(text, text)


def phrase(translate: Translate, words: Phrase) -> str:
    """A phrase in another language."""
    return translate(words.words).format(
        **{
            name: translate(value) if isinstance(value, str) else value
            for name, value in words.values.items()
        }
    )
