"""Folding of text, and the way from what a person calls a place to its district."""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from actions.directory import places
from actions.directory.database import DATA, PROJECT, engine
from actions.directory.fill import fill
from actions.directory.places import Place, Resolution, clear_choice, resolve, states
from actions.directory.text import fold, fold_word, name_key, strip_invisible, tokenize
from tests.directory.factories import project_data

REFERENCE = PROJECT.parent / "shared" / "reference" / "postcodes.csv"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session on a directory with the places of Germany."""
    folder = tmp_path_factory.mktemp("places")
    url = f"sqlite:///{folder / 'directory.db'}"
    fill(url, project_data(folder / "data"))
    with Session(engine(url), future=True) as session:
        yield session
    engine(url).dispose()


def table(name: str) -> list[dict[str, str]]:
    with (DATA / "places" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def place(session: Session, text: str) -> Place:
    found = resolve(session, text)
    assert found.place is not None, found
    return found.place


# -- folding -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "folded"),
    [
        ("Köln", "koeln"),
        ("KÖLN", "koeln"),
        ("Ko\u0308ln", "koeln"),
        ("Straße", "strasse"),
        ("STRASSE", "strasse"),
        ("ẞ", "ss"),
        ("Café", "cafe"),
        ("São", "sao"),
        ("Łódź", "lodz"),
        ("İstanbul", "istanbul"),
        ("ırmak", "irmak"),
        ("Ørsted", "oersted"),
        ("Œuvre", "oeuvre"),
        ("Ｋöln", "koeln"),
        ("ﬁnden", "finden"),
        ("Кёльн", "кельн"),
        ("Київ", "киів"),
        ("", ""),
    ],
)
def test_case_umlauts_and_accents_are_folded(word: str, folded: str) -> None:
    assert fold_word(word) == folded


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("كولونيا", "کولونیا"),
        ("برلين", "برلین"),
        ("ألمانيا", "المانيا"),
        ("إيران", "ايران"),
        ("مدرسة", "مدرسه"),
        ("مستشفى", "مستشفی"),
        ("رئيس", "رییس"),
        ("مـــهنة", "مهنة"),
        ("قُلُونِيَة", "قلونية"),
        ("مؤسسة", "موسسه"),
    ],
)
def test_arabic_and_persian_spellings_of_a_word_are_one(one: str, other: str) -> None:
    assert fold_word(one) == fold_word(other)


@pytest.mark.parametrize("digits", ["٤٤١٣٧", "۴۴۱۳۷", "४४१३७", "４４１３７", "44137"])
def test_digits_of_every_script_become_ascii(digits: str) -> None:
    assert fold_word(digits) == "44137"
    assert name_key(digits) == "44137"


@pytest.mark.parametrize(
    "mark", ["\u00ad", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u202a", "\u202e", "\u2060", "\u2066", "\ufeff"]
)
def test_invisible_characters_vanish(mark: str) -> None:
    assert strip_invisible(f"hil{mark}fe") == "hilfe"
    assert fold(f"{mark}Hil{mark}fe{mark}") == "hilfe"


@pytest.mark.parametrize("mark", ["\u00ad", "\u200b", "\u200d", "\u2060", "\ufeff"])
def test_an_invisible_character_does_not_split_a_word(mark: str) -> None:
    [token] = tokenize(f"Dort{mark}mund")
    assert token.folded == "dortmund"
    assert (token.start, token.end) == (0, 9)


@pytest.mark.parametrize("apostrophe", "'’‘`´ʼ")
def test_every_kind_of_apostrophe_vanishes(apostrophe: str) -> None:
    assert fold(f"don{apostrophe}t") == "dont"


@pytest.mark.parametrize("text", ["a  b", " a b ", "a\tb", "a\n\nb", "a\u00a0b", "a\u3000b"])
def test_white_space_becomes_one_blank(text: str) -> None:
    assert fold(text) == "a b"


@given(st.text(max_size=60))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(max_size=80))
def test_tokens_stand_where_they_say(text: str) -> None:
    last = 0
    for token in tokenize(text):
        assert last <= token.start < token.end <= len(text)
        assert fold_word(strip_invisible(text[token.start : token.end])) == token.folded
        last = token.end


def test_tokens_keep_offsets_and_capitals() -> None:
    text = "Ich wohne in Köln-Mülheim, 51065!"
    tokens = tokenize(text)
    assert [t.folded for t in tokens] == ["ich", "wohne", "in", "koeln", "muelheim", "51065"]
    assert [text[t.start : t.end] for t in tokens] == ["Ich", "wohne", "in", "Köln", "Mülheim", "51065"]
    assert [t.capitalised for t in tokens] == [True, False, False, True, True, False]


@pytest.mark.parametrize("text", ["", "   ", "!?", "🙂", "\u200b"])
def test_a_text_without_words_has_no_tokens(text: str) -> None:
    assert tokenize(text) == []
    assert name_key(text) == ""


def test_a_name_of_several_words_has_one_key_however_it_is_written() -> None:
    assert {name_key(n) for n in ("Frankfurt (Oder)", "frankfurt/oder", "FRANKFURT - ODER", "Frankfurt Oder")} == {"frankfurt oder"}


# -- the tables --------------------------------------------------------------------------------------------------------


def test_the_tables_of_places_agree_with_each_other() -> None:
    districts = {row["district"]: row for row in table("districts.csv")}
    prefixes = {s.ags: s.code for s in states().values()}
    assert len(districts) == len(table("districts.csv")) == 400
    assert all(row["state"] == prefixes[ags[:2]] and len(ags) == 5 and ags.isdigit() for ags, row in districts.items())
    assert {row["district"] for row in table("towns.csv")} <= set(districts)
    assert {row["district"] for row in table("postcode_ranges.csv")} == set(districts)


def test_the_postcode_ranges_are_sorted_and_disjoint() -> None:
    spans = [(row["first"], row["last"]) for row in table("postcode_ranges.csv")]
    assert all(len(code) == 5 and code.isdigit() for span in spans for code in span)
    assert all(first <= last for first, last in spans)
    assert all(last < first for (_, last), (first, _) in zip(spans, spans[1:], strict=False))


def test_every_district_lies_in_germany_and_has_a_town() -> None:
    assert all(47 < float(r["latitude"]) < 55.2 and 5.7 < float(r["longitude"]) < 15.2 for r in table("districts.csv"))
    assert {r["district"] for r in table("districts.csv")} == {r["district"] for r in table("towns.csv")}


def test_the_postcode_of_every_town_belongs_to_its_district() -> None:
    spans = table("postcode_ranges.csv")
    firsts = [row["first"] for row in spans]
    wrong = []
    for row in table("towns.csv"):
        span = spans[max(bisect_right(firsts, row["postcode"]) - 1, 0)]
        if not span["first"] <= row["postcode"] <= span["last"] or span["district"] != row["district"]:
            wrong.append((row["name"], row["postcode"]))
    assert wrong == []


def test_every_known_postcode_leads_to_its_district(opened: Session) -> None:
    if not REFERENCE.exists():
        pytest.skip("the reference table of postcodes (../shared/reference/postcodes.csv) is not on this machine")
    with REFERENCE.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["large_recipient"] == "0"]
    assert len(rows) > 8_000
    wrong = [
        (row["postcode"], row["district"], found and found.district)
        for row in rows
        if (found := resolve(opened, row["postcode"]).place) is None or (found.district, found.state) != (row["district"], row["state"])
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("name", "district"),
    [
        ("Berlin", "11000"),
        ("Hamburg", "02000"),
        ("München", "09162"),
        ("Köln", "05315"),
        ("Frankfurt am Main", "06412"),
        ("Stuttgart", "08111"),
        ("Düsseldorf", "05111"),
        ("Leipzig", "14713"),
        ("Dortmund", "05913"),
        ("Essen", "05113"),
        ("Bremen", "04011"),
        ("Dresden", "14612"),
        ("Hannover", "03241"),
        ("Nürnberg", "09564"),
        ("Duisburg", "05112"),
        ("Cottbus", "12052"),
        ("Hof", "09464"),
        ("Regen", "09276"),
    ],
)
def test_cities_lie_in_their_district(opened: Session, name: str, district: str) -> None:
    found = place(opened, name)
    assert (found.name, found.kind, found.district) == (name, "town", district)


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Cologne", "Köln"),
        ("Кёльн", "Köln"),
        ("كولونيا", "Köln"),
        ("Colonia", "Köln"),
        ("Köln", "Köln"),
        ("KOELN", "Köln"),
        ("koln", "Köln"),
        ("  köln  ", "Köln"),
        ("Munich", "München"),
        ("Monachium", "München"),
        ("Münih", "München"),
        ("Мюнхен", "München"),
        ("Munchen", "München"),
        ("Nuremberg", "Nürnberg"),
        ("Nurnberg", "Nürnberg"),
        ("Dusseldorf", "Düsseldorf"),
        ("Wurzburg", "Würzburg"),
        ("Tubingen", "Tübingen"),
        ("Hanover", "Hannover"),
        ("Брауншвейг", "Braunschweig"),
        ("Лейпциг", "Leipzig"),
        ("Lipsk", "Leipzig"),
        ("برلين", "Berlin"),
        ("برلین", "Berlin"),
        ("Берлін", "Berlin"),
        ("Aix-la-Chapelle", "Aachen"),
        ("Mayence", "Mainz"),
        ("Drezno", "Dresden"),
        ("هامبورغ", "Hamburg"),
        ("Frankfurt/Main", "Frankfurt am Main"),
        ("Frankfurt a. M.", "Frankfurt am Main"),
        ("Frankfurt a.M.", "Frankfurt am Main"),
        ("Frankfurt/Oder", "Frankfurt (Oder)"),
        ("Halle/Saale", "Halle (Saale)"),
        ("Halle an der Saale", "Halle (Saale)"),
        ("Bad Homburg", "Bad Homburg vor der Höhe"),
        ("Mülheim an der Ruhr", "Mülheim"),
    ],
)
def test_a_town_is_known_by_its_other_names(opened: Session, text: str, name: str) -> None:
    assert place(opened, text).name == name


@pytest.mark.parametrize(
    ("text", "district"),
    [
        ("Münster", "05515"),
        ("Freiburg", "08311"),
        ("Kiel", "01002"),
        ("Kehl", "08317"),
        ("Essen", "05113"),
        ("Oldenburg", "03403"),
        ("Weimar", "16055"),
    ],
)
def test_a_clearly_larger_town_is_meant(opened: Session, text: str, district: str) -> None:
    found = place(opened, text)
    assert (found.kind, found.district) == ("town", district)


@pytest.mark.parametrize(
    ("text", "some", "many"),
    [
        ("Frankfurt", {"06412", "12053"}, False),
        ("Halle", {"15002", "05754"}, True),
        ("Neustadt", {"07316", "03241"}, True),
        ("Fürth", {"09563"}, False),
    ],
)
def test_a_name_of_several_towns_is_asked_about(opened: Session, text: str, some: set[str], many: bool) -> None:
    found = resolve(opened, text)
    assert found.place is None
    assert some <= {c.district for c in found.choices}
    assert 2 <= len(found.choices) <= places.MOST_CHOICES
    assert found.many is many


@pytest.mark.parametrize("text", ["Frankfurt", "Halle", "Neustadt", "Brandenburg", "Mülheim", "Rothenburg"])
def test_every_choice_leads_by_its_reference_to_itself(opened: Session, text: str) -> None:
    for choice in resolve(opened, text).choices:
        assert place(opened, choice.reference) == choice


def test_brandenburg_is_a_state_and_a_town(opened: Session) -> None:
    found = resolve(opened, "Brandenburg")
    assert [(c.kind, c.state) for c in found.choices] == [("state", "DE-BB"), ("town", "DE-BB")]
    assert found.choices[1].district == "12051"


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("NRW", "DE-NW"),
        ("nrw", "DE-NW"),
        ("Nordrhein-Westfalen", "DE-NW"),
        ("North Rhine-Westphalia", "DE-NW"),
        ("Bavaria", "DE-BY"),
        ("Bayern", "DE-BY"),
        ("Lower Saxony", "DE-NI"),
        ("Hessen", "DE-HE"),
        ("Sachsen", "DE-SN"),
        ("Sachsen-Anhalt", "DE-ST"),
        ("Saarland", "DE-SL"),
        ("Baden-Wurttemberg", "DE-BW"),
        ("Baden-Wuerttemberg", "DE-BW"),
        ("Thuringia", "DE-TH"),
        ("DE-MV", "DE-MV"),
        ("de-mv", "DE-MV"),
    ],
)
def test_a_state_is_a_place(opened: Session, text: str, state: str) -> None:
    found = place(opened, text)
    assert (found.kind, found.state, found.district) == ("state", state, None)


@pytest.mark.parametrize(("text", "district"), [("Berlin", "11000"), ("Hamburg", "02000"), ("Bremen", "04011"), ("BREMEN", "04011")])
def test_a_city_state_is_its_city(opened: Session, text: str, district: str) -> None:
    found = place(opened, text)
    assert (found.kind, found.district) == ("town", district)


@pytest.mark.parametrize("code", [code for code in states() if code != "DE-BB"])
def test_every_state_is_known_by_its_code_and_all_its_names(opened: Session, code: str) -> None:
    state = states()[code]
    assert place(opened, code).state == code
    for name in (state.name, *state.names):
        assert place(opened, name).state == code


@pytest.mark.parametrize(
    ("text", "district"),
    [
        ("Kreis Soest", "05974"),
        ("Rhein-Sieg-Kreis", "05382"),
        ("rhein sieg kreis", "05382"),
        ("Landkreis München", "09184"),
        ("LK Rosenheim", "09187"),
        ("Landkreis Rosenheim", "09187"),
        ("Region Hannover", "03241"),
        ("Städteregion Aachen", "05334"),
        ("Erzgebirgskreis", "14521"),
        ("Rhein-Kreis Neuss", "05162"),
        ("Kreis Neuss", "05162"),
    ],
)
def test_a_district_is_a_place(opened: Session, text: str, district: str) -> None:
    found = place(opened, text)
    assert (found.kind, found.district) == ("district", district)


def test_every_district_is_found_by_its_own_name(opened: Session) -> None:
    missed = []
    for row in table("districts.csv"):
        found = resolve(opened, row["name"])
        offered = {p.district for p in (found.place, *found.choices) if p}
        if row["district"] not in offered and found.place is None:
            missed.append(row["name"])
    assert missed == []


def test_no_district_has_a_foreign_name() -> None:
    """Names are shown to people; the tables come from a source that mixes languages."""
    foreign = ("Nuremberg", "Munich", "Cologne", "Hanover", "Brunswick")
    assert [row["name"] for row in table("districts.csv") if any(word in row["name"] for word in foreign)] == []


# -- postcodes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["44137", " 44137 ", "44137 Dortmund", "Dortmund 44137", "D-44137 Dortmund", "٤٤١٣٧", "۴۴۱۳۷", "44137, bitte"]
)
def test_a_postcode_is_a_place_with_or_without_its_town(opened: Session, text: str) -> None:
    found = place(opened, text)
    assert (found.kind, found.name, found.postcode, found.district, found.state) == ("postcode", "Dortmund", "44137", "05913", "DE-NW")


@pytest.mark.parametrize(
    ("postcode", "name"),
    [("50667", "Köln"), ("60311", "Frankfurt am Main"), ("90403", "Nürnberg"), ("10115", "Berlin"), ("03046", "Cottbus")],
)
def test_a_postcode_of_a_city_shows_the_city_not_the_quarter(opened: Session, postcode: str, name: str) -> None:
    assert place(opened, postcode).name == name


@pytest.mark.parametrize("text", ["00000", "99999", "99999 Dortmund", "05999"])
def test_an_unknown_postcode_is_told(opened: Session, text: str) -> None:
    assert resolve(opened, text) == Resolution(unknown_postcode=True)


@pytest.mark.parametrize("text", ["1", "1234", "441370", "12345678901234567890", "3"])
def test_a_number_that_is_no_postcode_is_nothing(opened: Session, text: str) -> None:
    found = resolve(opened, text)
    assert found.place is None
    assert found.choices == []


# -- neither -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Dortmunt", "Dortmund"),
        ("Hamburk am See", None),
        ("Stuttgard", "Stuttgart"),
        ("Leipzg", "Leipzig"),
        ("Saarbrüken", "Saarbrücken"),
        ("Nürnburg", "Nürnberg"),
        ("Qwertzuiop", None),
    ],
)
def test_an_unknown_town_gets_near_spellings(opened: Session, text: str, meant: str | None) -> None:
    found = resolve(opened, text)
    assert found.place is None
    assert len(found.suggestions) <= 3
    if meant:
        assert found.suggestions[0] == meant
    for suggestion in found.suggestions:
        offered = resolve(opened, suggestion)
        assert offered.place or offered.choices


def test_the_beginning_of_a_long_name_is_near_enough(opened: Session) -> None:
    found = resolve(opened, "Garmisch")
    assert found.place or "Garmisch-Partenkirchen" in found.suggestions


@pytest.mark.parametrize("text", ["abroad", "ABROAD", " abroad "])
def test_abroad_is_a_place(opened: Session, text: str) -> None:
    found = place(opened, text)
    assert (found.kind, found.district, found.state, found.reference) == ("abroad", None, None, "abroad")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\x00",
        "\x00\x01\x1b[31m",
        "\n\n",
        "a" * 10_000,
        "Köln " * 2_000,
        "9" * 10_000,
        "' OR 1=1; --",
        "Köln'; DROP TABLE town; --",
        "%",
        "_",
        "*",
        "@",
        "@05315",
        "x@y@z",
        "\U0001f642",
        "\ud800",
        "\u202e",
        "../../etc/passwd",
        "<script>",
    ],
)
def test_odd_input_is_no_place_and_does_no_harm(opened: Session, text: str) -> None:
    assert resolve(opened, text).place is None
    assert place(opened, "Köln").district == "05315"


@pytest.mark.parametrize("text", ["Kö\u00adln", "Köl\u200bn", "\u200eKöln\u200e", "Köln\ufeff"])
def test_invisible_characters_do_not_hide_a_place(opened: Session, text: str) -> None:
    assert place(opened, text).name == "Köln"


def test_a_name_with_its_district_means_just_that_town(opened: Session) -> None:
    assert place(opened, "Frankfurt (Oder)@12053").district == "12053"
    assert place(opened, "Mülheim@05117").district == "05117"
    assert place(opened, "Mülheim@05315").district == "05315"


@pytest.mark.parametrize(
    ("candidates", "chosen"),
    [
        ([(10, True)], 0),
        ([(300_000, True), (14_000, True)], 0),
        ([(650_000, False), (57_000, False)], None),
        ([(18_000, True), (5_999, True)], 0),
        ([(17_999, True), (5_999, True)], None),
        ([(18_000, True), (6_000, True)], None),
        ([(0, True), (0, True)], None),
    ],
)
def test_when_one_of_several_towns_is_clearly_meant(candidates: list[tuple[int, bool]], chosen: int | None) -> None:
    assert clear_choice(candidates) == chosen


@given(st.text(max_size=40))
def test_whatever_is_written_gets_at_most_one_kind_of_answer(opened: Session, text: str) -> None:
    found = resolve(opened, text)
    assert sum(map(bool, (found.place, found.choices, found.suggestions, found.unknown_postcode))) <= 1
