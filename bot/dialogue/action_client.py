"""How the engine calls the action server: a quicker check of its answers, and no silence when it fails.

``RemoteAction._validate_action_result`` calls ``jsonschema.validate``, which checks the (constant) schema itself anew on
every call: two thirds of the time of a custom action. The validator is built once instead; the check of the answer is
the same.

Rasa swallows the failure of a custom action: it logs it and goes on, and the person gets no answer at all. The channel
watches for it (:func:`watching`) and says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from jsonschema import ValidationError
from jsonschema.validators import validator_for
from rasa.core.actions.action import ActionExecutionRejection, RemoteAction
from rasa.shared.exceptions import RasaException

_failures: ContextVar[list[str] | None] = ContextVar("lotse_failed_actions", default=None)
_run = RemoteAction.run


@contextmanager
def watching() -> Iterator[list[str]]:
    """While the block runs, collect the names of the custom actions that fail."""
    failed: list[str] = []
    token = _failures.set(failed)
    try:
        yield failed
    finally:
        _failures.reset(token)


async def _watched_run(self: RemoteAction, *args: Any, **kwargs: Any) -> Any:
    try:
        return await _run(self, *args, **kwargs)
    except ActionExecutionRejection:
        raise  # a form that hands back; no failure
    except Exception as error:
        failed = _failures.get()
        if failed is not None:
            failed.append(self.name())
        # Without its cause: the action server's answer may quote the whole conversation, and Rasa logs the traceback.
        raise RasaException(f"The action {self.name()} failed: {type(error).__name__}") from None


@lru_cache(maxsize=1)
def _validator() -> Any:
    schema = RemoteAction.action_response_format_spec()
    kind = validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)


def _validate(self: RemoteAction, result: dict[str, Any]) -> bool:
    error = next(_validator().iter_errors(result), None)
    if error is not None:
        raise ValidationError(f"The action server's answer to {self.name()} is not valid: {error.message}")
    return True


def install() -> None:
    """Change how every custom action is called; safe to call twice."""
    RemoteAction._validate_action_result = _validate
    RemoteAction.run = _watched_run
