"""What is asked of the inbox by the benchmark ``review``: the list, each filter, searches, several of them together."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.transcripts.generator import LABELS, RARE_LABEL

LIST, FILTER, SEARCH, TOGETHER = "list", "filter", "search", "together"


@dataclass(frozen=True)
class Case:
    """One kind of question.

    Attributes:
        group: ``list``, ``filter`` and ``search`` have a target, ``together`` has none.
        name: what is asked.
        queries: the filters as they stand in the address; ``{rare}`` and ``{label}`` become ids of labels.
        states: the regions of who asks; all if there are none.
        deep: whether to ask for pages from anywhere in the list, too.
    """

    group: str
    name: str
    queries: list[str]
    states: tuple[str, ...] = ()
    deep: bool = True


@dataclass(frozen=True)
class Known:
    """What is in the generated data."""

    labels: dict[str, int] = field(default_factory=dict)
    staff_ids: tuple[int, ...] = ()
    offices: tuple[str, ...] = ()

    def fill(self, query: str) -> str:
        """Return a query with the ids that it leaves open."""
        return query.format(
            rare=self.labels[RARE_LABEL],
            **{f"label{number}": self.labels[name] for number, name in enumerate(LABELS)},
            staff=self.staff_ids[0],
            frequent_office=self.offices[0],
            rare_office=self.offices[-1],
            some_offices=",".join(self.offices[:3]),
        )


_TABS = ["", "tab=all", "tab=done", "tab=in_review"]


def _with_tab(*queries: str) -> list[str]:
    """Return filters under "new" and under "all"."""
    return [f"{tab}{query}" for query in queries for tab in ("", "tab=all&")]


def cases(first_day: str, middle_day: str) -> list[Case]:
    """Return all cases.

    Args:
        first_day: a day near the beginning of the data (ISO).
        middle_day: one in its middle.
    """
    return [
        Case(LIST, "the four tabs", _TABS),
        Case(LIST, "reviewer of one small region", _TABS, ("DE-HB",)),
        Case(LIST, "reviewer of one large region", _TABS, ("DE-NW",)),
        Case(LIST, "reviewer of two small regions", _TABS, ("DE-HB", "DE-SL")),
        Case(LIST, "reviewer of three large regions", _TABS, ("DE-NW", "DE-BY", "DE-BE")),
        Case(FILTER, "language", _with_tab("language=de", "language=ar", "language=ro", "language=pl")),
        Case(FILTER, "channel", _with_tab("channel=web", "channel=messenger")),
        Case(FILTER, "need", _with_tab("need=recognition", "need=employer_service", "need=crisis")),
        Case(
            FILTER,
            "office",
            _with_tab("office=x&offices={frequent_office}", "office=x&offices={rare_office}", "office=x&offices={some_offices}"),
        ),
        Case(FILTER, "state", _with_tab("state=DE-NW", "state=DE-HB", "state=none")),
        Case(FILTER, "outcome", _with_tab("outcome=referred", "outcome=emergency", "outcome=unanswered")),
        Case(FILTER, "dates, near", _with_tab("since=2026-11-20")),
        Case(
            FILTER,
            "dates, far back",
            _with_tab(f"until={first_day}", f"since={middle_day}&until={middle_day}", f"until={middle_day}"),
        ),
        Case(FILTER, "confidence below 2, 30, 90 %", _with_tab("confidence=2", "confidence=30", "confidence=90")),
        Case(FILTER, "fallback", _with_tab("fallback=1")),
        Case(FILTER, "crisis", _with_tab("crisis=1")),
        Case(FILTER, "dangerous", _with_tab("dangerous=1")),
        Case(FILTER, "not helpful", _with_tab("not_helpful=1")),
        Case(FILTER, "unanswered", _with_tab("unanswered=1")),
        Case(FILTER, "label on 2 %, 0.1 %", _with_tab("label={label0}", "label={label3}")),
        Case(FILTER, "label on 20 of all", _with_tab("label={rare}"), deep=False),
        Case(FILTER, "assigned to me, nobody, a person", _with_tab("assigned=me", "assigned=nobody", "assigned={staff}")),
        Case(FILTER, "structure only", _with_tab("structure=1")),
        Case(SEARCH, "one frequent word", _with_tab("q=ich", "q=in", "q=anerkennung")),
        Case(SEARCH, "one word that is neither", _with_tab("q=zeugnis", "q=pflege", "q=диплом", "q=berlin")),
        Case(SEARCH, "one rare word", _with_tab("q=aschersleben", "q=hacettepe", "q=zzzunbekannt")),
        Case(SEARCH, "the beginning of words", _with_tab("q=ber", "q=aner", "q=dip")),
        Case(SEARCH, "two and three words", _with_tab("q=ich+muss", "q=diplom+anerkennen", "q=ich+in+der")),
        Case(SEARCH, "frequent words that never meet", _with_tab("q=ich+bir", "q=ich+шаг", "q=der+ben")),
        Case(SEARCH, "a region", _with_tab("q=ich", "q=zeugnis", "q=bremen"), ("DE-HB",)),
        Case(SEARCH, "and a rare filter", _with_tab("q=ich&label={rare}", "q=ich&crisis=1&since=2026-11-01"), deep=False),
        Case(TOGETHER, "language and need", _with_tab("language=ro&need=crisis", "language=de&need=recognition")),
        Case(TOGETHER, "language and state", _with_tab("language=ro&state=DE-HB", "language=uk&state=DE-NW")),
        Case(
            TOGETHER,
            "language, need and state",
            _with_tab("language=uk&need=human&state=DE-BY", "language=fr&need=recognition&state=DE-HB"),
        ),
        Case(TOGETHER, "two flags", _with_tab("crisis=1&fallback=1", "not_helpful=1&unanswered=1", "fallback=1&not_helpful=1")),
        Case(TOGETHER, "two flags and a language", _with_tab("not_helpful=1&unanswered=1&language=uk")),
        Case(
            TOGETHER, "outcome and need that seldom meet", _with_tab("outcome=emergency&need=recognition", "outcome=referred&need=crisis")
        ),
        Case(TOGETHER, "label and flag", _with_tab("label={label0}&unanswered=1", "label={rare}&crisis=1")),
        Case(TOGETHER, "flag, far back", _with_tab(f"not_helpful=1&until={middle_day}", f"crisis=1&until={first_day}")),
        Case(TOGETHER, "search and a filter that seldom meets it", _with_tab("q=ich&language=tr", "q=ich&need=crisis")),
        Case(TOGETHER, "search and need, flag, dates", _with_tab(f"q=zeugnis&need=recognition&until={middle_day}", "q=ich&not_helpful=1")),
    ]
