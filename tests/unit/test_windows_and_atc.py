"""Windows and codes say what they are and refuse what they cannot be."""

from __future__ import annotations

import pytest

from prodromal.atc import AtcGroup, clean, is_leaky, level
from prodromal.errors import DefinitionError
from prodromal.windows import Window, tile


@pytest.mark.parametrize("bounds", [(0, 5), (-3, 5), (5, 5), (9, 2)])
def test_a_window_never_holds_the_index_date_nor_nothing(bounds):
    with pytest.raises(DefinitionError, match="days before the index date"):
        Window(*bounds)


@pytest.mark.parametrize("name", ["0-90d", "90-365d", "365-730d"])
def test_names_are_read_back(name):
    assert Window.parse(name).name == name


def test_a_year_is_365_days():
    assert Window.parse("1-2y") == Window(366, 731)
    assert Window.parse("1-2y").label == "1-2 years"


@pytest.mark.parametrize("name", ["90", "0-90", "-1-5d", "90-0d", "5-5d", "0-1m", ""])
def test_other_names_are_refused(name):
    with pytest.raises(DefinitionError, match="window"):
        Window.parse(name)


def test_tiles_touch_and_do_not_overlap():
    windows = tile(0, 90, 365, 730)
    covered = [day for window in windows for day in range(window.from_days, window.to_days)]
    assert covered == list(range(1, 731))


@pytest.mark.parametrize(
    ("raw", "repaired"),
    [
        ("n06ab04", "N06AB04"),
        (" N06 AB 04\t", "N06AB04"),
        ("N", "N"),
        ("N06", "N06"),
        ("N06A", "N06A"),
        ("N06AB", "N06AB"),
    ],
)
def test_case_and_blanks_are_repaired(raw, repaired):
    assert clean(raw) == repaired


@pytest.mark.parametrize("raw", ["", "N0", "N06AB4", "N06AB041", "6N", "N06-AB", "NØ6A", "N٠٦A"])
def test_what_is_no_code_is_not_guessed(raw):
    assert clean(raw) is None


def test_levels():
    assert [level(code) for code in ("N", "N06", "N06A", "N06AB", "N06AB04")] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("code", ["N07XX02", "N02A", "N02AA01", "M03BX01", "N05CD08", "N06AA09"])
def test_a_group_that_names_a_leaky_code_is_refused(code):
    with pytest.raises(DefinitionError, match="treats ALS"):
        AtcGroup("g", "g", (code,), "g")
    assert AtcGroup("g", "g", (code,), "g", allow_leaky=True).matches(code)


def test_leaky_codes_are_carved_out_of_wider_groups():
    group = AtcGroup("N06A", "antidepressants", ("N06A",), "Antidepressants")
    assert group.matches("N06AA10")
    assert not group.matches("N06AA09")
    assert group.carved_out == ("N06AA09",)
    assert is_leaky("N07XX02")
    assert not is_leaky("N07XX")
