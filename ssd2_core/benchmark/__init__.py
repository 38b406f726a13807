"""Speed and memory, measured: ``python -m ssd2_core bench``."""
