"""What the charts are drawn from. The drawing itself is script in the browser; no plotting library here."""

from .theme import HUES_LIGHT, VENDOR

PLOTLY = VENDOR / "plotly-cartesian.min.js"  # plotly.js 4.1.1, MIT, see plotly-LICENSE.txt beside it
DRAW_EVERY = 4
DRAW_EVERY_SMALL = 8


def chart_settings() -> dict:
    """Where the chart's library is served and how often the chart is drawn while a run is live."""
    return {"src": f"/gradio_api/file={PLOTLY}", "every": DRAW_EVERY, "everySmall": DRAW_EVERY_SMALL}


def hue_index(name: str, order: list[str]) -> int:
    """The hue of an expert: 0 for the core, then by its place in the library, so that it never changes on a page."""
    return 0 if name == "core" else 1 + (order.index(name) if name in order else 0) % (len(HUES_LIGHT) - 1)
