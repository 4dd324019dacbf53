"""What a register is made of and where it is thin: tables, and the page that shows them."""

from prodromal.quality.compute import Quality, compute_quality
from prodromal.quality.page import quality_page
from prodromal.quality.release import release

__all__ = ["Quality", "compute_quality", "quality_page", "release"]
