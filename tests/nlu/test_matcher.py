"""The gazetteer: which places, countries, professions and residences a message names, and which words only look like it."""

from __future__ import annotations

import csv

import pytest
from ruamel.yaml import YAML

from actions.directory.database import DATA
from actions.directory.places import states
from actions.directory.text import tokenize
from bot.languages import SPOKEN_LANGUAGES
from bot.nlu.matcher import Matcher, _town_index
from bot.nlu.vocabulary import Vocabulary

NURSE = "Pflegefachmann/Pflegefachfrau (ab 1.1.2020 nach PflBG)"
MIDWIFE = "Hebamme und Entbindungspfleger*in"
DENTIST = "Zahnarzt*Zahnärztin (Erteilung der Approbation)"
SURGEON = "Facharzt*Fachärztin für Allgemeinchirurgie"
DOCTOR = "Arzt*Ärztin"
COOK = "Koch*Köchin"


def training_words() -> set[str]:
    """Return the words of the training examples, folded, without names of towns (as the component collects them)."""
    texts = []
    for language in SPOKEN_LANGUAGES:
        for block in YAML(typ="safe").load(DATA / "nlu" / f"{language}.yml")["nlu"]:
            texts += [line.removeprefix("- ") for line in block["examples"].splitlines()]
    return {t.folded for text in texts for t in tokenize(text)} - set(_town_index())


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    """A matcher that knows the ordinary words of German and English, as after a training."""
    return Matcher(Vocabulary.build(SPOKEN_LANGUAGES, training_words()))


def named(matcher: Matcher, text: str, asked: bool = False) -> dict[str, str]:
    return {f.entity: f.value for f in matcher.find(text, asked)}


# -- places that are meant ---------------------------------------------------------------------------------------------

