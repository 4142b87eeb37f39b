"""Which of the spoken languages a browser asks for."""

from __future__ import annotations

from starlette.requests import Request

from bot.languages import SPOKEN_LANGUAGES

DEFAULT = "de"


def preferred(header: str) -> str:
    """Return the best spoken language for an ``Accept-Language`` header, German if none fits.

    Nothing that a client sends makes this fail; what is not understood is skipped.
    """
    wanted: list[tuple[float, int, str]] = []
    for position, part in enumerate(header[:1000].split(",")):
        tag, _, parameter = part.partition(";")
        language = tag.strip().lower().partition("-")[0]
        try:
            quality = float(parameter.strip().removeprefix("q=")) if parameter.strip() else 1.0
        except ValueError:
            continue
        if language in SPOKEN_LANGUAGES and 0 < quality <= 1:
            wanted.append((-quality, position, language))
    return min(wanted)[2] if wanted else DEFAULT


def of_request(request: Request) -> str:
    """Return the language for an answer: that of the session if it is known by now, else the browser's best."""
    known = getattr(request.state, "language", None)
    return known if known in SPOKEN_LANGUAGES else preferred(request.headers.get("accept-language", ""))
