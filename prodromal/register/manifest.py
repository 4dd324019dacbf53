"""The manifest of a register: what lies where, under a seal, so that no changed bit of it is taken for a fact."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from prodromal.errors import DataError
from prodromal.files import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["MANIFEST", "read_manifest", "write_manifest"]

MANIFEST = "register.json"
_FORMAT = {"format": "prodromal register", "version": 3}
# A nation's 250 parts take 3.4 MB.
_LARGEST_BYTES = 1 << 28
_UNSEALED = "0" * 64
_FILE = {"path": str, "bytes": int, "rows": int, "sha256": str}
_PART = {**_FILE, "first_person": int, "persons": int, "codes": dict, "months": dict}


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Write what `content` says of a register into its folder, with the SHA-256 of the text as its seal."""
    text = json.dumps({**_FORMAT, **content, "seal": _UNSEALED}, indent=2, sort_keys=True) + "\n"
    write_text(folder / MANIFEST, text.replace(_line(_UNSEALED), _line(_digest(text.encode()))))


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a manifest, without format and seal.

    Raises
    ------
    DataError
        If there is none, it is of another version, or it is not as it was written.
    """
    path = folder / MANIFEST
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise DataError(f"{path} is damaged: it is larger than any manifest")
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{folder} is no register: it has no {MANIFEST}; make one with 'prodromal ingest'") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        raise DataError(f"{path} is damaged: it is not JSON") from None
    if not isinstance(content, dict) or {key: content.pop(key, None) for key in _FORMAT} != _FORMAT:
        raise DataError(
            f"{path} is not the manifest of a register of version {_FORMAT['version']}; ingest the data again"
        )
    seal = content.pop("seal", None)
    if not (isinstance(seal, str) and seal.isascii()) or seal != _digest(_unsealed(data, seal)):
        raise DataError(f"{path} is damaged: its seal does not fit; ingest the data again, or take a sound copy")
    if not _is_sound(content):
        raise DataError(f"{path} is damaged: it does not say what a manifest says")
    return content


def _is_sound(content: Mapping[str, Any]) -> bool:
    """Whether everything is there that readers take for granted; a seal is no secret, so anybody can make one."""
    files, rest = content.get("files"), [content.get(name) for name in ("account", "settings")]
    if not isinstance(files, dict) or "dispensings" not in files or not all(isinstance(part, dict) for part in rest):
        return False
    return all(
        isinstance(entries, list) and all(_has(entry, _PART if name == "dispensings" else _FILE) for entry in entries)
        for name, entries in files.items()
    )


def _has(entry: Any, kinds: Mapping[str, type]) -> bool:
    if not isinstance(entry, dict) or any(type(entry.get(name)) is not kind for name, kind in kinds.items()):
        return False
    counts = [count for name, kind in kinds.items() if kind is dict for count in entry[name].values()]
    return all(type(count) is int and count >= 0 for count in counts)


def _line(seal: str) -> str:
    """The one line of its kind: texts have no line breaks, and everything further in stands further right."""
    return f'\n  "seal": "{seal}"'


def _unsealed(data: bytes, seal: str) -> bytes:
    return data.replace(_line(seal).encode(), _line(_UNSEALED).encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