PLACES = [
    ("Ich wohne in Dortmund", "Dortmund"),
    ("I live in Dortmund", "Dortmund"),
    ("dortmund", "Dortmund"),
    ("DORTMUND!!!", "Dortmund"),
    ("wohne in köln", "Köln"),
    ("wohne in Koeln", "Köln"),
    ("wohne in koln", "Köln"),
    ("I live in Dusseldorf", "Düsseldorf"),
    ("I live in Wurzburg", "Würzburg"),
    ("I live in Tubingen", "Tübingen"),
    ("I live in Cologne", "Köln"),
    ("I moved to Munich last year", "München"),
    ("Ich brauche Beratung in Nürnberg", "Nürnberg"),
    ("I need advice in Nuremberg, please", "Nürnberg"),
    ("Wir suchen eine Beratungsstelle im Raum Stuttgart", "Stuttgart"),
    ("Gibt es eine Beratung in der Nähe von Kassel?", "Kassel"),
    ("Is there an office near Hanover?", "Hannover"),
    ("Anerkennungsberatung Leipzig", "Leipzig"),
    ("Ich wohne in Bad Homburg vor der Höhe", "Bad Homburg vor der Höhe"),
    ("Ich lebe in Garmisch-Partenkirchen", "Garmisch-Partenkirchen"),
    ("Ich wohne in Frankfurt", "Frankfurt"),
    ("I live in Frankfurt (Oder)", "Frankfurt (Oder)"),
    ("Ich wohne in Frankfurt am Main", "Frankfurt am Main"),
    ("Wohne in Mülheim an der Ruhr", "Mülheim"),
    ("wohne in Neustadt an der Weinstraße", "Neustadt an der Weinstraße"),
    ("Ich wohne in Berlin-Neukölln", "Neukölln"),
    ("Ich wohne im Kreis Soest", "Soest"),
    ("Rhein-Sieg-Kreis", "Rhein Sieg Kreis"),
    ("Ich wohne im Rhein-Sieg-Kreis", "Rhein Sieg Kreis"),
    ("Wir sind aus dem Rhein-Sieg-Kreis und suchen Beratung", "Rhein Sieg Kreis"),
    ("Gibt es eine Beratung im Erzgebirgskreis?", "Erzgebirgskreis"),
    ("Ich lebe in NRW", "Nordrhein-Westfalen"),
    ("I live in Bavaria", "Bayern"),
    ("Wer berät in Sachsen-Anhalt?", "Sachsen-Anhalt"),
    ("Employer in Lower Saxony", "Niedersachsen"),
    ("Ich wohne in Hamburg", "Hamburg"),
    ("Ich wohne in Bremen", "Bremen"),
    ("44137", "44137"),
    ("44137 Dortmund", "44137"),
    ("meine plz ist 03046", "03046"),
    ("I live in 50667 Cologne", "50667"),
    ("postcode 01067 please", "01067"),
    ("D-50667 Köln", "50667"),
    ("٤٤١٣٧", "44137"),
    ("Wo ist die Beratung für 80331?", "80331"),
    # homonyms where the sentence says that a town is meant
    ("Ich wohne in Essen", "Essen"),
    ("I live in Essen", "Essen"),
    ("wohne in essen und suche arbeit", "Essen"),
    ("Essen", "Essen"),
    ("45127 Essen", "45127"),
    ("Ich lebe in Hof", "Hof"),
    ("Ich wohne in Halle", "Halle"),
    ("We live in Halle (Saale)", "Halle (Saale)"),
    ("Ich wohne in Singen", "Singen"),
    ("Ich wohne in Regen", "Regen"),
    ("Ich wohne in Rust", "Rust"),
    ("Ich wohne in Kamen", "Kamen"),
    ("Ich wohne in Hamm", "Hamm"),
    ("Ich lebe jetzt in Worms", "Worms"),
    ("I live in Worms", "Worms"),
    ("Ich wohne in Leer", "Leer"),
    ("Ich wohne in Celle", "Celle"),
    ("Wir wohnen in Verden", "Verden"),
    ("Ich wohne in Aue", "Aue"),
    # several places: where the person lives now
    ("früher in Köln, jetzt in Bonn", "Bonn"),
    ("früher in Köln, jetzt Bonn", "Bonn"),
    ("I used to live in Hamburg, now I live in Kiel", "Kiel"),
    ("I moved from Hamburg to Kiel", "Kiel"),
    ("Ich bin von Hamburg nach Kiel gezogen", "Kiel"),
    ("Ich ziehe von Berlin nach Rostock", "Rostock"),
    ("Nicht in Köln, sondern in Bonn", "Bonn"),
    ("I live in Leipzig and work in Halle", "Leipzig"),
    ("Ich arbeite in Düsseldorf und wohne in Neuss", "Neuss"),
    ("Ich wohne in Neuss und arbeite in Düsseldorf", "Neuss"),
    ("vorher Ulm, aktuell Augsburg", "Augsburg"),
    # typing errors
    ("Ich wohne in Dortmunt", "Dortmund"),
    ("ich wohne in dortmnud", "Dortmund"),
    ("wohne in Stuttgard", "Stuttgart"),
    ("I live in Hamburgg", "Hamburg"),
    ("ich wohne in Dusseldrof", "Düsseldorf"),
    ("wohne in Leipzieg", "Leipzig"),
    ("wohne in Nürnburg", "Nürnberg"),
    ("I live in Hannovre", "Hannover"),
    ("Ich lebe in Wuppertall", "Wuppertal"),
    ("Ich wohne in Saarbrücen", "Saarbrücken"),
]

