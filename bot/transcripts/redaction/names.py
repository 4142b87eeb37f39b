"""Names of persons: introduced, with a title, signed, or known from the lists."""

from __future__ import annotations

import re

from presidio_analyzer import EntityRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from bot.transcripts.redaction.engine import own
from bot.transcripts.redaction.lexicon import Lexicon
from bot.transcripts.redaction.reading import ASKING, Reading, asks_for_more, runs
from bot.transcripts.redaction.spans import found
from bot.transcripts.redaction.tokens import WORD, Hit, Token

MOST_WORDS = 5
_FIRST_GAPS = {
    "name": re.compile(r"[\s:,;\-\"'„“”«»()=*_.|]{0,6}"),
    "closings": re.compile(r"[\s:,;\-!.~*_()\"]{0,8}"),
    "titles": re.compile(r"[ \t.]{0,3}"),
    "roles": re.compile(r"[ \t,:(\-]{0,3}"),
    "name_weak": re.compile(r"[ \t,:(\-!]{0,3}"),
}
_GAP = re.compile(r"[ \t]{1,3}|[ \t]?-[ \t]?|['’`]|")
_GAP_AFTER_INITIAL = re.compile(r"[ \t]?\.?[ \t\-]{0,2}")
# Behind these introductions, a listed surname is one, even if a town is called so.
_INTRODUCED = frozenset({"name", "titles", "closings", "roles"})
# A surname may begin with these ("Herr von Bergen", "السيد بن عمر"); the others are words for "of" in front of places, too.
_SURE_PARTICLES = frozenset({"von", "van", "ter", "al", "el", "bin", "ibn", "ben", "bint", "abu", "ait", "ould", *ASKING})
_ARTICLES = frozenset({"der", "die"})
_VERB_BEGINNINGS = ("ي", "ت", "ن", "ا", "س", "م", "ل", "ب", "و", "ف", "ك", "ع", "ق", "ر", "د")
_END_OF_SIGNATURE = re.compile(r"[ \t]*(?:$|[\n,.;:!()\-\[|/\ue000])")


