"""``prodromal`` with the verb ``spark``."""

from __future__ import annotations

from prodromal.cli import spark
from prodromal.cli.app import app, main


def run(arguments):
    if "spark" not in [group.name for group in app.registered_groups]:
        spark.add_to(app)
    main(arguments)