NO_PLACE = [
    "Ich möchte in der Kantine essen kochen",
    "Wann gibt es Essen im Heim?",
    "Das Essen ist schlecht und der Lohn kommt nicht",
    "Ich arbeite in einer Halle",
    "Wir arbeiten in der Halle ohne Heizung",
    "Die Kinder spielen im Hof",
    "Der Hof gehört dem Chef",
    "Ich kann gut singen",
    "I like singing in the rain",
    "Bei Regen müssen wir weiter arbeiten",
    "Im Regen auf der Baustelle",
    "There is rust on the machine",
    "Im Winter habe ich keine Arbeit",
    "in winter there is no work",
    "I want to train as a nurse",
    "I want to train people",
    "the train was late",
    "Ich habe einen Bescheid bekommen",
    "Bescheid vom Amt",
    "Kommen Sie auch zu uns?",
    "Kann ich kommen?",
    "Kommen",
    "ja",
    "Ja!",
    "nein",
    "ja bitte",
    "Ja, genau",
    "Ich weiß nicht weiter",
    "Was kostet die Anerkennung?",
    "How much does it cost?",
    "Wer berät mich?",
    "Ich suche eine Wohnung",
    "Wo finde ich Hilfe?",
    "Ich brauche Geld",
    "Hallo",
    "hello there",
    "danke",
    "Meine Frau ist schwanger",
    "Ich wohne in einem Wohnheim",
    "I live in a small flat",
    "Ich lebe hier seit zwei Jahren",
    "Ich bin in der Ausbildung",
    "Wir sind in Kontakt mit der Kammer",
    "Ich bin in Not",
    "I am in trouble",
    "I am in need of advice",
    "Ich bin bei der Arbeit gefallen",
    "Der Meister hat mich gefragt",
    "Können Sie mir helfen?",
    "Ich bin im Urlaub",
    "Mein Chef heißt Herr Wolfsburg",
    "Herr Essen hat angerufen",
    "My boss is Mr Bamberg",
    "Mein Name ist Fulda",
    "Ich verdiene 25000 Euro im Jahr",
    "I earn 25000 euros a year",
    "Ich habe 12000 € Schulden",
    "Der Kurs kostet 10115 EUR",
    "we have 20000 employees",
    "Wir haben 20000 Mitarbeiter",
    "Meine Telefonnummer ist 0231 5021234",
    "call me 01761234567",
    "Mein Aktenzeichen ist 123456",
    "Ich habe 13.500 Euro bezahlt",
    "Im Jahr 2015 bin ich gekommen",
]

PROFESSIONS = [
    ("Ich bin Krankenschwester", NURSE),
    ("Ich bin Krankenpfleger", NURSE),
    ("I am a nurse", NURSE),
    ("registered nurse from the Philippines", NURSE),
    ("ich bin krankenschwster", NURSE),
    ("Ich bin Ärztin aus Syrien", DOCTOR),
    ("ich bin Arzt", DOCTOR),
    ("I am a medical doctor", DOCTOR),
    ("I studied medicine in Kabul", DOCTOR),
    ("Ich habe Medizin studiert", DOCTOR),
    ("Chirurgin aus dem Iran", SURGEON),
    ("I am a general surgeon", SURGEON),
    ("Ich arbeite als Köchin", COOK),
    ("I am a cook", COOK),
    ("Mein Mann ist Zahnarzt", DENTIST),
    ("ich bin zahnärztin", DENTIST),
    ("I am a dentist", DENTIST),
    ("Ich bin Erzieherin", "Erzieher*in"),
    ("I'm a kindergarten teacher from Ukraine", "Erzieher*in"),
    ("Hebamme aus Eritrea", MIDWIFE),
    ("I am a midwife", MIDWIFE),
    ("Ich bin Tischler", "Tischler*in"),
    ("I was a carpenter in Ghana", "Tischler*in"),
    ("Ich bin Apothekerin", "Apotheker*in"),
    ("I am a pharmacist", "Apotheker*in"),
    ("ich bin apothekrein", "Apotheker*in"),
    ("Ich möchte eine Anerkennung", None),
    ("I need help", None),
    ("Meine Chefin zahlt nicht", None),
]

