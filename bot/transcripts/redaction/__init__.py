"""Personal data is taken out of texts before they are stored for the review by counsellors."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Redacted", "names_by_model", "redact"]


@dataclass(frozen=True)
class Redacted:
    """A text without personal data.

    ``text`` has placeholders ([Name], [Telefon], [E-Mail], [IBAN], [Geburtsdatum], [Adresse], [Nummer]); ``kinds`` says
    how often each kind was found: name, phone, email, iban, birth_date, address, document_number.
    """

    text: str
    kinds: dict[str, int] = field(default_factory=dict)


def redact(text: str, language: str) -> Redacted:
    """Return the text with placeholders for personal data. Safe for threads; the first call takes seconds.

    Any first call loads everything, be it ``redact("", "de")`` as a warm-up.

    Args:
        text: what was written; odd characters and any length are welcome.
        language: the language of the conversation; words of the others are understood, too.

    Raises:
        RedactionDataError: if a word list in ``data/redaction`` breaks its schema.
    """
    # Presidio takes more than a second to be imported, which only those pay who need it.
    from bot.transcripts.redaction.analyzer import redacted

    return Redacted(*redacted(text, language))


def names_by_model(language: str) -> bool:
    """Return whether names in this language are also looked for by a spaCy model, not by lists and rules alone."""
    from bot.transcripts.redaction.engine import model_installed

    return model_installed(language)
