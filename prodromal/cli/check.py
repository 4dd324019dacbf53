"""``prodromal check``: whether a register or a bundle is what its manifest says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prodromal.cli.common import say

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("check", epilog="Example: prodromal check register")(check)


def check(folder: Annotated[Path, typer.Argument(help="Folder of a register or a model bundle.")]) -> None:
    """Verify every file of a register or bundle against its manifest, and say what it holds."""
    if (folder / "bundle.json").exists():
        from prodromal.risk import load

        model = load(folder)
        counts = ((name, model.training[name]) for name in ("sets", "cases") if name in model.training)
        trained_on = ", ".join(f"{count:,} {'matched sets' if name == 'sets' else name}" for name, count in counts)
        say(
            f"{folder} is an undamaged bundle: plan '{model.plan.name}' ({model.plan.fingerprint}), "
            f"{len(model.plan.features)} features, trained on {trained_on}."
        )
        return
    from prodromal.register import Register

    register = Register.open(folder)
    register.verify()
    rows = sum(part.rows for part in register.parts)
    say(
        f"{folder} is an undamaged register ({register.fingerprint}): "
        f"{len(register.persons):,} people, {rows:,} dispensings."
    )
    for table, account in register.manifest["account"].items():
        rejected = sum(account["rejected"].values())
        say(
            f"  {table}: {account['read']:,} read = {account['kept']:,} kept + {account['duplicate']:,} duplicate "
            f"+ {rejected:,} rejected"
        )
