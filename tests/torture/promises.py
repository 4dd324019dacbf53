"""The promises, by name: what tries each, how often in the suite, and how often in full."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module

__all__ = ["PROMISES", "Drawn", "Listed", "failures", "few"]


@dataclass(frozen=True)
class Drawn:
    """A promise tried at random."""

    name: str
    few: int
    many: int
    run: Callable[[int, int], tuple[int, int]]

    @property
    def sample(self) -> int:
        """How often ``scripts/torture --quick`` tries it."""
        return max(1, self.few // 100)


@dataclass(frozen=True)
class Listed:
    """A promise that holds for a list of cases, each of them a test; ``quick`` names some behind the first path."""

    name: str
    tests: tuple[str, ...]
    quick: str = ""

    @property
    def sample(self) -> tuple[str, ...]:
        """What ``scripts/torture --quick`` tries of it."""
        return (self.tests[0] + self.quick,)


def _late(module: str, name: str, trials: int, seed: int) -> tuple[int, int]:
    found: tuple[int, int] = getattr(import_module(f"tests.{module}"), name)(trials, seed)
    return found


def _drawn(name: str, few: int, many: int, module: str, function: str) -> Drawn:
    return Drawn(name, few, many, partial(_late, module, function))


def few(name: str) -> int:
    """How often the suite tries a promise."""
    return next(promise.few for promise in PROMISES if isinstance(promise, Drawn) and promise.name == name)


def failures(name: str, *, seed: int = 1) -> int:
    """Of a promise, tried as often as the suite tries it."""
    promise = next(promise for promise in PROMISES if promise.name == name)
    assert isinstance(promise, Drawn)
    trials, failed = promise.run(promise.few, seed)
    assert trials >= promise.few
    return failed


_FORMATS = ("csv", "parquet", "fhir", "omop", "meds")

PROMISES: tuple[Drawn | Listed, ...] = (
    _drawn("killed_run_loses_nothing", 20, 200, "torture.running", "killed_runs"),
    _drawn("killed_ingest_loses_nothing", 8, 100, "torture.running", "killed_ingests"),
    _drawn("full_disk_corrupts_nothing", 5, 40, "torture.running", "full_disk"),
    _drawn("two_writers_cannot_mix", 3, 20, "torture.running", "two_writers"),
    Listed("every_row_accounted_for", ("tests/unit/test_ingest_relation.py", "tests/unit/test_ingest.py")),
    *(_drawn(f"malformed_{form}", 300, 2_000, "torture.malformed", f"malformed_{form}") for form in _FORMATS),
    Listed("clinical_dates_decided", ("tests/unit/test_clinical_dates.py",), "::test_dates_of_people"),
    _drawn("future_cannot_leak", 1_000, 10_000, "torture.identical", "future_cannot_leak"),
    _drawn("scoring_identical", 12, 36, "torture.identical", "scoring_is_identical"),
    _drawn("training_identical", 5, 20, "torture.training", "training_is_identical"),
    _drawn("memory_bounded", 1, 3, "torture.memory", "memory_is_bounded"),
    _drawn("flipped_bit_in_bundle_refused", 500, 500, "security.drivers", "flipped_bits"),
    _drawn("foreign_file_in_bundle_refused", 100, 500, "security.drivers", "foreign_files"),
    _drawn("hostile_bundle_does_nothing", 200, 2_000, "security.drivers", "hostile_bundles"),
    _drawn("mutated_model_crashes_nothing", 200, 2_000, "security.drivers", "mutated_models"),
    Listed("signature_required", ("tests/security/test_signature.py", "tests/security/test_require_signature.py")),
    Listed("ids_never_leak", ("tests/security/test_ids_stay.py",), "::test_the_search_finds_a_canary_in_every_form"),
    _drawn("small_cells_in_sums", 100, 1_000, "security.disclosure", "attacked_sums"),
    _drawn("small_cells_in_evaluations", 10, 200, "security.disclosure", "attacked_evaluations"),
    _drawn("small_cells_in_bundles", 20, 300, "security.disclosure", "attacked_use"),
    _drawn("small_cells_in_studies", 6, 300, "security.disclosure", "attacked_studies"),
    Listed("no_foreign_script_runs", ("tests/browser",), "/test_page_in_chromium.py"),
    _drawn("explanations_add_up", 1_000, 10_000, "torture.explained", "explanations_add_up"),
    _drawn("intervals_cover", 20, 400, "torture.coverage", "intervals_cover"),
    Listed(
        "statistics_right",
        (
            "tests/oracle/test_conditional.py",
            "tests/oracle/test_association_goldens.py",
            "tests/oracle/test_evaluate_goldens.py",
            "tests/recovery/test_quality_cohort.py",
            "tests/recovery/test_whole_job.py",
        ),
    ),
    Listed("tests_can_fail", ("tests/sabotage",), "/test_features.py"),
    Listed(
        "nothing_phones_home", ("tests/security/test_nothing_phones_home.py",), "::test_no_dependency_reports_to_anyone"
    ),
)
