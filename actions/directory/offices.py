"""Which offices help a person with this need at this place: the heart of the guide. All queries on offices live here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, lazyload

from actions.directory.models import ABROAD, Office, OfficeCoverage, OfficeNeed, OfficeProfession, PostcodeRange, Profession
from actions.directory.places import Place, state_prefix
from actions.directory.places_build import kilometres

# Kinds of office in the order in which they answer a need. The first group is what the person asked for; the second is
# "the next best real contact"; hotlines and portals come last and serve everybody.
KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "recognition": (("recognition_counselling",), ("regional_network", "other")),
    "qualification": (("qualification_course",), ("recognition_counselling", "regional_network", "other")),
    "fair_integration": (("fair_integration",), ("other",)),
    "employer_service": (("employer_service",), ("regional_network", "other")),
    "immigration_law": (("other", "hotline"), ()),
    "programme_info": (("network_coordination", "specialist_unit"), ("regional_network",)),
    "human": (("hotline",), ("recognition_counselling", "regional_network")),
    "crisis": (("hotline",), ()),
}
# An office that does not name its area may still help people nearby; further away it would be a wasted journey.
NEARBY_KM = 60.0
# Needs for which people expect an office near them; for the others nationwide contacts are the answer.
_LOCAL_NEEDS = frozenset({"recognition", "qualification", "fair_integration", "employer_service"})


@dataclass(frozen=True)
class Match:
    """An office found for a person, how it matches, and how far it is (km, great circle; None if unknown)."""

    office: Office
    level: str  # district | region | state | nationwide | abroad | nearby
    distance_km: float | None

    def public(self) -> dict[str, Any]:
        """Return the office card of DESIGN.md section 4 (plain values)."""
        o = self.office
        contacts = {kind: [c.value for c in o.contacts if c.kind == kind] for kind in ("phone", "email", "website")}
        return {
            "id": o.id,
            "kind": o.kind,
            "name": o.name,
            "carrier": o.carrier,
            "street": o.street,
            "postcode": o.postcode,
            "city": o.city,
            "state": o.state,
            "phone": " / ".join(contacts["phone"]) or None,
            "email": contacts["email"][0] if contacts["email"] else None,
            "website": contacts["website"][0] if contacts["website"] else None,
            "languages": [language.language for language in o.languages],
            "opening_hours": o.opening_hours,
            "appointment": o.appointment,
            "audience": o.coverage_note,
            "distance_km": None if self.distance_km is None else round(self.distance_km),
            "level": self.level,
            "checked_on": o.checked_on.isoformat(),
            "source_url": o.source_url,
            "source_date": o.source_date,
            "confirmed": o.confirmed,
        }


@dataclass(frozen=True)
class Referral:
    """The answer to "who helps me?": offices, best first, and the ids of notes that must be said with them."""

    need: str
    place: Place | None
    matches: list[Match] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def public(self) -> dict[str, Any]:
        """Return the referral as plain values; the notes are still ids."""
        return {
            "need": self.need,
            "place": self.place.public() if self.place else None,
            "offices": [match.public() for match in self.matches],
            "notes": list(self.notes),
        }


def find(
    session: Session, need: str, place: Place | None, profession: str | None = None, limit: int = 3, on: date | None = None
) -> Referral:
    """Find the offices for a need at a place.

    Offices whose area contains the place come first, the most specific area before the larger one, then by distance;
    then offices of the same state nearby; then nationwide ones. An office of another state appears only if its area
    says so. Unconfirmed offices (confidence low) appear only if no confirmed one of the wanted kind serves the place,
    and then the nationwide hotline stands beside them.

    Args:
        session: a session on the directory.
        need: one of ``models.NEEDS``.
        place: where the person lives; None for nationwide contacts only.
        profession: German reference title, for courses.
        limit: how many offices at the most (at least 1).
        on: the day for which an office must be valid; today by default.

    Raises:
        ValueError: if the need is unknown or leads to no office (``out_of_scope``), or the limit is below 1.
    """
    if need not in KINDS:
        raise ValueError(f"There are no offices for the need {need!r}; choose one of {', '.join(KINDS)}.")
    if limit < 1:
        raise ValueError("The limit must be at least 1.")
    wanted, next_best = KINDS[need]
    candidates = _candidates(session, need, place, on or date.today())
    if not candidates and place is not None and place.kind == ABROAD:
        # Nobody serves this need abroad especially; what is there for everybody can be read from everywhere.
        candidates = _candidates(session, need, None, on or date.today())
    matches = _for_profession(session, candidates, profession)
    if need == "crisis":
        # The nationwide numbers come before any local office: they answer at night, too.
        first = sorted((m for m, _ in matches if m.office.confirmed), key=_emergency_order)
        return Referral(need, place, first[:limit])
    first = _ranked(matches, wanted, kinds_matter=False)
    second = _ranked(matches, next_best, kinds_matter=True)
    hotlines = _ranked(matches, ("hotline",), kinds_matter=False)
    return _choose(need, place, _Ranked(first, second, hotlines), limit)


def by_ids(session: Session, ids: Iterable[str], on: date | None = None) -> list[Match]:
    """Return offices by their ids, in that order; those that are unknown or not valid any more are left out.

    Args:
        session: a session on the directory.
        ids: the ids, as in the public card.
        on: the day for which an office must be valid; today by default.
    """
    wanted, day = list(ids), on or date.today()
    query = select(Office).where(Office.id.in_(wanted), *_valid_on(day))
    found = {office.id: office for office in session.scalars(query).unique()}
    return [Match(found[one], "nationwide", None) for one in wanted if one in found]


@dataclass(frozen=True)
class _Ranked:
    """The candidates of one search, each list best first."""

    first: list[Match]  # of the kind that was asked for
    second: list[Match]  # the next best kinds
    hotlines: list[Match]

    @property
    def local(self) -> list[Match]:
        """What was asked for and serves the place."""
        return [m for m in self.first if m.level in ("district", "region", "state", "abroad")]

    @property
    def nationwide(self) -> list[Match]:
        """Confirmed contacts that serve everybody, best first."""
        found = [m for m in [*self.first, *self.hotlines, *self.second] if m.level in ("nationwide", "abroad")]
        return _first(len(found), [m for m in found if m.office.confirmed])


def _choose(need: str, place: Place | None, ranked: _Ranked, limit: int) -> Referral:
    confirmed = [m for m in ranked.local if m.office.confirmed]
    if place is not None and place.kind == "state":
        # Of a whole state no office is nearer than another, so those that can be found come alone.
        confirmed = [m for m in confirmed if _can_be_found(m)] or confirmed
    confirmed = confirmed[:limit]
    notes: list[str] = []
    if confirmed:
        chosen = _complete(place, confirmed, ranked, limit)
    else:
        chosen, notes = _next_best(need, place, ranked, limit)
    if need == "recognition" and place is not None and place.kind == ABROAD:
        notes.append("abroad_recognition")
    if need == "fair_integration":
        notes.append("eu_citizens_other_service")
    if sum(1 for m in chosen if m.office.kind == "regional_network") > 1:
        notes.append("two_networks")
    return Referral(need=need, place=place, matches=chosen, notes=notes)


def _complete(place: Place | None, confirmed: list[Match], ranked: _Ranked, limit: int) -> list[Match]:
    """Add to confirmed offices what a person may need beside them."""
    if place is not None and place.kind == ABROAD:
        return _first(limit, [*confirmed, *ranked.nationwide])
    if any(_reachable(m) for m in confirmed):
        return confirmed
    # We know the office but no way to reach it: add somebody who can be reached and knows the way.
    reachable = [m for m in [*ranked.second, *ranked.nationwide] if m.office.confirmed and _reachable(m)]
    return _first(limit, [*confirmed[: max(1, limit - 1)], *reachable[:1]])


def _next_best(need: str, place: Place | None, ranked: _Ranked, limit: int) -> tuple[list[Match], list[str]]:
    """Choose where no confirmed office of the wanted kind serves the place; say so in the notes."""
    doubtful = [m for m in ranked.local if not m.office.confirmed][: max(1, limit - 1)]
    nearby = [m for m in ranked.first if m.level == "nearby" and m.office.confirmed][:1]
    helpers = [m for m in ranked.second if m.office.confirmed and m.level in ("district", "region", "state")]
    chosen = _first(limit, [*nearby, *doubtful[:1], *helpers, *doubtful[1:]])
    # A nationwide contact is never pushed out: it is the one that certainly answers.
    if ranked.nationwide:
        chosen = [*chosen[: max(0, limit - 1)], ranked.nationwide[0]]
    everybody = [m for m in ranked.first if m.level == "nationwide"]
    chosen = _first(limit, [*chosen, *ranked.nationwide, *everybody])
    notes = []
    if place is not None and place.kind != ABROAD and need in _LOCAL_NEEDS:
        notes.append("no_confirmed_office")
        if need == "fair_integration":
            notes.append("official_list_fair_integration")
    if any(not m.office.confirmed for m in chosen):
        notes.append("ask_first")
    if any(m.level == "nearby" for m in chosen):
        notes.append("nearby_only")
    return chosen, notes


def _first(limit: int, matches: Iterable[Match]) -> list[Match]:
    seen: list[Match] = []
    for match in matches:
        if match not in seen:
            seen.append(match)
    return seen[:limit]


_LEVELS = ("abroad", "district", "region", "state", "nearby", "nationwide")


def _ranked(matches: list[tuple[Match, int]], kinds: tuple[str, ...], kinds_matter: bool) -> list[Match]:
    """Return the matches of ``kinds``, best first."""

    def order(item: tuple[Match, int]) -> tuple[Any, ...]:
        match, profession_rank = item
        office = match.office
        distance = match.distance_km if match.distance_km is not None else 10_000.0
        return (
            not office.confirmed,
            kinds.index(office.kind) if kinds_matter else 0,
            # A course for one's own profession two districts away beats a general one next door.
            profession_rank,
            _LEVELS.index(match.level),
            distance,
            -len(office.needs),  # of two nationwide contacts, the one that helps with more
            office.id,
        )

    return [match for match, _rank in sorted((m for m in matches if m[0].office.kind in kinds), key=order)]


def _emergency_order(match: Match) -> tuple[bool, bool, int, str]:
    phone = next((c.value for c in match.office.contacts if c.kind == "phone"), None)
    # 110 and 112 are the shortest numbers, and the first.
    return (match.level != "nationwide", phone is None, len(phone or ""), match.office.id)


def _reachable(match: Match) -> bool:
    return bool(match.office.contacts)


def _can_be_found(match: Match) -> bool:
    return bool(match.office.contacts or match.office.street)


def _candidates(session: Session, need: str, place: Place | None, on: date) -> list[Match]:
    prefixes = _prefixes(place)
    covering = OfficeCoverage.prefix.in_(prefixes)
    # Offices of the own state are candidates too, even if their stated area is another district of it: ranked by
    # distance, they are the next best thing where nobody covers the place.
    own_state = and_(Office.state == place.state, Office.state.isnot(None)) if place and place.state else None
    query = (
        select(Office, func.max(func.length(OfficeCoverage.prefix)).filter(covering).label("specific"))
        .join(OfficeNeed, OfficeNeed.office_id == Office.id)
        .join(OfficeCoverage, OfficeCoverage.office_id == Office.id)
        .where(
            OfficeNeed.need == need,
            or_(covering, own_state) if own_state is not None else covering,
            *_valid_on(on),
        )
        .group_by(Office.id)
        # The area has done its work in the query; some offices cover dozens of districts.
        .options(lazyload(Office.coverage))
    )
    found = []
    for office, specific in session.execute(query).all():
        level = _level(office, specific, place)
        distance = _distance(office, place)
        if level == "nearby" and (distance is None or distance > NEARBY_KM):
            continue
        found.append(Match(office, level, distance))
    return found


def _valid_on(day: date) -> tuple[Any, ...]:
    return (
        or_(Office.valid_from.is_(None), Office.valid_from <= day),
        or_(Office.valid_until.is_(None), Office.valid_until >= day),
    )


def _prefixes(place: Place | None) -> list[str]:
    if place is None:
        return [""]
    if place.kind == ABROAD:
        return [ABROAD]
    if place.district:
        return ["", *(place.district[:n] for n in range(2, 6))]
    return ["", state_prefix(place.state)] if place.state else [""]


def _level(office: Office, specific: int | None, place: Place | None) -> str:
    if specific is None:
        # For a whole state every office of that state is as near as any other.
        return "state" if place is not None and place.kind == "state" else "nearby"
    if place is not None and place.kind == ABROAD:
        return "abroad"
    return {0: "nationwide", 2: "state", 5: "district"}.get(specific, "region")


def _distance(office: Office, place: Place | None) -> float | None:
    if place is None or place.latitude is None or place.longitude is None or office.latitude is None:
        return None
    return kilometres(place.latitude, place.longitude, office.latitude, office.longitude)


def _for_profession(session: Session, matches: list[Match], profession: str | None) -> list[tuple[Match, int]]:
    """Drop what is only for other professions; rank: own profession 0, own field 1, for everybody 2.

    Without a profession, courses of every profession stay (the person may look at them), but an authority that serves
    one profession only would be a wrong door.
    """
    row = session.get(Profession, profession) if profession else None
    own_field = f"field:{row.field}" if row is not None else None
    kept = []
    for match in matches:
        targets = {p.profession for p in match.office.professions}
        if profession is None:
            if not targets or match.office.kind == "qualification_course":
                kept.append((match, 0))
        elif profession in targets:
            kept.append((match, 0))
        elif own_field and own_field in targets:
            kept.append((match, 1))
        elif not targets:
            kept.append((match, 2 if match.office.kind == "qualification_course" else 0))
    return kept


def counts(session: Session) -> dict[str, int]:
    """Return how many offices, confirmed offices and postcode ranges the directory holds."""
    total = session.execute(select(func.count()).select_from(Office)).scalar_one()
    confirmed = session.execute(select(func.count()).select_from(Office).where(Office.confirmed)).scalar_one()
    ranges = session.execute(select(func.count()).select_from(PostcodeRange)).scalar_one()
    return {"offices": total, "confirmed": confirmed, "postcode_ranges": ranges}


def professions_with_courses(session: Session) -> set[str]:
    """Return the professions and fields for which the directory knows a course."""
    return set(session.execute(select(OfficeProfession.profession).distinct()).scalars())
