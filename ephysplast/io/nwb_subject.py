"""The experimenter's words for animal and people, in the forms that NWB asks for."""

import re
from collections.abc import Mapping
from typing import Final

UNKNOWN_AGE: Final = "P0D/"
"""NWB's open range, here zero days or older: all that is known of an animal without an age."""

UNKNOWN_SPECIES: Final = "http://purl.obolibrary.org/obo/NCBITaxon_131567"
"""The taxon of all cellular organisms: all that is known of an animal without a species."""

UNKNOWN_ANIMAL: Final = "unknown"

_SPECIES: Final[Mapping[str, str]] = {
    "mouse": "Mus musculus",
    "mice": "Mus musculus",
    "rat": "Rattus norvegicus",
    "rats": "Rattus norvegicus",
    "human": "Homo sapiens",
    "guinea pig": "Cavia porcellus",
    "gerbil": "Meriones unguiculatus",
    "hamster": "Mesocricetus auratus",
    "rabbit": "Oryctolagus cuniculus",
    "ferret": "Mustela putorius",
    "cat": "Felis catus",
    "macaque": "Macaca mulatta",
    "rhesus": "Macaca mulatta",
    "marmoset": "Callithrix jacchus",
    "zebrafish": "Danio rerio",
    "chick": "Gallus gallus",
    "chicken": "Gallus gallus",
    "fruit fly": "Drosophila melanogaster",
    "drosophila": "Drosophila melanogaster",
}
_LATIN: Final = re.compile(r"[A-Z][a-z]* [a-z]+|http://purl\.obolibrary\.org/obo/NCBITaxon_\d+")
_SEX: Final[Mapping[str, str]] = {"m": "M", "male": "M", "f": "F", "female": "F", "o": "O", "other": "O", "both": "O"}
_ISO_AGE: Final = re.compile(r"P(?=\d)(?:\d+Y)?(?:\d+M)?(?:\d+W)?(?:\d+D)?")
_PLAIN_AGE: Final = re.compile(
    r"(?P<postnatal>p|pnd|pd)?\s*(?P<low>\d+)\s*(?:(?:-|–|to)\s*(?:p|pnd|pd)?\s*(?P<high>\d+))?\s*(?P<unit>[a-z]*)\.?"
)
_AGE_UNITS: Final[Mapping[str, str]] = {"d": "D", "w": "W", "m": "M", "y": "Y"}


def iso_age(age: str) -> str:
    """Write an age as ISO 8601 asks for it.

    Parameters
    ----------
    age : str
        ``"P21"`` (postnatal day), ``"21 d"``, ``"3-4 weeks"``, ``"P14-P21"``, or ISO 8601 already.

    Returns
    -------
    str
        ``"P21D"``, ``"P3W/P4W"``; :data:`UNKNOWN_AGE` for words that are no age.

    Examples
    --------
    >>> iso_age("P21"), iso_age("3-4 weeks"), iso_age("P14-P21"), iso_age("P3W"), iso_age("adult")
    ('P21D', 'P3W/P4W', 'P14D/P21D', 'P3W', 'P0D/')
    """
    given = age.strip()
    if given and all(not part or _ISO_AGE.fullmatch(part) for part in given.split("/")) and given[-1] in "YMWD/":
        return given
    match = _PLAIN_AGE.fullmatch(given.lower())
    letter = "D" if match and match["postnatal"] and not match["unit"] else ""
    if match and not letter:
        letter = _AGE_UNITS.get(match["unit"][:1], "")
    if not match or not letter:
        return UNKNOWN_AGE
    low = f"P{int(match['low'])}{letter}"
    return f"{low}/P{int(match['high'])}{letter}" if match["high"] else low


def latin_species(species: str) -> str:
    """Write a species as its Latin binomial; :data:`UNKNOWN_SPECIES` for names that are not known here.

    Examples
    --------
    >>> latin_species("Mouse"), latin_species("Rattus norvegicus")
    ('Mus musculus', 'Rattus norvegicus')
    """
    given = species.strip()
    return given if _LATIN.fullmatch(given) else _SPECIES.get(given.lower(), UNKNOWN_SPECIES)


def sex_letter(sex: str) -> str:
    """Write a sex as M, F, O (other) or U (unknown).

    Examples
    --------
    >>> sex_letter("female"), sex_letter("")
    ('F', 'U')
    """
    return _SEX.get(sex.strip().lower(), "U")


def family_name_first(person: str) -> str:
    """Write a person's name as 'Family, Given'.

    Examples
    --------
    >>> family_name_first("Ada B. Lovelace"), family_name_first("Lovelace, Ada")
    ('Lovelace, Ada B.', 'Lovelace, Ada')
    """
    given, _, family = person.strip().rpartition(" ")
    return f"{family}, {given}" if given and "," not in person else person.strip()
