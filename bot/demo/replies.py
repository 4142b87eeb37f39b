"""What the guide answers in the demonstration: its real texts in the language of the conversation, its real offices."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from rasa.shared.core.trackers import DialogueStateTracker
from rasa_sdk.executor import CollectingDispatcher
from sqlalchemy.orm import Session

from actions import referral
from actions.directory import offices
from actions.directory.places import Place
from bot.demo.scripts import REFERRAL
from bot.dialogue.direction import isolate_message
from bot.dialogue.nlg import TranslatedReplies

# Responses that come with offices besides ``referral``: contacts for everybody.
_WITH_CONTACTS = frozenset({"utter_clarify_again", "utter_place_give_up"})


@dataclass
class Case:
    """What is known in a conversation, like the slots of the guide."""

    language: str
    need: str | None = None
    profession: str | None = None
    place: Place | None = None
    named_place: str = ""


@dataclass
class Answers:
    """Makes answers; each is made once and copied, because the same office is shown to many.

    Attributes:
        directory: a session on the directory.
    """

    directory: Session
    _nlg: TranslatedReplies = field(default_factory=TranslatedReplies)
    _made: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)

    def to(self, case: Case, replies: Sequence[str]) -> list[dict[str, Any]]:
        """Return the messages of an answer, as the engine gives them to the gateway.

        Args:
            case: what is known; decides on offices and language.
            replies: ids of responses, and ``referral``.

        Raises:
            LookupError: if offices are asked for without a need or a place that they need.
        """
        return [copy.deepcopy(self._message(case, one)) for one in replies]

    def title(self, response: str, language: str) -> str:
        """Return what stands on a button."""
        return self._nlg.text(response, language, {})[0]

    def _message(self, case: Case, reply: str) -> dict[str, Any]:
        place = case.place.reference or case.place.name if case.place else None
        key = (reply, case.language, case.named_place, *((case.need, case.profession, place) if _shows_offices(reply) else ()))
        if key not in self._made:
            self._made[key] = self._referral(case) if reply == REFERRAL else self._plain(case, reply)
        return self._made[key]

    def _plain(self, case: Case, response: str) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        if response in _WITH_CONTACTS:
            need = "human" if response == "utter_clarify_again" else case.need or "human"
            shown = {"referral": offices.find(self.directory, need, None).public()}
        return self._said(case, response, shown, place=case.named_place)

    def _referral(self, case: Case) -> dict[str, Any]:
        if case.need is None:
            raise LookupError("offices are shown without a need")
        if case.need in referral.NEEDS_WITH_PLACE and case.place is None:
            raise LookupError(f"offices for {case.need} are shown without a place")
        dispatcher = CollectingDispatcher()
        # The action's own choice of the sentence above the offices.
        referral._answer(dispatcher, offices.find(self.directory, case.need, case.place, case.profession))
        message = dispatcher.messages[0]
        return self._said(case, message["response"], message["custom"], place=message.get("place", ""))

    def _said(self, case: Case, response: str, custom: dict[str, Any], **values: Any) -> dict[str, Any]:
        tracker = cast(DialogueStateTracker, _Speaking(case.language))
        found = asyncio.run(self._nlg.generate(response, tracker, "web", custom=custom, **values))
        assert found is not None, response
        message = {"text": found["text"], "language": found["language"], "referral": custom.get("referral"), "response": response}
        isolate_message(message, message["language"])
        return message


@dataclass(frozen=True)
class _Speaking:
    """All that the replies ask of a conversation."""

    language: str

    def get_slot(self, name: str) -> str | None:
        return self.language if name == "language" else None


def _shows_offices(reply: str) -> bool:
    return reply == REFERRAL or reply in _WITH_CONTACTS
