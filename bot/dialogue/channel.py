"""The engine channel: how the gateway talks to Rasa, on loopback only.

Unlike Rasa's ``rest`` channel it authenticates its caller, says when something went wrong, takes checked button clicks
without a detour through text, and never lets text that begins with ``/`` become a command.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from rasa.core.channels.channel import InputChannel, OutputChannel, UserMessage
from rasa.shared.core.constants import ACTION_LISTEN_NAME
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, SessionStarted, SlotSet
from rasa.shared.core.trackers import DialogueStateTracker
from sanic import Blueprint, response
from sanic.request import Request
from sanic.response import HTTPResponse

from bot.dialogue import action_client, log_redaction
from bot.dialogue.direction import isolate_message
from bot.dialogue.engine_key import engine_key
from bot.dialogue.nlg import language_button, language_of
from bot.dialogue.tracker_store import LotseTrackerStore
from bot.nlu.intent import need_of, selected_answer

logger = logging.getLogger(__name__)

NAME = "lotse"
_FALLBACK_INTENT = "nlu_fallback"


class CollectedReplies(OutputChannel):
    """Collects the replies of one turn as whole messages."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    @classmethod
    def name(cls) -> str:
        """The name under which Rasa knows the channel."""
        return NAME

    async def send_response(self, recipient_id: str, message: dict[str, Any]) -> None:
        """Keep one reply: text, buttons and referral stay together (Rasa's own channels split them)."""
        reply: dict[str, Any] = {
            "text": message.get("text") or "",
            "language": message.get("language") or "de",
            "buttons": [{"title": b["title"], "payload": b["payload"]} for b in message.get("buttons") or []],
            "referral": (message.get("custom") or {}).get("referral"),
            "response": message.get("utter_action"),
        }
        isolate_message(reply, reply["language"])
        self.messages.append(reply)

    async def send_text_message(self, recipient_id: str, text: str, **kwargs: Any) -> None:
        """Keep a bare text (Rasa's default actions use this)."""
        await self.send_response(recipient_id, {"text": text, **kwargs})


class LotseChannel(InputChannel):
    """Named in ``credentials.yml``; its routes begin with ``/webhooks/lotse``."""

    @classmethod
    def name(cls) -> str:
        """The name in the address and in ``credentials.yml``."""
        return NAME

    @classmethod
    def from_credentials(cls, credentials: dict[str, Any] | None) -> LotseChannel:
        """Create the channel; it needs no credentials but the key derived from ``LOTSE_SECRET_KEY``."""
        return cls()

    def __init__(self) -> None:
        self._warm = False

    async def _warm_up(self, agent: Any) -> None:
        """Understand one message before anybody is told that the engine is ready.

        Some tables and the language detector load when they are first needed; the first person must not wait for that.
        """
        if not self._warm:
            self._warm = True
            await agent.parse_message("Guten Tag, ich suche eine Beratung in Köln.")

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        """Return the routes of the channel (called by Rasa)."""
        log_redaction.install()
        action_client.install()
        blueprint = Blueprint("lotse_channel")

        @blueprint.middleware("request")
        async def authenticate(request: Request) -> HTTPResponse | None:
            log_redaction.install()  # Rasa adds its log handlers after the channel is made.
            if request.path.endswith("/health"):
                return None
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode("utf-8", "replace"), engine_key().encode()):
                return _error(401, "unauthorized", "The key of the engine is missing or wrong.")
            return None

        @blueprint.route("/health", methods=["GET"])
        async def health(request: Request) -> HTTPResponse:
            agent = request.app.ctx.agent
            if agent is None or not agent.is_ready():
                return response.json({"status": "loading"}, status=503)
            await self._warm_up(agent)
            try:
                _store(agent).ping()
            except Exception:
                return response.json({"status": "degraded", "tracker_store": "down"}, status=503)
            return response.json({"status": "ok", "model": agent.model_id, "tracker_store": "ok"})

        @blueprint.route("/messages", methods=["POST"])
        async def receive(request: Request) -> HTTPResponse:
            try:
                call = json.loads(request.body)
                conversation = str(call["conversation"])
            except (ValueError, KeyError, TypeError):
                return _error(400, "bad_request", "The body must be JSON with a conversation.")
            with log_redaction.handling(str(call.get("text") or "")):
                try:
                    return response.json(await _turn(request.app.ctx.agent, conversation, call))
                except _BadCall as error:
                    return _error(400, "bad_request", str(error))
                except Exception:
                    logger.exception("The turn failed.")
                    return _error(500, "engine_error", "The turn failed; see the log of the engine.")

        @blueprint.route("/conversations/<conversation>", methods=["DELETE"])
        async def delete(request: Request, conversation: str) -> HTTPResponse:
            agent = request.app.ctx.agent
            async with agent.lock_store.lock(conversation):
                await _store(agent).delete(conversation)
            return response.empty()

        return blueprint


