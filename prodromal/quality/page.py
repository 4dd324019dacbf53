"""The page of a register's quality: what was read, who is in it, and where it is thin."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

from prodromal.page import (
    Page,
    Section,
    count,
    details,
    figure,
    join,
    number,
    paragraph,
    percent,
    rounded,
    strip,
    table,
)
from prodromal.quality.charts import Series, draw_months, draw_panels, draw_pyramid
from prodromal.quality.release import PROFILE
from prodromal.quality.tally import OTHER
from prodromal.register.gaps import LEAST_EXPECTED, LOW_SHARE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from markupsafe import Markup

    from prodromal.quality.compute import Quality

__all__ = ["quality_page"]

_SUPPRESSED = "suppressed"
_MUCH_MISSING = 0.2


def quality_page(released: Quality, provenance: Mapping[str, str]) -> Page:
    """Put the tables of a register's quality on a page.

    Parameters
    ----------
    released : Quality
        As `release` gives it: small counts suppressed.
    provenance : mapping of str to str
        Facts for the footer.
    """
    tables, facts = released.tables, released.facts
    over_time = (
        [_years(tables), _classes(tables["classes"]), _gaps(tables["months"])] if facts["dispensings"] != 0 else []
    )
    sections = [
        _account(tables),
        *over_time,
        _values(tables),
        _ages(tables["ages"], facts),
        _codes(tables, facts),
    ]
    return Page(
        title="The quality of a register of dispensed medicines",
        kicker="Simulated people." if facts["simulated"] else "What was read, who is in it, and where it is thin",
        lead=_lead(tables, facts),
        caution=paragraph(
            "A clean page does not make a register complete: what was never delivered leaves no trace. "
            f"Profile {PROFILE.name}: counts from 1 to {PROFILE.smallest - 1}, and whatever would reveal them by "
            "subtraction, are suppressed. No person's id or row is shown."
        ),
        sections=sections,
        provenance=provenance,
    )


def _lead(tables: Mapping[str, pd.DataFrame], facts: Mapping[str, Any]) -> Markup:
    account, gaps = tables["account"], int(tables["months"]["gap"].sum())
    read, rejected = account.loc[account["table"] == "dispensings", ["read", "rejected"]].sum(skipna=False)
    lost = 0.0 if read and rejected == 0 else rejected / read if read else float("nan")
    unseen = _SUPPRESSED if isnan(read) or isnan(rejected) else "unknown"
    if facts["dispensings"] == 0:
        return paragraph(f"There are no dispensings of {_counted(facts['people'])} people.")
    asked = (
        f"{_counted(facts['people'])} people and {_counted(facts['dispensings'])} dispensings from "
        f"{facts['first_month']} to {facts['last_month']}; {_counted(facts['people_with_dispensings'])} people have a "
        "dispensing."
    )
    ddd = tables["values"].set_index("column")["missing_share"]["ddd"]
    numbers = [
        number(unseen if isnan(lost) else _share(lost), "of the dispensings read were rejected", aside="reasons below"),
        number(str(gaps), "months far below their neighbours", aside=_listed_gaps(tables["months"])),
        number(_share(ddd), "of the dispensings have no defined daily doses"),
    ]
    return join([paragraph(asked[0].upper() + asked[1:]), strip(numbers)])


def _share(value: float) -> str:
    return "unknown" if isnan(value) else "0 %" if value == 0 else percent(value)


def _listed_gaps(months: pd.DataFrame) -> str:
    found = months.loc[months["gap"], "month"].tolist()
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")


def _account(tables: Mapping[str, pd.DataFrame]) -> Section:
    headings = {"left_out": "left out", "rows": "rows"}
    formats = dict.fromkeys(["read", "kept", "duplicate", "rejected", "left_out"], count)
    words = "Rows read and added are kept, repeat another, are rejected for a reason, or deliberately left out."
    whole = _captioned(
        words,
        tables["account"],
        headings=headings,
        formats=formats,
        missing=_SUPPRESSED,
    )
    reasons = tables["reasons"].assign(reason=tables["reasons"]["reason"].str.replace("_", " "))
    by_reason = table(reasons, headings={"what": "what became"}, formats={"rows": count}, missing=_SUPPRESSED)
    parts = [whole, details("Reasons", by_reason)] if len(reasons) else [whole]
    return Section("account", "Every row that was read is accounted for", join(parts), "Account")


def _captioned(words: str, frame: pd.DataFrame, **options: Any) -> Markup:
    """A table under words that do not scroll with it."""
    return join([paragraph(words), table(frame, **options)])


def _years(tables: Mapping[str, pd.DataFrame]) -> Section:
    years = tables["years"]
    at = years["year"].tolist()
    series = [
        Series("People under observation", at, years["people"].tolist(), _last(years["people"], "in the last year")),
        Series("Dispensings", at, years["dispensings"].tolist(), _last(years["dispensings"], "in the last year")),
        Series(
            "Dispensings per person-year",
            at,
            years["per_person_year"].tolist(),
            _last(years["per_person_year"], "in the last year", rounded),
            rounded,
        ),
    ]
    drawing = figure(
        draw_panels(series),
        "Each line runs from zero to its highest value. The first and the last year are often not whole.",
        "; ".join(f"{one.title}: {one.last}" for one in series),
    )
    formats = dict.fromkeys(("people", "person_years", "dispensings"), count)
    listed = table(
        years.astype({"year": str}),
        headings={"person_years": "person-years", "per_person_year": "dispensings per person-year"},
        formats={**formats, "per_person_year": rounded},
        missing=_SUPPRESSED,
    )
    return Section("years", "People and dispensings by year", join([drawing, details("Numbers", listed)]), "Years")


def _last(values: pd.Series, words: str, write: Any = count) -> str:
    value = float(values.iloc[-1]) if len(values) else float("nan")
    return f"last value {_SUPPRESSED}" if isnan(value) else f"{write(value)} {words}"


def _classes(classes: pd.DataFrame) -> Section:
    series = [
        Series(
            str(name),
            part["year"].tolist(),
            part["per_1000_person_years"].tolist(),
            _last(part["per_1000_person_years"], "per 1,000 person-years", rounded),
            rounded,
        )
        for name, part in classes.groupby("class", sort=False)
    ]
    drawing = figure(
        draw_panels(series),
        "Dispensings per 1,000 person-years of observation, each class on its own scale from zero. A step that all "
        "classes share is a step of the register, not of prescribing.",
        "; ".join(f"{one.title}: {one.last}" for one in series),
    )
    wide = classes.pivot_table(index="year", columns="class", values="dispensings", sort=False, dropna=False)
    wide = wide.reset_index().astype({"year": str})
    listed = table(wide, formats=dict.fromkeys(wide.columns[1:], count), missing=_SUPPRESSED)
    html = join([drawing, details("Dispensings by year and class", listed)])
    return Section("classes", "Dispensings by year and class", html, "Classes")


def _gaps(months: pd.DataFrame) -> Section:
    found = months[months["gap"]]
    what = (
        "No month falls far below its neighbours" if found.empty else f"{_months(len(found))} far below the neighbours"
    )
    drawing = figure(
        draw_months(months["month"].tolist(), months["dispensings"].tolist(), months["gap"].tolist()),
        f"Dispensings by month; the first and the last, seldom whole, are left out. A month is marked where it has "
        f"less than {LOW_SHARE:.0%} of what the median rate of the six months before and after it lets expect, if at "
        f"least {LEAST_EXPECTED:.0f} are expected.",
        f"Dispensings by month. {what}: {', '.join(found['month']) or 'none'}.",
    )
    parts = [drawing]
    if not found.empty:
        shown = found[["month", "dispensings", "expected"]]
        parts.append(table(shown, formats={"dispensings": count, "expected": count}, missing=_SUPPRESSED))
    return Section("gaps", what, join(parts), "Gaps")


def _months(n: int) -> str:
    return "One month falls" if n == 1 else f"{n} months fall"


def _values(tables: Mapping[str, pd.DataFrame]) -> Section:
    values = tables["values"]
    much = values.loc[values["missing_share"] > _MUCH_MISSING, "column"].tolist()
    title = f"Much is missing: {', '.join(much).replace('_', ' ')}" if much else "Few values are missing"
    listed = _captioned(
        "Quantiles of the values above zero, to 1 %.",
        values.assign(column=values["column"].str.replace("_", " ")),
        headings={"missing_share": "missing", "p1": "1 % below", "p50": "median", "p99": "1 % above"},
        formats={
            "missing_share": _share,
            "zero": count,
            "given": count,
            "p1": _roughly,
            "p50": _roughly,
            "p99": _roughly,
        },
        missing="none",
    )
    repaired = tables["reasons"].query("what == 'repaired'")
    words = "Values out of a plausible range, and dates known by their year only, were repaired or made missing."
    reasons = repaired.assign(reason=repaired["reason"].str.replace("_", " "))[["table", "reason", "rows"]]
    extra = [paragraph(words), table(reasons, formats={"rows": count}, missing=_SUPPRESSED)] if len(repaired) else []
    return Section("values", title, join([listed, *extra]), "Values")


def _roughly(value: float) -> str:
    return rounded(value, 2)


def _ages(ages: pd.DataFrame, facts: Mapping[str, Any]) -> Section:
    wide = ages.pivot_table(index="age", columns="sex", values="people", sort=False, dropna=False)
    drawing = figure(
        draw_pyramid(wide.index.tolist(), wide["M"].tolist(), wide["F"].tolist()),
        f"People under observation on {facts['reference_day']}.",
        "; ".join(f"{age}: men {_people(men)}, women {_people(women)}" for age, men, women in _pairs(wide)),
    )
    unknown = float(wide["U"].sum(skipna=False))
    note = "" if unknown == 0 else f"Of known age and unknown sex: {_people(unknown)}."
    return Section("ages", "People by age and sex", join([drawing, paragraph(note)] if note else [drawing]), "Ages")


def _pairs(wide: pd.DataFrame) -> list[tuple[str, float, float]]:
    return list(zip(wide.index.tolist(), wide["M"].tolist(), wide["F"].tolist(), strict=True))


def _people(value: float) -> str:
    return _SUPPRESSED if isnan(value) else count(value)


def _counted(number: int | None) -> str:
    return "a suppressed number of" if number is None else count(number)


def _codes(tables: Mapping[str, pd.DataFrame], facts: Mapping[str, Any]) -> Section:
    coverage, uncovered = tables["coverage"], tables["uncovered"]
    other = coverage.set_index("class")["share"][OTHER]
    title = f"{_share(1 - other)} of the dispensings belong to a class of the plan '{facts['plan']}'"
    formats = {"dispensings": count, "share": _share, "codes": count, "people": count}
    first = table(coverage[["class", "dispensings", "share", "codes"]], formats=formats, missing=_SUPPRESSED)
    caption = (
        "The commonest codes that no class of the plan has; codes that treat ALS or its late symptoms are among them."
    )
    second = _captioned(caption, uncovered, headings={"atc": "ATC code"}, formats=formats, missing=_SUPPRESSED)
    return Section("codes", title, join([first, details("Codes outside the plan", second)]), "Codes")
