"""The largest contributions in words, said the plain way beside the fast one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from prodromal.explain import reasons

LABELS = ("Anxiolytics", "Hypnotics", "Antidepressants", "Others")


def plainly(row, k):
    order = sorted(range(len(row)), key=lambda i: -abs(row[i]))[:k]
    return [f"{LABELS[i]} x {np.rint(math.exp(row[i]) * 100) / 100:.2f}" if abs(row[i]) >= 0.005 else "" for i in order]


@pytest.mark.parametrize("most_keys", [1 << 20, 0], ids=["marked", "sorted"])
@pytest.mark.parametrize("scale", [0.0, 0.003, 0.2, 3.0])
def test_the_fast_way_says_what_the_plain_way_says(monkeypatch, most_keys, scale):
    monkeypatch.setattr(reasons, "_MOST_KEYS", most_keys)
    values = np.random.default_rng(1).normal(0, scale, (500, len(LABELS)))
    found = [texts[places] for texts, places in reasons.top_reasons(values, LABELS, 3)]
    assert np.column_stack(found).tolist() == [plainly(row, 3) for row in values]


def test_enormous_contributions_are_told_too():
    ((texts, places),) = reasons.top_reasons(np.array([[800.0, 0.0], [-800.0, 0.0]]), LABELS[:2], 1)
    assert texts[places].tolist() == ["Anxiolytics x 10686474581524.46", "Anxiolytics x 0.00"]
