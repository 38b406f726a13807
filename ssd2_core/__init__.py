"""SSD-2 Studio: a large and small diffusion language models write one answer together.

``from ssd2_core import load, generate, Ensemble``: names are imported when first used, so that the page stays without torch.
"""

from importlib import import_module

_HOME = {"load": "models.loading", "generate": "diffusion.sampling", "describe": "diffusion.describe",
         "Ensemble": "diffusion.ensemble",
         "EnsembleParams": "config", "SamplingParams": "config", "SSD2Model": "models.ssd2", "SSD2Config": "models.ssd2",
         "load_trace": "protocol.traces"}
__all__ = list(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'ssd2_core' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
