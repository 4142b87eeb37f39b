"""The page in a real browser: what a person does, on a desk and on a small phone, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .browser import needs_chromium, open_page, say
from .fake_engine import FakeEngine

pytestmark = needs_chromium


@pytest.fixture(name="engine", scope="module")
def _engine() -> Iterator[FakeEngine]:
    made = FakeEngine().start()
    yield made
    made.stop()


def test_a_person_gets_a_referral_and_the_focus_stays_in_the_field(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        page.locator("#input").focus()
        say(page, "Krankenschwester, Dortmund", 2)
        card = page.locator(".office").first
        assert card.locator(".office-name").inner_text() == "Anerkennungsberatung Dortmund (Beispiel)"
        assert "Deutsch, Englisch, Arabisch, Türkisch" in card.inner_text()
        assert "2,3 km" in card.inner_text()
        assert "Stand: 02.11.2026" in card.inner_text()
        links = card.locator("a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
        assert "https://www.openstreetmap.org/search?query=Beispielstra%C3%9Fe%201%2C%2044137%20Dortmund" in links
        assert {"tel:02310000000", "mailto:beratung@example.org", "https://www.example.org/quelle"} <= set(links)
        assert "Bitte vorher nachfragen" in page.locator(".office").nth(1).inner_text()
        assert "Bitte vorher nachfragen" not in card.inner_text()
        assert page.locator("#input").evaluate("one => one === one.getRootNode().activeElement")


def test_a_conversation_survives_a_reload(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        say(page, "hello")
        before = page.locator(".message .body").all_inner_texts()
        page.reload()
        page.locator(".message.user").wait_for()
        assert page.locator(".message .body").all_inner_texts() == before
        assert len([body for body in engine.asked if "start" in body]) == 1


def test_text_is_never_taken_for_html_and_keeps_its_lines(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        say(page, "<img src=x onerror=alert(1)>\n<b>fett</b>")
        assert page.locator(".message img, .message b").count() == 0
        assert page.locator(".message.bot .body").last.inner_text().endswith("onerror=alert(1)>\n<b>fett</b>")


def test_quick_replies_are_disabled_after_one_is_chosen_by_keyboard(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        button = page.locator(".replies button").first
        button.focus()
        button.press("Enter")
        page.locator(".message.bot").nth(2).wait_for()
        assert engine.asked[-1]["payload"] == "/recognition"
        assert page.locator(".message.user .body").inner_text() == "Anerkennung"
        assert page.locator(".replies button:not([disabled])").count() == 0
        assert page.locator("#input").evaluate("one => one === one.getRootNode().activeElement")


def test_a_message_that_is_not_answered_is_sent_again_with_the_same_id(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        sent: list[str] = []
        page.on("request", lambda one: sent.append(one.post_data_json["id"]) if one.post_data else None)
        engine.mode = "error"
        say(page, "hello")
        assert "116 123" in page.locator(".message.bot").last.inner_text()
        assert "Noch keine Antwort" in page.locator(".message.user .state").inner_text()
        engine.reset()
        page.locator(".message.waiting button").click()
        page.get_by_text("to hello").wait_for()
        assert page.locator(".message.waiting, .message.failed").count() == 0
        assert len(sent) == 2
        assert len(set(sent)) == 1


def test_what_is_written_without_a_connection_is_sent_by_itself_when_it_is_back(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        page.context.set_offline(True)
        for text in ("first", "second"):
            page.locator("#input").fill(text)
            page.locator("#send").click()
        page.locator(".message.waiting").first.wait_for()
        assert "Keine Verbindung" in page.locator(".message.waiting").first.inner_text()
        page.context.set_offline(False)
        page.get_by_text("to second").wait_for()
        assert engine.texts == ["first", "second"]
        assert page.locator(".message.waiting").count() == 0


def test_a_message_that_waits_survives_a_reload_and_is_sent_once(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        page.route("**/api/chat/messages", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
        page.locator("#input").fill("hello")
        page.locator("#send").click()
        page.locator(".message.waiting").wait_for()
        page.unroute("**/api/chat/messages")
        page.reload()
        page.get_by_text("to hello").wait_for()
        assert engine.texts == ["hello"]
        assert page.locator(".message.user").count() == 1


def test_the_whole_page_changes_its_language_and_tells_the_engine(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        page.locator("#language").select_option("en")
        page.get_by_text("We speak English now.").wait_for()
        assert page.locator("html").get_attribute("lang") == "en"
        assert page.locator("#send").inner_text() == "Send"
        assert "language=en" in page.url


def test_a_person_can_delete_everything_after_a_question(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        say(page, "hello")
        page.locator("#delete").click()
        page.keyboard.press("Escape")
        assert page.locator(".message.user").count() == 1
        page.locator("#delete").click()
        page.locator("#confirm-yes").click()
        page.get_by_text("Ihr Gespräch ist gelöscht.").wait_for()
        assert page.locator(".message").count() == 0
        assert len(engine.deleted) == 1
        page.get_by_role("button", name="Neues Gespräch beginnen").click()
        page.locator(".message.bot").nth(1).wait_for()


def test_a_conversation_that_ended_offers_a_new_one(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        page.evaluate("localStorage.setItem('lotse.token', 'nonsense')")
        page.locator("#input").fill("hello")
        page.locator("#input").press("Enter")
        page.get_by_role("button", name="Neues Gespräch beginnen").click()
        page.locator(".message.user").wait_for(state="detached")
        # What was not sent is not lost: it waits in the field of the new conversation.
        assert page.locator("#input").input_value() == "hello"
        say(page, "again")


def test_whether_a_referral_helped_is_asked_and_stored(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        assert page.locator(".feedback").count() == 0
        say(page, "Dortmund", 2)
        with page.expect_response("**/feedback") as answer:
            page.locator(".feedback").get_by_role("button", name="Ja").click()
        assert answer.value.status == 204
        page.get_by_text("Danke für die Rückmeldung.").wait_for()


def test_messages_are_marked_with_their_language_and_direction(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        say(page, "مرحبا")
        answer = page.locator(".message.bot .body").last
        assert (answer.get_attribute("lang"), answer.get_attribute("dir")) == ("ar", "rtl")
        assert page.locator(".message.user [dir=auto]").count() == 1
        assert page.locator("#log").get_attribute("role") == "log"


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen_and_every_control_is_large_enough(
    tmp_path: Path, engine: FakeEngine, width: int, scheme: str
) -> None:
    engine.reset()
    with open_page(tmp_path, engine, width, color_scheme=scheme) as page:
        page.locator(".message.bot").nth(1).wait_for()
        say(page, "Dortmund " + "x" * 200, 2)
        page.locator("summary").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        heights = page.locator("button:visible, .button:visible, select:visible, summary:visible, textarea:visible").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect().height)"
        )
        assert min(heights) >= 44


def test_without_javascript_the_numbers_are_there(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine, java_script_enabled=False) as page:
        assert page.locator(".noscript").is_visible()
        assert "116 016" in page.locator(".noscript").inner_text()
