"""Where a reference points to, and the day and codes that an element tells."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["concept", "day", "number_of_days", "target"]

_TIME = re.compile(r"T([01]\d|2[0-3]):[0-5]\d(:([0-5]\d|60)(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?")
_UNITS: tuple[tuple[tuple[str | None, ...], float], ...] = (
    (("d", "day", "days", None), 1.0),
    (("wk", "week", "weeks"), 7.0),
    (("mo", "month", "months"), 30.4375),
    (("a", "year", "years"), 365.25),
    (("h", "hour", "hours"), 1 / 24),
)
_DAYS_PER_UNIT = {name: days for names, days in _UNITS for name in names}


def target(reference: str | None, kind: str, servers: set[str]) -> str | None:
    """Logical id that a reference to a resource of `kind` points to; None if it points to something else.

    Understands ``Patient/1``, ``Patient/1/_history/2``, ``urn:uuid:...`` and absolute addresses, whose servers are
    added to `servers`.

    Examples
    --------
    >>> target("https://host/fhir/Patient/1/_history/2", "Patient", set()), target("Group/1", "Patient", set())
    ('1', None)
    """
    if reference is None:
        return None
    start, _, place = reference.partition("/")
    if start == kind and "/" not in place:
        return place or None
    if reference.startswith("urn:"):
        return reference.rpartition(":")[2]
    path = reference.partition("/_history/")[0]
    base, _, place = path.rpartition(f"{kind}/")
    if base:
        servers.add(base)
    return place if place and path.endswith(f"{kind}/{place}") and "/" not in place else None


def day(moment: str | None) -> str | None:
    """The local day of a date or dateTime, as written there; a year, a month, or what is no date stays as it is.

    Examples
    --------
    >>> day("2019-01-01T00:30:00+14:00"), day("2019-01"), day("2019-01-01T25:00")
    ('2019-01-01', '2019-01', '2019-01-01T25:00')
    """
    if moment is None or len(moment) <= 10 or not _TIME.fullmatch(moment, 10):
        return moment
    return moment[:10]


def concept(element: dict[str, Any] | None) -> str | None:
    """Codings of a CodeableConcept in one text, ``system|code`` each; None if there is no code."""
    codings = (element or {}).get("coding") or ()
    return "\n".join([f"{c.get('system')}|{c['code']}" for c in codings if c.get("code")]) or None


def number_of_days(duration: dict[str, Any] | None) -> str | None:
    """Days of a Duration, as text; with a unit that has no days, number and unit as they stand there.

    Examples
    --------
    >>> number_of_days({"value": 2, "code": "wk"}), number_of_days({"value": 3, "unit": "strips"})
    ('14', '3 strips')
    """
    value = duration.get("value") if duration else None
    if duration is None or value is None:
        return None
    unit = duration.get("code") or duration.get("unit")
    days = _DAYS_PER_UNIT.get(unit)
    if days is None:
        return f"{value} {unit}"
    return str(value if days == 1 else round(value * days))
