"""A working day in the review, in a real browser: a reviewer, an editor, a coordinator, an admin and the colleague they invite.

With ``LOTSE_PICTURES`` the screens are kept (docs/screens is made so).
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from playwright.sync_api import expect

from actions.directory import database as directory
from actions.directory.models import Office
from bot.review.names import language_name
from bot.transcripts.record_models import (
    CALLBACK_DONE,
    DONE,
    GUIDE,
    NEW,
    PERSON,
    CallbackRequest,
    Note,
    Transcript,
    TranscriptTurn,
    Verdict,
)
from bot.transcripts.staff_models import ADMIN, COORDINATOR, EDITOR, REVIEWER
from tests.gateway.browser import needs_chromium

from .accounts import NEW_PASSWORD, PASSWORD, code, make_account
from .browser import TABLET, Demonstration, logged_in, open_demonstration, picture, visiting

pytestmark = [needs_chromium, pytest.mark.browser]


@pytest.fixture(name="place", scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    with open_demonstration(tmp_path_factory.mktemp("review")) as opened:
        yield opened


# ---------------------------------------------------------------------- steps


def send_password(page: Any, place: Demonstration, email: str, password: str) -> None:
    """Open the review and send e-mail address and password."""
    page.goto(f"{place.address}/")
    page.get_by_label(place.say("login.email")).fill(email)
    page.get_by_label(place.say("login.password")).fill(password)
    page.get_by_role("button", name=place.say("login.submit")).click()


def set_up_factor(page: Any, place: Demonstration) -> pyotp.TOTP:
    """Do what the page of the second factor says; return the app."""
    app = pyotp.TOTP(page.locator("code.secret").inner_text().replace(" ", ""))
    page.get_by_label(place.say("account.code")).fill(app.at(place.clock()))
    page.get_by_role("button", name=place.say("account.set_up_submit")).click()
    expect(page.locator(".codes li")).to_have_count(10)
    page.get_by_role("link", name=place.say("account.codes_next")).click()
    return app


def press(page: Any, place: Demonstration, key: str, **more: Any) -> None:
    """Press the button with a text."""
    page.get_by_role("button", name=place.say(key), exact=True, **more).click()


def done(page: Any, place: Demonstration, word: str, language: str = "de") -> None:
    """Wait until the page says what was done."""
    expect(page.locator("p.done")).to_have_text(place.say(f"done.{word}", language))


def went_on(page: Any, place: Demonstration) -> None:
    """Wait until a conversation is done and the next one of the list is shown, if there is one."""
    words = [re.escape(place.say(f"done.{word}")) for word in ("conversation_state_done", "conversation_none_left")]
    expect(page.locator("p.done")).to_have_text(re.compile("|".join(words)))


def tab_to(page: Any, selector: str, most: int = 80) -> None:
    """Press Tab until the focus is where ``selector`` points; whoever has no mouse must get there."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab does not lead to {selector}")


def key(page: Any, name: str) -> None:
    """Press a key of the page, as soon as it listens."""
    page.locator("[data-keys-open]").wait_for()
    page.keyboard.press(name)


def untouched(place: Demonstration, language: str = "de") -> Transcript:
    """Return a new conversation with text and need in which nothing has been judged and the guide has answered."""
    with place.session() as session:
        answered = session.query(TranscriptTurn.transcript_id).filter(TranscriptTurn.author == GUIDE, TranscriptTurn.kind == "text")
        judged = session.query(Verdict.transcript_id)
        query = session.query(Transcript).filter(
            Transcript.language == language,
            Transcript.consent,
            Transcript.need.in_(("recognition", "fair_integration", "qualification", "programme_info")),
            Transcript.review_state == NEW,
            Transcript.crisis.is_(False),
            Transcript.id.in_(answered),
            Transcript.id.not_in(judged),
        )
        found = query.order_by(Transcript.messages.desc(), Transcript.last_activity_at.desc()).first()
        assert found is not None, f"the demonstration has no such conversation in {language}"
        session.expunge(found)
        return found


