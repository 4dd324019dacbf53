"""``prodromal keygen`` and ``prodromal sign``: say who made a bundle, so that others can insist on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prodromal.cli.common import Model, say

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("keygen", epilog="Example: prodromal keygen registry.key")(keygen)
    app.command("sign", epilog="Example: prodromal sign model --key registry.key")(sign)


def keygen(
    key: Annotated[Path, typer.Argument(help="Where to write the private key; .pub is appended for the public one.")],
) -> None:
    """Make an Ed25519 key pair for signing bundles."""
    from prodromal.risk.signature import key_id, make_key_pair, read_public_key

    public = make_key_pair(key)
    say(f"The private key is in {key}: keep it where only the signer can read it. There is no copy and no password.")
    say(
        f"The public key is in {public}: key {key_id(read_public_key(public))}. Give it to those who load your bundles."
    )


def sign(
    model: Model,
    *,
    key: Annotated[Path, typer.Option("--key", help="Ed25519 private key in PEM, made by 'prodromal keygen'.")],
) -> None:
    """Check a bundle and sign it, its model card included; an earlier signature is replaced."""
    from prodromal.risk.bundle import fingerprint, seal
    from prodromal.risk.signature import key_id, read_private_key

    seal(model, key=key)
    public = read_private_key(key).public_key().public_bytes_raw()
    say(f"{model} ({fingerprint(model)}) is signed by key {key_id(public)}.")
