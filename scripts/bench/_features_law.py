"""The peers' common job: groups, of which four lie inside others, and windows in days (None: ever)."""

GROUPS = ["N05A", "N05B", "N05C", "N06A", "N05BA", "N05CF", "N06AB", "N06AX", "C10AA", "A02BC", "N02A", "M01A"]
WINDOWS = [30, 90, 180, 365, 730, 1825, None]