def said_in(place: Demonstration, transcript: Transcript) -> str:
    """Return the first message of the person."""
    with place.session() as session:
        query = session.query(TranscriptTurn.text).filter_by(transcript_id=transcript.id, author=PERSON)
        return str(query.order_by(TranscriptTurn.position).first()[0])


def words_of(text: str) -> str:
    """Return the longest word of a text; a search for it finds the text."""
    return max(re.findall(r"[^\W\d_]+", text), key=len)


# ---------------------------------------------------------------------- reviewer


def test_a_reviewer_logs_in_for_the_first_time_and_works_through_the_inbox(place: Demonstration, tmp_path: Path) -> None:
    account = make_account(place, REVIEWER, factor=False, name="Sara Muster", email="sara@example.org")
    picked = untouched(place)
    with place.session() as session:
        waiting = session.query(Transcript.language).filter(Transcript.fallbacks > 0, Transcript.consent, Transcript.review_state == NEW)
        misunderstood = waiting.order_by(Transcript.language != "de").first()[0]
    with visiting(place) as page:
        # Password, second factor, emergency codes.
        send_password(page, place, account.email, PASSWORD)
        expect(page.locator("h1")).to_have_text(place.say("account.set_up_title"))
        picture(page, "second-factor", tmp_path, height=1150)
        app = set_up_factor(page, place)
        expect(page.locator("h1")).to_have_text(place.say("inbox.title"))
        press(page, place, "nav.logout")
        place.clock.forward(seconds=30)
        send_password(page, place, account.email, PASSWORD)
        page.get_by_label(place.say("login.code"), exact=True).fill(app.at(place.clock()))
        press(page, place, "login.code_submit")

        # The inbox: filters, search.
        expect(page.locator("h1")).to_have_text(place.say("inbox.title"))
        picture(page, "inbox", tmp_path, height=1260)
        page.get_by_text(place.say("inbox.filters"), exact=True).click()
        page.get_by_label(place.say("inbox.f.language"), exact=True).select_option(misunderstood)
        page.get_by_label(place.say("inbox.f.fallback"), exact=True).check()
        press(page, place, "inbox.apply")
        expect(page.locator("a.chip")).to_have_count(2)
        lines = page.locator("table.inbox tbody tr")
        assert lines.count() >= 1
        language = language_name(misunderstood, "de")
        expect(lines.filter(has_text=language).filter(has_text=place.say("inbox.f.fallback"))).to_have_count(lines.count())
        page.get_by_role("link", name=place.say("inbox.clear")).click()
        page.get_by_label(place.say("inbox.search")).fill(words_of(said_in(place, picked)))
        page.keyboard.press("Enter")
        page.locator(f"table.inbox a[href*='{picked.key}']").click()

        # Need, message, answer.
        page.get_by_label(place.say("conversation.need.which")).select_option("immigration_law")
        press(page, place, "conversation.need.save")
        done(page, place, "conversation_judged")
        wanted = place.say("need.immigration_law")
        expect(page.locator("main")).to_contain_text(place.say("conversation.need.judged_wrong", need=wanted))
        message = page.locator(".turn.person").first
        message.get_by_text(place.say("conversation.judge.wrong"), exact=True).click()
        message.get_by_label(place.say("conversation.judge.which")).select_option("immigration_law")
        message.get_by_role("button", name=place.say("conversation.judge.save"), exact=True).click()
        expect(message).to_contain_text(place.say("conversation.judge.wrong_is", intent=wanted))
        dangerous = page.locator(".turn.guide").get_by_role("button", name=place.say("conversation.answer.dangerous"))
        dangerous.last.click()
        expect(page.locator(".alarm")).to_contain_text(place.say("conversation.alarm.dangerous"))
        picture(page, "conversation", tmp_path, height=1500)

        # Label and note; the note is redacted; undo.
        page.get_by_label(place.say("conversation.labels.new")).fill("Zeugnis fehlt")
        press(page, place, "conversation.labels.add")
        expect(page.locator("ul.labels")).to_contain_text("Zeugnis fehlt")
        page.get_by_label(place.say("conversation.notes.new")).fill("Bitte zurückrufen: 0171 3920098")
        press(page, place, "conversation.notes.save")
        note = page.locator("ul.notes")
        expect(note).to_contain_text("Bitte zurückrufen")
        expect(note).not_to_contain_text("3920098")
        press(page, place, "conversation.undo")
        done(page, place, "conversation_undone")
        expect(note).to_have_count(0)

        # Keys.
        key(page, "?")
        dialog = page.get_by_role("dialog")
        for name in ("n", "d", "u", "r", "w", "l", "c", "a", "j", "k"):
            expect(dialog.locator("kbd", has_text=re.compile(f"^{name}$"))).to_be_visible()
        picture(page, "keys", tmp_path)
        page.keyboard.press("Escape")
        key(page, "n")
        expect(page).not_to_have_url(re.compile(picked.key))
        page.go_back()
        expect(page).to_have_url(re.compile(picked.key))
        key(page, "d")
        went_on(page, place)
        expect(page).not_to_have_url(re.compile(picked.key))

        # What is dangerous stands on top for whoever comes next; this one is done.
        page.get_by_role("link", name=place.say("nav.conversations"), exact=True).click()
        assert page.locator(f".inbox-urgent a[href*='{picked.key}']").count() == 0
    with place.session() as session:
        stored = session.get(Transcript, picked.id)
        assert (stored.review_state, stored.right_need, stored.dangerous) == (DONE, "immigration_law", True)
        assert session.query(Note).filter_by(transcript_id=picked.id).count() == 0


