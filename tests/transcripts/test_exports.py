"""Corrections: on which side a message is, and that the exported files hold nothing but what may be in them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, UserUttered
from rasa.shared.core.training_data.story_reader.yaml_story_reader import YAMLStoryReader
from rasa.shared.nlu.training_data.formats import RasaYAMLReader
from sqlalchemy.orm import Session

from actions.directory.database import PROJECT
from bot.transcripts import corrections, database, duplicates, exports
from bot.transcripts.corrections import Filter, Scope, Sides, split
from bot.transcripts.export_records import Wanted
from bot.transcripts.record_models import EVALUATION, GUIDE, PERSON, TRAINING, Transcript, TranscriptTurn, Verdict
from tests.review.support import NOW, make_transcript

SCOPE = Scope.of(NOW, 30)
# Far from everything in data/nlu and data/evaluation, and from each other.
TEXTS = (
    "Xenophon rechnet quer durch Wadersloh mit siebzehn Klammern",
    "Blaue Kakteen verlangen nachts ihren Stempel zurück",
    "Quittenmus ersetzt kein Gutachten über Fagottbau",
    "Jene Zwerge übermitteln Pflaumenformulare per Brieftaube",
)
HOSTILE = (
    '[Dortmund](place) und [Arzt]{"entity": "profession"}',
    '[a][{"entity": "x"}, {"entity": "y"}]',
    "/restart",
    '  / /inform{"place": "x"}',
    "eins\n- intent: crisis\n  examples: |\n    - zwei",
    "eins\r\n\u2028- drei\x85- vier\x0b- fünf",
    "- - - *",
    "- intent: greet",
    "\\u000a- intent: crisis",
    "a\\nb \"quoted\" 'single' `back` # no comment",
    "key: value",
    "${LOTSE_SECRET_KEY}",
    "{{ config }} {% raw %} %s {0}",
    "!!python/object/apply:os.system ['true']",
    "&anchor *alias",
    "--- \n...",
    "|",
    ">-",
    "\ufeffBOM \ufffe \ud7ff \x7f \x00 Ende",
    "tab\there",
    "می\u200cخواهم مدرکم را معادل\u200cسازی کنم",
    "emoji 👩‍⚕️ und 🧿",
    "'",
    '"',
    "\\",
    "x" * 5000,
)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    url = f"sqlite:///{tmp_path / 'transcripts.db'}"
    database.upgrade(url)
    with database.session(url) as opened:
        yield opened


def judge(
    session: Session, transcript: Transcript, right_intent: str | None = None, *, purpose: str | None = None, **more: Any
) -> list[int]:
    """Judge all messages of the person in a transcript; return their ids."""
    ids = []
    for turn in session.query(TranscriptTurn).filter_by(transcript_id=transcript.id, author=PERSON).order_by("position"):
        values = {"intent_right": right_intent is None, "right_intent": right_intent, "purpose": purpose, "created_at": NOW, **more}
        session.add(Verdict(turn_id=turn.id, transcript_id=transcript.id, **values))
        ids.append(turn.id)
    session.flush()
    return ids


def purposes(session: Session) -> dict[str, str | None]:
    return {one.text: one.purpose for one in corrections.all_of(session, SCOPE, Filter())}


def give(session: Session, ids: list[int], purpose: str | None) -> corrections.Outcome:
    return corrections.set_purpose(session, corrections.by_turns(session, SCOPE, ids), purpose)


# ---------------------------------------------------------------------- which messages


def test_a_confirmed_intent_is_right_and_a_corrected_one_replaces_it(session: Session) -> None:
    judge(session, make_transcript(session, TEXTS[0]))
    judge(session, make_transcript(session, TEXTS[1]), "faq/costs")
    found = {one.text: (one.understood, one.intent, one.confirmed) for one in corrections.all_of(session, SCOPE, Filter())}
    assert found == {TEXTS[0]: ("recognition", "recognition", True), TEXTS[1]: ("recognition", "faq/costs", False)}


def test_without_consent_or_after_the_retention_there_is_no_correction(session: Session) -> None:
    judge(session, make_transcript(session, TEXTS[0], last_activity_at=NOW - timedelta(days=30)))
    gone = make_transcript(session, TEXTS[1])
    judge(session, gone)
    gone.consent = False
    session.flush()
    assert corrections.all_of(session, SCOPE, Filter()) == []
    assert corrections.counts(session, SCOPE) == {"undecided": 0, TRAINING: 0, EVALUATION: 0}


def test_buttons_and_answers_of_the_guide_are_no_examples(session: Session) -> None:
    transcript = make_transcript(session, TEXTS[0])
    for turn in transcript.turns:
        turn.kind = "button" if turn.author == PERSON else turn.kind
        session.add(Verdict(turn_id=turn.id, transcript_id=transcript.id, intent_right=True, answer="helpful", created_at=NOW))
    session.flush()
    assert corrections.all_of(session, SCOPE, Filter()) == []


def test_another_region_is_not_seen(session: Session) -> None:
    judge(session, make_transcript(session, TEXTS[0], state="DE-BY"))
    assert corrections.all_of(session, Scope.of(NOW, 30, ("DE-NW",)), Filter()) == []
    assert len(corrections.all_of(session, Scope.of(NOW, 30, ("DE-BY",)), Filter())) == 1


def test_filters_narrow_the_list(session: Session) -> None:
    judge(session, make_transcript(session, TEXTS[0], language="tr"), purpose=TRAINING, exported_at=NOW)
    judge(session, make_transcript(session, TEXTS[1]), "human")

    def texts(**chosen: str) -> list[str]:
        return [one.text for one in corrections.listed(session, SCOPE, Filter(**chosen))]

    assert texts() == [TEXTS[1], TEXTS[0]]
    assert texts(language="tr") == texts(purpose=TRAINING) == texts(exported="yes") == texts(verdict="right") == [TEXTS[0]]
    assert texts(purpose="undecided") == texts(verdict="wrong") == texts(exported="no") == [TEXTS[1]]


# ---------------------------------------------------------------------- never both


def test_a_nearly_equal_text_is_found_whatever_its_case_and_accents() -> None:
    texts = duplicates.Texts(["Gibt es einen Kurs für Krankenpfleger in Köln?"])
    assert texts.find("gibt es einen kurs fuer krankenpfleger in KOELN?") == duplicates.Match(
        "Gibt es einen Kurs für Krankenpfleger in Köln?", 100
    )
    near = texts.find("Gibt es einen Kurs für Krankenpfleger in Koln")
    assert near is not None and 92 <= near.similarity < 100
    assert texts.find("Gibt es einen Kurs für Ärztinnen in Bonn?") is None
    assert texts.find("") is None


def test_the_search_for_near_texts_finds_what_comparing_each_would_find() -> None:
    from rapidfuzz import fuzz

    from actions.directory.text import fold

    draw = random.Random(1)
    some = ["".join(draw.choice("abc ") for _ in range(draw.randint(1, 14))) for _ in range(300)]
    texts = duplicates.Texts(some)
    for text in some[:150]:
        changed = text[:-1] + draw.choice("abc")
        best = max((fuzz.ratio(fold(changed), fold(other)) for other in some if fold(other)), default=0)
        found = texts.find(changed)
        assert (found is not None) == (best >= duplicates.NEARLY_EQUAL and bool(fold(changed)))


def test_training_data_of_the_project_is_refused_for_the_evaluation(session: Session) -> None:
    ids = judge(session, make_transcript(session, "Ich suche Anerkennungsberatung in Neubrandenburg!"))
    assert give(session, ids, EVALUATION).refused == {"project": 1}
    assert give(session, ids, TRAINING).changed == 1


def test_evaluation_data_of_the_project_is_refused_for_the_training(session: Session) -> None:
    from bot import evaluation

    ids = judge(session, make_transcript(session, evaluation.load("tr")[0]["text"], language="tr"))
    (one,) = corrections.by_turns(session, SCOPE, ids)
    refusal = Sides(session).refusal(one, TRAINING)
    assert refusal is not None and refusal.reason == "project" and refusal.match is not None and refusal.match.similarity == 100
    assert give(session, ids, TRAINING).changed == 0


def test_a_text_nearly_equal_to_one_of_the_other_side_is_refused(session: Session) -> None:
    first = judge(session, make_transcript(session, TEXTS[0]))
    second = judge(session, make_transcript(session, TEXTS[0].upper() + "!"))
    assert give(session, first, TRAINING).changed == 1
    assert give(session, second, EVALUATION).refused == {"other_side": 1}
    assert give(session, second, TRAINING).changed == 1


def test_equal_texts_may_change_sides_together_but_not_alone(session: Session) -> None:
    first = judge(session, make_transcript(session, TEXTS[0]), purpose=TRAINING)
    second = judge(session, make_transcript(session, TEXTS[0]), purpose=TRAINING)
    assert give(session, first, EVALUATION).refused == {"other_side": 1}
    assert give(session, first + second, EVALUATION).changed == 2


def test_a_text_stays_if_its_equal_cannot_leave(session: Session) -> None:
    fixed = judge(session, make_transcript(session, TEXTS[0]), purpose=TRAINING, purpose_fixed_at=NOW)
    free = judge(session, make_transcript(session, TEXTS[0]), purpose=TRAINING)
    outcome = give(session, fixed + free, EVALUATION)
    assert (outcome.changed, outcome.refused) == (0, {"fixed": 1, "other_side": 1})


def test_a_conversation_is_on_one_side_as_a_whole(session: Session) -> None:
    first, second = judge(session, make_transcript(session, TEXTS[0], TEXTS[1]))
    assert give(session, [first], TRAINING).changed == 1
    assert give(session, [second], EVALUATION).refused == {"conversation": 1}
    assert give(session, [first, second], EVALUATION).changed == 2


def test_what_was_exported_keeps_its_purpose_also_when_judged_anew(session: Session) -> None:
    (turn_id,) = judge(session, make_transcript(session, TEXTS[0]), purpose=TRAINING)
    assert exports.make(session, "nlu", SCOPE, Wanted(TRAINING), NOW).messages == 1
    # As bot.transcripts.reviews does when a verdict changes.
    verdict = session.get(Verdict, turn_id, populate_existing=True)
    verdict.intent_right, verdict.right_intent, verdict.exported_at = False, "human", None
    session.flush()
    for purpose in (EVALUATION, None):
        assert give(session, [turn_id], purpose).refused == {"fixed": 1}
    assert purposes(session) == {TEXTS[0]: TRAINING}


def test_undecided_messages_are_divided_by_share_and_always_alike(session: Session) -> None:
    draw = random.Random(3)
    for number in range(200):
        said = " ".join("".join(draw.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(7)) for _ in range(5))
        judge(session, make_transcript(session, said, key=f"key-{number}"))
    outcome = split(session, SCOPE, Filter(), 20)
    first = purposes(session)
    assert outcome.changed + sum(outcome.refused.values()) == 200
    assert 20 <= sum(purpose == EVALUATION for purpose in first.values()) <= 60
    give(session, [one.turn_id for one in corrections.all_of(session, SCOPE, Filter())], None)
    split(session, SCOPE, Filter(), 20)
    assert purposes(session) == first
    assert split(session, SCOPE, Filter(), 100).changed == 0


@pytest.mark.parametrize(("share", "purpose"), [(0, TRAINING), (100, EVALUATION)])
def test_a_share_of_0_or_100_puts_all_on_one_side(session: Session, share: int, purpose: str) -> None:
    for text in TEXTS:
        judge(session, make_transcript(session, text))
    split(session, SCOPE, Filter(), share)
    assert set(purposes(session).values()) == {purpose}


def test_texts_with_placeholders_stay_out_of_the_training_unless_asked_for(session: Session) -> None:
    judge(session, make_transcript(session, f"[Name] sagt: {TEXTS[0]}"))
    assert split(session, SCOPE, Filter(), 0).refused == {"placeholder": 1}
    assert split(session, SCOPE, Filter(), 0, with_placeholders=True).changed == 1
    assert exports.make(session, "nlu", SCOPE, Wanted(TRAINING), NOW).left_out == {"placeholder": 1}
    assert exports.make(session, "nlu", SCOPE, Wanted(TRAINING, placeholders=True), NOW).messages == 1


# ---------------------------------------------------------------------- the files


def read_nlu(content: bytes, folder: Path) -> list[tuple[str, str]]:
    """Return what Rasa's own reader finds in an NLU file: intent and text; no entity may be among it."""
    path = folder / "nlu.yml"
    path.write_bytes(content)
    data = RasaYAMLReader().read(path)
    assert not data.entity_examples and not data.entity_synonyms and not data.regex_features and not data.lookup_tables
    return [(example.get_full_intent(), example.get("text")) for example in data.training_examples]


