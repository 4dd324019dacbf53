"""Ed25519: who made a bundle. The signature stands beside the manifest and covers its bytes, and so every file."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from prodromal.errors import BundleError, DefinitionError, OutputError
from prodromal.files import atomic_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["check_signature", "key_id", "make_key_pair", "read_private_key", "read_public_key", "sign_manifest"]

_FORM = re.compile(rb"ed25519 ([0-9a-f]{64}) ([0-9a-f]{128})\n")
_LARGEST_KEY = 1 << 14


def make_key_pair(path: str | Path) -> Path:
    """Write a new private key, readable by its owner alone, and its public half beside it.

    The one place where chance comes from the operating system and not from a seed: a key from a seed is no secret.

    Parameters
    ----------
    path : path
        Of the private key, PEM. The public key gets ``.pub`` appended.

    Returns
    -------
    Path
        Of the public key.

    Raises
    ------
    OutputError
        If either file exists or cannot be written; a key is never replaced.
    """
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = Path(path)
    public = path.with_name(path.name + ".pub")
    if path.exists() or public.exists():
        raise OutputError(f"{path} or {public} exists; a key is never replaced, name another file")
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(secret)
            os.fsync(handle)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    with atomic_file(public) as partial:
        partial.write_bytes(key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo))
    return public


def read_private_key(path: str | Path) -> Ed25519PrivateKey:
    """Read an Ed25519 private key in PEM, without a password.

    Raises
    ------
    DefinitionError
        If the file cannot be read, or holds another kind of key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = _key_bytes(path)
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        _no_key(path, "private")
    if not isinstance(key, Ed25519PrivateKey):
        _no_key(path, "private")
    return key


def read_public_key(path: str | Path) -> bytes:
    """Read an Ed25519 public key in PEM; gives its 32 bytes.

    Raises
    ------
    DefinitionError
        If the file cannot be read, or holds another kind of key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    data = _key_bytes(path)
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        _no_key(path, "public")
    if not isinstance(key, Ed25519PublicKey):
        _no_key(path, "public")
    return key.public_bytes_raw()


def key_id(public: bytes) -> str:
    """16 hexadecimal digits by which people tell keys apart: the start of the SHA-256 of the 32 bytes."""
    return hashlib.sha256(public).hexdigest()[:16]


def sign_manifest(manifest: bytes, key: Ed25519PrivateKey) -> bytes:
    """What stands in ``bundle.sig``: the public key and the signature of the manifest's bytes, in one line."""
    public = key.public_key().public_bytes_raw()
    return f"ed25519 {public.hex()} {key.sign(manifest).hex()}\n".encode()


def check_signature(manifest: bytes, signature: bytes | None, *, require: str | Path | None, where: str) -> None:
    """Check who signed a manifest.

    Parameters
    ----------
    manifest : bytes
    signature : bytes, optional
        Content of ``bundle.sig``; where there is none, the bundle is unsigned.
    require : path, optional
        Public key that must have signed. Without it an unsigned bundle passes, and a signature must only be sound.
    where : str
        Names the bundle in messages.

    Raises
    ------
    BundleError
        If the bundle is unsigned and must not be, was signed by another key, or the signature does not fit it.
    DefinitionError
        If `require` is no public key.
    """
    required = read_public_key(require) if require is not None else None
    if signature is None:
        if required is not None:
            raise BundleError(f"{where} is unsigned; it must be signed by key {key_id(required)}")
        return
    found = _FORM.fullmatch(signature)
    if found is None:
        raise BundleError(f"{where}: its signature is damaged")
    public, signed = (bytes.fromhex(part.decode()) for part in found.groups())
    if required is not None and public != required:
        raise BundleError(f"{where} was signed by key {key_id(public)}; it must be signed by key {key_id(required)}")
    _verify(manifest, public, signed, where)


def _verify(manifest: bytes, public: bytes, signed: bytes, where: str) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signed, manifest)
    except (InvalidSignature, ValueError):
        raise BundleError(f"{where}: its signature does not fit its manifest; one of the two was changed") from None


def _key_bytes(path: str | Path) -> bytes:
    try:
        with Path(path).open("rb") as stream:
            return stream.read(_LARGEST_KEY)
    except OSError as error:
        raise DefinitionError(f"cannot read the key {path}: {error.strerror}") from error


def _no_key(path: str | Path, half: str) -> NoReturn:
    raise DefinitionError(
        f"{path} holds no Ed25519 {half} key in PEM without a password; make one with 'prodromal keygen'"
    )
