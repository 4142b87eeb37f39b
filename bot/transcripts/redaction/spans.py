"""What recognizers return."""

from __future__ import annotations

from presidio_analyzer import EntityRecognizer, RecognizerResult


def found(recognizer: EntityRecognizer, kind: str, start: int, end: int, score: float) -> RecognizerResult:
    """Return a finding of a recognizer in the form that Presidio wants."""
    metadata = {
        RecognizerResult.RECOGNIZER_NAME_KEY: str(vars(recognizer)["name"]),
        RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: recognizer.id,
    }
    return RecognizerResult(kind, start, end, score, recognition_metadata=metadata)