def read_stories(content: bytes, folder: Path) -> list[Any]:
    """Return the steps of the test stories that Rasa's own reader finds."""
    path = folder / "test_stories_x.yml"
    path.write_bytes(content)
    return YAMLStoryReader(domain()).read_from_file(path)


@lru_cache(maxsize=1)
def domain() -> Domain:
    """Return the domain; Rasa takes a second to read it."""
    return Domain.load(str(PROJECT / "domain.yml"))


def test_examples_load_in_rasa_by_language_and_intent(session: Session, tmp_path: Path) -> None:
    judge(session, make_transcript(session, TEXTS[0]), purpose=TRAINING)
    judge(session, make_transcript(session, TEXTS[1]), "faq/costs", purpose=TRAINING)
    judge(session, make_transcript(session, "Mavi kaktüsler gece damga istiyor", language="tr"), purpose=TRAINING)
    judge(session, make_transcript(session, TEXTS[2]), purpose=EVALUATION)
    judge(session, make_transcript(session, TEXTS[3]))
    made = exports.make(session, "nlu", SCOPE, Wanted(TRAINING), NOW)
    assert sorted(made.files) == ["training_de.yml", "training_tr.yml"]
    assert sorted(read_nlu(made.files["training_de.yml"], tmp_path)) == [("faq/costs", TEXTS[1]), ("recognition", TEXTS[0])]
    assert read_nlu(made.files["training_tr.yml"], tmp_path) == [("recognition", "Mavi kaktüsler gece damga istiyor")]