COUNTRIES = [
    ("Ich komme aus Syrien", "SY"),
    ("I am from Syria", "SY"),
    ("I am Syrian", "SY"),
    ("Ich bin Syrerin", "SY"),
    ("mein syrisches Diplom", "SY"),
    ("ein syrischer Abschluss", "SY"),
    ("Diplom aus Kabul", "AF"),
    ("I studied in Kabul", "AF"),
    ("ich komme aus kabul", "AF"),
    ("studied in Damascus", "SY"),
    ("Studium in Damaskus", "SY"),
    ("Ich komme aus der Ukraine", "UA"),
    ("Я из Украины", "UA"),
    ("I am from Ukraine", "UA"),
    ("aus der Türkei", "TR"),
    ("I come from Türkiye", "TR"),
    ("from Turkey", "TR"),
    ("mein türkischer Meisterbrief", "TR"),
    ("from the Philippines", "PH"),
    ("Ich bin Iraner", "IR"),
    ("Iranian degree", "IR"),
    ("Teheran", "IR"),
    ("Krankenschwester aus Vietnam", "VN"),
    ("polnische Ausbildung", "PL"),
    ("Diplom aus Warschau", "PL"),
    ("Abschluss aus dem Kosovo", "XK"),
    ("I studied in Cairo", "EG"),
    ("Ich habe in Odessa studiert", "UA"),
    ("Ich habe in Indien gelernt", "IN"),
    ("I have an Indian degree", "IN"),
    ("aus den USA", "US"),
    ("Ich bin aus dem Vereinigten Königreich", "GB"),
    ("aus der Tschechischen Republik", "CZ"),
    ("aus den Vereinigten Arabischen Emiraten", "AE"),
    ("studied in London", "GB"),
    ("Ich komme aus Bosnien", "BA"),
    ("aus Georgien", "GE"),
    ("from Georgia", "GE"),
    ("Ich wohne in Deutschland", None),
    ("I live in Germany", None),
    ("Ich habe keine Papiere", None),
]

RESIDENCES = [
    ("Ich bin noch im Ausland", "abroad"),
    ("I am still abroad", "abroad"),
    ("Ich lebe noch in Syrien", "abroad"),
    ("I live in Syria", "abroad"),
    ("I am currently in India and want a visa", "abroad"),
    ("I am not in Germany yet", "abroad"),
    ("Ich bin noch nicht in Deutschland", "abroad"),
    ("ich wohne in Marokko und will nach Deutschland", "abroad"),
    ("I am writing from Tunisia", "abroad"),
    ("wir sind noch in der Türkei", "abroad"),
    ("Ich bin schon in Deutschland", "germany"),
    ("I live in Germany", "germany"),
    ("Ich bin in Deutschland, mein Diplom ist aus Syrien", "germany"),
    ("Ich bin seit drei Jahren in Deutschland", "germany"),
    ("Ich komme aus Syrien", None),
    ("I am from Syria and live in Dortmund", None),
    ("Ich wohne in Dortmund", None),
    ("Krankenschwester", None),
]

# The whole of a message: what the promise of one turn rests on.
WHOLE = [
    (
        "Ich bin Krankenschwester aus Syrien und wohne in Dortmund",
        {"place": "Dortmund", "country": "SY", "profession": NURSE},
    ),
    (
        "I am a nurse from Syria and live in Dortmund",
        {"place": "Dortmund", "country": "SY", "profession": NURSE},
    ),
    ("Wohne in Cottbus, Apothekerin aus der Ukraine", {"place": "Cottbus", "country": "UA", "profession": "Apotheker*in"}),
    (
        "dentist, Damascus, now Erfurt",
        {"place": "Erfurt", "country": "SY", "profession": DENTIST},
    ),
    ("Erzieherin Polen 14467 Potsdam", {"place": "14467", "country": "PL", "profession": "Erzieher*in"}),
    ("Ich habe in Kiew studiert und wohne in Kiel", {"place": "Kiel", "country": "UA"}),
    ("I studied in Berlin and live in Mainz", {"place": "Mainz"}),
    ("Studium in Hamburg, wohne in Lübeck", {"place": "Lübeck"}),
    ("Der Chef in Bremen zahlt nicht, ich wohne in Oldenburg", {"place": "Oldenburg"}),
    ("Kabul", {"country": "AF"}),
    ("", {}),
    ("   ", {}),
    ("🙂🙂", {}),
    ("???", {}),
]


@pytest.mark.parametrize(("text", "place"), PLACES)
def test_a_place_that_is_meant_is_found(matcher: Matcher, text: str, place: str) -> None:
    assert named(matcher, text).get("place", "").partition("@")[0] == place


@pytest.mark.parametrize("text", NO_PLACE)
def test_an_ordinary_word_or_number_is_no_place(matcher: Matcher, text: str) -> None:
    assert "place" not in named(matcher, text)


