"""FHIR R4 bulk exports: patients, dispenses or requests, and conditions, from NDJSON to the canonical tables."""

from prodromal.sources.fhir.drugs import ATC_SYSTEMS, RXNORM
from prodromal.sources.fhir.files import find_files
from prodromal.sources.fhir.source import Fhir, Resources

__all__ = ["ATC_SYSTEMS", "RXNORM", "Fhir", "Resources", "find_files"]