@pytest.mark.parametrize("said", HOSTILE)
def test_a_hostile_text_is_one_example_and_nothing_else(session: Session, tmp_path: Path, said: str) -> None:
    judge(session, make_transcript(session, said), "human", purpose=EVALUATION)
    made = exports.make(session, "nlu", SCOPE, Wanted(EVALUATION), NOW)
    assert read_nlu(made.files["evaluation_de.yml"], tmp_path) == [("human", exports.one_line(said))]


@pytest.mark.parametrize("said", HOSTILE)
def test_a_hostile_text_is_one_message_of_a_story(session: Session, tmp_path: Path, said: str) -> None:
    judge(session, make_transcript(session, said, review_state="done"), "human", purpose=EVALUATION)
    made = exports.make(session, "stories", SCOPE, Wanted(EVALUATION), NOW)
    (story,) = read_stories(made.files["test_stories_evaluation.yml"], tmp_path)
    (event,) = (one for one in story.events if isinstance(one, UserUttered))
    assert (event.text, event.intent["name"], event.entities) == (exports.one_line(said), "human", [])


def test_no_random_text_breaks_the_files(tmp_path: Path) -> None:
    draw = random.Random(7)
    alphabet = "ab [](){}:-/\\\"'#|>&*!%@`${}\n\r\t\x00\x1b\x85\u2028\ufeff\u200cüя你👩"
    texts = {"".join(draw.choice(alphabet) for _ in range(draw.randint(1, 40))) for _ in range(400)}
    lines = sorted({exports.one_line(text) for text in texts} - {""})
    ones = [_example(text) for text in texts]
    assert sorted(text for _, text in read_nlu(exports.nlu(ones, TRAINING).encode(), tmp_path)) == lines
    assert all(exports.one_line(line) == line for line in lines)


