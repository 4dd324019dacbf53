"""``prodromal study``: the published study on one's own register."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from prodromal.cli.common import (
    Force,
    Output,
    RegisterFolder,
    Seed,
    parse_date,
    progress,
    provenance,
    refuse_existing,
    say,
    warn,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("study", epilog="Example: prodromal study register --seed 1 --output study")(study)


def study(
    register: RegisterFolder,
    *,
    output: Output,
    seed: Seed = 1,
    outcome: Annotated[str, typer.Option("--outcome", help="Outcome in the register.")] = "ALS",
    diagnosed_from: Annotated[str | None, typer.Option(help="Only cases diagnosed on or after YYYY-MM-DD.")] = None,
    diagnosed_to: Annotated[str | None, typer.Option(help="Only cases diagnosed on or before YYYY-MM-DD.")] = None,
    controls_per_case: Annotated[int, typer.Option(min=1, help="Population controls for each case.")] = 5,
    min_history_days: Annotated[int, typer.Option(help="Days observed before diagnosis, for use beyond a year.")] = 730,
    firth: Annotated[bool, typer.Option("--firth", help="Penalised odds ratios, finite with few exposed.")] = False,
    joint: Annotated[bool, typer.Option("--joint/--no-joint", help="Fit the joint model.")] = True,
    profile: Annotated[str, typer.Option(help="Disclosure rules: acro, opensafely or ohdsi.")] = "acro",
    force: Force = False,
) -> None:
    """Odds ratios against population, siblings and spouses; survival; function: JSON, CSV tables and report.html."""
    from datetime import date

    from prodromal.association import LookBack, StudyDesign, release, report, run_study
    from prodromal.association.export import write_json, write_tables
    from prodromal.association.wording import SIMULATED
    from prodromal.disclosure import PROFILES
    from prodromal.files import atomic_folder
    from prodromal.register import Register

    refuse_existing(output, force)
    chosen = PROFILES.of(profile)
    first, last = ((parse_date(d) - date(1970, 1, 1)).days if d else None for d in (diagnosed_from, diagnosed_to))
    design = StudyDesign(
        outcome=outcome,
        seed=seed,
        controls_per_case=controls_per_case,
        first_day=first,
        last_day=last,
        look_back=LookBack(headline_days=min_history_days),
        firth=firth,
        joint=joint,
    )
    opened = Register.open(register)
    with progress("studying") as shown:
        done = run_study(opened, design, progress=shown)
    released = release(done.tables, chosen)
    period = f"{diagnosed_from or 'the first'} to {diagnosed_to or 'the last'}"
    facts = provenance(
        opened, warning=SIMULATED if done.simulated else "", seed=seed, diagnosed=period, profile=profile
    )
    with atomic_folder(output, replace=force) as folder:
        write_json(folder / "study.json", released, provenance=facts, rule=chosen.sentence, simulated=done.simulated)
        write_tables(folder / "tables", released)
        report(done, released, chosen, facts).write(folder / "report.html")
    warn(SIMULATED if done.simulated else "")
    for line in _summary(released["odds_ratios"]):
        say(line)
    for note in done.notes:
        say(f"Note: {note}")
    say(f"The report is {output / 'report.html'}")


def _summary(frame: pd.DataFrame) -> list[str]:
    from prodromal.association.section_parts import records
    from prodromal.association.wording import ratio

    rows = frame.query("comparator == 'population' and definition == 'recurrent' and window == '>1'")
    lines = ["Odds ratios of recurrent use more than a year before the diagnosis, population controls:"]
    for row in records(rows):
        text = ratio(row.estimate, row.ci_low, row.ci_high) or row.note
        text = "suppressed" if text.startswith("suppressed") else text
        known = ratio(row.published, row.published_low, row.published_high)
        lines.append(f"  {row.drug:24} {text:24}{f'  published {known}' if known else ''}".rstrip())
    return lines
