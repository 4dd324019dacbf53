"""A register scored part by part: one kernel, a journal of what is done, an account of everyone asked for."""

from prodromal.scoring.account import ScoringAccount
from prodromal.scoring.diagnosed import Diagnosed
from prodromal.scoring.refusal import refuse
from prodromal.scoring.run import drift_beside, score_register
from prodromal.scoring.scorer import Scorer

__all__ = ["Diagnosed", "Scorer", "ScoringAccount", "drift_beside", "refuse", "score_register"]
