"""Networks as denoisers: their contexts, loading, placement and conversion."""
