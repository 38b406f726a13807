"""How good answers are: metrics, the runs that are measured, the baseline."""