class NameRecognizer(EntityRecognizer):
    """Finds names by rules and lists; uses the persons of a spaCy model additionally."""

    def __init__(self, language: str, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        super().__init__(["name"], name="names", supported_language=language)

    def load(self) -> None:
        """Do nothing: the lists are read by then."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts) -> list[RecognizerResult]:
        """Return the names in a clean text."""
        shared = own(nlp_artifacts)
        tokens = shared.words
        # "M.", "Me.": in other languages, an initial or the end of a sentence.
        all_titles = [hit for hit in shared.tagged("titles") if hit.language == self.supported_language or text[hit.end - 1] != "."]
        titles = {hit.first: hit for hit in all_titles}
        small = not any(token.capital and token.start > 0 for token in tokens)
        read = Reading(text, tokens, titles, self.supported_language, small)
        taken: set[int] = set()
        for hit in [*all_titles, *shared.tagged("name", "roles", "name_weak", "closings")]:
            if hit.tag == "name_weak" and hit.after - hit.first == 1 and hit.language != read.language:
                # "من", "ben", "ja": words of their own in other languages.
                continue
            taken.update(self._introduced(read, hit))
        for hit in shared.tagged("titles_after"):
            before = self._before(read, hit.first)
            # "Bey" and "Hanım" go along: who is called by the given name has no other title.
            taken.update([*before, *(range(hit.first, hit.after) if before else ())])
        taken.update(self._listed(read, taken))
        spans = runs(read, taken)
        spans += [(span.start_char, span.end_char) for span in shared.entities if self._person(span.text)]
        return [found(self, "name", start, end, 0.6) for start, end in spans]

    def _person(self, text: str) -> bool:
        # A small model takes professions and towns for persons now and then; the lists know better.
        words = text.split()
        return any(not self._lexicon.common_word(word) and not self._lexicon.place_word(word) for word in words)

    def _introduced(self, read: Reading, hit: Hit) -> list[int]:
        """Return the tokens of the name that follows a phrase."""
        position = self._skip(read, hit)
        if position >= len(read.tokens):
            return []
        first = self._past_particles(read, position, hit)
        if first == position and not self._first(read, position, hit):
            return []
        taken = list(range(position, first + 1))
        while len(taken) < MOST_WORDS and self._next(read, taken[-1] + 1, hit.tag):
            taken.append(taken[-1] + 1)
        while taken and read.tokens[taken[-1]].key in self._lexicon.words.particles and len(taken) > 1:
            taken.pop()
        if hit.tag == "closings" and not _END_OF_SIGNATURE.match(read.text, read.tokens[taken[-1]].end):
            return []
        if hit.tag == "name_weak" and len(taken) == 1 and not self._sure_alone(read, position):
            return []
        return taken

    def _skip(self, read: Reading, hit: Hit) -> int:
        """Return the first token after a phrase, further titles and little words; the number of tokens if there is none."""
        none = len(read.tokens)
        position = hit.after
        gap = _FIRST_GAPS[hit.tag]
        if position >= none or not gap.fullmatch(read.text, hit.end, read.tokens[position].start):
            return none
        for _ in range(3):
            if position >= none:
                return none
            if position in read.titles and not self._lexicon.given(read.tokens[position], read.language):
                position = read.titles[position].after
            elif hit.tag in ("name", "name_weak") and read.tokens[position].key in self._lexicon.words.fillers:
                position += 1
            elif hit.tag in ("roles", "name_weak") and read.tokens[position].key in _ARTICLES:
                # "mein Nachbar, der Tesfay"
                position += 1
            else:
                break
            if position < none and not re.fullmatch(r"[\s.:,\"'„«]{0,4}", read.gap(position)):
                return none
        return position

    def _past_particles(self, read: Reading, position: int, hit: Hit) -> int:
        """Return the token behind particles that begin a surname; the first token if no name begins with them."""
        lexicon, after = self._lexicon, position
        while after < position + 3 and after + 1 < len(read.tokens) and read.tokens[after].key in lexicon.words.particles:
            after += 1
            if read.gap(after) not in (" ", "-", "'", "’"):
                return position
        if after == position or hit.tag not in ("name", "titles"):
            return position
        token = read.tokens[after]
        listed = lexicon.given(token, read.language) or lexicon.surname(token, read.language)
        if token.kind != WORD or len(token.text) < 3 or (token.cased and not token.capital and not listed):
            return position
        if not token.cased and read.tokens[position].key not in ASKING:
            return position
        sure = read.tokens[position].key in _SURE_PARTICLES and after == position + 1
        if read.tokens[position].key == "van" or (sure and (listed or lexicon.place(token))):
            return after
        unknown = not lexicon.common(token) and not lexicon.noun(token) and (sure or not lexicon.place(token))
        return after if unknown else position

    def _first(self, read: Reading, position: int, hit: Hit) -> bool:
        token = read.tokens[position]
        lexicon = self._lexicon
        if token.kind != WORD:
            return False
        given, surname = lexicon.given(token, read.language), lexicon.surname(token, read.language)
        common, place = lexicon.common(token), lexicon.place(token)
        if len(token.text) == 1:
            # An initial: "Frau M. Yilmaz".
            return token.capital and hit.tag != "name_weak" and self._next(read, position + 1, hit.tag)
        if (given or surname) and (not common or (token.capital and (given or hit.tag in ("titles", "name", "roles")))):
            return self._listed_first(read, position, hit, given)
        if hit.tag == "name" and given and token.cased and self._in_small_letters(hit, token):
            return True
        # "Herr Hofmeister" and "Ich heiße Hofmeister" are names, whatever nouns end like that.
        introduced = hit.tag == "titles" or (hit.tag == "name" and hit.after - hit.first > 1)
        if hit.tag == "titles" and token.capital and hit.language != "de":
            # Where nouns are written small, a capital after a title is a name even if it is a word ("Mr Green").
            return True
        if common or (lexicon.noun(token) and not introduced):
            # After a title or an introduction, a listed name that is a word as well; in scripts without capitals only.
            weak = hit.tag == "name_weak" and (token.key in lexicon.words.adjective_names or place)
            return given and not token.cased and not (weak and not self._followed_by_surname(read, position))
        if hit.tag == "name_weak":
            return token.capital and not place
        if place and hit.tag != "titles" and not (introduced and token.capital):
            return False
        if not token.cased:
            # After "my brother" comes a name or a verb; most verbs begin with one of these.
            return len(token.text) > 2 and (hit.tag != "roles" or not token.text.startswith(_VERB_BEGINNINGS))
        if token.capital:
            # "Sister ABC": an office or a firm.
            return hit.tag != "roles" or len(token.text) > 5 or not token.text.isupper() or read.text.isupper()
        # A name in small letters.
        strong = hit.tag == "name" or (hit.tag == "titles" and read.tokens[hit.after - 1].key in lexicon.words.strong_titles)
        return strong and len(token.text) > 2

    def _listed_first(self, read: Reading, position: int, hit: Hit, given: bool) -> bool:
        """Return whether a listed name behind an introduction is none of a place, a people or a trade."""
        token, lexicon = read.tokens[position], self._lexicon
        place = lexicon.place(token)
        if hit.tag == "name_weak":
            foreign = lexicon.people(token) or (place and not given)
            return not foreign or self._followed_by_surname(read, position)
        trade = not token.cased and token.key.removeprefix("ال") in lexicon.words.trades
        capital = given and token.capital and read.language != "de"
        if hit.tag == "roles" and (trade or (lexicon.common(token) and place and not capital)):
            return False
        return not place or given or hit.tag not in ("name", "roles")

    def _in_small_letters(self, hit: Hit, token: Token) -> bool:
        """Return whether a listed name that is a word as well is one: "adım deniz", "ich heiße rosa"."""
        if len(token.text) < 4 or token.text.lower() not in self._lexicon.words.given_spelled:
            return False
        return hit.after - hit.first > 1 or hit.language == "tr"

    def _sure_alone(self, read: Reading, position: int) -> bool:
        """Return whether one word after "I am" is a name: listed, and no common word in a script without capitals."""
        token, lexicon = read.tokens[position], self._lexicon
        if lexicon.given(token, read.language):
            return token.capital or not token.cased or not lexicon.common(token)
        # Where nouns are written small, a capital and no known word: "I am Tesfalem".
        return read.language != "de" and token.capital and not lexicon.common(token) and len(token.text) > 2

    def _followed_by_surname(self, read: Reading, position: int) -> bool:
        after = position + 1
        return after < len(read.tokens) and read.gap(after) == " " and self._lexicon.surname(read.tokens[after], read.language)

    def _next(self, read: Reading, position: int, tag: str) -> bool:
        """Return whether a token goes on with the name that the token before belongs to."""
        if position >= len(read.tokens):
            return False
        token, before = read.tokens[position], read.tokens[position - 1]
        gap = _GAP_AFTER_INITIAL if len(before.text) == 1 else _GAP
        if token.kind != WORD or not gap.fullmatch(read.text, before.end, token.start):
            return False
        if token.start == before.end:
            return False
        lexicon = self._lexicon
        glued = read.text[before.end : token.start] == "-"
        if glued and token.capital == before.capital and (token.capital or not token.cased or tag in ("name", "titles")):
            return True
        if token.key in lexicon.words.particles and position + 1 < len(read.tokens):
            if token.cased:
                return self._next(read, position + 1, tag)
            if self._begins_with_particle(read, position):
                return True
        return self._goes_on(read, position, tag)

    def _goes_on(self, read: Reading, position: int, tag: str) -> bool:
        token, lexicon = read.tokens[position], self._lexicon
        listed = lexicon.given(token, read.language) or lexicon.surname(token, read.language)
        common, place = lexicon.common(token), lexicon.place(token)
        if len(token.text) == 1:
            return token.capital and read.text[token.end : token.end + 1] == "."
        if token.cased and not token.capital:
            return not common and not place and (listed or (read.small and tag in ("name", "name_weak") and len(token.text) > 3))
        if token.capital:
            if lexicon.ending(token) and not common:
                return True
            before = read.tokens[position - 1]
            if common and self._bare_surname(read, position) and (before.key in lexicon.words.particles or lexicon.given(before, "")):
                return True
            return (listed and (not place or tag in _INTRODUCED)) or (not common and not place and not lexicon.noun(token))
        if asks_for_more(read, position):
            return True
        if listed and (token.text.startswith("ال") or not common):
            return True
        if listed and self._followed_by_surname(read, position) and not lexicon.common(read.tokens[position + 1]):
            # "احمد شاه رحیمی"
            return True
        if listed and token.key not in lexicon.words.trades:
            return tag in ("name", "titles", "closings", "roles")
        if listed and tag in ("name", "titles"):
            return True
        if common or place:
            return False
        return self._uncased_surname(read, position)

    def _bare_surname(self, read: Reading, position: int) -> bool:
        """Return whether a word with a capital behind a name is one, too, where nouns are written small ("Waldemar Kot")."""
        token, before = read.tokens[position], read.tokens[position - 1]
        plain = len(token.text) > 2 and before.capital and not token.text.isupper() and not self._lexicon.place(token)
        return plain and read.language != "de" and token.key not in self._lexicon.words.word_lists["small"]

    def _uncased_surname(self, read: Reading, position: int) -> bool:
        """Return whether an unlisted word of a script without capitals is the end of a name, by its form or by what follows."""
        token = read.tokens[position]
        if self._lexicon.ending(token) or (token.text.startswith("ال") and len(token.text) > 4):
            return True
        after = position + 1
        if after >= len(read.tokens) or not re.fullmatch(r"[ \t]+", read.gap(after)):
            return True
        return self._lexicon.common(read.tokens[after])

    def _before(self, read: Reading, position: int) -> list[int]:
        """Return the tokens of the name before a title that follows it ("Ahmet Bey")."""
        taken: list[int] = []
        while position > 0 and len(taken) < 3 and re.fullmatch(r"[ \t]{1,2}", read.gap(position)):
            position -= 1
            token = read.tokens[position]
            listed = self._lexicon.given(token, read.language) or self._lexicon.surname(token, read.language)
            if token.kind != WORD or position in read.titles:
                break
            common = self._lexicon.common(token)
            if not (listed and (token.capital or not common)) and not (token.capital and not common and not self._lexicon.place(token)):
                break
            taken.append(position)
        return taken

    def _listed(self, read: Reading, taken: set[int]) -> set[int]:
        """Return the tokens of names that nothing introduces."""
        more: set[int] = set()
        for position, token in enumerate(read.tokens):
            if token.kind != WORD or len(token.text) < 3 or position in taken or position in more:
                continue
            if self._alone(read, position) or self._pair(read, position):
                run = [position]
                while len(run) < MOST_WORDS and self._next(read, run[-1] + 1, "listed"):
                    run.append(run[-1] + 1)
                more.update(run)
        return more

    def _alone(self, read: Reading, position: int) -> bool:
        token, lexicon = read.tokens[position], self._lexicon
        if not token.cased and self._begins_with_particle(read, position):
            return True
        if not lexicon.given(token, read.language) or lexicon.common(token) or lexicon.place(token) or lexicon.glued_common(token):
            return False
        if token.capital or not token.cased:
            return not self._of_a_saint(read, position)
        word = token.text.lower()
        known = word in lexicon.words.given_spelled and token.key not in lexicon.words.small_words
        # "3adel": in Arabic with Latin letters, a number is the beginning of the word.
        known = known and not (position and read.gap(position) == "")
        return read.small and len(word) > 3 and known and token.key not in lexicon.words.months

    def _of_a_saint(self, read: Reading, position: int) -> bool:
        """Return whether a given name belongs to that of a place: "Saint-Denis", "Sfântu Gheorghe"."""
        if not position or read.gap(position) not in (" ", "-", ". "):
            return False
        before = read.tokens[position - 1]
        return before.key in self._lexicon.words.saints and (before.capital or not before.cased)

    def _begins_with_particle(self, read: Reading, position: int) -> bool:
        """Return whether an Arabic word is the first of two that are one name: "عبد الرحمن", "أبو خالد"."""
        token, after = read.tokens[position], position + 1
        if token.key not in ASKING or after >= len(read.tokens) or not re.fullmatch(r"[ \t]{1,2}", read.gap(after)):
            return False
        following = read.tokens[after]
        if token.key == "عبد":
            return following.text.startswith("ال")
        # "أبي على": "my father" and a word.
        return following.key in self._lexicon.words.given and not (token.key == "ابي" and self._lexicon.common(following))

    def _pair(self, read: Reading, position: int) -> bool:
        """Return whether a word and the next are given name and surname (either may come first)."""
        after = position + 1
        token, lexicon, language = read.tokens[position], self._lexicon, read.language
        if after >= len(read.tokens) or not re.fullmatch(r"[ \t]{1,2}|-", read.gap(after)):
            return False
        following = read.tokens[after]
        if following.kind != WORD or len(following.text) < 3 or token.capital != following.capital or token.key in lexicon.words.saints:
            return False
        if token.cased and not token.capital and (lexicon.common(token) or lexicon.common(following)):
            return False
        given, surname = lexicon.given(token, language), lexicon.surname(token, language)
        next_given, next_surname = lexicon.given(following, language), lexicon.surname(following, language)
        next_common = lexicon.common(following)
        if given and next_surname:
            # "Rosa Klein" is one; "Mai Berlin" and two words that happen to be listed in a script without capitals are none.
            if not token.cased and following.text.startswith("ال"):
                return not lexicon.common(token) or not next_common
            return not lexicon.place(following) and not (next_common and lexicon.common(token))
        if surname and next_given and not next_common and not lexicon.common(token):
            return not lexicon.place(token)
        if not token.capital or lexicon.common(token) or lexicon.place(token) or lexicon.noun(token):
            return False
        if (next_surname and not next_common and not lexicon.place(following)) or lexicon.ending(following):
            return True
        return self._two_unknown(read, position)

    def _two_unknown(self, read: Reading, position: int) -> bool:
        """Return whether two unknown words with capitals stand in the midst of a sentence, where nouns are written small."""
        token, following = read.tokens[position], read.tokens[position + 1]
        if read.language == "de" or position == 0 or re.search(r"[.!?:\n]", read.gap(position)):
            return False
        if self._lexicon.common(following) or self._lexicon.place(following) or self._lexicon.noun(following):
            return False
        return read.tokens[position - 1].kind == WORD and not (token.text.isupper() or following.text.isupper())
