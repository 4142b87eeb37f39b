"""What a word may be: a given name, a surname, a common word, a place."""

from __future__ import annotations

from bot.transcripts.redaction.digits import clean_key
from bot.transcripts.redaction.tokens import Token
from bot.transcripts.redaction.wordlists import Words

# Endings that a name may have lost when it is bent ("Марией", "Kowalskiego"), by what is put in their place.
_BASES = ("", "а", "я", "о", "и", "ь")
_LATIN_BASES = ("", "a")
_BENT_IN_LATIN = ("pl", "ro", "tr")
# "and", "to", "with" and so on are written in one with the Arabic word that follows.
_ARABIC_PREFIXES = ("و", "ل", "ب", "ف", "ك")


class Lexicon:
    """Answers questions about single words by the word lists."""

    def __init__(self, words: Words) -> None:
        self.words = words

    def given(self, token: Token, language: str) -> bool:
        """Return whether a word is a listed given name, maybe bent."""
        return self._listed(token, self.words.given, language)

    def surname(self, token: Token, language: str) -> bool:
        """Return whether a word is a listed surname, maybe bent."""
        return self._listed(token, self.words.surnames, language)

    def common(self, token: Token) -> bool:
        """Return whether a word is an ordinary one in one of the languages."""
        return token.key in self.words.common

    def glued_common(self, token: Token) -> bool:
        """Return whether an Arabic word is an ordinary one, written in one with "and" or "to", and no listed name itself."""
        key = token.key
        return not token.cased and key.startswith(_ARABIC_PREFIXES) and key not in self.words.given and key[1:] in self.words.common

    def common_word(self, word: str) -> bool:
        """Return whether a word that is no token is an ordinary one."""
        return clean_key(word) in self.words.common

    def place(self, token: Token) -> bool:
        """Return whether a word names a place or a people, maybe bent."""
        places = self.words.places
        if token.key in places:
            return True
        if len(token.key) < 6 or token.key in self.words.given or token.key in self.words.surnames:
            return False
        return token.key[:-1] in places or token.key[:-2] in places or token.key[:-1] + "а" in places

    def people(self, token: Token) -> bool:
        """Return whether a word names a country or its people, maybe bent."""
        peoples = self.words.peoples
        return token.key in peoples or (len(token.key) > 5 and (token.key[:-1] in peoples or token.key[:-2] in peoples))

    def place_word(self, word: str) -> bool:
        """Return whether a word that is no token names a place."""
        return clean_key(word) in self.words.places

    def noun(self, token: Token) -> bool:
        """Return whether an unlisted word ends as German nouns do."""
        return len(token.key) > 6 and token.cased and token.key.endswith(self.words.noun_endings)

    def ending(self, token: Token) -> bool:
        """Return whether a word ends as surnames do."""
        return len(token.key) > 4 and token.key.endswith(self.words.name_endings)

    @staticmethod
    def _listed(token: Token, names: frozenset[str], language: str) -> bool:
        key = token.key
        if key in names:
            return True
        if len(key) < 4:
            return False
        if not token.cased:
            return key.startswith(_ARABIC_PREFIXES) and len(key) > 4 and key[1:] in names
        if not token.capital:
            return False
        cyrillic = key[0] >= "\u0400"
        if not cyrillic and language not in _BENT_IN_LATIN:
            return False
        bases = _BASES if cyrillic else _LATIN_BASES
        return any(key[:-cut] + base in names for cut in (1, 2, 3) if len(key) - cut > 2 for base in bases)