def _example(text: str) -> corrections.Correction:
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
    return corrections.Correction(1, 1, "k", 0, "de", text, False, "human", 1.0, True, "human", "", moment, TRAINING, None, False)


@pytest.mark.parametrize("intent", ["nlu_fallback", "x\n- intent: y", "Ünsinn", ""])
def test_what_is_no_intent_is_no_example(session: Session, intent: str) -> None:
    judge(session, make_transcript(session, TEXTS[0]), intent, purpose=TRAINING)
    assert exports.make(session, "nlu", SCOPE, Wanted(TRAINING), NOW).files == {}


def test_a_story_tells_what_was_said_meant_and_done(session: Session, tmp_path: Path) -> None:
    transcript = make_transcript(session, TEXTS[0], TEXTS[1], review_state="done")
    answers = [turn for turn in transcript.turns if turn.author == GUIDE]
    answers[0].response, answers[1].response = "utter_referral", "utter_faq/costs"
    judge(session, transcript, "faq/costs", purpose=EVALUATION)
    made = exports.make(session, "stories", SCOPE, Wanted(EVALUATION), NOW)
    (story,) = read_stories(made.files["test_stories_evaluation.yml"], tmp_path)
    steps = [e.text if isinstance(e, UserUttered) else e.action_name for e in story.events if isinstance(e, (UserUttered, ActionExecuted))]
    assert [step for step in steps if step != "action_listen"] == [TEXTS[0], "action_refer", TEXTS[1], "utter_faq"]
    said = [event.intent["full_retrieval_intent_name"] for event in story.events if isinstance(event, UserUttered)]
    assert said == ["faq/costs", "faq/costs"]


