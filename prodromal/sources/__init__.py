"""Outside formats, one file each, brought to the canonical tables with an account of every row."""

from prodromal.sources.doses import AUXILIARY, read_names
from prodromal.sources.ingest import Ingested, ingest
from prodromal.sources.presets import PRESETS
from prodromal.sources.relation import Relation
from prodromal.sources.spec import Source, TableSource

__all__ = ["AUXILIARY", "PRESETS", "Ingested", "Relation", "Source", "TableSource", "ingest", "read_names"]
