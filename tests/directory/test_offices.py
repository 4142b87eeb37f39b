"""Who helps whom: the choice of offices, on small made-up directories."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from actions.directory import models
from actions.directory.database import engine
from actions.directory.fill import fill
from actions.directory.models import ABROAD, District, Office, OfficeContact, OfficeCoverage, OfficeNeed, OfficeProfession, Profession
from actions.directory.offices import KINDS, NEARBY_KM, Match, Referral, find
from actions.directory.places import Place, abroad, resolve, state_place, states
from tests.directory.factories import project_data

DORTMUND, HAMM, BOCHUM, MUENSTER, KOELN, FRANKFURT_ODER = "05913", "05915", "05911", "05515", "05315", "12053"
TODAY = date(2026, 11, 22)
# Where an office stands (degrees), by the town.
AT = {
    "Dortmund": (51.514, 7.466),
    "Bochum": (51.482, 7.216),
    "Hamm": (51.680, 7.817),
    "Münster": (51.962, 7.626),
    "Köln": (50.938, 6.957),
    "Hannover": (52.375, 9.732),
    "Aachen": (50.776, 6.084),
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A directory with the places of Germany and no offices."""
    folder = tmp_path_factory.mktemp("offices")
    made = f"sqlite:///{folder / 'directory.db'}"
    fill(made, project_data(folder / "data"))
    yield made
    engine(made).dispose()


@pytest.fixture
def opened(url: str) -> Iterator[Session]:
    """A session whose offices are thrown away after the test."""
    with Session(engine(url), future=True) as session:
        session.execute(
            insert(Profession.__table__),
            [
                {"title": "Hebamme", "field": "health", "regulated": "federal"},
                {"title": "Apotheker*in", "field": "health", "regulated": "federal"},
                {"title": "Koch*Köchin", "field": "hospitality", "regulated": "no"},
            ],
        )
        yield session
        session.rollback()


def add(session: Session, name: str, need: str = "recognition", **changes: Any) -> Office:
    """Add an office that serves ``need``; the other values are those of a good office for Dortmund.

    Args:
        session: the session.
        name: its id.
        need: the need, or several with blanks between.
        changes: columns of the office, and ``coverage`` (prefixes with blanks between, ``DE`` for all), ``at`` (a town
            of ``AT``), ``professions`` (list), ``contacts`` (list of (kind, value)).
    """
    needs = need.split()
    coverage = changes.pop("coverage", DORTMUND).split()
    contacts = changes.pop("contacts", [("phone", "+49 231 5021234")])
    professions = changes.pop("professions", [])
    latitude, longitude = AT.get(changes.pop("at", ""), (None, None))
    values: dict[str, Any] = {
        "kind": KINDS[needs[0]][0][0],
        "name": name.title(),
        "confirmed": True,
        "confidence": "high",
        "source_url": "https://www.beispiel.de",
        "checked_on": date(2026, 11, 1),
        "latitude": latitude,
        "longitude": longitude,
    }
    office = Office(id=name, **values | changes)
    office.needs = [OfficeNeed(need=n) for n in needs]
    office.coverage = [OfficeCoverage(prefix="" if c == "DE" else c) for c in coverage]
    office.contacts = [OfficeContact(kind=kind, value=value, position=i) for i, (kind, value) in enumerate(contacts)]
    office.professions = [OfficeProfession(profession=p) for p in professions]
    session.add(office)
    session.flush()
    return office


def hotline(session: Session, name: str = "hotline", need: str = "recognition human", coverage: str = "DE abroad") -> Office:
    return add(session, name, need, kind="hotline", coverage=coverage)


def at(session: Session, text: str) -> Place:
    place = resolve(session, text).place
    assert place is not None
    return place


def ask(session: Session, text: str = "Dortmund", need: str = "recognition", **more: Any) -> Referral:
    return find(session, need, at(session, text), on=TODAY, **more)


def ids(referral: Referral) -> list[str]:
    return [match.office.id for match in referral.matches]


# -- the order ---------------------------------------------------------------------------------------------------------


def test_the_most_specific_area_comes_first(opened: Session) -> None:
    add(opened, "state", coverage="05", at="Dortmund")
    add(opened, "region", coverage="059", at="Dortmund")
    add(opened, "district", coverage=DORTMUND, at="Münster")
    assert ids(ask(opened)) == ["district", "region", "state"]


