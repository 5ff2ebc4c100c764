"""The markets Overround knows, as data files with one definition a market."""

from overround.catalogue.definitions import Catalogue, Market, load_catalogue

__all__ = ["Catalogue", "Market", "load_catalogue"]
