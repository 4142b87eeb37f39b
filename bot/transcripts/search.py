"""The search over the redacted words of ended conversations: FTS5 in SQLite, a ``tsvector`` in PostgreSQL.

Words are folded alike for both (``actions.directory.text.fold_word``), and words with umlauts are kept in both spellings
that people use, so that "Koln" and "Koeln" find "Köln" everywhere. A conversation is indexed when it has ended: what a
person deletes in the chat has never been in the index, which is hard to wipe. What leaves the index later (retention,
staff) is wiped by :func:`compact`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from sqlalchemy import Integer, column, select, table, text
from sqlalchemy.orm import Session
from sqlalchemy.sql import Select

from actions.directory.text import fold_word, without_umlauts
from bot.transcripts.record_models import PERSON, TranscriptTurn

INDEX = table("transcript_search", column("id", Integer))
_WORD = re.compile(r"\w+")
# Vowel signs, lengthening strokes and hidden hyphens stand inside of words, and most people do without.
_INSIDE = re.compile("[\u064b-\u065f\u0670\u0640\u00ad]")
# A word of so many letters also finds longer words that begin with it; of shorter ones there would be too many.
PREFIX_FROM = 3
WORDS_SEARCHED = 8
# PostgreSQL takes at most 2 kB for one word and 1 MB for all of a row.
LONGEST_WORD, LONGEST_TEXT = 60, 200_000


def words(said: str) -> list[str]:
    """Return the folded words of a text, in their order."""
    return [folded for word in _split(said) if (folded := _folded(word))]


def indexed(said: str) -> list[str]:
    """Return the words under which a text is found: its own, and those of who writes it without umlauts."""
    found: list[str] = []
    for word in _split(said):
        folded, plain = _folded(word), _folded(without_umlauts(word))
        found += [one for one in ((folded,) if folded == plain else (folded, plain)) if one]
    return found


def _split(said: str) -> list[str]:
    return _WORD.findall(_INSIDE.sub("", unicodedata.normalize("NFC", said[:LONGEST_TEXT])))


def _folded(word: str) -> str:
    """Return a word as it is compared; "" if nothing of it is a letter or a digit."""
    folded = fold_word(word)
    return folded[:LONGEST_WORD] if folded.isalnum() else ""


def add(session: Session, transcript_id: int) -> None:
    """Put what the person wrote in a transcript into the index."""
    folded = " ".join(_words_of(session, transcript_id))
    if not folded:
        return
    if _postgres(session):
        statement = "INSERT INTO transcript_search (id, words) VALUES (:id, to_tsvector('simple', :words))"
    else:
        statement = "INSERT INTO transcript_search (rowid, words) VALUES (:id, :words)"
    session.execute(text(statement), {"id": transcript_id, "words": folded})


def remove(session: Session, transcript_ids: Sequence[int]) -> None:
    """Take transcripts out of the index; call it while their turns still exist."""
    for transcript_id in transcript_ids:
        if _postgres(session):
            session.execute(text("DELETE FROM transcript_search WHERE id = :id"), {"id": transcript_id})
            continue
        folded = " ".join(_words_of(session, transcript_id))
        if folded:
            # FTS5 without a copy of the content has to be told what to take out.
            statement = "INSERT INTO transcript_search (transcript_search, rowid, words) VALUES ('delete', :id, :words)"
            session.execute(text(statement), {"id": transcript_id, "words": folded})


def compact(session: Session) -> None:
    """Rewrite the index so that nothing of what was removed stays in its pages (SQLite; PostgreSQL: ``VACUUM``)."""
    if not _postgres(session):
        session.execute(text("INSERT INTO transcript_search (transcript_search) VALUES ('optimize')"))


def matching(session: Session, query: str) -> Select | None:
    """Return the ids of the transcripts that hold all words of a query, as a statement; None if it has no word.

    The text is data in every case: it is cut into words, and only letters and digits are left.
    """
    wanted = words(query)[:WORDS_SEARCHED]
    if not wanted:
        return None
    if _postgres(session):
        terms = " & ".join(f"{word}:*" if len(word) >= PREFIX_FROM else word for word in wanted)
        return select(INDEX.c.id).where(text("words @@ to_tsquery('simple', :terms)").bindparams(terms=terms))
    terms = " ".join(f'"{word}"*' if len(word) >= PREFIX_FROM else f'"{word}"' for word in wanted)
    return (
        select(column("rowid", Integer).label("id"))
        .select_from(INDEX)
        .where(text("transcript_search MATCH :terms").bindparams(terms=terms))
    )


def _words_of(session: Session, transcript_id: int) -> list[str]:
    query = (
        select(TranscriptTurn.text)
        .where(TranscriptTurn.transcript_id == transcript_id, TranscriptTurn.author == PERSON, TranscriptTurn.text.is_not(None))
        .order_by(TranscriptTurn.position)
    )
    return indexed(" ".join(session.scalars(query)))


def _postgres(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"
