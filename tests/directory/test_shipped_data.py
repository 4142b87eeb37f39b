"""The offices that come with the project: every state is served, nothing is shown without its source."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from actions.directory.database import engine
from actions.directory.fill import FillResult, fill
from actions.directory.models import ABROAD, District, Office
from actions.directory.offices import KINDS, Referral, find
from actions.directory.places import Place, abroad, resolve, state_place, states

STATES = tuple(states())
LOCAL_NEEDS = ("recognition", "qualification", "fair_integration", "employer_service")
NOTES = {
    "no_confirmed_office",
    "ask_first",
    "nearby_only",
    "official_list_fair_integration",
    "abroad_recognition",
    "eu_citizens_other_service",
    "two_networks",
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, FillResult]]:
    """A directory filled from the shipped files."""
    url = f"sqlite:///{tmp_path_factory.mktemp('shipped') / 'directory.db'}"
    yield url, fill(url)
    engine(url).dispose()


@pytest.fixture(scope="module")
def opened(filled: tuple[str, FillResult]) -> Iterator[Session]:
    with Session(engine(filled[0]), future=True) as session:
        yield session


def at(session: Session, text: str) -> Place:
    found = resolve(session, text).place
    assert found is not None
    return found


def ids(referral: Referral) -> list[str]:
    return [match.office.id for match in referral.matches]


def confirmed_and_reachable(referral: Referral) -> list[str]:
    return [m.office.id for m in referral.matches if m.office.confirmed and m.office.contacts]


def districts(session: Session) -> list[Place]:
    rows = session.scalars(select(District).order_by(District.ags))
    return [Place(d.name, "district", district=d.ags, state=d.state, latitude=d.latitude, longitude=d.longitude) for d in rows]


@pytest.fixture(scope="module")
def everywhere(opened: Session) -> list[Referral]:
    """The answers to every need in every district and state, abroad and without a place."""
    listed = [*districts(opened), *map(state_place, STATES), abroad(), None]
    return [find(opened, need, place) for need in KINDS for place in listed]


def test_the_shipped_offices_have_no_faults(filled: tuple[str, FillResult]) -> None:
    _, result = filled
    assert result.problems == []
    assert result.notes == []
    assert result.offices is not None
    assert result.professions >= 150


@pytest.mark.parametrize("need", LOCAL_NEEDS)
@pytest.mark.parametrize("state", STATES)
def test_every_state_has_a_confirmed_contact_for_every_need(opened: Session, state: str, need: str) -> None:
    found = find(opened, need, state_place(state))
    assert confirmed_and_reachable(found), (ids(found), found.notes)


def test_every_district_has_a_confirmed_contact_for_every_need(everywhere: list[Referral]) -> None:
    assert {(r.need, r.place.name) for r in everywhere if r.place and r.place.kind != ABROAD and not confirmed_and_reachable(r)} == set()


# The German crisis numbers cannot be called from abroad; what to say then is the dialogue's business.
@pytest.mark.parametrize("need", sorted(set(KINDS) - {"crisis"}))
def test_people_abroad_always_get_a_contact(opened: Session, need: str) -> None:
    assert confirmed_and_reachable(find(opened, need, abroad()))


@pytest.mark.parametrize("need", sorted(KINDS))
def test_without_a_place_there_is_a_nationwide_contact(opened: Session, need: str) -> None:
    assert confirmed_and_reachable(find(opened, need, None))


def test_no_unconfirmed_office_is_shown_without_a_note(everywhere: list[Referral]) -> None:
    doubtful = [r for r in everywhere if not all(m.office.confirmed for m in r.matches)]
    assert doubtful
    assert [(r.need, r.place) for r in doubtful if "ask_first" not in r.notes] == []


@pytest.mark.parametrize("limit", [1, 2, 8])
@pytest.mark.parametrize("need", sorted(KINDS))
def test_an_unconfirmed_office_gets_its_note_whatever_the_limit(opened: Session, need: str, limit: int) -> None:
    for state in STATES:
        found = find(opened, need, state_place(state), limit=limit)
        assert all(m.office.confirmed for m in found.matches) or "ask_first" in found.notes


def test_no_office_of_another_state_is_shown_unless_it_serves_the_place(everywhere: list[Referral]) -> None:
    for referral in everywhere:
        if referral.place is None or referral.place.district is None:
            continue
        for match in referral.matches:
            serves = any(referral.place.district.startswith(c.prefix) for c in match.office.coverage)
            assert serves or match.office.state == referral.place.state, (referral.place.name, match.office.id)


def test_only_known_notes_are_given(everywhere: list[Referral]) -> None:
    assert {note for referral in everywhere for note in referral.notes} == NOTES


@pytest.mark.parametrize("state", STATES)
def test_fair_integration_gives_the_office_of_the_state_or_the_official_list(opened: Session, state: str) -> None:
    found = find(opened, "fair_integration", state_place(state))
    own = [m for m in found.matches if m.office.kind == "fair_integration" and m.office.state == state and m.office.confirmed]
    assert own or "official_list_fair_integration" in found.notes
    assert "eu_citizens_other_service" in found.notes


def test_cottbus_gets_the_office_in_cottbus_first(opened: Session) -> None:
    for text in ("Cottbus", "03046"):
        found = find(opened, "recognition", at(opened, text))
        assert found.matches[0].office.city == "Cottbus"
        assert found.matches[0].office.confirmed
        assert found.notes == []


@pytest.mark.parametrize("text", ["Dortmund", "44137"])
def test_dortmund_gets_both_networks_and_the_hotline(opened: Session, text: str) -> None:
    found = find(opened, "recognition", at(opened, text))
    assert set(ids(found)) == {"network-nw-west", "network-nw-ost", "hotline-de-arbeiten-und-leben"}
    assert {"no_confirmed_office", "two_networks"} <= set(found.notes)
    assert all(m.office.confirmed for m in found.matches)


def test_recognition_from_abroad_leads_to_the_service_for_people_abroad(opened: Session) -> None:
    found = find(opened, "recognition", abroad())
    assert found.matches[0].office.id == "recognition-abroad-zsba"
    assert "abroad_recognition" in found.notes


@pytest.mark.parametrize("place", ["Dortmund", None])
@pytest.mark.parametrize(
    "office",
    [
        "specialist-de-anerkennung-qualifizierung",
        "specialist-de-einwanderung-integration",
        "specialist-de-faire-integration",
        "coordination-de-vernetzungsprojekt",
    ],
)
def test_the_programmes_own_units_are_found(opened: Session, place: str | None, office: str) -> None:
    found = find(opened, "programme_info", at(opened, place) if place else None, limit=20)
    assert office in ids(found)


@pytest.mark.parametrize("text", ["Dortmund", "NRW"])
def test_both_networks_of_nrw_are_found_by_programme_info(opened: Session, text: str) -> None:
    found = find(opened, "programme_info", at(opened, text))
    assert {"network-nw-west", "network-nw-ost"} <= set(ids(found))
    assert "two_networks" in found.notes


def test_the_crisis_numbers_exist(opened: Session) -> None:
    found = find(opened, "crisis", None, limit=20)
    numbers = {contact.value.replace(" ", "") for m in found.matches for contact in m.office.contacts if contact.kind == "phone"}
    assert {"110", "112", "116016", "116123"} <= numbers
    assert all(m.office.confirmed for m in found.matches)


@pytest.mark.parametrize("limit", [2, 3, 20])
@pytest.mark.parametrize("state", STATES)
def test_police_and_ambulance_are_named_in_every_crisis(opened: Session, state: str, limit: int) -> None:
    assert {"hotline-de-110", "hotline-de-112"} <= set(ids(find(opened, "crisis", state_place(state), limit=limit)))


def test_every_office_has_a_source_and_a_date(opened: Session) -> None:
    offices = opened.scalars(select(Office)).all()
    assert len(offices) > 150
    assert [o.id for o in offices if not o.source_url.startswith(("https://", "http://"))] == []
    assert [o.id for o in offices if not date(2025, 1, 1) < o.checked_on <= date(2027, 1, 1)] == []
    assert [o.id for o in offices if not o.needs or not o.coverage] == []


def test_an_office_with_low_confidence_is_not_confirmed(opened: Session) -> None:
    assert [o.id for o in opened.scalars(select(Office)) if o.confirmed and o.confidence == "low"] == []


def test_every_state_has_offices_of_its_own(opened: Session) -> None:
    assert set(opened.scalars(select(Office.state).distinct())) >= set(STATES)


def test_the_area_of_an_office_lies_in_its_state(opened: Session) -> None:
    """An office may serve other states too, but then its own as well, or it is a mistake in a key."""
    wrong = []
    for office in opened.scalars(select(Office).where(Office.state.isnot(None))):
        ags = states()[office.state].ags
        prefixes = {c.prefix for c in office.coverage}
        if not any(p in ("", ABROAD) or p.startswith(ags) for p in prefixes):
            wrong.append(office.id)
    assert wrong == []


def test_nobody_is_sent_further_than_needed(opened: Session) -> None:
    """In every district with a confirmed counselling office of its own, such an office comes first."""
    today = date.today()
    offices = [
        office
        for office in opened.scalars(select(Office).where(Office.kind == "recognition_counselling", Office.confirmed))
        if any(n.need == "recognition" for n in office.needs)
        and not office.professions
        and (office.valid_until is None or office.valid_until >= today)
        and (office.valid_from is None or office.valid_from <= today)
    ]
    owners = {c.prefix: [o.id for o in offices if any(x.prefix == c.prefix for x in o.coverage)] for o in offices for c in o.coverage}
    for place in districts(opened):
        own = owners.get(place.district or "")
        assert not own or ids(find(opened, "recognition", place, limit=1))[0] in own
