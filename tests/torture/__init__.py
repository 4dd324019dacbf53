"""Drivers of the promises about running: each does so many trials and gives ``(trials, failures)``."""