@pytest.mark.parametrize("response", ["utter_crisis", "utter_thank", "utter_clarify", "utter_ask_place_again", "utter_place_unknown"])
def test_every_answer_of_a_story_is_an_action_of_the_domain(response: str) -> None:
    domain = Domain.load(str(PROJECT / "domain.yml"))
    assert exports._action(response) in domain.action_names_or_texts


def test_stories_are_only_made_of_conversations_that_are_done_and_fully_judged(session: Session) -> None:
    judge(session, make_transcript(session, TEXTS[0], review_state="in_review"), purpose=EVALUATION)
    half = make_transcript(session, TEXTS[1], TEXTS[2], review_state="done")
    judge(session, half, purpose=EVALUATION)
    session.get(Verdict, next(t.id for t in half.turns if t.author == PERSON)).intent_right = None
    session.flush()
    made = exports.make(session, "stories", SCOPE, Wanted(EVALUATION), NOW)
    assert (made.files, made.left_out) == ({}, {"incomplete": 2})


def test_a_text_that_belongs_to_the_other_side_is_withheld_from_a_conversation(session: Session) -> None:
    known = "Ich suche Anerkennungsberatung in Neubrandenburg"
    transcript = make_transcript(session, TEXTS[0], known, review_state="done")
    first, _ = judge(session, transcript)
    give(session, [first], EVALUATION)
    made = exports.make(session, "jsonl", SCOPE, Wanted(EVALUATION), NOW)
    record = json.loads(made.files["conversations_evaluation.jsonl"])
    assert [(turn["text"], turn["withheld"]) for turn in record["turns"] if turn["author"] == "person"] == [
        (TEXTS[0], None),
        (None, "project"),
    ]
    stories = exports.make(session, "stories", SCOPE, Wanted(EVALUATION), NOW).files["test_stories_evaluation.yml"].decode()
    assert known not in stories
    assert stories.count("intent: recognition") == 2


