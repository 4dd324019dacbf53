"""What the index study printed, to stand beside a user's own numbers: Chourpiliadis et al., JAMA Netw Open 2025."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HAZARD_RATIOS", "ODDS_RATIOS", "SOURCE", "Published"]

SOURCE = (
    "Chourpiliadis et al., JAMA Network Open 2025;8(6):e2514437 (Sweden, 1,057 cases). Figures as reported in the "
    "press and in secondary summaries; those not seen there are left empty."
)


@dataclass(frozen=True)
class Published:
    """A ratio with its 95 % limits; NaN where none was found."""

    estimate: float
    low: float = float("nan")
    high: float = float("nan")


ODDS_RATIOS = {
    ("anxiolytics", ">1"): Published(1.34, 1.12, 1.60),
    ("hypnotics", ">1"): Published(1.21, 1.02, 1.43),
    ("antidepressants", ">1"): Published(1.26, 1.06, 1.49),
    ("hypnotics", "0-1"): Published(6.10, 3.77, 9.88),
    ("anxiolytics", ">1-5"): Published(1.60, 1.15, 2.23),
    ("antidepressants", ">5"): Published(1.21, 1.02, 1.44),
}
HAZARD_RATIOS = {
    "anxiolytics": Published(1.52, 1.12, 2.05),
    "hypnotics": Published(1.23),
    "antidepressants": Published(1.72, 1.30, 2.29),
}
