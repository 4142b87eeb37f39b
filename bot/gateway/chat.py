"""The endpoints of the chat API (docs: DESIGN, section 4)."""

from __future__ import annotations

import re
import uuid
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.gateway import languages, turns
from bot.gateway.body import clean_text, client_id, json_object
from bot.gateway.errors import ApiError
from bot.gateway.guards import in_conversation, public
from bot.gateway.services import Services, services
from bot.languages import SPOKEN_LANGUAGES
from bot.transcripts.conversations import LiveConversation

CHANNEL = "web"
BUTTON_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@public("sessions")
async def create_session(request: Request) -> Response:
    """Begin a conversation; its first message says that a machine answers."""
    service = services(request)
    wanted = (await json_object(request)).get("language")
    if wanted is not None and not isinstance(wanted, str):
        raise ApiError(400, "invalid_request")
    # A language that nobody speaks yet is no mistake of the browser: the best other one is taken.
    chosen = wanted in SPOKEN_LANGUAGES
    language = str(wanted) if chosen else languages.preferred(request.headers.get("accept-language", ""))
    conversation = await run_in_threadpool(service.store.create, CHANNEL, language, chosen, service.now())
    language, messages = await turns.welcome(service, conversation)
    body = {"token": service.tokens.issue(conversation.id), "language": language, "messages": messages}
    return JSONResponse(body, 201)


@in_conversation("messages", "conversation_messages")
async def send_message(request: Request, conversation: LiveConversation) -> Response:
    """Answer a text or a button, once for each id of the client."""
    service = services(request)
    inquiry = await _inquiry(service, conversation, await json_object(request))
    return JSONResponse({"messages": await turns.take_turn(service, conversation, inquiry)})


@in_conversation("calls", "conversation_calls")
async def read_messages(request: Request, conversation: LiveConversation) -> Response:
    """Return the conversation so far, both sides; a page that is loaded again shows it."""
    history = await run_in_threadpool(services(request).store.history, conversation.id)
    messages: list[dict[str, Any]] = []
    for turn in history:
        if turn.question is not None:
            messages.append(turns.user_message(turn.client_id, turn.question, conversation.language, turn.state))
        messages.extend(turn.answer)
    return JSONResponse({"language": conversation.language, "consent_to_review": conversation.consent_to_review, "messages": messages})


@in_conversation("calls", "conversation_calls")
async def change_session(request: Request, conversation: LiveConversation) -> Response:
    """Change the language, or whether the conversation may be reviewed."""
    service = services(request)
    body = await json_object(request)
    language, consent = body.get("language"), body.get("consent_to_review")
    if (language is None and consent is None) or (consent is not None and not isinstance(consent, bool)):
        raise ApiError(400, "invalid_request")
    if language is not None and language not in SPOKEN_LANGUAGES:
        raise ApiError(400, "unsupported_language")
    if consent is not None:
        await run_in_threadpool(service.store.set_consent, conversation.id, consent, service.now())
    messages: list[dict[str, Any]] = []
    if language is not None:
        await run_in_threadpool(service.store.set_language, conversation.id, language, service.now())
        request.state.language = language
        messages = await _switch_language(service, conversation, language)
    return JSONResponse(
        {
            "language": language or conversation.language,
            "consent_to_review": conversation.consent_to_review if consent is None else consent,
            "messages": messages,
        }
    )


@in_conversation("calls", "conversation_calls")
async def give_feedback(request: Request, conversation: LiveConversation) -> Response:
    """Note whether a message of the guide helped."""
    service = services(request)
    body = await json_object(request)
    message_id, helpful = body.get("message_id"), body.get("helpful")
    if not isinstance(message_id, str) or not isinstance(helpful, bool):
        raise ApiError(400, "invalid_request")
    if not await run_in_threadpool(service.store.give_feedback, conversation.id, message_id, helpful, service.now()):
        raise ApiError(404, "unknown_message")
    return Response(status_code=204)


@in_conversation("calls", "conversation_calls")
async def delete_session(request: Request, conversation: LiveConversation) -> Response:
    """Delete everything of the conversation, in every store."""
    service = services(request)
    await run_in_threadpool(service.store.delete, conversation.id, service.now())
    # If the engine is down, the id stays noted and is tried again every minute.
    await service.forget(conversation.id)
    return Response(status_code=204)


async def _inquiry(service: Services, conversation: LiveConversation, body: dict[str, Any]) -> turns.Inquiry:
    key = client_id(body)
    text, button_id = body.get("text"), body.get("button")
    if (text is None) == (button_id is None):
        raise ApiError(400, "invalid_request")
    if text is not None:
        cleaned = clean_text(text)
        return turns.Inquiry(key, "text", cleaned, {"text": cleaned})
    if not isinstance(button_id, str):
        raise ApiError(400, "invalid_request")
    # Anything else was never given out, and might not even be a text that a database takes.
    known = BUTTON_ID.fullmatch(button_id)
    button = await run_in_threadpool(service.store.button, conversation.id, button_id) if known else None
    if button is None:
        raise ApiError(400, "unknown_button")
    return turns.Inquiry(key, "button", button.title, {"payload": button.payload})


async def _switch_language(service: Services, conversation: LiveConversation, language: str) -> list[dict[str, Any]]:
    inquiry = turns.Inquiry(str(uuid.uuid4()), "language", None, {"set_language": language})
    try:
        return await turns.take_turn(service, conversation, inquiry)
    except ApiError as error:
        if error.status == 401:
            raise
        # The engine learns the language with the next message; the person need not wait for it.
        return []