def test_of_equal_areas_the_nearer_office_comes_first(opened: Session) -> None:
    add(opened, "far", coverage="05", at="Köln")
    add(opened, "near", coverage="05", at="Bochum")
    add(opened, "nowhere", coverage="05")
    found = ask(opened)
    assert ids(found) == ["near", "far", "nowhere"]
    assert [m.distance_km is None for m in found.matches] == [False, False, True]
    assert found.matches[0].distance_km == pytest.approx(17.7, abs=2)


def test_an_office_with_several_areas_counts_with_the_one_that_fits_best(opened: Session) -> None:
    add(opened, "both", coverage=f"05 {DORTMUND}", at="Köln")
    add(opened, "state", coverage="05", at="Dortmund")
    assert [(m.office.id, m.level) for m in ask(opened).matches] == [("both", "district"), ("state", "state")]


def test_the_level_tells_how_an_office_fits(opened: Session) -> None:
    add(opened, "a", coverage=DORTMUND)
    add(opened, "b", coverage="059")
    add(opened, "c", coverage="05")
    assert [m.level for m in ask(opened).matches] == ["district", "region", "state"]


def test_the_limit_is_kept(opened: Session) -> None:
    for number in range(6):
        add(opened, f"office-{number}", coverage="05")
    for limit in range(1, 7):
        assert len(ask(opened, limit=limit).matches) == limit
    assert len(ask(opened).matches) == 3
    assert len(ask(opened, limit=20).matches) == 6


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(opened: Session, limit: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ask(opened, limit=limit)


@pytest.mark.parametrize("need", ["", "advice", "out_of_scope", "RECOGNITION", "greet"])
def test_a_need_without_offices_is_refused(opened: Session, need: str) -> None:
    with pytest.raises(ValueError, match="no offices for the need"):
        ask(opened, need=need)


def test_every_need_but_out_of_scope_has_kinds_of_office() -> None:
    assert set(KINDS) == set(models.NEEDS) - {"out_of_scope"}
    assert {kind for wanted, more in KINDS.values() for kind in (*wanted, *more)} <= set(models.OFFICE_KINDS)


def test_an_office_for_another_need_is_not_shown(opened: Session) -> None:
    add(opened, "course", "qualification")
    add(opened, "advice", "recognition")
    assert ids(ask(opened)) == ["advice"]


@pytest.mark.parametrize(
    ("valid_from", "valid_until", "shown"),
    [
        (None, None, True),
        (TODAY, None, True),
        (None, TODAY, True),
        (TODAY, TODAY, True),
        (date(2026, 11, 23), None, False),
        (None, date(2026, 11, 21), False),
        (date(2020, 1, 1), date(2030, 1, 1), True),
    ],
)
def test_an_office_is_shown_while_it_is_valid(opened: Session, valid_from: date | None, valid_until: date | None, shown: bool) -> None:
    add(opened, "office", valid_from=valid_from, valid_until=valid_until)
    assert ids(ask(opened)) == (["office"] if shown else [])


def test_the_same_question_gets_the_same_answer(opened: Session) -> None:
    for number in range(8):
        add(opened, f"office-{number}", coverage="05", at="Dortmund")
    assert len({tuple(ids(ask(opened))) for _ in range(5)}) == 1


# -- confirmed or not --------------------------------------------------------------------------------------------------


def test_an_unconfirmed_office_is_not_shown_beside_a_confirmed_one(opened: Session) -> None:
    add(opened, "sure", coverage="05", at="Köln")
    add(opened, "unsure", coverage=DORTMUND, at="Dortmund", confirmed=False, confidence="low")
    found = ask(opened)
    assert ids(found) == ["sure"]
    assert found.notes == []


def test_an_unconfirmed_office_comes_with_a_nationwide_contact_and_notes(opened: Session) -> None:
    add(opened, "unsure", confirmed=False, confidence="low")
    hotline(opened)
    found = ask(opened)
    assert ids(found) == ["unsure", "hotline"]
    assert {"no_confirmed_office", "ask_first"} <= set(found.notes)


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_the_nationwide_contact_is_never_pushed_out(opened: Session, limit: int) -> None:
    for number in range(6):
        add(opened, f"unsure-{number}", confirmed=False, confidence="low")
        add(opened, f"network-{number}", kind="regional_network", coverage="05")
    hotline(opened)
    found = ask(opened, limit=limit)
    assert "hotline" in ids(found)
    assert len(found.matches) <= limit


def test_an_unconfirmed_nationwide_office_is_no_substitute(opened: Session) -> None:
    add(opened, "unsure-hotline", kind="hotline", coverage="DE", confirmed=False, confidence="low")
    add(opened, "network", kind="regional_network", coverage="05", confirmed=False, confidence="low")
    assert ids(ask(opened)) == []


def test_where_no_office_is_known_the_network_and_the_hotline_help(opened: Session) -> None:
    add(opened, "network", kind="regional_network", coverage="05")
    hotline(opened)
    found = ask(opened)
    assert ids(found) == ["network", "hotline"]
    assert found.notes == ["no_confirmed_office"]


def test_two_networks_are_told_apart(opened: Session) -> None:
    add(opened, "west", kind="regional_network", coverage="05")
    add(opened, "east", kind="regional_network", coverage="05")
    assert "two_networks" in ask(opened).notes


def test_an_empty_directory_says_that_nothing_is_known(opened: Session) -> None:
    found = ask(opened)
    assert found.matches == []
    assert "no_confirmed_office" in found.notes


def test_an_office_without_contact_gets_a_contact_that_can_be_reached(opened: Session) -> None:
    add(opened, "mute", contacts=[])
    hotline(opened)
    assert ids(ask(opened)) == ["mute", "hotline"]


@pytest.mark.parametrize("limit", [2, 3])
def test_several_offices_without_contact_leave_room_for_one_that_can_be_reached(opened: Session, limit: int) -> None:
    for number in range(4):
        add(opened, f"mute-{number}", contacts=[])
    hotline(opened)
    found = ids(ask(opened, limit=limit))
    assert found[0] == "mute-0"
    assert found[-1] == "hotline"
    assert len(found) == limit


def test_one_reachable_office_is_enough(opened: Session) -> None:
    add(opened, "mute", contacts=[])
    add(opened, "reachable", coverage="05")
    hotline(opened)
    assert ids(ask(opened)) == ["mute", "reachable"]


def test_fair_integration_names_the_official_list_where_no_office_is_confirmed(opened: Session) -> None:
    add(opened, "unsure", "fair_integration", confirmed=False, confidence="medium")
    add(opened, "all", "fair_integration", coverage="DE")
    found = ask(opened, need="fair_integration")
    assert ids(found) == ["unsure", "all"]
    assert {"official_list_fair_integration", "ask_first", "eu_citizens_other_service"} <= set(found.notes)


def test_fair_integration_with_an_office_needs_no_list(opened: Session) -> None:
    add(opened, "office", "fair_integration")
    assert ask(opened, need="fair_integration").notes == ["eu_citizens_other_service"]


# -- other states ------------------------------------------------------------------------------------------------------


def test_a_near_office_of_another_state_is_not_shown(opened: Session) -> None:
    # Ulm lies at the border: Neu-Ulm, across the river, is Bavaria.
    add(opened, "neu-ulm", coverage="09775", state="DE-BY", latitude=48.39, longitude=10.0)
    assert ids(ask(opened, "Ulm")) == []


def test_an_office_of_another_state_is_shown_if_its_area_says_so(opened: Session) -> None:
    add(opened, "neu-ulm", coverage="09775 08421", state="DE-BY", latitude=48.39, longitude=10.0)
    assert [(m.office.id, m.level) for m in ask(opened, "Ulm").matches] == [("neu-ulm", "district")]


def test_a_near_office_of_the_same_state_helps_out_with_a_note(opened: Session) -> None:
    add(opened, "hamm", coverage=HAMM, state="DE-NW", at="Hamm")
    add(opened, "aachen", coverage="05334", state="DE-NW", at="Aachen")
    found = ask(opened)
    assert [(m.office.id, m.level) for m in found.matches] == [("hamm", "nearby")]
    assert {"no_confirmed_office", "nearby_only"} <= set(found.notes)


def test_a_near_office_is_not_needed_where_one_serves_the_place(opened: Session) -> None:
    add(opened, "hamm", coverage=HAMM, state="DE-NW", at="Hamm")
    add(opened, "own", coverage="05", at="Köln")
    assert ids(ask(opened)) == ["own"]


@st.composite
def _directories(draw: st.DrawFn) -> tuple[str, str, list[dict[str, Any]]]:
    districts = draw(st.sampled_from(_DISTRICTS))
    coverage = st.lists(
        st.one_of(st.sampled_from([*_DISTRICTS, "DE", ABROAD]), st.sampled_from([d[:2] for d in _DISTRICTS]), st.just(districts)),
        min_size=1,
        max_size=4,
        unique=True,
    )
    rows = [
        {
            "coverage": " ".join(draw(coverage)),
            "kind": draw(st.sampled_from(models.OFFICE_KINDS)),
            "state": draw(st.sampled_from([None, *sorted(states())])),
            "confirmed": draw(st.booleans()),
            "contacts": draw(st.sampled_from([[], [("phone", "110")]])),
            "latitude": draw(st.floats(47, 55)),
            "longitude": draw(st.floats(6, 15)),
            "professions": draw(st.sampled_from([[], [], ["Hebamme"], ["field:health"]])),
        }
        for _ in range(draw(st.integers(1, 8)))
    ]
    return districts, draw(st.sampled_from(sorted(KINDS))), rows


_DISTRICTS = ["01002", "02000", "03241", "05913", "05515", "06412", "08421", "09162", "09775", "11000", "12053", "14713", "16051"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_directories(), st.integers(1, 5), st.sampled_from([None, "Hebamme", "Koch*Köchin"]))
def test_whatever_the_directory_holds_the_rules_are_kept(
    opened: Session, made: tuple[str, str, list[dict[str, Any]]], limit: int, profession: str | None
) -> None:
    district, need, rows = made
    opened.execute(delete(Office).execution_options(synchronize_session=False))
    opened.expunge_all()
    for number, row in enumerate(rows):
        add(opened, f"office-{number}", need, **dict(row))
    row = opened.get(District, district)
    assert row is not None
    place = Place("x", "town", district=district, state=row.state, latitude=row.latitude, longitude=row.longitude)
    found = find(opened, need, place, profession, limit, on=TODAY)
    assert len(found.matches) <= limit
    assert len(set(ids(found))) == len(found.matches)
    assert all(_may_be_shown(match, place) for match in found.matches)
    assert all(_suits(match, profession) for match in found.matches)
    assert found.matches or not any(_certain(o, profession, need) for o in opened.scalars(select(Office)))
    if any(not match.office.confirmed for match in found.matches):
        assert "ask_first" in found.notes
        wanted = KINDS[need][0]
        assert not any(m.office.confirmed and m.office.kind in wanted and m.level in ("district", "region", "state") for m in found.matches)


def _may_be_shown(match: Match, place: Place) -> bool:
    """Whether an office's area holds the place, or it stands near it in the same state."""
    assert place.district
    if any(place.district.startswith(c.prefix) for c in match.office.coverage):
        return match.level != "nearby"
    near = match.distance_km is not None and match.distance_km <= NEARBY_KM
    return match.office.state == place.state and match.level == "nearby" and near


def _suits(match: Match, profession: str | None) -> bool:
    targets = {p.profession for p in match.office.professions}
    if profession is None:
        return not targets or match.office.kind == "qualification_course"
    return not targets or profession in targets or (profession == "Hebamme" and "field:health" in targets)


def _certain(office: Office, profession: str | None, need: str) -> bool:
    """Whether an office must not be missed: confirmed, for everybody, of a kind that answers the need, in all the country."""
    kinds = [kind for group in KINDS[need] for kind in group]
    return office.confirmed and not office.professions and office.kind in kinds and any(c.prefix == "" for c in office.coverage)


# -- whole states and abroad -------------------------------------------------------------------------------------------


def test_for_a_whole_state_all_its_offices_count(opened: Session) -> None:
    add(opened, "dortmund", coverage=DORTMUND, state="DE-NW")
    add(opened, "all-nw", coverage="05", state="DE-NW")
    add(opened, "bavaria", coverage="09", state="DE-BY")
    found = find(opened, "recognition", state_place("DE-NW"), on=TODAY)
    assert sorted(ids(found)) == ["all-nw", "dortmund"]
    assert {m.level for m in found.matches} == {"state"}
    assert {m.distance_km for m in found.matches} == {None}


def test_without_a_place_only_nationwide_contacts_count(opened: Session) -> None:
    add(opened, "dortmund")
    hotline(opened)
    found = find(opened, "recognition", None, on=TODAY)
    assert ids(found) == ["hotline"]
    assert "no_confirmed_office" not in found.notes


def test_people_abroad_get_offices_for_people_abroad(opened: Session) -> None:
    add(opened, "dortmund")
    add(opened, "germany-only", coverage="DE")
    add(opened, "zsba", coverage=ABROAD)
    hotline(opened)
    found = find(opened, "recognition", abroad(), on=TODAY)
    assert ids(found) == ["zsba", "hotline"]
    assert {m.level for m in found.matches} == {"abroad"}
    assert "abroad_recognition" in found.notes


def test_an_office_for_people_abroad_is_not_shown_to_people_here(opened: Session) -> None:
    add(opened, "zsba", coverage=ABROAD)
    assert ids(ask(opened)) == []


@pytest.mark.parametrize("need", sorted(KINDS))
def test_every_need_is_answered_by_a_nationwide_contact_of_a_kind_that_helps(opened: Session, need: str) -> None:
    add(opened, "contact", need, kind=KINDS[need][0][0], coverage="DE abroad")
    for place in (None, abroad(), state_place("DE-TH"), at(opened, "Dortmund")):
        assert ids(find(opened, need, place, on=TODAY)) == ["contact"]


def test_programme_info_shows_coordination_units_and_the_own_networks(opened: Session) -> None:
    add(opened, "coordination", "programme_info", kind="network_coordination", coverage="DE")
    add(opened, "unit-1", "programme_info", kind="specialist_unit", coverage="DE")
    add(opened, "unit-2", "programme_info", kind="specialist_unit", coverage="DE")
    add(opened, "network", "programme_info", kind="regional_network", coverage="05")
    add(opened, "elsewhere", "programme_info", kind="regional_network", coverage="09")
    found = ask(opened, need="programme_info", limit=10)
    assert sorted(ids(found)) == ["coordination", "network", "unit-1", "unit-2"]
    assert found.notes == []


# -- professions -------------------------------------------------------------------------------------------------------


@pytest.fixture
def courses(opened: Session) -> Session:
    add(opened, "for-midwives", "qualification", coverage="05", at="Köln", professions=["Hebamme"])
    add(opened, "for-health", "qualification", coverage="05", at="Dortmund", professions=["field:health"])
    add(opened, "for-all", "qualification", coverage=DORTMUND, at="Dortmund")
    add(opened, "for-cooks", "qualification", coverage=DORTMUND, at="Dortmund", professions=["Koch*Köchin"])
    return opened


@pytest.mark.parametrize(
    ("profession", "expected"),
    [
        ("Hebamme", ["for-midwives", "for-health", "for-all"]),
        ("Apotheker*in", ["for-health", "for-all"]),
        ("Koch*Köchin", ["for-cooks", "for-all"]),
        ("Unbekannter Beruf", ["for-all"]),
    ],
)
def test_courses_for_the_own_profession_come_before_the_field_and_all(courses: Session, profession: str, expected: list[str]) -> None:
    assert ids(ask(courses, need="qualification", profession=profession, limit=10)) == expected


def test_without_a_profession_all_courses_are_shown(courses: Session) -> None:
    assert len(ask(courses, need="qualification", limit=10).matches) == 4


def test_an_authority_for_another_profession_is_a_wrong_door(opened: Session) -> None:
    add(opened, "doctors", kind="other", professions=["Apotheker*in"])
    add(opened, "advice")
    assert ids(ask(opened, profession="Hebamme", limit=5)) == ["advice"]
    assert ids(ask(opened, limit=5)) == ["advice"]


# -- the card ----------------------------------------------------------------------------------------------------------


def test_the_card_of_an_office_shows_the_first_ways_to_reach_it(opened: Session) -> None:
    add(
        opened,
        "office",
        at="Bochum",
        contacts=[("phone", "1"), ("phone", "2"), ("email", "a@b.de"), ("email", "c@d.de"), ("website", "https://b.de")],
    )
    card = ask(opened).public()["offices"][0]
    assert (card["phone"], card["email"], card["website"]) == ("1 / 2", "a@b.de", "https://b.de")
    assert card["distance_km"] == pytest.approx(18, abs=2)
    assert card["checked_on"] == "2026-11-01"
    assert card["confirmed"] is True


def test_the_card_of_a_bare_office_has_every_key(opened: Session) -> None:
    add(opened, "office", contacts=[])
    card = ask(opened).public()["offices"][0]
    keys = "id kind name carrier street postcode city phone email website languages distance_km checked_on source_url confirmed"
    assert set(keys.split()) <= set(card)
    assert card["phone"] is card["email"] is card["website"] is card["distance_km"] is None
    assert card["languages"] == []


def test_a_referral_names_need_place_and_notes(opened: Session) -> None:
    public = ask(opened).public()
    assert public["need"] == "recognition"
    assert public["place"] == {"name": "Dortmund", "postcode": None, "district": DORTMUND, "state": "DE-NW"}
    assert public["notes"] == ["no_confirmed_office"]
    assert find(opened, "recognition", None, on=TODAY).public()["place"] is None


def test_a_directory_that_was_never_filled_is_an_error(tmp_path: Path) -> None:
    """An empty answer would look as if nobody helped."""
    with Session(engine(f"sqlite:///{tmp_path / 'empty.db'}"), future=True) as session, pytest.raises(Exception, match="no such table"):
        find(session, "recognition", None)
