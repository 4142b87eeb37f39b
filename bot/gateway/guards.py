"""Every endpoint says who may call it and how often; a test checks that none forgets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from bot.gateway.body import json_object
from bot.gateway.errors import ApiError
from bot.gateway.services import services
from bot.transcripts.conversations import LiveConversation

Endpoint = Callable[[Request], Awaitable[Response]]
SessionEndpoint = Callable[[Request, LiveConversation], Awaitable[Response]]


@dataclass(frozen=True)
class Access:
    """Who may call an endpoint, and under which names the calls are counted."""

    public: bool
    address_limit: str
    conversation_limit: str | None = None


def public(limit: str) -> Callable[[Endpoint], Endpoint]:
    """Mark an endpoint as open to everybody, within a limit for each client address."""

    def mark(endpoint: Endpoint) -> Endpoint:
        @wraps(endpoint)
        async def guarded(request: Request) -> Response:
            seconds = await _address_seconds(request, limit)
            if seconds:
                await _learn_language_from_body(request)
                raise _too_many(seconds)
            return await endpoint(request)

        guarded.access = Access(True, limit)  # type: ignore[attr-defined]
        return guarded

    return mark


def in_conversation(limit: str, conversation_limit: str) -> Callable[[SessionEndpoint], Endpoint]:
    """Mark an endpoint as open to whoever has the token of a live conversation, within limits for address and talk."""

    def mark(endpoint: SessionEndpoint) -> Endpoint:
        @wraps(endpoint)
        async def guarded(request: Request) -> Response:
            # The address first: who guesses tokens is counted as well. The conversation is then looked up in any
            # case, because the refusal should be in its language.
            seconds = await _address_seconds(request, limit)
            try:
                conversation = await _authenticate(request)
            except ApiError:
                if seconds:
                    raise _too_many(seconds) from None
                raise
            request.state.language = conversation.language
            seconds = seconds or await services(request).limits.retry_after(conversation_limit, conversation.id)
            if seconds:
                raise _too_many(seconds)
            return await endpoint(request, conversation)

        guarded.access = Access(False, limit, conversation_limit)  # type: ignore[attr-defined]
        return guarded

    return mark


async def _address_seconds(request: Request, limit: str) -> int:
    service = services(request)
    return await service.limits.retry_after(limit, service.clients.key(request.scope, service.now()))


async def _authenticate(request: Request) -> LiveConversation:
    service = services(request)
    headers = {"WWW-Authenticate": "Bearer"}
    conversation_id = service.tokens.conversation(request.headers.get("authorization", ""))
    if conversation_id is None:
        raise ApiError(401, "unauthorized", headers=headers)
    found = await run_in_threadpool(service.store.find, conversation_id, service.now())
    if found is None:
        raise ApiError(401, "session_ended", headers=headers)
    return found


async def _learn_language_from_body(request: Request) -> None:
    if request.method != "POST":
        return
    try:
        request.state.language = (await json_object(request)).get("language")
    except ApiError:
        request.state.language = None


def _too_many(seconds: int) -> ApiError:
    return ApiError(429, "rate_limited", headers={"Retry-After": str(seconds)}, count=seconds)
