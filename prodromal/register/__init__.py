"""The register: a folder of person-sorted Parquet files with a manifest that accounts for every row."""

from prodromal.register.persons import Persons
from prodromal.register.reader import Part, Register

__all__ = ["Part", "Persons", "Register"]
