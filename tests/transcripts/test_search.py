"""The search over the words of ended conversations, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from bot.transcripts import database, search
from bot.transcripts.record_models import Transcript
from tests.review.support import make_transcript


@pytest.fixture(params=["sqlite", "postgresql"])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    url = f"sqlite:///{tmp_path / 'transcripts.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    database.upgrade(url)
    with database.session(url) as opened:
        yield opened
    database.engine(url).dispose()


def found(session: Session, said: str) -> list[str]:
    """Return the pseudonyms of what is found."""
    hits = search.matching(session, said)
    if hits is None:
        return []
    return sorted(session.scalars(select(Transcript.key).where(Transcript.id.in_(hits))))


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ("Ich wohne in Köln", "Köln"),
        ("Ich wohne in Köln", "koeln"),
        ("Ich wohne in Köln", "KOLN"),
        ("Ich wohne in Koln", "koln"),
        ("Ich wohne in Ko\u0308ln", "Köln"),
        ("Straße", "strasse"),
        ("Zeugnisanerkennung", "zeugnis"),
        ("İstanbul'da hemşireyim", "hemsire"),
        ("İstanbul'da hemşireyim", "istanbul"),
        ("أريد الاعتراف بشهادتي", "اريد"),
        ("مَرحبا", "مرحبا"),
        ("میخواهم کار کنم", "ميخواهم"),
        ("Хочу підтвердити диплом", "ДИПЛОМ"),
        ("Quiero homologar mi título", "titulo"),
        ("Łódź", "lodz"),
        ("Postleitzahl ٤٤١٣٥", "44135"),
        ("gelb", "gelb  , !"),
        ("Ausbil\u00addung", "ausbildung"),
    ],
)
def test_a_word_is_found_however_it_is_spelt(session: Session, kept: str, said: str) -> None:
    make_transcript(session, kept, key="a")
    make_transcript(session, "etwas ganz anderes", key="b")
    assert found(session, said) == ["a"]


def test_all_words_have_to_occur_in_any_order_and_in_any_message(session: Session) -> None:
    make_transcript(session, "Ich bin Pflegerin", "aus Aleppo", key="a")
    make_transcript(session, "Ich bin Pflegerin", key="b")
    assert found(session, "aleppo pflegerin") == ["a"]
    assert found(session, "pflegerin") == ["a", "b"]
    assert found(session, "pflegerin madrid") == []


def test_short_words_are_found_only_as_they_are(session: Session) -> None:
    make_transcript(session, "inzwischen", key="a")
    make_transcript(session, "in Bonn", key="b")
    assert found(session, "in") == ["b"]
    assert found(session, "inz") == ["a"]


def test_only_what_the_person_wrote_is_searched(session: Session) -> None:
    make_transcript(session, "Frage", key="a")
    assert found(session, "antwort") == []


def test_what_has_no_consent_is_not_indexed(session: Session) -> None:
    row = make_transcript(session, "geheim", key="a", consent=False)
    search.add(session, row.id)
    assert found(session, "geheim") == []


def test_what_is_removed_is_not_found_and_leaves_no_word(session: Session) -> None:
    gone, kept = make_transcript(session, "Köln einzigartig", key="a"), make_transcript(session, "Köln bleibt", key="b")
    search.remove(session, [gone.id])
    assert found(session, "einzigartig") == found(session, "koln einzigartig") == []
    assert found(session, "koln") == ["b"]
    search.compact(session)
    assert found(session, "bleibt") == ["b"]
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("INSERT INTO transcript_search (transcript_search) VALUES ('integrity-check')"))
    else:
        assert session.scalar(select(func.count()).select_from(search.INDEX)) == 1
    assert kept.key == "b"


def test_long_texts_and_long_words_are_indexed(session: Session) -> None:
    make_transcript(session, "wort " * 20_000 + "x" * 5000, key="a")
    assert found(session, "wort") == found(session, "x" * 5000) == ["a"]


@pytest.mark.parametrize("said", ["", " ", "!?*()\"'", "🙂", "--", "\x00", "_"])
def test_without_a_word_there_is_nothing_to_search(session: Session, said: str) -> None:
    assert search.matching(session, said) is None


@pytest.mark.parametrize(
    "said",
    [
        "' OR 1=1 --",
        '"a" OR "b"',
        "NOT a",
        "AND",
        "NEAR(a b, 3)",
        "words:a",
        "{words} : a",
        "a & b | !c",
        "a <-> b",
        "a:*ABCD",
        "\\'",
        "%s %(x)s :terms",
    ]
    + [
        "x" * 5000,
        "a " * 5000,
        "'; DROP TABLE transcript_search; --",
        "Ⅷ ² ½",
        "ﷺ",
        "𝔞𝔟𝔠",
        "1e5 1.5 -3 0x1F",
        "e-mail@example.org http://a.b/c?d=e",
    ],
)
def test_operators_and_quotes_are_data(session: Session, said: str) -> None:
    make_transcript(session, "Guten Tag", key="a")
    assert found(session, said) == []
    assert found(session, "guten") == ["a"]


def test_a_text_is_found_by_its_own_words_whatever_is_in_it(session: Session) -> None:
    for number, said in enumerate(
        ["mail an a.b@example.org", "https://example.org/a-b?c=d", "3,5 Jahre", "C++ & C#", "1e5", "x²", "½ Stelle", "§18a AufenthG"]
    ):
        make_transcript(session, said, key=f"k{number}")
        assert f"k{number}" in found(session, said)
