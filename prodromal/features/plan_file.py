"""The TOML form of a plan: strict keys, and errors that name the line."""

from __future__ import annotations

import re
import tomllib
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from prodromal.atc import AtcGroup
from prodromal.errors import DefinitionError
from prodromal.features.plan import FeaturePlan
from prodromal.windows import Window

__all__ = ["parse_plan"]

_Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[\w -]+$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Group(_Strict):
    name: _Name
    atc: list[str]
    label: str | None = None
    family: str | None = None


class _Document(_Strict):
    name: str
    groups: list[_Group] = []
    windows: list[str] = []
    measures: list[str] = []
    since: list[str] = []
    person: list[str] = []
    min_coverage: float = 1.0
    default_days_supply: int = 30
    washout_days: int = 365
    allow_leaky: bool = False


def parse_plan(text: str, where: str) -> FeaturePlan:
    """Read a plan from TOML text.

    Raises
    ------
    DefinitionError
        Naming the file and, where it can be told, the line.
    """
    content = _toml(text, where)
    try:
        document = _Document.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = first["loc"]
        why = _unknown(path) if first["type"] == "extra_forbidden" else f"{_dotted(path)}: {first['msg']}"
        raise DefinitionError(f"{where}, line {_line(text, path)}: {why}") from error
    groups = tuple(
        _at(text, where, ("groups", i), lambda g=g: _group(g, document)) for i, g in enumerate(document.groups)
    )
    windows = tuple(
        _at(text, where, ("windows", i), lambda w=w: Window.parse(w)) for i, w in enumerate(document.windows)
    )
    _refuse_repeated(text, where, "groups", [group.name for group in groups])
    _refuse_repeated(text, where, "windows", [window.name for window in windows])
    try:
        return FeaturePlan(
            document.name,
            groups,
            windows,
            tuple(document.measures),
            tuple(document.since),
            tuple(document.person),
            document.min_coverage,
            document.default_days_supply,
            document.washout_days,
        )
    except DefinitionError as error:
        word = re.match(r"unknown (\w+) '([^']*)'|(\w+) is ", str(error))
        key = (word[1] or word[3]).replace("measure", "measures") if word else "name"
        raise DefinitionError(
            f"{where}, line {_line(text, (key.replace('measuress', 'measures'),))}: {error}"
        ) from error


def _toml(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(f"{where} is not TOML: {error}") from error
    except (ValueError, RecursionError):
        raise DefinitionError(f"{where} has a number that is too long, or nests too deeply") from None


def _group(group: _Group, document: _Document) -> AtcGroup:
    label = group.label or group.name
    return AtcGroup(group.name, label, tuple(group.atc), group.family or label, document.allow_leaky)


def _at(text: str, where: str, path: tuple[str | int, ...], make: Any) -> Any:
    try:
        return make()
    except DefinitionError as error:
        raise DefinitionError(f"{where}, line {_line(text, path)}: {error}") from error


def _refuse_repeated(text: str, where: str, key: str, names: list[str]) -> None:
    for position, name in enumerate(names):
        if name in names[:position]:
            raise DefinitionError(f"{where}, line {_line(text, (key, position))}: '{name}' stands twice in {key}")


def _unknown(path: tuple[str | int, ...]) -> str:
    """Say that a key is not known, and which it may have been meant for."""
    model, key = (_Document if len(path) == 1 else _Group), str(path[-1])
    near = get_close_matches(key, model.model_fields, n=1)
    known = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(model.model_fields)}"
    return f"unknown key '{key}'; {known}"


def _dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(str(step + 1 if isinstance(step, int) else step) for step in path) or "plan"


def _line(text: str, path: tuple[str | int, ...]) -> int:
    """Line (from 1) where the value at `path` stands: the table header, key or array item that is found last."""
    lines = text.splitlines()
    start = 0
    match path:
        case ("groups", int(position), *rest):
            headers = [i for i, line in enumerate(lines) if line.strip().startswith("[[groups]]")]
            start = headers[position] if position < len(headers) else 0
            keys = [str(step) for step in rest if isinstance(step, str)]
        case (str(key), int(position), *_):
            at = _find(lines, key, 0)
            return _item(lines, at, position) + 1
        case _:
            keys = [str(step) for step in path if isinstance(step, str)]
    return (_find(lines, keys[0], start) if keys else start) + 1


def _find(lines: list[str], key: str, start: int) -> int:
    pattern = re.compile(rf"\s*{re.escape(key)}\s*=")
    return next((i for i in range(start, len(lines)) if pattern.match(lines[i])), start)


def _item(lines: list[str], start: int, position: int) -> int:
    """Line of the array item at `position` of the array that begins at line `start`."""
    seen = -1
    for number in range(start, len(lines)):
        seen += len(re.findall(r'"[^"]*"|\'[^\']*\'', lines[number]))
        if seen >= position:
            return number
    return start