def test_a_reviewer_answers_a_call_back_request(place: Demonstration, tmp_path: Path) -> None:
    with logged_in(place, REVIEWER) as page:
        page.goto(f"{place.address}/callbacks")
        picture(page, "callbacks", tmp_path, height=560)
        page.locator("table.callbacks tbody a").first.click()
        assert (page.locator("a[href^='tel:']").count() or page.locator("a[href^='mailto:']").count()) == 1
        asked = page.url.rsplit("/", 1)[-1].partition("?")[0]
        press(page, place, "callbacks.to.called")
        done(page, place, "callback_called")
        press(page, place, "callbacks.to.done")
        done(page, place, "callback_done")
    with place.session() as session:
        assert session.query(CallbackRequest.status).filter_by(key=asked).scalar() == CALLBACK_DONE


def test_the_main_path_of_a_reviewer_needs_no_mouse(place: Demonstration) -> None:
    account = make_account(place, REVIEWER)
    picked = untouched(place)
    with visiting(place) as page:
        keys = page.keyboard
        page.goto(f"{place.address}/")
        keys.type(account.email)
        keys.press("Tab")
        keys.type(PASSWORD)
        keys.press("Enter")
        expect(page.locator("h1")).to_have_text(place.say("login.second_title"))
        keys.type(code(place))
        keys.press("Enter")
        expect(page.locator("h1")).to_have_text(place.say("inbox.title"))
        keys.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        keys.press("Enter")
        expect(page.locator("#content")).to_be_focused()
        key(page, "/")
        keys.type(words_of(said_in(place, picked)))
        keys.press("Enter")
        expect(page.locator("a.chip")).to_have_count(1)
        tab_to(page, f"table.inbox a[href*='{picked.key}']", 120)
        keys.press("Enter")
        expect(page).to_have_url(re.compile(picked.key))
        key(page, "r")
        done(page, place, "conversation_judged")
        key(page, "u")
        done(page, place, "conversation_undone")
        key(page, "w")
        keys.type(place.say("need.immigration_law")[:4])
        tab_to(page, "button[name=verdict][value=wrong]", 3)
        keys.press("Enter")
        expect(page.locator("#judgement ~ .tag")).to_contain_text(place.say("need.immigration_law"))
        key(page, "j")
        expect(page.locator(".turn:focus")).to_have_count(1)
        tab_to(page, ".turn.guide button[value=helpful]")
        keys.press("Enter")
        expect(page.locator(".turn.guide button[aria-pressed=true]")).to_have_count(1)
        key(page, "c")
        keys.type("Ohne Maus geschrieben, mit d und n im Text")
        keys.press("Tab")
        keys.press("Enter")
        done(page, place, "conversation_noted")
        key(page, "a")
        done(page, place, "conversation_assigned")
        key(page, "d")
        went_on(page, place)
    with place.session() as session:
        stored = session.get(Transcript, picked.id)
        assert (stored.review_state, stored.right_need, stored.assigned_to) == (DONE, "immigration_law", account.id)


