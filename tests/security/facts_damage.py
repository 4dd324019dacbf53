"""Ways to damage the numbers and the plan of a bundle."""

from __future__ import annotations

import json

import numpy as np

__all__ = ["FACTS", "PLANS", "damaged_facts", "damaged_plan"]

_FALLING = [1.0 - i / 1000 for i in range(1001)]
_ROW = [0.01] * 120
_ENDS = [0, 40, 50, 60, 70, 80, 120]
_NO_SHARES = ([2.0] * 12, [0.1] * 11, "x", None, [0.1, "x"] * 6)


def _share(share) -> dict:
    return {"age_ends": _ENDS, "share": {"N06A": share}}


# Where to put what: each value alone makes a model that must not load.
FACTS = {
    ("slope",): (-0.1, 1e9, "1", None, [], True, 10**30),
    ("log_mean",): ([], [[0.0] * 120], [[0.0] * 119] * 2, [[1e9] * 120] * 2, "x", {"a": 1}),
    ("log_mean", 0, 5): ("0", None, [0.0], 101.0, -1e308),
    ("reference",): (_FALLING, _FALLING[:3], [], [0.0] * 1002, None),
    ("reference", 7): (50.0, "x", None, {}),
    ("outcome",): ({}, None, [], {"name": "ALS"}),
    ("outcome", "horizon_days"): (10**12, -1, 1.5, "5", True, 10, 300),
    ("outcome", "lag_days"): (-1, 10**6, 1e3, None),
    ("outcome", "min_history_days"): (0, -5, 10**9, "1"),
    ("outcome", "name"): (5, None, "x" * 10_001, "ALS\u001b[2J", "a\u202eb"),
    ("outcome", "extra"): (1,),
    ("population", "incidence"): ([_ROW], [_ROW[:-1], _ROW], [[-0.1, *_ROW[1:]], _ROW], [[1.5, *_ROW[1:]], _ROW], None),
    ("population", "mortality"): ([_ROW], [[11.0, *_ROW[1:]], _ROW], [["0", *_ROW[1:]], _ROW], 3),
    ("population", "name"): (None, 3, "x\u0000"),
    ("training",): (None, [], "x"),
    ("training", "warning"): (3, None, ["a"], "x" * 5000, "a\rb"),
    ("training", "age_range"): ([90, 20], [20], [20, 90, 95], "20-90", [-1, 20], [20, 10**6]),
    ("training", "sets"): ("many", -1, 1.5, [1], 10**15),
    ("training", "rows"): (0, -1, None, "many", 1.5),
    ("training", "provenance"): (None, [], "x", {"register": 3}, {"splits": None}, {"splits": "x" * 5000}),
    ("training", "out_of_fold"): ("x", [1], [{"model": "a"}], [{}] * 200),
    ("training", "use"): (3, [], {}, {"age_ends": [0, 1], "share": {}}, {"age_ends": _ENDS}, *map(_share, _NO_SHARES)),
    ("training", "codes"): ("N06AB04", [1], ["N06AB04X"], {"N06AB04": 3}),
    ("training", "settings"): ({}, {"max_depth": 10**9}, 5),
    ("plan_fingerprint",): ("", "0" * 16, None, 5, "../../../../x"),
    ("unknown",): (1,),
}
_TEXTS = (
    b"",
    b"null",
    b"[]",
    b"[" * 100_000,
    b'{"a":' * 5000,
    b"\xff\xfe{\x00}\x00",
    b"\x80\x04",
    b'{"slope": 1, "slope": 1}',
    b"1" * 6000,
)
_NOT_NUMBERS = ("NaN", "Infinity", "-Infinity", "1e400", "-1e999", "1" * 5000)


def damaged_facts(data: bytes, rng) -> bytes:
    """A ``model.json`` that no model can have."""
    kind = rng.integers(8)
    if kind == 0:
        return _TEXTS[rng.integers(len(_TEXTS))]
    if kind == 1:
        word = _NOT_NUMBERS[rng.integers(len(_NOT_NUMBERS))]
        return data.replace(b'"slope": ' + _slope(data), b'"slope": ' + word.encode())
    if kind == 2:
        return _without(data, rng)
    way = list(FACTS)[rng.integers(len(FACTS))]
    return put(data, way, FACTS[way][rng.integers(len(FACTS[way]))])


def put(data: bytes, way: tuple, value) -> bytes:
    """The document with `value` at `way`."""
    document = json.loads(data)
    place = document
    for step in way[:-1]:
        place = place[step]
    place[way[-1]] = value
    return json.dumps(document).encode()


def _slope(data: bytes) -> bytes:
    return data.split(b'"slope": ')[1].split(b",")[0]


def _without(data: bytes, rng) -> bytes:
    document = json.loads(data)
    del document[sorted(document)[rng.integers(len(document))]]
    return json.dumps(document).encode()


PLANS = (
    lambda text: text.replace('"0-90d"', '"0-80d"'),
    lambda text: text.replace('"0-90d"', '"0-99999999999999999999d"'),
    lambda text: text.replace('"0-90d"', f'"0-{"9" * 5000}d"'),
    lambda text: text + "unknown = 1\n",
    lambda text: text.replace("default_days_supply = 30", f"default_days_supply = {10**12}"),
    lambda text: text.replace("min_coverage = 1.0", "min_coverage = nan"),
    lambda text: text.replace("windows = [", "windows = [" + ", ".join(f'"0-{i}d"' for i in range(91, 9000)) + ", "),
    lambda text: text.replace('name = "', 'name = "\\u001b[2J', 1),
    lambda text: "a = " + "[" * 50_000,
    lambda text: "".join(f"[a{'.a' * 400}{i}]\n" for i in range(50)),
    lambda text: text.replace('"N06A"', '"N07XX02"'),
    lambda text: "",
    lambda text: "\x00" * 1000,
    lambda text: "x" * 200_000,
)


def damaged_plan(data: bytes, rng) -> bytes:
    """A ``plan.toml`` that no bundle can have beside its trees."""
    changed = PLANS[rng.integers(len(PLANS))](data.decode()).encode()
    assert changed != data, "the damage did nothing"
    return changed if rng.integers(10) else bytes(np.frombuffer(data, np.uint8) ^ 0x80)
