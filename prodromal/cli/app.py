"""Verbs, and how errors leave the house: one sentence on stderr and an exit code."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Annotated, NoReturn

import typer

from prodromal import __version__
from prodromal.errors import ProdromalError

__all__ = ["VERBS", "app", "main"]

# Each is a module beside this one; in the order of a study.
VERBS = (
    "simulate",
    "ingest",
    "check",
    "cohort",
    "features",
    "train",
    "score",
    "explain",
    "evaluate",
    "recalibrate",
    "study",
    "export",
    "sign",
    "spark",
    "demo",
)
INTERRUPTED, TERMINATED = 130, 143
EXIT_CODES = (
    "Exit codes: 0 ok, 2 usage, 10 definition, 11 data, 12 bundle, 13 not estimable, 14 output, 130 interrupted, "
    "143 terminated."
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


def _root(
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show the trace of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    del debug, version


def app(verbs: Iterable[str] = VERBS) -> typer.Typer:
    """Make the command line of some verbs."""
    made = typer.Typer(
        help="From prescription histories to a calibrated, explained risk of a future ALS diagnosis.",
        epilog=f"Start with: prodromal demo --output demo-output. {EXIT_CODES}",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(_root)
    for verb in verbs:
        import_module(f"prodromal.cli.{verb}").add_to(made)
    return made


def _needed(arguments: list[str]) -> Iterable[str]:
    """The verb asked for, where it has a module of its own; else all, for making a verb ready takes time."""
    first = next((word for word in arguments if not word.startswith("-")), None)
    if first not in VERBS or not {"-h", "--help"}.isdisjoint(arguments[: arguments.index(first)]):
        return VERBS
    return [first]


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    given = sys.argv[1:] if arguments is None else arguments
    # So that temporary files go when somebody ends the process kindly.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        code = app(_needed(given))(given, standalone_mode=False)
    except ProdromalError as error:
        _report(error, "--debug" in given)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("interrupted; no output is half written; the same command goes on where it can", err=True)
        sys.exit(INTERRUPTED)
    except Exception as error:  # noqa: BLE001  the words of a fault may hold values of rows, so none leaves as it is
        if not hasattr(error, "exit_code"):
            _report_fault(error)
            sys.exit(ProdromalError.exit_code)
        show = getattr(error, "show", None)
        if show:
            show()
        sys.exit(error.exit_code)
    finally:
        # The collector need not look through what the system takes back a moment later; duckdb wants it to.
        if arguments is None and "duckdb" not in sys.modules:
            gc.freeze()
    sys.exit(code if isinstance(code, int) else 0)


def _report(error: ProdromalError, debug: bool) -> None:
    if debug:
        typer.echo(_trace(error), err=True)
    typer.echo(f"error: {error}", err=True)
    for note in getattr(error, "__notes__", []):
        typer.echo(f"  {note}", err=True)


def _report_fault(error: Exception) -> None:
    typer.echo(_trace(error), err=True)
    typer.echo("error: this is a fault of prodromal; report the trace above, which holds no values of rows", err=True)


def _trace(error: BaseException) -> str:
    """The way to an error and to its causes; the words of errors that are not ours may hold a row's values."""
    import traceback

    told: list[str] = []
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        words = f": {link}" if isinstance(link, ProdromalError) else " (its words are withheld)"
        told.append(f"Traceback:\n{''.join(traceback.format_tb(link.__traceback__))}{type(link).__name__}{words}")
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "\nbecause of\n".join(told)
