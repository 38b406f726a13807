"""Many visitors at once against a running service, with faults: ``python -m ssd2_core soak``."""