class _BadCall(ValueError):
    """The gateway sent something that the contract does not know."""


def _error(status: int, code: str, message: str) -> HTTPResponse:
    return response.json({"error": {"code": code, "message": message}}, status=status)


def _store(agent: Any) -> LotseTrackerStore:
    """Return the tracker store itself, without the wrappers that Rasa puts around it."""
    store = agent.tracker_store
    while not isinstance(store, LotseTrackerStore):
        store = store._tracker_store
    return store


async def _turn(agent: Any, conversation: str, call: dict[str, Any]) -> dict[str, Any]:
    """Handle one call of the gateway and return the answer of the contract (docs/architecture.md)."""
    replies = CollectedReplies()
    metadata = {"language": call.get("language"), "channel": str(call.get("channel") or "web"), "start": bool(call.get("start"))}
    processor = agent.processor
    store = _store(agent)
    async with agent.lock_store.lock(conversation):
        message = None if call.get("start") else _message(call, conversation, replies, metadata)
        if message is not None and _confirms_deletion(message):
            return await _delete(store, processor.nlg, conversation)
        before = await store.peek(conversation)
        language_before = before.get_slot("language") if before else None
        if message is not None:
            _check_known(message, processor.domain)
        with action_client.watching() as failed:
            if message is None:
                tracker = await processor.fetch_tracker_with_initial_session(conversation, replies, metadata)
                await processor.save_tracker(tracker)
            else:
                await processor.handle_message(message)
                tracker = await store.peek(conversation)
                await _say_language_changed(processor, tracker, language_before, replies)
        if failed and call.get("start"):
            await _start_without_actions(processor, store, tracker, replies)
        if failed:
            notice = await processor.nlg.generate("utter_directory_down", tracker, NAME)
            await replies.send_response(conversation, {**notice, "utter_action": "utter_directory_down"})
    latest = tracker.latest_message
    intent = (latest.intent if latest else None) or {}
    name = intent.get("full_retrieval_intent_name") or intent.get("name")
    return {
        "language": tracker.get_slot("language") or "de",
        "messages": replies.messages,
        "intent": name,
        "confidence": intent.get("confidence"),
        # A question with a fixed answer belongs to a need, too, although it sets no slot.
        "need": (need_of(name) if name else None) or tracker.get_slot("need"),
        # Of a button the entities are its payload; only what a text was found to hold is of interest later.
        "entities": [{"entity": e["entity"], "value": e["value"]} for e in latest.entities] if latest and "text" in call else [],
    }


def _check_known(message: UserMessage, domain: Domain) -> None:
    """Refuse a payload whose intent or entities the domain does not know."""
    parsed = message.parse_data
    if parsed is None:
        return
    unknown = {e["entity"] for e in parsed["entities"]} - set(domain.entities)
    if parsed["intent"]["name"] not in domain.intents or unknown:
        raise _BadCall("The domain does not know this intent or these entities.")


async def _start_without_actions(
    processor: Any, store: LotseTrackerStore, tracker: DialogueStateTracker, replies: CollectedReplies
) -> None:
    """Begin a conversation although the action server is down: questions and emergencies need no directory."""
    language = language_of(tracker)
    welcome = await processor.nlg.generate("utter_welcome", tracker, NAME)
    events = [SessionStarted(), SlotSet("language", language), ActionExecuted(ACTION_LISTEN_NAME)]
    tracker.update_with_events(events, processor.domain)
    await store.save(tracker)
    replies.messages.clear()
    await replies.send_response(tracker.sender_id, {**welcome, "utter_action": "utter_welcome"})


