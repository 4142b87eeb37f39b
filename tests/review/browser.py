"""The review on a real port and filled with the demonstration, and a real Chromium in front of it."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

from bot import demo, model_comparison
from bot.review import texts
from bot.review.app import MOUNTED_AT, create_standalone
from bot.review.guards import COOKIE
from bot.settings import settings
from bot.transcripts import comparisons, database, staff_sessions
from bot.transcripts.record_models import PERSON, Transcript, TranscriptTurn, Verdict
from bot.transcripts.staff_models import Staff
from tests.gateway.browser import browsing
from tests.processes import serving
from tests.review.support import Clock, Review, make_staff

NOW = datetime(2026, 11, 26, 14, 0, tzinfo=timezone.utc)
PICTURES = os.environ.get("LOTSE_PICTURES")
# Pictures show an inbox and figures as they are after some weeks; for everything else a few conversations do.
CONVERSATIONS = demo.CONVERSATIONS if PICTURES else 60
WAIT_MS = 10_000
COMPUTER = {"viewport": {"width": 1180, "height": 800}}
TABLET = {"viewport": {"width": 800, "height": 1100}, "has_touch": True}
# 1280 x 1024 pixels at 400 %
ZOOMED = {"viewport": {"width": 320, "height": 256}}
MODELS = ("lotse-20261120.tar.gz", "lotse-20261126.tar.gz")


@dataclass
class Demonstration(Review):
    """The review of a demonstration; ``address`` is that of its root."""

    address: str = ""

    def say(self, key: str, language: str = "de", **values: Any) -> str:
        """Return a text of the pages."""
        return texts.text(key, language, **values)


@lru_cache
def _filled() -> Path:
    """Fill a demonstration, once in a test run; return its home."""
    folder = tempfile.mkdtemp(prefix="lotse-review-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    home = Path(folder) / demo.FOLDER
    demo.fill(demo.settings_of(home, settings(), 0), CONVERSATIONS, 1, NOW, lambda what, done, of: None)
    return home


@contextmanager
def open_demonstration(folder: Path) -> Iterator[Demonstration]:
    """Serve the review of a demonstration in a folder of its own; its clock stands still until it is moved.

    The second factor is obligatory, as it is by default, and two models lie in the folder of models.
    """
    home = folder / demo.FOLDER
    shutil.copytree(_filled(), home)
    models = folder / "models"
    models.mkdir()
    for day, name in enumerate(MODELS):
        (models / name).write_bytes(b"x")
        os.utime(models / name, (NOW.timestamp() - 86_400 * (6 - day),) * 2)
    clock = Clock(NOW)
    used = replace(demo.settings_of(home, settings(), 0), second_factor=True, models=models)
    app = create_standalone(used, clock)
    with serving(app) as address:
        services = app.routes[0].app.state.services  # type: ignore[attr-defined]
        yield Demonstration(app, used, clock, services, address=address + MOUNTED_AT)


@contextmanager
def visiting(place: Demonstration, **context: Any) -> Iterator[Any]:
    """Open a window in which nobody is logged in; fail on errors in the console and broken answers, besides what `browsing` checks."""
    problems: list[str] = []

    def heard(line: Any) -> None:
        # A form with a mistake is answered with 4xx, which Chromium reports as well.
        if line.type == "error" and not line.text.startswith("Failed to load resource"):
            problems.append(line.text)

    def answered(answer: Any) -> None:
        if answer.status >= 500 or answer.status >= 400 and answer.request.resource_type != "document":
            problems.append(f"{answer.status} {answer.url}")

    with browsing(place.address, **{**COMPUTER, **context}) as window:
        window.set_default_timeout(WAIT_MS)
        page = window.new_page()
        page.on("console", heard)
        page.on("response", answered)
        yield page
        kept = window.cookies()
        # Cookies are for logging in only: no script reads them, no other page sends them.
        assert all(one["name"].startswith(COOKIE) and one["httpOnly"] and one["sameSite"] == "Strict" for one in kept), kept
        window.clear_cookies()
    assert problems == []


@contextmanager
def logged_in(place: Demonstration, *roles: str, name: str = "Jana Beispiel", states: Sequence[str] = (), **more: Any) -> Iterator[Any]:
    """Open a window in which somebody is logged in, past the second factor.

    Args:
        place: the review.
        roles: the roles of the account.
        name: the name of its holder.
        states: the regions of the account; all if none is named.
        more: ``language`` of the pages, and what Playwright's browser context takes.
    """
    language = more.pop("language", "de")
    with place.session() as session:
        # Whoever belongs to the demonstration already comes back.
        known = session.query(Staff).filter_by(name=name, roles=",".join(roles), states=",".join(states), language=language)
        account = known.first() or make_staff(session, *roles, name=name, states=states, language=language)
        account.totp_secret, account.totp_confirmed_at = account.totp_secret or b"-", account.totp_confirmed_at or NOW
        token = staff_sessions.begin(session, account.id, "Chromium", True, place.clock())
    with visiting(place, **more) as page:
        path = {"url": place.address, "httpOnly": True, "sameSite": "Strict"}
        page.context.add_cookies([{"name": COOKIE, "value": token, **path}])
        yield page


def picture(page: Any, name: str, folder: Path, height: int | None = None) -> None:
    """Take a picture of the screen, or of the upper ``height`` pixels of the page.

    With ``LOTSE_PICTURES`` it is kept in the folder of that name (docs/screens is made so).
    """
    path = Path(PICTURES or folder) / f"review-{name}.png"
    size = page.viewport_size
    if height:
        # What stays in sight while one scrolls would otherwise lie in the middle of the picture.
        page.evaluate("scrollTo(0, 0)")
        page.set_viewport_size({**size, "height": height})
    page.screenshot(path=str(path))
    if height:
        page.set_viewport_size(size)
    if PICTURES:
        _shrink(path)


def _shrink(path: Path) -> None:
    """Make a picture small: a page has few colours."""
    from PIL import Image

    with Image.open(path) as image:
        small = image.convert("RGB").quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def compare_models(place: Demonstration) -> int:
    """Compare the two models as if the new one understood most of what was judged; return the number of the comparison."""
    with place.session() as session:
        number = comparisons.start(session, MODELS[1], MODELS[0], None, place.clock())

    with place.session() as session:
        judged = session.query(TranscriptTurn.text, TranscriptTurn.intent, Verdict.right_intent).join(
            Verdict, TranscriptTurn.id == Verdict.turn_id
        )
        right = {said: wanted or understood for said, understood, wanted in judged.filter(TranscriptTurn.author == PERSON)}

    def parse(path: Path, said: Any, done: Any) -> list[str]:
        done(len(said))
        return [right[one] if path.name == MODELS[0] or at % 3 else "human" for at, one in enumerate(said)]

    model_comparison.run(place.settings, number, parse=parse, now=place.clock)
    return number


def keys_of(place: Demonstration, *where: Any) -> list[str]:
    """Return the keys of the transcripts to which something applies, the latest first."""
    with database.session(place.settings.transcripts_url) as session:
        found = session.query(Transcript.key).filter(*where).order_by(Transcript.last_activity_at.desc(), Transcript.id)
        return [key for (key,) in found]
