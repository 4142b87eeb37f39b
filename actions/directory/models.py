"""Tables of the directory.

Coverage is stored as a prefix of the official district key (AGS): ``""`` is the whole country, ``"05"`` a state,
``"05913"`` a district. A place is covered by an office if one of the office's prefixes begins its district key; as a
place has only a handful of prefixes, the lookup is one indexed ``IN``. ``"abroad"`` stands for people outside Germany.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Boolean, CheckConstraint, Column, Date, DateTime, Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import declarative_base, relationship

Base: Any = declarative_base()

ABROAD = "abroad"
NEEDS = (
    "recognition",
    "qualification",
    "fair_integration",
    "employer_service",
    "immigration_law",
    "programme_info",
    "human",
    "crisis",
    "out_of_scope",
)
OFFICE_KINDS = (
    "recognition_counselling",
    "qualification_course",
    "fair_integration",
    "regional_network",
    "employer_service",
    "specialist_unit",
    "network_coordination",
    "hotline",
    "other",
)


class District(Base):
    """A Landkreis or a district-free city, with its official key (AGS)."""

    __tablename__ = "district"
    ags = Column(String(5), primary_key=True)
    name = Column(String(120), nullable=False)
    state = Column(String(5), nullable=False, index=True)
    latitude = Column(Float, nullable=False)
    longitude = Column(Float, nullable=False)


class PostcodeRange(Base):
    """Postcodes from ``first`` to ``last`` (both inclusive) that belong to one district."""

    __tablename__ = "postcode_range"
    first = Column(String(5), primary_key=True)
    last = Column(String(5), nullable=False)
    district = Column(String(5), ForeignKey("district.ags"), nullable=False)
    latitude = Column(Float, nullable=False)
    longitude = Column(Float, nullable=False)


class Town(Base):
    """A town, a village or a part of a town."""

    __tablename__ = "town"
    id = Column(Integer, primary_key=True)
    name = Column(String(120), nullable=False)
    district = Column(String(5), ForeignKey("district.ags"), nullable=False)
    latitude = Column(Float, nullable=False)
    longitude = Column(Float, nullable=False)
    population = Column(Integer, nullable=False)
    postcode = Column(String(5), nullable=False)


class TownName(Base):
    """A name of a town, folded for search (``actions.directory.text.name_key``)."""

    __tablename__ = "town_name"
    key = Column(String(120), primary_key=True)
    town_id = Column(Integer, ForeignKey("town.id", ondelete="CASCADE"), primary_key=True)
    official = Column(Boolean, nullable=False)


class Office(Base):
    """A body that helps people: office, network, course, hotline."""

    __tablename__ = "office"
    id = Column(String(80), primary_key=True)
    kind = Column(String(40), nullable=False)
    name = Column(String(200), nullable=False)
    carrier = Column(String(300))
    street = Column(String(200))
    postcode = Column(String(5))
    city = Column(String(120))
    state = Column(String(5), index=True)
    latitude = Column(Float)
    longitude = Column(Float)
    appointment = Column(String(20))
    opening_hours = Column(String(200))
    coverage_note = Column(String(300))
    valid_from = Column(Date)
    valid_until = Column(Date)
    confirmed = Column(Boolean, nullable=False)
    confidence = Column(String(10), nullable=False)
    source_url = Column(Text, nullable=False)
    source_date = Column(String(20))
    checked_on = Column(Date, nullable=False)
    remark = Column(Text)

    needs = relationship("OfficeNeed", cascade="all, delete-orphan", lazy="selectin", order_by="OfficeNeed.need")
    coverage = relationship("OfficeCoverage", cascade="all, delete-orphan", lazy="selectin", order_by="OfficeCoverage.prefix")
    languages = relationship("OfficeLanguage", cascade="all, delete-orphan", lazy="selectin", order_by="OfficeLanguage.position")
    professions = relationship("OfficeProfession", cascade="all, delete-orphan", lazy="selectin", order_by="OfficeProfession.profession")
    contacts = relationship("OfficeContact", cascade="all, delete-orphan", lazy="selectin", order_by="OfficeContact.position")

    __table_args__ = (
        CheckConstraint("valid_until IS NULL OR valid_from IS NULL OR valid_from <= valid_until", name="office_valid_period"),
    )


class OfficeNeed(Base):
    """A need that an office serves."""

    __tablename__ = "office_need"
    office_id = Column(String(80), ForeignKey("office.id", ondelete="CASCADE"), primary_key=True)
    need = Column(String(40), primary_key=True)
    __table_args__ = (Index("office_need_by_need", "need", "office_id"),)


class OfficeCoverage(Base):
    """A part of the country (or ``abroad``) whose people an office serves."""

    __tablename__ = "office_coverage"
    office_id = Column(String(80), ForeignKey("office.id", ondelete="CASCADE"), primary_key=True)
    prefix = Column(String(6), primary_key=True)
    __table_args__ = (Index("office_coverage_by_prefix", "prefix", "office_id"),)


class OfficeLanguage(Base):
    """A language in which an office gives advice (ISO 639)."""

    __tablename__ = "office_language"
    office_id = Column(String(80), ForeignKey("office.id", ondelete="CASCADE"), primary_key=True)
    language = Column(String(8), primary_key=True)
    position = Column(Integer, nullable=False)


class OfficeProfession(Base):
    """A profession (German reference title) or a field (``field:health``) that a course is for."""

    __tablename__ = "office_profession"
    office_id = Column(String(80), ForeignKey("office.id", ondelete="CASCADE"), primary_key=True)
    profession = Column(String(120), primary_key=True)


class OfficeContact(Base):
    """A way to reach an office: phone, email or website."""

    __tablename__ = "office_contact"
    office_id = Column(String(80), ForeignKey("office.id", ondelete="CASCADE"), primary_key=True)
    position = Column(Integer, primary_key=True)
    kind = Column(String(10), nullable=False)
    value = Column(String(300), nullable=False)


class Profession(Base):
    """A profession people bring: German reference title, field, and how it is regulated in Germany."""

    __tablename__ = "profession"
    title = Column(String(120), primary_key=True)
    field = Column(String(30), nullable=False)
    regulated = Column(String(10), nullable=False)


class Meta(Base):
    """Facts about the database itself, such as which data it was filled from."""

    __tablename__ = "meta"
    key = Column(String(40), primary_key=True)
    value = Column(Text, nullable=False)
    changed_at = Column(DateTime, nullable=False)


class OfficeChange(Base):
    """One change of one office: who, when, and all cells before and after (none before: added; none after: removed)."""

    __tablename__ = "office_change"
    id = Column(Integer, primary_key=True)
    at = Column(DateTime, nullable=False)  # UTC
    who = Column(String(120), nullable=False)
    office_id = Column(String(80), nullable=False)  # no foreign key: the history outlives the office
    action = Column(String(20), nullable=False)
    before = Column(JSON(none_as_null=True))
    after = Column(JSON(none_as_null=True))
    undone_by = Column(Integer, ForeignKey("office_change.id"))
    __table_args__ = (Index("office_change_by_office", "office_id", "id"),)
