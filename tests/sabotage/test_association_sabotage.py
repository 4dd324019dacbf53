"""Named breaks of likelihoods, tests, exposure and disclosure; each must make the test that guards it fail."""

from __future__ import annotations

import numpy as np
import pytest

from prodromal.association import clogit as clogit_file
from prodromal.association import (
    conditional_likelihood,
    cox,
    curves,
    decline,
    exposure,
    joint_likelihood,
    margins,
    mixed,
    profile_limits,
    proportionality,
    separation,
)
from prodromal.association.risk_sets import RiskSets
from prodromal.errors import DataError, NotEstimable
from tests.oracle import test_association_definitions as definitions
from tests.oracle import test_association_goldens as goldens
from tests.properties import test_association_exposure as exposures
from tests.properties import test_association_laws as laws
from tests.unit import test_association_bad_input as bad_input
from tests.unit import test_association_disclosure as released


def fails(check, *arguments) -> bool:
    """Also where several examples fail, or where the broken code finds no maximum or refuses its own counts."""
    try:
        check(*arguments)
    except (AssertionError, BaseExceptionGroup, DataError, NotEstimable):
        return True
    return False


def clogit():
    goldens.test_conditional_logistic_regression("infert", "case~spontaneous+induced")


def several():
    goldens.test_conditional_logistic_regression("matched_m_to_n", "case~x1+x2")


def cox_efron():
    goldens.test_cox("veteran", "efron")


def late_entry():
    goldens.test_cox("heart", "efron")


def mixed_reml():
    goldens.test_mixed_model("sleepstudy", "Days+(Days|Subject)", 1)


def windows():
    exposures.test_use_and_its_window_at_every_edge()


def no_small_group():
    released.test_no_small_group_can_be_computed_back(0)


GUARDS = [
    clogit,
    several,
    cox_efron,
    late_entry,
    mixed_reml,
    windows,
    goldens.test_cox_with_strata_and_with_robust_variance,
    definitions.test_pairs_have_closed_forms,
    definitions.test_joint_likelihood_is_the_double_integral,
    definitions.test_firths_limits_are_where_the_penalised_likelihood_of_pairs_has_fallen,
    definitions.test_firths_limits_with_other_terms_are_those_of_a_blind_search,
    laws.test_a_set_is_never_several_groups,
    laws.test_score_and_information_of_the_joint_model,
    bad_input.test_separation_is_a_note_and_the_other_terms_are_estimated_in_the_limit,
    bad_input.test_visits_that_cannot_be,
    no_small_group,
]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda g: g.__name__)
def test_the_guards_pass_on_the_whole_house(guard):
    assert not fails(guard)


def test_strata_ignored(monkeypatch):
    monkeypatch.setattr(
        conditional_likelihood.OneCase, "probabilities", lambda s, b: np.exp(s.X @ b) / np.exp(s.X @ b).sum()
    )
    assert fails(clogit)


def test_recursion_forgets_a_cross_term(monkeypatch):
    right = conditional_likelihood.SeveralCases.derivatives
    monkeypatch.setattr(
        conditional_likelihood.SeveralCases, "derivatives", lambda s, b: (right(s, b)[0], 1.05 * right(s, b)[1])
    )
    assert fails(several)


def test_firth_without_its_half(monkeypatch):
    right = conditional_likelihood.OneCase.third
    monkeypatch.setattr(conditional_likelihood.OneCase, "third", lambda s, b, c: 2 * right(s, b, c))
    assert fails(definitions.test_pairs_have_closed_forms)


def test_limits_at_another_fall(monkeypatch):
    monkeypatch.setattr(profile_limits, "_FALL", 1.92)
    assert fails(definitions.test_firths_limits_are_where_the_penalised_likelihood_of_pairs_has_fallen)


def test_other_terms_not_maximised_over(monkeypatch):
    monkeypatch.setattr(profile_limits, "maximise", lambda value, slopes, names, start: (start, None))
    assert fails(definitions.test_firths_limits_with_other_terms_are_those_of_a_blind_search)


def test_groups_that_split_a_set(monkeypatch):
    split = lambda cluster, rows, strata: np.unique(np.asarray(cluster)[strata.order], return_inverse=True)[1]  # noqa: E731
    monkeypatch.setattr(clogit_file, "_groups", split)
    assert fails(laws.test_a_set_is_never_several_groups)


def test_separation_not_seen(monkeypatch):
    monkeypatch.setattr(separation, "_limits", lambda strata, X: np.zeros(X.shape[1]))
    assert fails(bad_input.test_separation_is_a_note_and_the_other_terms_are_estimated_in_the_limit)


