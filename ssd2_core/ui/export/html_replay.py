"""A finished run as one HTML file that opens from a disk: the viewer's own script, template and style, and the run as data.

The file makes no request. Texts stand in it as escaped JSON, which the script writes as text, and as escaped HTML.
"""

import html
from string import Template

from ...protocol.frames import Frame
from .. import script_words, strings
from ..components.download import embedded
from ..components.viewer import TEMPLATE, stored
from ..scripts import bundle
from ..theme import VIEWER_SHEETS, asset, chart_settings, hue_variables, theme

VARIABLES = ("body_background_fill", "body_text_color", "body_text_color_subdued", "background_fill_primary",
             "background_fill_secondary", "block_background_fill", "block_border_color", "border_color_primary",
             "input_background_fill", "input_border_color", "button_primary_background_fill", "button_primary_text_color",
             "button_secondary_background_fill")


def replay(frames: list[Frame], about: dict, titles: dict[str, str], order: list[str]) -> str:
    """The whole file. titles, order: of the experts that are known here."""
    message = stored("replay", frames, about, titles, order)
    props = {"value": message, "words": script_words.VIEWER, "chart": {**chart_settings(), "src": ""}}
    return Template(asset("templates/replay.html")).substitute(
        title=html.escape(strings.REPLAY_TITLE), tagline=html.escape(strings.REPLAY_TAGLINE),
        style=variables() + hue_variables() + "".join(asset(f"styles/{name}.css") for name in (*VIEWER_SHEETS, "replay")),
        template=TEMPLATE, prompt=html.escape(about.get("prompt", "")),
        answer=html.escape(about.get("answer", "")),
        how=html.escape(strings.REPLAY_HOW), facts=facts_html(about, titles), data=embedded(props), script=bundle("viewer"))


def variables() -> str:
    """The page's colours and font under the names that the viewer's style uses, one set per theme."""
    made = theme()
    name = lambda variable: "--" + variable.replace("_", "-")  # noqa: E731
    light = "".join(f"{name(v)}:{getattr(made, v)};" for v in VARIABLES)
    dark = "".join(f"{name(v)}:{getattr(made, v + '_dark')};" for v in VARIABLES if getattr(made, v + "_dark", None))
    return f":root{{--font:ui-sans-serif,system-ui,sans-serif;--font-mono:ui-monospace,monospace;{light}}}.dark{{{dark}}}"


def facts_html(about: dict, titles: dict[str, str]) -> str:
    """Experts, settings and answer of a run, and the documents where the trace has them."""
    known, settings = {**titles, **about.get("titles", {})}, about.get("settings", {})
    ensemble = settings.get("ensemble", {})
    rows = [("experts", ", ".join(known.get(name, name) for name in about.get("experts", ()))),
            ("weights", ", ".join(f"{known.get(name, name)} {weight:g}" for name, weight in ensemble.get("lam", {}).items())),
            *(("rule" if name == "weights" else name, str(value)) for name, value in ensemble.items() if name != "lam"),
            *((name, str(value)) for name, value in settings.get("sampling", {}).items()),
            ("answer", about.get("answer", "")),
            *((document["name"], document["text"]) for document in about.get("documents", ())
              if isinstance(document, dict) and "text" in document)]
    pair = lambda name, text: f"<dt>{html.escape(name.replace('_', ' '))}</dt><dd>{html.escape(text)}</dd>"  # noqa: E731
    return f"<dl>{''.join(pair(name, text) for name, text in rows if text)}</dl>"
