"""Colours and type of the page, as data. Knows no components beyond Gradio's theme."""

import gradio as gr

from ..config import ASSETS

VENDOR = ASSETS / "vendor"
PLOTLY = VENDOR / "plotly-cartesian.min.js"  # plotly.js 4.1.1, MIT, see plotly-LICENSE.txt beside it
DRAW_EVERY, DRAW_EVERY_SMALL = 4, 8           # steps from one drawing of the chart to the next
VIEWER_SHEETS = ("viewer", "charts")
SHEETS = ("page", "conversation", *VIEWER_SHEETS, "tabs", "compare", "sweep", "tour")

# Okabe and Ito's colour-blind-safe hues: the core first, then the user experts in the order of the library.
HUES_LIGHT = ("#0072b2", "#e08a00", "#009e73", "#c45a9b", "#d55e00")
HUES_DARK = ("#4fa8e0", "#f0b040", "#2cc79a", "#e08cc0", "#f0803c")


def asset(path: str) -> str:
    """The text of a file of the page, by its path below assets/."""
    return (ASSETS / path).read_text(encoding="utf-8")


def theme() -> gr.themes.Base:
    """Warm paper by day, graphite by night, ink for what can be pressed. No font leaves the server."""
    font = [gr.themes.LocalFont("IBM Plex Sans", (400, 700)), "ui-sans-serif", "system-ui", "sans-serif"]
    base = gr.themes.Base(primary_hue="slate", secondary_hue="slate", neutral_hue="stone", radius_size="md",
                          spacing_size="sm", text_size="sm", font=font,
                          font_mono=[gr.themes.LocalFont("IBM Plex Mono"), "ui-monospace", "monospace"])
    return base.set(
        body_background_fill="#f6f4ef", body_background_fill_dark="#131518",
        body_text_color="#22252b", body_text_color_dark="#e9e7e2",
        body_text_color_subdued="#5f6168", body_text_color_subdued_dark="#a5a6ab",
        background_fill_primary="#fffefb", background_fill_primary_dark="#1b1e22",
        background_fill_secondary="#faf8f3", background_fill_secondary_dark="#171a1d",
        block_background_fill="#fffefb", block_background_fill_dark="#1b1e22",
        block_border_color="#e4e0d6", block_border_color_dark="#2d3137", border_color_primary="#e4e0d6",
        border_color_primary_dark="#2d3137", block_shadow="none", block_shadow_dark="none",
        block_label_background_fill="transparent", block_label_background_fill_dark="transparent",
        block_label_text_color="#5f6168", block_label_text_color_dark="#a5a6ab",
        block_title_text_color="#5f6168", block_title_text_color_dark="#a5a6ab",
        block_info_text_color="#5f6168", block_info_text_color_dark="#a5a6ab",
        input_background_fill="#fffefb", input_background_fill_dark="#15181b",
        input_border_color="#d8d3c7", input_border_color_dark="#363b42",
        input_placeholder_color="#74757b", input_placeholder_color_dark="#8f9197",
        button_primary_background_fill="#22252b", button_primary_background_fill_dark="#e9e7e2",
        button_primary_background_fill_hover="#3a3e46", button_primary_background_fill_hover_dark="#ffffff",
        button_primary_text_color="#fffefb", button_primary_text_color_dark="#15181b",
        button_secondary_background_fill="#efece4", button_secondary_background_fill_dark="#282c31",
        button_secondary_background_fill_hover="#e6e2d7", button_secondary_background_fill_hover_dark="#343940",
        slider_color="#4a4f58", slider_color_dark="#e9e7e2",
        checkbox_background_color_selected="#22252b", checkbox_background_color_selected_dark="#4fa8e0",
        checkbox_label_background_fill_selected="#22252b", checkbox_label_background_fill_selected_dark="#e9e7e2",
        checkbox_label_text_color_selected="#fffefb", checkbox_label_text_color_selected_dark="#15181b")


def hue_variables() -> str:
    """The experts' hues as CSS variables, one set per theme."""
    def block(selector: str, hues: tuple[str, ...]) -> str:
        return selector + "{" + "".join(f"--hue-{i}:{hue};" for i, hue in enumerate(hues)) + "}"
    return block(":root", HUES_LIGHT) + block(".dark", HUES_DARK)


def serif() -> str:
    """The serif of the title, served from the vendor folder by a path relative to the page."""
    def face(weight: int, style: str) -> str:
        url = f"gradio_api/file={VENDOR}/source-serif-4-latin-{weight}-{style}.woff2"
        return (f"@font-face{{font-family:'Source Serif 4';font-weight:{weight};font-style:{style};font-display:swap;"
                f"src:url('{url}') format('woff2')}}")
    return face(600, "normal") + face(400, "italic")


def head() -> str:
    """The page's own style, for the document head: Gradio would prefix rules given as ``css``."""
    sheets = "".join(asset(f"styles/{name}.css") for name in SHEETS)
    return f"<style>{serif()}{hue_variables()}{sheets}</style>"


def chart_settings() -> dict:
    """Where the chart's library is served, relative to the page, and how often the chart is drawn while a run is live."""
    return {"src": f"gradio_api/file={PLOTLY}", "every": DRAW_EVERY, "everySmall": DRAW_EVERY_SMALL}


def hue_index(name: str, order: list[str]) -> int:
    """The hue of an expert: 0 for the core, then by its place in the library, so that it never changes on a page."""
    return 0 if name == "core" else 1 + (order.index(name) if name in order else 0) % (len(HUES_LIGHT) - 1)