def test_breslow_called_efron(monkeypatch):
    monkeypatch.setattr(cox.PartialLikelihood, "share", property(lambda s: np.zeros(len(s.sets.dead))))
    assert fails(cox_efron)


def test_those_who_enter_on_the_day_of_an_event_are_at_risk_of_it(monkeypatch):
    """The mistake that makes another library's late entries silently wrong."""
    right = RiskSets.of
    early = staticmethod(
        lambda stop, event, start, strata: right(stop, event, np.where(start > 0, start - 0.5, start), strata)
    )
    monkeypatch.setattr(RiskSets, "of", early)
    assert fails(late_entry)


def test_truncation_dropped(monkeypatch):
    monkeypatch.setattr(RiskSets, "sums", lambda s, values: s._down(values[s.by_stop], s.under_stop))
    assert fails(late_entry)


def test_robust_variance_forgets_who_was_at_risk(monkeypatch):
    right = cox.PartialLikelihood._cumulated
    monkeypatch.setattr(cox.PartialLikelihood, "_cumulated", lambda s, values: 0 * right(s, values))
    assert fails(goldens.test_cox_with_strata_and_with_robust_variance)


def test_proportionality_on_another_scale(monkeypatch):
    right = proportionality._scale
    monkeypatch.setattr(proportionality, "_scale", lambda likelihood, transform: right(likelihood, "rank"))
    assert fails(goldens.test_proportionality, "km")


def test_greenwood_without_the_survivors(monkeypatch):
    right = curves._at_risk
    monkeypatch.setattr(curves, "_at_risk", lambda at, stop, start: right(at, stop, start) + 1)
    assert fails(goldens.test_kaplan_meier, 1, "log", "log")


def test_reml_without_its_determinant(monkeypatch):
    right = mixed.ProfiledDeviance.of
    monkeypatch.setattr(mixed.ProfiledDeviance, "of", lambda *a, **k: right(*a, **{**k, "reml": False}))
    assert fails(mixed_reml)


def test_quadrature_that_does_not_adapt(monkeypatch):
    right = joint_likelihood._quadrature
    monkeypatch.setattr(joint_likelihood, "_quadrature", lambda e, h, v, nodes: right(e, h, v, 1))
    assert fails(definitions.test_joint_likelihood_is_the_double_integral)


def test_link_with_its_sign_flipped(monkeypatch):
    right = joint_likelihood.JointLikelihood.score

    def flipped(self, theta):
        score = right(self, theta)
        return np.concatenate([score[:-2], -score[-2:]])

    monkeypatch.setattr(joint_likelihood.JointLikelihood, "score", flipped)
    assert fails(laws.test_score_and_information_of_the_joint_model)


@pytest.mark.parametrize("broken", ["index day included", "window edge", "one is enough", "another class"])
def test_exposure(monkeypatch, broken):
    if broken == "index day included":
        right = exposure.Histories.count_before
        monkeypatch.setattr(exposure.Histories, "count_before", lambda s, n, p, d: right(s, n, p, d + 1))
    elif broken == "window edge":
        monkeypatch.setattr(exposure, "YEAR", 364)
    elif broken == "one is enough":
        monkeypatch.setattr(exposure.Definition, "dispensings", 1)
    else:
        right = exposure.Histories.count_before
        monkeypatch.setattr(exposure.Histories, "count_before", lambda s, n, p, d: right(s, "statins", p, d))
    assert fails(windows)


def test_scores_out_of_range_let_in(monkeypatch):
    monkeypatch.setattr(decline, "_TOP", 100)
    assert fails(bad_input.test_visits_that_cannot_be)


def test_only_small_counts_suppressed(monkeypatch):
    monkeypatch.setattr(margins, "suppress", lambda members, counts, smallest, *_: (counts > 0) & (counts < smallest))
    assert fails(no_small_group)


def test_the_few_by_whom_one_count_exceeds_another_forgotten(monkeypatch):
    none = (np.zeros((0, 0), dtype=bool), np.zeros(0, dtype=np.int64))
    monkeypatch.setattr(margins, "_small_differences", lambda m, *_: (none[0].reshape(0, m.shape[1]), none[1]))
    assert fails(no_small_group)


def test_a_window_taken_for_another(monkeypatch):
    right = margins.People.__init__

    def wrong(self, *, of_population):
        right(self, of_population=of_population)
        self.window = np.where(self.window == "0-1", ">5", self.window)

    monkeypatch.setattr(margins.People, "__init__", wrong)
    assert fails(no_small_group)