def test_a_conversation_comes_as_one_line_of_json_under_its_pseudonym(session: Session) -> None:
    transcript = make_transcript(session, TEXTS[0] + "\u2028\n", language="ar", channel="telegram", conversation_id=None)
    judge(session, transcript, "human", purpose=TRAINING)
    content = exports.make(session, "jsonl", SCOPE, Wanted(TRAINING), NOW).files["conversations_training.jsonl"].decode()
    assert len(content.splitlines()) == 1
    record = json.loads(content)
    assert (record["key"], record["language"], record["channel"]) == (transcript.key, "ar", "telegram")
    turn = record["turns"][0]
    assert (turn["author"], turn["text"], turn["intent"], turn["right_intent"], turn["verdict"], turn["confidence"]) == (
        "person",
        TEXTS[0] + "\u2028\n",
        "recognition",
        "human",
        "wrong",
        0.9,
    )


def test_tasks_for_label_studio_hold_the_dialogue_and_what_was_understood(session: Session) -> None:
    judge(session, make_transcript(session, TEXTS[0]), "human", purpose=TRAINING)
    files = exports.make(session, "label-studio", SCOPE, Wanted(TRAINING), NOW).files
    (task,) = json.loads(files["label_studio_training.json"])
    assert task["data"]["dialogue"] == [{"author": "person", "text": TEXTS[0]}, {"author": "guide", "text": "Antwort 0"}]
    (result,) = task["predictions"][0]["result"]
    assert result["value"] == {"start": "0", "end": "0", "startOffset": 0, "endOffset": len(TEXTS[0]), "paragraphlabels": ["recognition"]}
    assert '<Label value="recognition"/>' in files["label_studio_config.xml"].decode()


def test_only_what_is_new_is_exported_if_that_is_wanted(session: Session) -> None:
    judge(session, make_transcript(session, TEXTS[0]), purpose=TRAINING)
    assert exports.make(session, "nlu", SCOPE, Wanted(TRAINING, only_new=True), NOW).messages == 1
    assert exports.make(session, "nlu", SCOPE, Wanted(TRAINING, only_new=True), NOW).files == {}
    assert exports.make(session, "nlu", SCOPE, Wanted(TRAINING), NOW).messages == 1


@pytest.mark.parametrize("kind", exports.FORMATS)
def test_no_format_holds_what_has_no_consent_or_is_too_old(session: Session, kind: str) -> None:
    old = make_transcript(session, "PLANTED " + TEXTS[0], review_state="done", last_activity_at=NOW - timedelta(days=31))
    without = make_transcript(session, "PLANTED " + TEXTS[1], review_state="done")
    judge(session, old, purpose=TRAINING)
    judge(session, without, purpose=TRAINING)
    without.consent = False
    judge(session, make_transcript(session, TEXTS[2], review_state="done"), purpose=TRAINING)
    made = exports.make(session, kind, SCOPE, Wanted(TRAINING), NOW)
    content = b"".join(made.files.values()).decode()
    assert TEXTS[2] in content
    assert "PLANTED" not in content


@pytest.mark.parametrize(("kind", "purpose"), [("exe", TRAINING), ("nlu", "both"), ("", "")])
def test_an_unknown_export_is_refused(session: Session, kind: str, purpose: str) -> None:
    with pytest.raises(ValueError, match="no export"):
        exports.make(session, kind, SCOPE, Wanted(purpose), NOW)
