"""``prodromal check``: whether a register or a bundle is what its manifest says, and what a register is made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prodromal.cli.common import Force, RequireSignature, provenance, refuse_existing, say
from prodromal.cli.ingest.shared import account_line
from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    from prodromal.quality import Quality
    from prodromal.register import Register

__all__ = ["add_to"]

_EXAMPLE = "Example: prodromal check register --report quality.html --json quality.json"


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("check", epilog=_EXAMPLE)(check)


def check(
    folder: Annotated[Path, typer.Argument(help="Folder of a register or a model bundle.")],
    *,
    report: Annotated[
        Path | None, typer.Option(help="Write a page on the register's quality; small counts are suppressed.")
    ] = None,
    as_json: Annotated[
        Path | None, typer.Option("--json", help="Write the page's tables as JSON; small counts are suppressed.")
    ] = None,
    plan: Annotated[
        Path | None, typer.Option(help="Plan whose classes are asked for; the psychiatric plan by default.")
    ] = None,
    atc_ddd: Annotated[
        Path | None, typer.Option(help="ATC/DDD index (CSV: atc_code, atc_name) that names the codes on the page.")
    ] = None,
    signed_by: RequireSignature = None,
    force: Force = False,
) -> None:
    """Verify every file of a register or bundle against its manifest, and say what it holds."""
    outputs = [path for path in (report, as_json) if path is not None]
    for path in outputs:
        refuse_existing(path, force)
    if (folder / "bundle.json").exists():
        if outputs:
            raise DefinitionError("--report and --json are of registers; a model's pages come from 'prodromal explain'")
        _check_bundle(folder, signed_by)
        return
    if signed_by is not None:
        raise DefinitionError("--require-signature is for bundles; a register is not signed")
    from prodromal.register import Register

    register = Register.open(folder)
    register.verify()
    _tell(register)
    if outputs:
        _write(register, plan, atc_ddd, report, as_json)


def _check_bundle(folder: Path, signed_by: Path | None) -> None:
    from prodromal.risk import load

    model = load(folder, require_signature=signed_by)
    counts = ((name, model.training[name]) for name in ("sets", "cases") if name in model.training)
    trained_on = ", ".join(f"{count:,} {'matched sets' if name == 'sets' else name}" for name, count in counts)
    say(
        f"{folder} is an undamaged bundle: plan '{model.plan.name}' ({model.plan.fingerprint}), "
        f"{len(model.plan.features)} features, trained on {trained_on}."
    )


def _tell(register: Register) -> None:
    from prodromal.tables import Account

    rows = sum(part.rows for part in register.parts)
    say(
        f"{register.folder} is an undamaged register ({register.fingerprint}): "
        f"{len(register.persons):,} people, {rows:,} dispensings."
    )
    for name, account in register.manifest["account"].items():
        say(f"  {account_line(Account(table=name, **account))}")


def _write(
    register: Register, plan: Path | None, index: Path | None, report: Path | None, as_json: Path | None
) -> None:
    from prodromal.features import FeaturePlan
    from prodromal.files import write_text
    from prodromal.quality import compute_quality, quality_page, release
    from prodromal.sources import read_names

    names = read_names(index) if index else None
    quality = release(compute_quality(register, FeaturePlan.read(plan) if plan else None, names=names))
    facts = provenance(register)
    if report is not None:
        quality_page(quality, facts).write(report)
        say(f"The page is {report}.")
    if as_json is not None:
        write_text(as_json, json.dumps({**_plain(quality), "provenance": facts}, indent=1) + "\n")
        say(f"The tables are in {as_json}.")


def _plain(quality: Quality) -> dict[str, object]:
    tables = {name: json.loads(frame.to_json(orient="records")) for name, frame in quality.tables.items()}
    return {"facts": dict(quality.facts), "tables": tables}