def test_without_scripts_a_reviewer_logs_in_judges_and_takes_it_back(place: Demonstration) -> None:
    account = make_account(place, REVIEWER)
    picked = untouched(place)
    with visiting(place, java_script_enabled=False) as page:
        send_password(page, place, account.email, PASSWORD)
        page.get_by_label(place.say("login.code"), exact=True).fill(code(place))
        press(page, place, "login.code_submit")
        page.goto(f"{place.address}/conversations/{picked.key}")
        press(page, place, "conversation.need.right")
        done(page, place, "conversation_judged")
        message = page.locator(".turn.person").first
        message.get_by_text(place.say("conversation.judge.wrong"), exact=True).click()
        message.get_by_label(place.say("conversation.judge.which")).select_option("immigration_law")
        message.get_by_role("button", name=place.say("conversation.judge.save"), exact=True).click()
        expect(message).to_contain_text(place.say("conversation.judge.wrong_is", intent=place.say("need.immigration_law")))
        for _ in range(2):
            press(page, place, "conversation.undo")
            done(page, place, "conversation_undone")
        expect(page.get_by_role("button", name=place.say("conversation.undo"), exact=True)).to_have_count(0)
    with place.session() as session:
        stored = session.get(Transcript, picked.id)
        assert stored.need_right is None
        assert session.query(Verdict).filter_by(transcript_id=picked.id).count() == 0


def test_an_english_speaking_reviewer_reads_an_arabic_conversation(place: Demonstration, tmp_path: Path) -> None:
    picked = untouched(place, "ar")
    with logged_in(place, REVIEWER, language="en", locale="en-GB") as page:
        page.goto(f"{place.address}/conversations/{picked.key}")
        assert page.locator("html").get_attribute("lang") == "en"
        expect(page.locator(".turn.person .text").first).to_have_attribute("dir", "rtl")
        page.get_by_role("button", name=place.say("conversation.need.right", "en"), exact=True).click()
        done(page, place, "conversation_judged", "en")
        key(page, "u")
        done(page, place, "conversation_undone", "en")
    with logged_in(place, REVIEWER, **TABLET) as page:
        page.goto(f"{place.address}/conversations/{picked.key}")
        picture(page, "conversation-ar", tmp_path, height=1500)


# ---------------------------------------------------------------------- editor


def phone_of(place: Demonstration, office: str) -> str:
    """Return the first telephone number of an office, as the chat reads it."""
    with directory.session(place.settings.directory_url) as session:
        return next((one.value for one in session.get(Office, office).contacts if one.kind == "phone"), "")


