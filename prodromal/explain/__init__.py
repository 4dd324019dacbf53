"""Why a score is what it is: exact contributions and what is made of them."""

from prodromal.explain.dependence import dependence
from prodromal.explain.explanation import By, Explainer, Explanation, explain
from prodromal.explain.importance import importance
from prodromal.explain.interaction import interaction

__all__ = ["By", "Explainer", "Explanation", "dependence", "explain", "importance", "interaction"]
