"""Offices, tables and databases for the tests of the directory.

Test modules both import from here and load it as a plugin, for its fixtures; hence PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import pytest
from openpyxl import Workbook

from actions.directory.database import DATA, engine
from actions.directory.fill import fill
from actions.directory.office_rows import COLUMNS

GOOD = {
    "id": "recognition-nw-dortmund",
    "kind": "recognition_counselling",
    "needs": "qualification;recognition",
    "name": "Anerkennungsberatung Dortmund",
    "carrier": "Beispielträger e. V.",
    "street": "Königswall 1",
    "postcode": "44137",
    "city": "Dortmund",
    "state": "DE-NW",
    "phone": "+49 231 5021234",
    "email": "beratung@beispiel.de",
    "website": "https://www.beispiel.de/anerkennung?ort=dortmund",
    "languages": "de;tr;ar",
    "opening_hours": "Mo-Fr 09:00-17:00; Sa 10:00-12:00",
    "appointment": "required",
    "coverage": "05913;05978",
    "coverage_note": "nur mit Wohnsitz im Ruhrgebiet",
    "professions": "field:health",
    "valid_from": "2023-01-01",
    "valid_until": "2028-12-31",
    "confirmed": "true",
    "confidence": "high",
    "source_url": "https://www.beispiel.de/impressum",
    "source_date": "2026-01",
    "checked_on": "2026-02-03",
    "remark": "Eingang im Hof",
}

# Cells that are right in the place of the good office's.
RIGHT_CELLS: list[tuple[str, str]] = [
    ("phone", "110"),
    ("phone", "112 / 115 / 116016 / 116 123 / 116117"),
    ("phone", "0800 1110111 / 0231/5021234 / (0231) 502-1234"),
    ("phone", "+43 1 58858"),
    ("postcode", ""),
    ("city", ""),
    ("state", ""),
    ("email", "a@beispiel.de; b@beispiel.de"),
    ("website", "http://beispiel.de/a;b;https://beispiel.de:8443/x"),
    ("languages", "de;ckb;prs;sr;ti"),
    ("opening_hours", "24/7"),
    ("opening_hours", "Mo,We-Th 09:00-12:00,13:00-24:00; PH off"),
    ("appointment", ""),
    ("appointment", "walk_in"),
    ("coverage", "DE-NW;09162;abroad"),
    ("coverage", "DE"),
    ("source_date", "2025"),
    ("source_date", "2025-03-12"),
    ("confirmed", "WAHR"),
    ("checked_on", "2026-03-01"),
    ("valid_until", "2023-01-01"),
    ("confidence", "medium"),
    ("name", "Büro „Ankommen“ – Straße & Weg"),
    ("remark", "3 < 5 und a + b = c"),
]

# Cells that are wrong, with a part of the reason; none: the state, which is told at the postcode.
WRONG_CELLS: list[tuple[str, str, str | None]] = [
    ("id", "", "is missing"),
    ("id", "Beratung_Köln", "small letters"),
    ("id", "a" * 81, "at most 80"),
    ("kind", "", "is missing"),
    ("kind", "office", "'office' is unknown"),
    ("needs", "", "is missing"),
    ("needs", "recognition;advice", "'advice' is unknown"),
    ("name", "", "is missing"),
    ("name", "x" * 201, "201 characters"),
    ("state", "NW", "'NW' is unknown"),
    ("state", "DE-BY", None),
    ("postcode", "1067", "leading zero"),
    ("postcode", "4413x", "five digits"),
    ("postcode", "00001", "no place in Germany"),
    ("postcode", "99999", "no place in Germany"),
    ("postcode", "80331", "in DE-BY, not to DE-NW"),
    ("postcode", "52062", "not near Dortmund"),
    ("phone", "12345", "cannot be a phone number"),
    ("phone", "0231 1", "cannot be a phone number"),
    ("phone", "call 0231 5021234", "write only digits"),
    ("phone", "0231 5021234 / 999", "'999' cannot be a phone number"),
    ("phone", "+", "not a phone number"),
    ("email", "beratung(at)beispiel.de", "not an e-mail address"),
    ("email", "a@b@c.de", "not an e-mail address"),
    ("email", "a@" + "b" * 60 + "." + ("c" * 60 + ".") * 4 + "de", "not an e-mail address"),
    ("website", "www.beispiel.de", "not a web address"),
    ("website", "ftp://beispiel.de", "not a web address"),
    ("website", "javascript:alert(1)", "not a web address"),
    ("website", "https://", "not a web address"),
    ("website", "https://beispiel.de:99999", "not a web address"),
    ("website", "https://beispiel.de/a b", "not a web address"),
    ("website", "https://user:pw@beispiel.de", "user name"),
    ("website", "https://beispiel.de/" + "x" * 300, "longer than 300"),
    ("languages", "de;xx", "'xx' is not an ISO 639 code"),
    ("languages", "Deutsch", "not an ISO 639 code"),
    ("languages", "mul", "not an ISO 639 code"),
    ("languages", "deu", "write 'de'"),
    ("opening_hours", "Mo-Fr 9-17 Uhr", "must be like"),
    ("opening_hours", "Di 09:00-12:00", "must be like"),
    ("opening_hours", "Mo 17:00-09:00", "the end must lie after"),
    ("opening_hours", ";", "no hours"),
    ("opening_hours", "Mo 09:00-25:00", "the end must lie after"),
    ("opening_hours", "Mo 09:00-10:75", "minutes above 59"),
    ("appointment", "yes", "'yes' is unknown"),
    ("coverage", "", "is missing"),
    ("coverage", "NRW", "'NRW' is not DE"),
    ("coverage", "05999", "'05999' is not DE"),
    ("coverage", "5913", "leading zero"),
    ("coverage_note", "x" * 301, "301 characters"),
    ("professions", "x" * 121, "more than 120"),
    ("professions", "field:Health Care", "like field:health"),
    ("valid_from", "01.01.2023", "not a date"),
    ("valid_from", "2026-02-30", "not a date"),
    ("valid_until", "2022-12-31", "before valid_from"),
    ("checked_on", "", "is missing"),
    ("checked_on", "2026-03-02", "in the future"),
    ("confirmed", "", "is missing"),
    ("confirmed", "yes", "true or false"),
    ("confidence", "", "is missing"),
    ("confidence", "sure", "'sure' is unknown"),
    ("source_url", "", "is missing"),
    ("source_url", "a brochure", "not a web address"),
    ("source_date", "March 2025", "not a date"),
    ("source_date", "2025-13", "not a date"),
    ("remark", "two\nlines", "line break"),
    ("remark", "tab\there", "control character"),
    ("remark", "bell\x07", "U+0007"),
    ("name", "Be\u200bratung", "invisible"),
    ("name", "\u202egnutareB", "invisible"),
    ("remark", "<script>alert(1)</script>", "HTML"),
    ("carrier", "A &amp; B", "HTML"),
    ("name", "=HYPERLINK(1)", "formula"),
    ("street", "@SUM(1)", "formula"),
    ("remark", "+1", "formula"),
    ("remark", "-1+cmd", "formula"),
    ("remark", " =1", "formula"),
    ("professions", "Koch;=1", "formula"),
    ("phone", "=1", "formula"),
]


def cells(**changes: str) -> dict[str, str]:
    """Return the cells of a good office with some of them changed."""
    unknown = set(changes) - set(COLUMNS)
    if unknown:
        raise KeyError(f"no such columns: {unknown}")
    return GOOD | changes


def minimal(number: int = 1, **changes: str) -> dict[str, str]:
    """Return an office that has only what every office must have."""
    needed = {
        "id": f"hotline-{number}",
        "kind": "hotline",
        "needs": "human",
        "name": f"Hotline {number}",
        "coverage": "DE",
        "confirmed": "true",
        "confidence": "medium",
        "source_url": "https://www.beispiel.de",
        "checked_on": "2026-02-03",
    }
    return dict.fromkeys(COLUMNS, "") | needed | changes


def write_csv(path: Path, rows: Iterable[dict[str, str]], delimiter: str = ",", encoding: str = "utf-8", columns: tuple = COLUMNS) -> Path:
    """Write an office table as CSV."""
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter=delimiter, extrasaction="ignore", restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_xlsx(path: Path, rows: Iterable[dict]) -> Path:
    """Write an office table as XLSX; values keep their type (numbers, dates), as in a table that a person typed."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(COLUMNS)
    for row in rows:
        sheet.append([row[column] or None if isinstance(row[column], str) else row[column] for column in COLUMNS])
    book.save(path)
    return path