def test_an_editor_corrects_an_office_and_imports_a_table(place: Demonstration, tmp_path: Path) -> None:
    wrong, right = "bitte anrufen", "+49 30 1234567"
    with directory.session(place.settings.directory_url) as session:
        offices = session.query(Office).filter_by(kind="recognition_counselling", confirmed=True).order_by(Office.name)
        chosen = next(one.name for one in offices if any(contact.kind == "phone" for contact in one.contacts))
    with logged_in(place, EDITOR, name="Eva Exempel") as page:
        page.goto(f"{place.address}/")
        page.get_by_label(place.say("directory.filter.q")).fill(chosen)
        page.get_by_label(place.say("directory.filter.kind"), exact=True).select_option("recognition_counselling")
        press(page, place, "directory.filter.button")
        page.locator("table.offices").get_by_role("link", name=chosen, exact=True).click()
        office = page.url.rsplit("/", 1)[-1]
        page.get_by_role("link", name=place.say("directory.edit.link"), exact=True).click()
        before = page.get_by_label(place.say("directory.field.phone")).input_value()
        page.get_by_label(place.say("directory.field.phone")).fill(wrong)
        press(page, place, "directory.save")
        field = page.get_by_label(place.say("directory.field.phone"))
        expect(field).to_have_value(wrong)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(page.locator("#problem-phone")).to_have_text(place.say("directory.problem.phone_characters", value=wrong))
        expect(page.get_by_role("alert")).to_contain_text(place.say("directory.wrong"))
        picture(page, "office-mistake", tmp_path, height=1320)
        field.fill(right)
        press(page, place, "directory.save")
        done(page, place, "directory_saved")
        # The chat reads the same rows: it is live.
        assert phone_of(place, office) == right
        page.get_by_role("link", name=place.say("directory.history.of_office"), exact=True).first.click()
        change = page.locator("li.change").first
        expect(change).to_contain_text("Eva Exempel")
        expect(change.locator("ins")).to_contain_text(right)
        picture(page, "history", tmp_path, height=420)
        change.get_by_role("button").click()
        done(page, place, "directory_undone")
        page.goto(f"{place.address}/directory/office/{office}")
        press(page, place, "directory.check.button")
        done(page, place, "directory_checked")
        expect(page.locator("main")).to_contain_text(place.say("directory.check.today"))
        with directory.session(place.settings.directory_url) as session:
            assert session.get(Office, office).checked_on == place.clock().date()
        assert phone_of(place, office) == before.partition("\n")[0]

        # Import: the export with one office renamed.
        page.goto(f"{place.address}/directory/import")
        with page.expect_download() as download:
            page.get_by_role("link", name=place.say("directory.export.csv")).click()
        rows = list(csv.reader(io.StringIO(Path(download.value.path()).read_text("utf-8-sig")), delimiter=";"))
        at = rows[0].index("name")
        line = next(row for row in rows if row[rows[0].index("id")] == office)
        line[at] += " (neu)"
        table = tmp_path / "stellen.csv"
        with table.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=";").writerows([rows[0], line])
        page.get_by_label(place.say("directory.import.file"), exact=True).set_input_files(table)
        press(page, place, "directory.import.preview")
        expect(page.locator("main")).to_contain_text(place.say("directory.preview.counts", added=0, changed=1, removed=0))
        expect(page.locator(".diff ins")).to_contain_text("(neu)")
        press(page, place, "directory.preview.apply")
        done(page, place, "directory_imported")
        with directory.session(place.settings.directory_url) as session:
            assert session.get(Office, office).name.endswith("(neu)")


# ---------------------------------------------------------------------- coordinator


