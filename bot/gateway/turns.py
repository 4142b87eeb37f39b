"""One turn of a conversation: claimed, asked, stored, answered; the same message only once."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
from starlette.concurrency import run_in_threadpool

from bot.gateway.callback_tickets import tickets
from bot.gateway.engine import EngineAnswer, EngineBusyError, EngineError
from bot.gateway.errors import ApiError
from bot.gateway.services import Services
from bot.gateway.texts import text, unavailable
from bot.transcripts.conversations import LiveConversation, OfferedButton, TurnInProgressError
from bot.transcripts.records import TurnFacts

logger = logging.getLogger(__name__)
# A claim outlives the longest turn (the engine may be asked twice) and frees itself if this process dies.
CLAIM_MARGIN = 10
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Inquiry:
    """What the person sent, as it is shown (``question``) and as the engine gets it."""

    client_id: str
    kind: str
    question: str | None
    engine: dict[str, Any]


def new_id() -> str:
    """Return an opaque id for a message or a button."""
    return secrets.token_urlsafe(12)


def bot_message(message_text: str, language: str) -> dict[str, Any]:
    """Return a message of the gateway itself."""
    return {
        "id": new_id(),
        "author": "bot",
        "text": message_text,
        "language": language,
        "buttons": [],
        "referral": None,
    }


def user_message(client_id: str, message_text: str, language: str, state: str) -> dict[str, Any]:
    """Return a message of the person, as it is shown again after a reload."""
    return {
        "id": client_id,
        "author": "user",
        "text": message_text,
        "language": language,
        "buttons": [],
        "referral": None,
        "state": state,
    }


def own_welcome(service: Services, language: str) -> list[dict[str, Any]]:
    """Return the first messages of a conversation when the engine cannot say them."""
    return [
        bot_message(text("welcome", language, operator=service.settings.operator), language),
        bot_message(unavailable(language), language),
    ]


def no_answer(error: EngineError, language: str) -> ApiError:
    """Return the 503 that tells the person whom to call in the meantime."""
    code = "busy" if isinstance(error, EngineBusyError) else "engine_unavailable"
    extra = {"messages": [bot_message(unavailable(language), language)]}
    return ApiError(503, code, headers={"Retry-After": "5"}, extra=extra)


def session_ended() -> ApiError:
    """Return the 401 for a conversation that is over."""
    return ApiError(401, "session_ended", headers={"WWW-Authenticate": "Bearer"})


def to_messages(answer: EngineAnswer) -> tuple[list[dict[str, Any]], dict[str, OfferedButton]]:
    """Turn the engine's answer into messages of the API.

    Returns:
        The messages, and what stands behind the ids of their buttons.
    """
    messages = []
    offered: dict[str, OfferedButton] = {}
    for one in answer.messages:
        buttons = []
        for button in one.buttons:
            key = new_id()
            offered[key] = OfferedButton(button.payload, button.title)
            buttons.append({"id": key, "title": button.title})
        message = bot_message(one.text, one.language)
        messages.append({**message, "buttons": buttons, "referral": one.referral})
    return messages, offered


def facts_of(answer: EngineAnswer, began: float) -> TurnFacts:
    """Return what is kept of an answer besides its texts.

    Args:
        answer: the engine's answer.
        began: when it was asked (``time.perf_counter``).
    """
    return TurnFacts(
        intent=answer.intent,
        confidence=answer.confidence,
        need=answer.need,
        entities=answer.entities,
        responses=[message.response for message in answer.messages],
        latency_ms=round((time.perf_counter() - began) * 1000),
    )


async def take_turn(service: Services, conversation: LiveConversation, inquiry: Inquiry) -> list[dict[str, Any]]:
    """Return the answer to what the person sent: the stored one if it was answered before, else a new one.

    Raises:
        ApiError: 401 if the conversation ended in the meantime, 409 if another turn takes too long, 503 if the engine
            does not answer.
    """
    async with _turn(service, conversation.id):
        # Fresh: the turn before this one may have changed the language.
        current = await run_in_threadpool(service.store.find, conversation.id, service.now())
        if current is None:
            raise session_ended()
        try:
            begun = await run_in_threadpool(
                service.store.begin_turn,
                current.id,
                inquiry.client_id,
                inquiry.kind,
                inquiry.question,
                service.now(),
            )
        except TurnInProgressError:
            raise _in_progress() from None
        if begun.answer is not None:
            return begun.answer
        try:
            return await _ask(service, current, inquiry, begun.id)
        except EngineError as error:
            logger.warning("A message stays unanswered: %s", error)
            await run_in_threadpool(service.store.fail_turn, begun.id)
            raise no_answer(error, current.language) from None
        except BaseException:
            # Also when the server stops in the middle: the same message may then be sent again.
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(service.store.fail_turn, begun.id)
            raise


async def welcome(service: Services, conversation: LiveConversation) -> tuple[str, list[dict[str, Any]]]:
    """Begin a conversation in the engine.

    Returns:
        The language and the first messages; the gateway's own if the engine cannot say them.
    """
    buttons: dict[str, OfferedButton] = {}
    language = conversation.language
    facts, start = TurnFacts(), time.perf_counter()
    try:
        answer = await _start(service, conversation)
        if not answer.messages:
            # A person must never meet a machine that does not say what it is.
            raise EngineError("there is no welcome in the answer")
    except EngineError as error:
        logger.warning("A conversation begins without the engine: %s", error)
        messages = own_welcome(service, language)
    else:
        messages, buttons = to_messages(answer)
        language, facts = answer.language, facts_of(answer, start)
    begun = await run_in_threadpool(service.store.begin_turn, conversation.id, "start", "start", None, service.now())
    await run_in_threadpool(service.store.finish_turn, conversation.id, begun.id, messages, buttons, language, service.now(), facts)
    return language, messages


async def _start(service: Services, conversation: LiveConversation) -> EngineAnswer:
    answer = await service.engine.ask(conversation.id, conversation.channel, conversation.language, start=True)
    await run_in_threadpool(service.store.set_engine_started, conversation.id)
    return answer


async def _ask(service: Services, conversation: LiveConversation, inquiry: Inquiry, turn_id: int) -> list[dict[str, Any]]:
    if not conversation.engine_started:
        # The engine was down or too slow when the conversation began; its welcome has been said by the gateway. If it
        # came to begin after all, it says nothing now.
        await _start(service, conversation)
    language = conversation.language if conversation.language_chosen else None
    start = time.perf_counter()
    answer = await service.engine.ask(conversation.id, conversation.channel, language, **inquiry.engine)
    messages, buttons = to_messages(answer)
    tickets(service.settings).add_to(messages, conversation.id, service.now())
    if not messages and inquiry.kind != "language":
        raise EngineError("there is no message in the answer")
    if answer.ended:
        # "Delete my data" in the chat: the last message is said, and nothing of the conversation is kept.
        await run_in_threadpool(service.store.delete, conversation.id, service.now())
        await service.forget(conversation.id)
        return messages
    facts = facts_of(answer, start)
    stored = await run_in_threadpool(
        service.store.finish_turn, conversation.id, turn_id, messages, buttons, answer.language, service.now(), facts
    )
    if not stored:
        # Deleted while the engine was working: it may have written the conversation anew.
        await run_in_threadpool(service.store.pending_deletion, conversation.id, service.now())
        await service.forget(conversation.id)
        raise session_ended()
    return messages


@asynccontextmanager
async def _turn(service: Services, conversation_id: str) -> AsyncIterator[None]:
    """Hold the conversation's turn: among the requests of this process by a lock, among processes by a claim."""
    lock = service.lock(conversation_id)
    wait = service.settings.engine_timeout
    with anyio.move_on_after(wait) as waiting:
        await lock.acquire()
    if waiting.cancelled_caught:
        raise _in_progress()
    try:
        await _claim(service, conversation_id, wait)
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(service.store.release, conversation_id)
    finally:
        lock.release()


async def _claim(service: Services, conversation_id: str, wait: float) -> None:
    seconds = 2 * service.settings.engine_timeout + CLAIM_MARGIN
    deadline = anyio.current_time() + wait
    while not await run_in_threadpool(service.store.claim, conversation_id, service.now(), seconds):
        if await run_in_threadpool(service.store.find, conversation_id, service.now()) is None:
            raise session_ended()
        if anyio.current_time() > deadline:
            raise _in_progress()
        await asyncio.sleep(POLL_SECONDS)


def _in_progress() -> ApiError:
    return ApiError(409, "in_progress", headers={"Retry-After": "2"})
