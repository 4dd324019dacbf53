"""Outside formats, one file each, brought to the canonical tables with an account of every row."""

from prodromal.sources.ingest import Ingested, ingest
from prodromal.sources.presets import PRESETS
from prodromal.sources.spec import Source, TableSource

__all__ = ["PRESETS", "Ingested", "Source", "TableSource", "ingest"]