def test_a_coordinator_reads_figures_and_takes_corrections_along(place: Demonstration, tmp_path: Path) -> None:
    with logged_in(place, COORDINATOR, name="Olaf Probe") as page:
        page.goto(f"{place.address}/")
        expect(page.locator("h1")).to_have_text(place.say("figures.title"))
        expect(page.get_by_role("link", name=place.say("figures.period_this_month"))).to_have_attribute("aria-current", "page")
        picture(page, "figures", tmp_path, height=1150)
        state = page.locator("svg.map a[href*='state=DE-BW']")
        # In the middle of the state: a click on the picture must do.
        state.locator("path").click()
        expect(page).to_have_url(re.compile("state=DE-BW"))
        expect(page.locator("#title-districts")).to_contain_text("Baden-Württemberg")
        with page.expect_download() as download:
            page.locator("a.csv[href*='/overview.csv']").click()
        assert download.value.suggested_filename.endswith(".csv")
        figures = Path(download.value.path()).read_text("utf-8-sig")
        assert place.say("figures.conversations") in figures and len(figures.splitlines()) > 5

        page.get_by_role("link", name=place.say("nav.corrections"), exact=True).click()
        page.get_by_text(place.say("corrections.split_title"), exact=True).click()
        press(page, place, "corrections.split")
        expect(page.locator("p.done")).to_be_visible()
        page.get_by_text(place.say("corrections.export_title"), exact=True).first.click()
        picture(page, "corrections", tmp_path)
        page.get_by_label(place.say("corrections.format"), exact=True).select_option("nlu")
        page.locator("#purpose_to_export").select_option("training")
        with page.expect_download() as download:
            press(page, place, "corrections.export")
        with zipfile.ZipFile(download.value.path()) as archive:
            found = {name: archive.read(name).decode() for name in archive.namelist() if name.endswith((".yml", ".yaml"))}
        assert found and all("nlu:" in text and "intent:" in text for text in found.values())


# ---------------------------------------------------------------------- admin


def test_an_admin_invites_a_colleague_and_ends_the_sessions(place: Demonstration, tmp_path: Path) -> None:
    email = "neu@example.org"
    with logged_in(place, ADMIN, name="Ada Vorlage") as page:
        page.goto(f"{place.address}/")
        page.get_by_role("link", name=place.say("staff.new")).click()
        page.get_by_label(place.say("staff.name"), exact=True).fill("Nora Neu")
        page.get_by_label(place.say("staff.email"), exact=True).fill(email)
        page.get_by_label(place.say("role.reviewer")).uncheck()
        page.get_by_label(place.say("role.editor")).check()
        press(page, place, "staff.create")
        one_time = page.locator("code.secret").inner_text().strip()
        page.get_by_role("link", name=place.say("staff.back")).click()
        picture(page, "accounts", tmp_path, height=560)

        colleague = page.context.browser.new_context(locale="de-DE").new_page()
        send_password(colleague, place, email, one_time)
        # The second factor first, or the password first: the pages lead from one to the other.
        for _ in range(2):
            if colleague.locator("code.secret").count():
                set_up_factor(colleague, place)
            else:
                colleague.get_by_label(place.say("account.password_old_once"), exact=True).fill(one_time)
                colleague.get_by_label(place.say("account.password_new"), exact=True).fill(NEW_PASSWORD)
                colleague.get_by_label(place.say("account.password_again"), exact=True).fill(NEW_PASSWORD)
                press(colleague, place, "account.change_password")
                colleague.goto(f"{place.address}/")
        expect(colleague.locator("h1")).to_have_text(place.say("directory.title"))
        expect(colleague.get_by_role("link", name=place.say("nav.conversations"), exact=True)).to_have_count(0)

        page.get_by_role("link", name="Nora Neu").click()
        page.get_by_role("link", name=place.say("staff.trail")).click()
        entries = page.locator("table tbody")
        for action in ("staff.create", "second_factor.set", "account.password"):
            expect(entries).to_contain_text(place.say(f"audit.action.{action}"))
        page.get_by_role("link", name="Nora Neu").last.click()
        if page.locator("h1").inner_text() != "Nora Neu":
            page.goto(f"{place.address}/staff")
            page.get_by_role("link", name="Nora Neu").click()
        press(page, place, "staff.end_sessions")
        done(page, place, "staff_sessions_ended")
        colleague.reload()
        expect(colleague.locator("h1")).to_have_text(place.say("login.title"))
        colleague.context.close()
