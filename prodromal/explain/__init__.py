"""Why a score is what it is: exact contributions and what is made of them."""

from prodromal.explain.explanation import By, Explainer, Explanation, explain

__all__ = ["By", "Explainer", "Explanation", "explain"]
