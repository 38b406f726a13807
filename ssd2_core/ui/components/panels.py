"""The page's panels, each a function that makes components, and how their values become settings.

Knows components and settings; no events, no engine.
"""

import html
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import gradio as gr

from ...config import LIMITS, WEIGHT, EnsembleParams, Knob, Limits, SamplingParams, knobs, made_of, values_of
from .. import strings
from ..examples import DEFAULTS
from ..theme import hue_index

NEW_SEEDS = 10_000              # a new seed is one of so many: short enough to be written down
RULE = "weights"                # the knob that stands with the experts; the others are folded away


@dataclass(frozen=True)
class Panel:
    """The components a handler reads: one checkbox and one weight slider per user expert, and the knobs by name.

    fits: user experts by core; what does not go with the chosen core counts as not picked. The last of ``user_ids`` are places
    for the visitor's own models; ``own`` says in each call which model stands where.
    """

    user_ids: list[str]
    picks: list[gr.Checkbox]
    weights: list[gr.Slider]
    knobs: dict[str, gr.components.Component]
    fits: dict[str, list[str]]

    @property
    def inputs(self) -> list:
        """All components in the order ``read`` expects their values."""
        return [*self.picks, *self.weights, *self.knobs.values()]

    def read(self, values: list, own: dict[str, str], seed: int | None = None) -> "Choice":
        """The values of ``inputs`` as checked settings. Raises LimitError for a value outside its limit.

        seed: where none is pinned; None for a new one.
        """
        named, ensemble = self.named(values), self.ensemble(values, own)
        if named["seed"] is None:
            named["seed"] = secrets.randbelow(NEW_SEEDS) if seed is None else seed
        return Choice(named["core"], tuple(ensemble.lam), made_of(SamplingParams, named), ensemble)

    def ensemble(self, values: list, own: dict[str, str]) -> EnsembleParams:
        """What may change during a run. Raises LimitError for a value outside its limit."""
        return made_of(EnsembleParams, self.named(values), lam=dict(self._chosen(values, own)))

    def named(self, values: list) -> dict:
        """The knobs' values by name."""
        return dict(zip(self.knobs, values[2 * len(self.user_ids):], strict=True))

    def picked(self, values: list, own: dict[str, str]) -> list[tuple[str, float]]:
        """(id, weight) of the chosen users, unchecked, to be shown."""
        return [(i, float(w or 0)) for i, w in self._chosen(values, own)]

    def updates(self, found: dict) -> list:
        """Values of ``inputs`` that set what ``found`` names: users with their weights, knobs by name. The rest stays."""
        users = found.get("users")
        picks = [gr.skip() if users is None else i in users for i in self.user_ids]
        weights = [(users or {}).get(i, gr.skip()) for i in self.user_ids]
        return [*picks, *weights, *(found.get(name, gr.skip()) for name in self.knobs)]

    def _chosen(self, values: list, own: dict[str, str]) -> list[tuple[str, object]]:
        n, fitting = len(self.user_ids), self.fits.get(self.named(values)["core"], ())
        rows = zip(self.user_ids, values[:n], values[n:2 * n], strict=True)
        return [(own.get(i, i), w) for i, picked, w in rows if picked and (i in fitting or i in own)]


@dataclass(frozen=True)
class Choice:
    """What the panels are set to."""

    core: str
    users: tuple[str, ...]
    sampling: SamplingParams
    ensemble: EnsembleParams


def header() -> gr.HTML:
    """Title and the one line on what this is."""
    return gr.HTML(f'<h1>{html.escape(strings.TITLE)}</h1><p>{html.escape(strings.TAGLINE)}</p>', elem_id="masthead",
                   apply_default_css=False)


def status_html(ready: bool, message: str, fraction: float) -> str:
    """Whether questions are answered (``ready``), what is loading and how far."""
    share = f"{100 * min(1.0, max(0.0, fraction)):.0f}%"
    bar = "" if fraction >= 1 else f'<span class="bar" aria-hidden="true"><i style="width:{share}"></i></span>'
    state = "ready" if ready else "loading"
    return (f'<div class="status {state}" role="status"><i class="lamp"></i><span>{html.escape(message)}</span>'
            f'{bar}</div>')


