"""Trains draft masks for a causal LM (models/drafts.py): what it writes stays the same, in fewer passes."""
