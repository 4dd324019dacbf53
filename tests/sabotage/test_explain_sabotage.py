"""Each of these breaks makes a test of explanations fail that passes without it."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

from prodromal.explain import By, Explanation, explain
from prodromal.page import shell
from tests.oracle.test_explain_interactions import booster, summed
from tests.unit.test_explain_summary import test_intervals_cover_the_mean_about_as_often_as_they_say as coverage
from tests.unit.test_explain_summary import test_rows_of_a_family_are_drawn_together as families
from tests.unit.test_explain_summary import test_small_cells_are_hidden_and_cannot_be_told_from_the_total as small_cells
from tests.unit.test_page import test_a_page_admits_its_own_script_by_hash_and_no_other as hash_of_the_script
from tests.unit.test_page import test_hostile_text_in_a_list_stays_text as hostile_list

interaction = import_module("prodromal.explain.interaction")
dependence = import_module("prodromal.explain.dependence")
resample = import_module("prodromal.explain.resample")
listing = import_module("prodromal.page.listing")


def compare_with_the_library():
    import xgboost

    model, rows = booster(3)
    columns = [0, 0, 1, 1, 2, 2]
    library = model.predict(xgboost.DMatrix(rows, nthread=1), pred_interactions=True)[:, :-1, :-1].astype(np.float64)
    found = interaction.group_interactions(model, rows, np.asarray(columns))
    np.testing.assert_allclose(found, summed(library, columns), atol=1e-4)


def missing_goes_right(monkeypatch):
    real = interaction.read_forest

    def read(model):
        from dataclasses import replace

        forest = real(model)
        return replace(forest, default_left=np.zeros_like(forest.default_left))

    monkeypatch.setattr(interaction, "read_forest", read)


def covers_ignored(monkeypatch):
    real = interaction._leaf

    def leaf(forest, node, path):
        from dataclasses import replace

        made = real(forest, node, path)
        return replace(made, share=np.full_like(made.share, 0.5))

    monkeypatch.setattr(interaction, "_leaf", leaf)


def one_weight_for_all_sizes(monkeypatch):
    monkeypatch.setattr(interaction, "factorial", lambda n: 1)


def pairs_counted_once(monkeypatch):
    real = interaction._index
    monkeypatch.setattr(interaction, "_index", lambda *given: real(*given) / 2)


@pytest.mark.parametrize(
    "break_",
    [missing_goes_right, covers_ignored, one_weight_for_all_sizes, pairs_counted_once],
    ids=lambda f: f.__name__,
)
def test_a_break_of_the_interactions_is_seen(break_, monkeypatch):
    compare_with_the_library()
    break_(monkeypatch)
    with pytest.raises(AssertionError):
        compare_with_the_library()


def test_rows_drawn_without_their_families_are_seen(monkeypatch):
    families()
    monkeypatch.setattr(resample, "_numbered", lambda groups, rows: (np.arange(rows), rows))
    with pytest.raises(AssertionError):
        families()


def test_intervals_of_rows_instead_of_families_are_seen(monkeypatch):
    monkeypatch.setattr(resample, "_numbered", lambda groups, rows: (np.arange(rows), rows))
    with pytest.raises(AssertionError):
        coverage()


def test_a_small_cell_that_can_be_told_from_the_total_is_seen(monkeypatch):
    from tests.unit import test_explain_summary as tests

    small_cells([100, 50, 3], [True, False, False])
    monkeypatch.setattr(tests, "_shown", lambda people: people >= dependence.SMALLEST_CELL)
    with pytest.raises(AssertionError):
        small_cells([100, 50, 3], [True, False, False])


def test_explanations_that_do_not_add_up_are_refused(world):
    from prodromal.errors import DataError

    found = explain(world.model, world.matrix.take(np.arange(20)), world.register.persons)
    values = found.values.copy()
    values[3, 1] += 2e-4
    with pytest.raises(DataError, match="1 of 20 explanations do not add up"):
        Explanation(values, found.base, found.labels, found.score, found.matrix, By.CLASS)


def test_a_list_that_does_not_escape_is_seen(monkeypatch):
    from markupsafe import Markup

    text = "<img src='https://x.invalid/a.png'>"
    hostile_list(text)
    monkeypatch.setattr(
        listing, "_cells", lambda columns, row: Markup("").join(Markup(f"<td>{cell.text}</td>") for cell in row)
    )
    with pytest.raises(AssertionError, match="opened or closed a tag"):
        hostile_list(text)


def test_a_policy_that_admits_any_script_is_seen(monkeypatch):
    hash_of_the_script()
    monkeypatch.setattr(shell, "_policy", lambda script: f"{shell.POLICY}; script-src 'unsafe-inline'")
    with pytest.raises(AssertionError):
        hash_of_the_script()