def core_html(title: str, facts: list[str], summary: str) -> str:
    """The core's card."""
    line = " · ".join(html.escape(fact) for fact in facts if fact)
    return (f'<div class="core-card" style="--hue:var(--hue-0)"><b>{html.escape(title)}</b>'
            f'<span class="role">core</span><p class="facts">{line}</p><p>{html.escape(summary)}</p></div>')


def mix_html(users: list[tuple[str, str, float]], order: list[str]) -> str:
    """The weights as one bar and in words; ``users`` are (id, title, weight)."""
    total = sum(weight for _, _, weight in users)
    too_much = total > 1 + 1e-6
    parts = [("core", max(0.0, 1 - total)), *((i, weight) for i, _, weight in users)]
    bar = "".join(f'<i style="flex:{weight:.4f};background:var(--hue-{hue_index(i, order)})"></i>'
                  for i, weight in parts)
    line = html.escape(strings.weights_line([(title, weight) for _, title, weight in users]))
    return (f'<div class="mix{" over" if too_much else ""}"><span class="split" aria-hidden="true">{bar}</span>'
            f'{line}</div>')


def core_choice(choices: list[tuple[str, str]], first: str) -> gr.Radio:
    """Which core answers; not shown where there is only one."""
    return gr.Radio(choices, value=first, label="Core", visible=len(choices) > 1, elem_id="pick-core", container=False)


@dataclass(frozen=True)
class ExpertCards:
    """The user experts' cards: column, pick and weight of each; download and remove of the places for own models."""

    columns: list[gr.Column]
    picks: list[gr.Checkbox]
    weights: list[gr.Slider]
    downloads: list[gr.Button]
    removes: list[gr.Button]


def expert_cards(users: list, order: list[str], fitting: list[str], places: list[str]) -> ExpertCards:
    """One card per user expert: pick it, and give it a weight. Those that do not go with the core are not shown.

    places: of the visitor's own models, empty at first.
    """
    made = ExpertCards([], [], [], [], [])
    with gr.Row(elem_id="cards", equal_height=True):
        for card in users:
            weight = DEFAULTS.ensemble.lam.get(card.id)
            with gr.Column(min_width=180, elem_classes=["expert", f"hue-{hue_index(card.id, order)}"],
                           visible=card.id in fitting) as column:
                made.columns.append(column)
                made.picks.append(gr.Checkbox(weight is not None, label=card.title, elem_id=f"pick-{card.id}",
                                              info=strings.about(card), container=False))
                made.weights.append(_weight(card.id, DEFAULTS.other_weight if weight is None else weight, WEIGHT.high))
        for place in places:
            _own_card(made, place, order)
    return made


def _weight(name: str, value: float, most: float) -> gr.Slider:
    return gr.Slider(WEIGHT.low, most, value, step=WEIGHT.step, label=WEIGHT.label, elem_id=f"weight-{name}", container=False,
                     buttons=[])


def _own_card(made: ExpertCards, place: str, order: list[str]) -> None:
    with gr.Column(min_width=180, elem_classes=["expert", "own", f"hue-{hue_index(place, order)}"], visible=False) as column:
        made.columns.append(column)
        made.picks.append(gr.Checkbox(False, label=place, elem_id=f"pick-{place}", info=" ", container=False))
        made.weights.append(_weight(place, DEFAULTS.other_weight, LIMITS.max_own_weight))
        with gr.Row(elem_classes="own-buttons"):
            made.downloads.append(gr.Button(strings.DOWNLOAD, size="sm", min_width=40, elem_id=f"download-{place}"))
            made.removes.append(gr.Button(strings.REMOVE, size="sm", min_width=40, elem_id=f"remove-{place}"))


@dataclass(frozen=True)
class OwnModelPanel:
    """Where a visitor's own model is taught, comes in, and can be had back. progress: how far the teaching is."""

    title: gr.Textbox
    teach: gr.Button
    stop: gr.Button
    progress: gr.HTML
    bring: gr.File
    files: gr.File
    hub: gr.Textbox
    fetch: gr.Button