def project_data(folder: Path, offices: Iterable[dict[str, str]] | None = None, professions: str = "") -> Path:
    """Make a data folder with the real places, and offices and professions of the test's own."""
    for name in ("places", "lookups", "directory"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in ("districts.csv", "postcode_ranges.csv", "towns.csv"):
        if not (folder / "places" / name).exists():
            shutil.copy(DATA / "places" / name, folder / "places" / name)
    if offices is not None:
        write_csv(folder / "directory" / "offices.csv", offices)
    if professions:
        (folder / "lookups" / "professions.csv").write_text(professions, encoding="utf-8")
    return folder


@lru_cache(maxsize=1)
def _template() -> Path:
    """A database that has the places but no offices: filled once, copied for every test."""
    folder = Path(tempfile.mkdtemp(prefix="lotse-directory-"))
    url = f"sqlite:///{folder / 'directory.db'}"
    fill(url, project_data(folder / "data"))
    engine(url).dispose()  # writes the journal back into the file
    return folder


@pytest.fixture(scope="session", autouse=True)
def _template_is_removed() -> Iterator[None]:
    yield
    if _template.cache_info().currsize:
        shutil.rmtree(_template(), ignore_errors=True)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty LOTSE_HOME."""
    monkeypatch.setenv("LOTSE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LOTSE_DIRECTORY_URL", raising=False)
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def directory_url(home: Path) -> Iterator[str]:
    """A SQLite directory with the places of Germany and no offices."""
    shutil.copy(_template() / "directory.db", home / "directory.db")
    url = f"sqlite:///{home / 'directory.db'}"
    yield url
    engine(url).dispose()
