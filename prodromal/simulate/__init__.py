"""A synthetic register whose truth is known, and the best score that any model of it can have."""

from prodromal.simulate.config import SCENARIOS, SimulationConfig
from prodromal.simulate.oracle import oracle
from prodromal.simulate.run import SimulationSummary, simulate

__all__ = ["SCENARIOS", "SimulationConfig", "SimulationSummary", "oracle", "simulate"]
