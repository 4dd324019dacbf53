"""What can be measured: names, units and sentences. Their meaning is in ``reference``, their speed in ``kernels``."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["PERSON_MEASURES", "SINCE_MEASURES", "WINDOW_MEASURES", "Measure"]


@dataclass(frozen=True)
class Measure:
    """A measure: its name, unit, and a sentence with ``{group}`` and ``{window}`` to fill in."""

    name: str
    unit: str
    sentence: str


def _registry(*measures: Measure) -> MappingProxyType[str, Measure]:
    return MappingProxyType({measure.name: measure for measure in measures})


# Per group and window, in the order of the kernel's slots.
WINDOW_MEASURES = _registry(
    Measure("count", "dispensings", "Dispensings of {group} {window} before the index date"),
    Measure(
        "recurrent", "0 or 1", "Whether there were two or more dispensings of {group} {window} before the index date"
    ),
    Measure("ddd", "DDDs", "Defined daily doses of {group} dispensed {window} before the index date"),
    Measure("days_covered", "days", "Days with a supply of {group} {window} before the index date"),
    Measure(
        "initiated",
        "0 or 1",
        "Whether the first dispensing of {group} came {window} before the index date, after an observed washout",
    ),
    Measure("substances", "substances", "Different substances of {group} dispensed {window} before the index date"),
    Measure("switches", "switches", "Changes of substance within {group} {window} before the index date"),
)

# Per group, over all days before the index date.
SINCE_MEASURES = _registry(
    Measure("days_since_last", "days", "Days from the last dispensing of {group} to the index date"),
    Measure("days_since_first", "days", "Days from the first dispensing of {group} to the index date"),
    Measure(
        "ever_recurrent",
        "0 or 1",
        "Whether there were two or more dispensings of {group} in all that was seen before the index date",
    ),
)

PERSON_MEASURES = _registry(
    Measure("age_years", "years", "Whole years of age on the index date"),
    Measure("sex", "0 = M, 1 = F", "Sex; missing if unknown"),
    Measure("observed_years", "years", "Whole years (of 365 days) observed before the index date"),
)
