"""The markets Overround knows, as data files with one definition a market."""

from overround.catalogue.definitions import Catalogue, Market, Meaning, load_catalogue
from overround.catalogue.overrides import Override, Overrides, read_overrides
from overround.catalogue.vocabulary import SpecifierKind

__all__ = [
    "Catalogue",
    "Market",
    "Meaning",
    "Override",
    "Overrides",
    "SpecifierKind",
    "load_catalogue",
    "read_overrides",
]