@pytest.mark.parametrize(("text", "profession"), PROFESSIONS)
def test_a_profession_gets_its_reference_title(matcher: Matcher, text: str, profession: str | None) -> None:
    assert named(matcher, text).get("profession") == profession


@pytest.mark.parametrize(("text", "country"), COUNTRIES)
def test_a_country_is_known_by_name_adjective_people_and_city(matcher: Matcher, text: str, country: str | None) -> None:
    assert named(matcher, text).get("country") == country


@pytest.mark.parametrize(("text", "residence"), RESIDENCES)
def test_where_the_person_is_now(matcher: Matcher, text: str, residence: str | None) -> None:
    assert named(matcher, text).get("residence") == residence


@pytest.mark.parametrize(("text", "expected"), WHOLE)
def test_all_that_a_message_names(matcher: Matcher, text: str, expected: dict[str, str]) -> None:
    assert {entity: value.partition("@")[0] for entity, value in named(matcher, text).items()} == expected


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("essen", "Essen"),
        ("Hof", "Hof"),
        ("in hof", "Hof"),
        ("Regen", "Regen"),
        ("ich glaube halle", "Halle"),
        ("Dortmunt", "Dortmund"),
        ("50667", "50667"),
        ("99999", "99999"),
        ("Xyzstadt", "Xyzstadt"),
        ("Hamm", "Hamm"),
    ],
)
def test_a_bare_word_is_a_place_when_the_place_was_asked_for(matcher: Matcher, text: str, place: str) -> None:
    assert named(matcher, text, asked=True).get("place", "").partition("@")[0] == place


@pytest.mark.parametrize("text", ["ja", "nein", "Was?", "weiß nicht", "I don't know", "Warum fragst du das?", "why", "danke", "egal"])
def test_an_answer_that_is_no_place_stays_none_even_when_asked(matcher: Matcher, text: str) -> None:
    assert "place" not in named(matcher, text, asked=True)


@pytest.mark.parametrize("text", [t for t, _ in PLACES] + [t for t, _ in COUNTRIES] + [t for t, _ in PROFESSIONS])
def test_offsets_lie_in_the_text_around_a_word(matcher: Matcher, text: str) -> None:
    for found in matcher.find(text):
        assert 0 <= found.start < found.end <= len(text)
        assert text[found.start : found.end].strip() == text[found.start : found.end]


def test_each_kind_of_entity_is_named_once(matcher: Matcher) -> None:
    found = matcher.find("Krankenschwester und Arzt aus Syrien und Iran in Kiel, Bonn, Ulm und 50667")
    assert len({f.entity for f in found}) == len(found) == 3


@pytest.mark.parametrize(
    "text", ["a" * 10_000, "Dortmund " * 2_000, "\x00\x01\x02", "' OR 1=1; --", "in " * 3_000, "\u202eDortmund\u202c", "%s%n{0}"]
)
def test_odd_texts_do_no_harm(matcher: Matcher, text: str) -> None:
    assert len(matcher.find(text)) <= 1


@pytest.mark.parametrize("text", ["Dort\u00admund", "Dort\u200bmund", "\u200eDortmund\u200e", "Dortmund\ufeff"])
def test_invisible_characters_do_not_hide_a_town(matcher: Matcher, text: str) -> None:
    assert named(matcher, text).get("place") == "Dortmund"


@pytest.mark.parametrize("code", [s.code for s in states().values()])
def test_every_state_is_found_by_its_german_name(matcher: Matcher, code: str) -> None:
    name = states()[code].name
    assert named(matcher, f"Ich wohne in {name} und suche Beratung").get("place", "").partition("@")[0] == name
    assert named(matcher, name).get("place", "").partition("@")[0] == name


def test_every_larger_town_is_found_by_its_name_in_a_sentence(matcher: Matcher) -> None:
    """One test over all towns of 20,000 people: each must be found as the place, whatever its name also means."""
    with (DATA / "places" / "towns.csv").open(encoding="utf-8", newline="") as file:
        towns = [row["name"] for row in csv.DictReader(file) if int(row["population"]) >= 20_000]
    missed = [name for name in towns if not any(f.entity == "place" for f in matcher.find(f"Ich wohne in {name} und suche Beratung"))]
    assert missed == []