def _confirms_deletion(message: UserMessage) -> bool:
    parsed = message.parse_data or {}
    confirmed = any(e.get("entity") == "confirmed" and e.get("value") == "yes" for e in parsed.get("entities", []))
    return confirmed and (parsed.get("intent") or {}).get("name") == "delete_my_data"


async def _delete(store: LotseTrackerStore, nlg: Any, conversation: str) -> dict[str, Any]:
    """Delete the conversation here and tell the gateway, with ``ended``, to do the same in its own store."""
    tracker = await store.peek(conversation)
    language = (tracker.get_slot("language") if tracker else None) or "de"
    await store.delete(conversation)
    replies = CollectedReplies()
    await replies.send_response(conversation, {**nlg.reply("utter_deleted", language, {}), "utter_action": "utter_deleted"})
    return {"language": language, "messages": replies.messages, "intent": "delete_my_data", "confidence": 1.0, "need": None, "ended": True}


def _message(call: dict[str, Any], conversation: str, replies: OutputChannel, metadata: dict[str, Any]) -> UserMessage:
    def user_message(text: str, parse_data: dict[str, Any] | None) -> UserMessage:
        return UserMessage(
            text=text,
            output_channel=replies,
            sender_id=conversation,
            parse_data=parse_data,
            input_channel=NAME,
            metadata=metadata,
        )

    if isinstance(call.get("payload"), str):
        intent, entities = read_payload(call["payload"])
        return user_message(call["payload"], _parsed(call["payload"], intent, entities))
    if isinstance(call.get("set_language"), str):
        entities = [{"entity": "language", "value": call["set_language"]}]
        return user_message("/switch_language", _parsed("/switch_language", "switch_language", entities))
    if isinstance(call.get("text"), str):
        text = plain(call["text"])
        return user_message(text or "…", None if text else _parsed("…", _FALLBACK_INTENT, []))
    raise _BadCall("One of start, text, payload and set_language is needed.")


def plain(text: str) -> str:
    """Return ``text`` so that Rasa takes it for text: a leading ``/`` would make it a command."""
    # Half a character (a lone surrogate) cannot be stored.
    return text.encode("utf-8", "replace").decode().strip().lstrip("/").strip()


def read_payload(payload: str) -> tuple[str, list[dict[str, Any]]]:
    """Split a button's payload (``/intent{"entity": "value"}``) into intent and entities.

    Raises:
        ValueError: if it is not of that form.
    """
    name, brace, rest = payload.removeprefix("/").partition("{")
    if not payload.startswith("/") or not name:
        raise _BadCall("The payload must begin with / and an intent.")
    try:
        values = json.loads(brace + rest) if brace else {}
    except ValueError:
        raise _BadCall("The entities of the payload must be JSON.") from None
    if not isinstance(values, dict) or "[" in name:
        raise _BadCall("The entities of the payload must be a JSON object.")
    return name, [{"entity": key, "value": value} for key, value in values.items()]


def _parsed(text: str, intent: str, entities: list[dict[str, Any]]) -> dict[str, Any]:
    intent_data: dict[str, Any] = {"name": intent.split("/")[0], "confidence": 1.0}
    parsed: dict[str, Any] = {
        "text": text,
        "intent": intent_data,
        "intent_ranking": [intent_data],
        "entities": [{"start": 0, "end": len(text), **e} for e in entities],
    }
    if "/" in intent:
        intent_data["full_retrieval_intent_name"] = intent
        parsed["response_selector"] = selected_answer(intent, 1.0)
    return parsed


async def _say_language_changed(processor: Any, tracker: DialogueStateTracker, before: str | None, replies: CollectedReplies) -> None:
    """Say that the guide has followed the person into another language, and offer the way back."""
    now = tracker.get_slot("language")
    latest = tracker.latest_message
    if not before or not now or now == before or (latest and latest.intent.get("name") == "switch_language"):
        return
    notice = await processor.nlg.generate("utter_language_followed", tracker, NAME)
    if notice:
        notice["buttons"] = [language_button(before)]
        await replies.send_response(tracker.sender_id, {**notice, "utter_action": "utter_language_followed"})