def own_models() -> OwnModelPanel:
    """Teach a small model one's documents, or bring one."""
    with gr.Accordion(strings.OWN_TITLE, open=False, elem_id="own"):
        gr.HTML(f"<p>{html.escape(strings.TEACH_HINT)}</p>", apply_default_css=False, elem_classes="own-hint")
        with gr.Row(elem_id="teaching"):
            title = gr.Textbox(strings.TEACH_NAME, label=strings.TEACH_TITLE, lines=1, max_lines=1, scale=3, min_width=120,
                               elem_id="teach-title")
            teach = gr.Button(strings.TEACH, scale=1, min_width=90, elem_id="teach")
            stop = gr.Button(strings.TEACH_STOP, scale=0, min_width=64, interactive=False, elem_id="teach-stop")
        progress = gr.HTML("", apply_default_css=False, elem_id="finetune-progress")
        gr.HTML(f"<p>{html.escape(strings.OWN_HINT)}</p>", apply_default_css=False, elem_classes="own-hint")
        with gr.Row(elem_id="from-hub"):
            hub = gr.Textbox(label=strings.HUB_LABEL, placeholder=strings.HUB_PLACEHOLDER, lines=1, max_lines=1, scale=3,
                             min_width=120, elem_id="hub-id")
            fetch = gr.Button(strings.HUB_FETCH, scale=1, min_width=90, elem_id="hub-fetch")
        bring = gr.File(label=strings.OWN_DROP, file_count="multiple", file_types=[".safetensors", ".json"], height=92,
                        elem_id="own-bring")
    files = gr.File(label=strings.OWN_FILES, file_count="multiple", interactive=False, visible=False, elem_id="own-files")
    return OwnModelPanel(title, teach, stop, progress, bring, files, hub, fetch)


def progress_html(line: str, part: float, more: list[str] = ()) -> str:
    """How far a training is: a line, a bar, and what there is to tell at its end."""
    bar = f'<span class="bar" aria-hidden="true"><i style="width:{100 * min(1.0, max(0.0, part)):.0f}%"></i></span>'
    told = "".join(f"<p>{html.escape(text)}</p>" for text in more)
    return f'<div class="finetune-progress" role="status"><span>{html.escape(line)}</span>{bar}{told}</div>'


def settings(limits: Limits, usual: Mapping[str, object] | None = None) -> dict[str, gr.components.Component]:
    """A component for each knob that has a label, by name: in one drawer, the rule of the weights first.

    usual: what stands for the page's core, where it is not the same for all.
    """
    first = values_of(DEFAULTS.sampling, DEFAULTS.ensemble) | dict(usual or {})
    shown = {name: knob for name, knob in knobs(SamplingParams, EnsembleParams).items() if knob.label}
    rule, made = shown.pop(RULE), {}
    with gr.Accordion(strings.SETTINGS, open=False, elem_id="advanced"), gr.Row():
        made[RULE] = control(rule, first[RULE], limits)
        for kind in (gr.Slider, gr.Radio, gr.Number):
            made |= {name: control(knob, first[name], limits) for name, knob in shown.items() if component(knob) is kind}
    return made


def component(knob: Knob) -> type[gr.components.Component]:
    """What sets a knob: a choice, a slider, or a field where no slider is fine enough."""
    return gr.Radio if knob.choices else gr.Slider if knob.step else gr.Number


def control(knob: Knob, value: object, limits: Limits) -> gr.components.Component:
    """The component of a knob with its bounds."""
    look = {"label": knob.label, "elem_id": element_id(knob.name)}
    if knob.choices:
        size = {} if knob.name == RULE else {"min_width": 250, "scale": 3}
        return gr.Radio([(choice.capitalize(), choice) for choice in knob.choices], value=value, **look, **size)
    low, high = knob.bounds(limits)
    if knob.name == "seed":
        look["placeholder"], value = strings.NEW_SEED, None
    if knob.step is None:
        return gr.Number(value, precision=0 if knob.kind is int else None, minimum=low, maximum=high, min_width=90, **look)
    return gr.Slider(low, high, min(value, high), step=knob.step, min_width=170, buttons=[], **look)


def element_id(name: str) -> str:
    """The id of a knob's component in the page."""
    return name.replace("_", "-")


def tab_line(text: str) -> str:
    """A sentence beside the buttons of a tab."""
    return f'<p class="tab-line" role="status">{html.escape(text)}</p>'
