"""The OMOP common data model as a source: files, a DuckDB file or a PostgreSQL schema."""

from prodromal.sources.omop.outcomes import OmopOutcome
from prodromal.sources.omop.source import omop_source

__all__ = ["OmopOutcome", "omop_source"]
