"""``prodromal explain``: contributions of every person, a page about chosen ones, a summary over all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prodromal.cli.common import (
    OUTPUT_HELP,
    Force,
    Model,
    RegisterFolder,
    RequireSignature,
    Seed,
    index_dates,
    progress,
    provenance,
    refuse_existing,
    say,
    warn,
    write_table,
)
from prodromal.errors import DefinitionError, NotEstimable

if TYPE_CHECKING:
    from prodromal.features.index_dates import IndexDates
    from prodromal.register import Register
    from prodromal.risk import RiskModel

__all__ = ["add_to"]

_ENDINGS = (".parquet", ".json", ".html")
_MOST_IN_JSON = 100_000


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "explain", epilog="Example: prodromal explain register model --index-dates chosen.csv --output chosen.html"
    )(explain)


def explain(
    register: RegisterFolder,
    model: Model,
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=f".parquet, .json or .html. {OUTPUT_HELP}")
    ] = None,
    summary: Annotated[
        Path | None, typer.Option(help="A page (.html) about everyone asked for, naming nobody.")
    ] = None,
    on: Annotated[str | None, typer.Option(help="Everyone on this date, YYYY-MM-DD.")] = None,
    asked: Annotated[
        Path | None, typer.Option("--index-dates", help="CSV or Parquet with person_id and index_date.")
    ] = None,
    by: Annotated[
        str, typer.Option(help="class, feature, window or 'class x window'; for .parquet and .json.")
    ] = "class",
    replicates: Annotated[int, typer.Option(min=0, help="Bootstrap draws of the summary.")] = 200,
    sets: Annotated[
        Path | None,
        typer.Option(help="Matched sets the model was trained on: limits over refits on the page of people."),
    ] = None,
    refits: Annotated[int, typer.Option(min=10, help="With --sets: how many refits.")] = 20,
    signed_by: RequireSignature = None,
    seed: Seed = 1,
    force: Force = False,
) -> None:
    """Write exact contributions to each score (.parquet, .json), a page about people (.html), or a summary page."""
    from prodromal.register import Register
    from prodromal.risk import load
    from prodromal.scoring import refuse

    _check(output, summary, by, force=force)
    if sets is not None and (output is None or output.suffix != ".html"):
        raise DefinitionError("--sets gives limits over refits on a page of people: write one with --output FILE.html")
    opened, loaded = Register.open(register), load(model, require_signature=signed_by)
    dates = index_dates(opened, on=on, file=asked)
    chosen, refused = refuse(opened, dates, loaded.outcome.name)
    reasons = "".join(f", {number:,} {reason.replace('_', ' ')}" for reason, number in refused.items())
    if not len(chosen):
        raise NotEstimable(f"none of the {len(dates):,} people asked for can be explained{reasons}")
    facts = provenance(opened, model, warning=loaded.warning, plan=loaded.plan.fingerprint)
    job = _Job(opened, loaded, chosen, facts)
    warn(loaded.warning)
    if output is not None and output.suffix == ".html":
        job.page(output, job.again(sets, refits, seed) if sets is not None else [])
    elif output is not None:
        job.table(output, by)
    if summary is not None:
        job.summary(summary, replicates, seed)
    written = " and ".join(str(path) for path in (output, summary) if path is not None)
    say(
        f"{len(dates):,} asked = {len(chosen):,} explained + {sum(refused.values()):,} refused{reasons}. "
        f"Written: {written}."
    )


def _check(output: Path | None, summary: Path | None, by: str, *, force: bool) -> None:
    """Refuse what cannot be written before any work is done."""
    from prodromal.explain import By

    if output is None and summary is None:
        raise DefinitionError("say what to write: --output FILE, --summary FILE, or both")
    if output is not None and output.suffix not in _ENDINGS:
        raise DefinitionError(f"{output.name}: explanations are written as {', '.join(_ENDINGS)}")
    if summary is not None and summary.suffix != ".html":
        raise DefinitionError(f"{summary.name}: a summary is written as .html")
    if by not in {each.value for each in By}:
        raise DefinitionError(f"explanations by '{by}': it is one of {', '.join(each.value for each in By)}")
    if output is not None and output.suffix == ".html" and by != By.CLASS.value:
        raise DefinitionError(f"a page explains by class; for '{by}' write .parquet or .json")
    if output is not None and output == summary:
        raise DefinitionError("--output and --summary name the same file")
    for path in (output, summary):
        if path is not None:
            refuse_existing(path, force)


@dataclass(frozen=True)
class _Job:
    """Who is explained by what."""

    register: Register
    model: RiskModel
    chosen: IndexDates
    facts: dict[str, str]

    def table(self, output: Path, by: str) -> None:
        """Write everyone's contributions."""
        from prodromal.explain import explain as explain_rows
        from prodromal.features import build
        from prodromal.files import atomic_file

        if output.suffix == ".json" and len(self.chosen) > _MOST_IN_JSON:
            raise DefinitionError(
                f"JSON is for at most {_MOST_IN_JSON:,} people, {len(self.chosen):,} were chosen; write .parquet"
            )
        explained = explain_rows(
            self.model, build(self.model.plan, self.register, self.chosen), self.register.persons, by=by
        )
        facts = {**self.facts, "by": by}
        if output.suffix == ".json":
            from prodromal.explain.document import document, write_document

            return write_document(output, document(self.register, self.model, explained, provenance=facts))
        with atomic_file(output) as partial:
            write_table(explained.to_frame(), partial, facts)
        return None

    def page(self, output: Path, models: list[RiskModel]) -> None:
        """Write the page about those with the highest scores."""
        from prodromal.explain.people import MOST_LISTED, people_page
        from prodromal.features import build

        listed = _highest(self, MOST_LISTED) if len(self.chosen) > MOST_LISTED else self.chosen
        people_page(
            self.register,
            self.model,
            build(self.model.plan, self.register, listed),
            provenance=self.facts,
            chosen=len(self.chosen),
            refits=models,
        ).write(output)

    def again(self, sets: Path, number: int, seed: int) -> list[RiskModel]:
        """The model trained again, on its sets drawn with replacement."""
        from prodromal.design import read_cohort
        from prodromal.explain.stability import refits
        from prodromal.features import build

        cohort = read_cohort(sets)
        matrix = build(self.model.plan, self.register, cohort.index_dates)
        models = []
        with progress("refitting") as show:
            for model in refits(self.model, matrix, cohort, replicates=number, seed=seed):
                models.append(model)
                show(len(models), number)
        return models

    def summary(self, path: Path, replicates: int, seed: int) -> None:
        """Write the page about everyone, or about some drawn at random where there are many."""
        import numpy as np

        from prodromal.design import family_components
        from prodromal.explain.summary import MOST_SUMMARISED, summary_page
        from prodromal.features import build
        from prodromal.features.index_dates import IndexDates

        drawn = np.random.default_rng(seed).permutation(len(self.chosen))[:MOST_SUMMARISED]
        dates = IndexDates(self.chosen.person_row[drawn], self.chosen.day[drawn])
        facts = {**self.facts, "seed": str(seed), "people": f"{len(dates):,} of {len(self.chosen):,}"}
        page = summary_page(
            self.register,
            self.model,
            build(self.model.plan, self.register, dates),
            replicates=replicates,
            seed=seed,
            provenance=facts,
            groups=family_components(self.register)[dates.person_row],
        )
        page.write(path)


def _highest(job: _Job, number: int) -> IndexDates:
    """The index dates with the highest scores; the matrix of all is never in memory."""
    import numpy as np

    from prodromal.features import iterate
    from prodromal.features.index_dates import IndexDates

    score = np.empty(len(job.chosen))
    for positions, matrix in iterate(job.model.plan, job.register, job.chosen):
        score[positions] = job.model.score(matrix, job.register.persons)["score"]
    first = np.argsort(-score, kind="stable")[:number]
    return IndexDates(job.chosen.person_row[first], job.chosen.day[first])
