"""Verbs, and how errors leave the house: one sentence on stderr and an exit code."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer

from prodromal import __version__
from prodromal.cli import (
    check,
    cohort,
    demo,
    evaluate,
    explain,
    features,
    ingest,
    recalibrate,
    score,
    simulate,
    study,
    train,
)
from prodromal.errors import ProdromalError

__all__ = ["app", "main"]

INTERRUPTED = 130
EXIT_CODES = (
    "Exit codes: 0 ok, 2 usage, 10 definition, 11 data, 12 bundle, 13 not estimable, 14 output, 130 interrupted."
)

app = typer.Typer(
    help="From prescription histories to a calibrated, explained risk of a future ALS diagnosis.",
    epilog=f"Start with: prodromal demo --output demo-output. {EXIT_CODES}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show the trace of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    del debug, version


for verb in (simulate, ingest, check, cohort, features, train, score, explain, evaluate, recalibrate, study, demo):
    verb.add_to(app)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(given, standalone_mode=False)
    except ProdromalError as error:
        _report(error, "--debug" in given)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("interrupted; nothing half-written is left behind", err=True)
        sys.exit(INTERRUPTED)
    except Exception as error:
        if not hasattr(error, "exit_code"):
            raise
        show = getattr(error, "show", None)
        if show:
            show()
        sys.exit(error.exit_code)
    sys.exit(code if isinstance(code, int) else 0)


def _report(error: ProdromalError, debug: bool) -> None:
    if debug:
        import traceback

        traceback.print_exception(error)
    typer.echo(f"error: {error}", err=True)
    for note in getattr(error, "__notes__", []):
        typer.echo(f"  {note}", err=True)
