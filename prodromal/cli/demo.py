"""``prodromal demo``: the whole job on simulated people, through the same commands that a user types."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Annotated

import typer

from prodromal.cli.common import Force, refuse_existing, say

__all__ = ["add_to", "steps"]


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("demo", epilog="Example: prodromal demo --output demo-output")(demo)


def steps(folder: Path, *, persons: int, noncase_fraction: float, trials: int, replicates: int) -> list[list[str]]:
    """The commands of the demo, in order; each is what a user would type."""
    at = {name: str(folder / name) for name in ("delivery", "register", "model", "evaluation")}
    file = {
        name: str(folder / f"{name}.parquet") for name in ("train", "matched", "held-out", "risks", "held-out-risks")
    }
    delivery = folder / "delivery"
    split = ["--split", "0.4", "--split-seed", "1", "--horizon-years", "3"]
    tables = [
        argument
        for option, name in (
            ("--persons", "persons.csv"),
            ("--dispensings", "dispensings"),
            ("--outcomes", "outcomes.csv"),
            ("--relatives", "relatives.csv"),
            ("--follow-up", "follow_up.csv"),
        )
        for argument in (option, str(delivery / name))
    ]
    return [
        ["simulate", "--persons", str(persons), "--noncase-fraction", str(noncase_fraction), "--seed", "1",
         "--format", "csv", "--output", at["delivery"]],
        ["ingest", "csv", *tables, "--output", at["register"]],
        ["cohort", "sets", at["register"], *split, "--part", "train", "--seed", "1", "--output", file["train"]],
        ["cohort", "sets", at["register"], *split, "--part", "held-out", "--seed", "2", "--output", file["matched"]],
        ["cohort", "landmark", at["register"], "--on", "2016-01-01", *split, "--part", "held-out",
         "--output", file["held-out"]],
        ["train", at["register"], file["train"], "--trials", str(trials), "--max-rounds", "150", "--seed", "1",
         "--output", at["model"]],
        ["score", at["register"], at["model"], "--on", "2018-01-01", "--explain", "3", "--output", file["risks"]],
        ["score", at["register"], at["model"], "--index-dates", file["held-out"], "--output", file["held-out-risks"]],
        ["evaluate", file["held-out-risks"], file["held-out"], "--matched", file["matched"],
         "--register", at["register"], "--model", at["model"], "--replicates", str(replicates), "--people", "3",
         "--title", "Can simulated prescriptions foretell ALS?", "--output", at["evaluation"]],
    ]  # fmt: skip


def _remove(path: Path) -> None:
    """Remove what an earlier demo wrote, and nothing else."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def demo(
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for everything that the demo writes.")] = Path(
        "demo-output"
    ),
    persons: Annotated[int, typer.Option(help="People in the simulated population.")] = 10_000_000,
    noncase_fraction: Annotated[float, typer.Option(help="Share of people without ALS in the delivery.")] = 0.0025,
    trials: Annotated[int, typer.Option(min=1, help="Hyperparameter combinations to try.")] = 3,
    replicates: Annotated[int, typer.Option(min=0, help="Bootstrap draws.")] = 200,
    force: Force = False,
) -> None:
    """Simulate, ingest, draw, train, score, explain and evaluate; ends with a report to open."""
    from prodromal.cli.app import app

    refuse_existing(output, force)
    say("Everything below is about simulated people. The signal in prescriptions is weak, here as in life.")
    commands = steps(output, persons=persons, noncase_fraction=noncase_fraction, trials=trials, replicates=replicates)
    for command in commands:
        _remove(Path(command[command.index("--output") + 1]))
    for command in commands:
        say()
        say("$ prodromal " + shlex.join(command))
        app(command[:1])(command, standalone_mode=False)
    say()
    say(f"Open {(output / 'evaluation' / 'report.html').resolve()} in a browser.")
