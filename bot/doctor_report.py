"""What `lotse doctor` has found: findings in groups, and what to do about them."""

from __future__ import annotations

import unicodedata
from dataclasses import asdict, dataclass, field
from typing import Any

from bot.dialogue.direction import ISOLATES

OK, WARNING, WRONG, INFO = "ok", "warning", "wrong", "info"
TEXT_LIMIT = 300


@dataclass(frozen=True)
class Finding:
    """One thing that was examined. ``todo`` says what to do about what is not right."""

    group: str
    level: str
    text: str
    todo: str | None = None


@dataclass
class Report:
    """All that was found."""

    url: str
    findings: list[Finding] = field(default_factory=list)
    reached: bool = True
    calls: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """``ok``, ``wrong`` or ``unreachable``."""
        if not self.reached:
            return "unreachable"
        return WRONG if self.count(WRONG) else OK

    def count(self, level: str) -> int:
        """Return how many findings are of a level."""
        return sum(one.level == level for one in self.findings)

    def public(self) -> dict[str, Any]:
        """Return the report for other programs."""
        findings = [asdict(one) for one in self.findings]
        return {"url": self.url, "status": self.status, "calls": self.calls, "seconds": self.seconds, "findings": findings}


class Section:
    """The findings of one group."""

    def __init__(self, report: Report, title: str) -> None:
        self._report = report
        self._title = title

    def _add(self, level: str, text: str, todo: str | None = None) -> None:
        self._report.findings.append(Finding(self._title, level, plain(text), plain(todo) if todo else None))

    def ok(self, text: str) -> None:
        """Note what is right."""
        self._add(OK, text)

    def info(self, text: str) -> None:
        """Note what is shown and not judged."""
        self._add(INFO, text)

    def warning(self, text: str, todo: str) -> None:
        """Note what works, but should be better."""
        self._add(WARNING, text, todo)

    def wrong(self, text: str, todo: str) -> None:
        """Note what has to be repaired."""
        self._add(WRONG, text, todo)

    def expect(self, right: bool, text: str, otherwise: str, todo: str) -> bool:
        """Note one or the other; return whether it is right."""
        self._add(OK if right else WRONG, text if right else otherwise, None if right else todo)
        return right


def plain(text: str) -> str:
    """Return a text with nothing in it that could steer a terminal; some of it comes from a stranger's server."""
    clean = "".join(" " if unicodedata.category(char) in ("Cc", "Cs") else char for char in ISOLATES.sub("", text))
    return clean if len(clean) <= TEXT_LIMIT else f"{clean[:TEXT_LIMIT]}…"
