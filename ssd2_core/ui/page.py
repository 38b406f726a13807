"""The page put together: panels, viewer and what happens when a visitor does something.

Knows an engine by its interface only, so it opens before any model is loaded. A visitor's settings travel as arguments.
"""

import os
from collections.abc import Callable
from contextlib import suppress

import gradio as gr
from starlette.middleware import Middleware

from ..config import EnsembleParams, Settings, knobs
from ..errors import VisitorError
from ..registry.own_sampling import NAMES
from . import scripts, strings
from .api import make_generate
from .blocks import Page
from .compare import compare_panel, wire_compare
from .components import conversation, panels
from .components.documents import documents as documents_panel
from .components.download import saver
from .components.viewer import build_viewer, story
from .events import QUIET
from .examples import EXAMPLES, Example
from .export.run_snapshot import CurrentRuns
from .handlers.chat import ask_instead, wire_instead, wire_talk
from .handlers.documents import wire_documents
from .handlers.finetune import wire_teaching
from .handlers.own_models import wire_own
from .handlers.steering import wire_steer
from .middleware import RequestGuard
from .reconnect import wire_return
from .state import Studio
from .tabs.evaluate import EvaluateTab, evaluating, wire_evaluate
from .tabs.export import ExportTab, export_tab, wire_export, wire_link
from .tabs.how_it_works import how_it_works, story_buttons, wire_stories
from .tabs.sweep import SweepTab, wire_sweep
from .theme import VENDOR, theme
from .theme import head as page_head

STATUS_SECONDS = 2.0
QUEUE_SECONDS = 0.01            # between looks of gradio for an event to begin; its own 0.001 keeps an idle page at work
PROGRESS_SECONDS = 0.5          # and for news of gradio's own progress bars, of which the page has none
MAX_SESSIONS = 1000             # that gradio remembers, 250 kB each; programs that never say goodbye are among them
# Gradio keeps its last 10,000 events and goes over all of them, with pandas, after each; nobody is shown what comes of it.
STATISTICS = {"GRADIO_ANALYTICS_MAX_EVENTS": "1", "GRADIO_ANALYTICS_CACHE_FREQUENCY": "1000000000"}


def build(engine, settings: Settings) -> gr.Blocks:
    """The whole page for one engine."""
    for name, value in STATISTICS.items():
        os.environ.setdefault(name, value)
    studio = Studio(engine, settings)
    gr.set_static_paths([VENDOR])
    with Page(title=strings.TITLE, analytics_enabled=False, delete_cache=(3600, 3600), fill_width=True) as demo:
        with gr.Row(elem_id="top"):
            panels.header()
            status = gr.HTML(studio.status(), elem_id="status", apply_default_css=False)
        with gr.Row(elem_id="studio"):
            with gr.Column(elem_id="conversation", min_width=280):
                talk, documents = conversation.conversation(studio.cores.get(settings.core)), documents_panel()
                examples = conversation.examples()
            with gr.Column(elem_id="viewing", min_width=280):
                compare = compare_panel(studio.runs)
                viewer = build_viewer(studio.runs, story(studio.titles, studio.order))
                stories = story_buttons()
                branch = build_viewer(studio.runs, "", elem_id="branch", compact=True, visible="hidden")
            with gr.Column(elem_id="setup", min_width=280):
                choose = panels.core_choice([(studio.core_title(i), i) for i in studio.core_ids], settings.core)
                core = gr.HTML(studio.core_card(settings.core), elem_id="core", apply_default_css=False)
                cards = panels.expert_cards(studio.users, studio.order, studio.fits[settings.core], studio.places)
                mix = gr.HTML(elem_id="mix", apply_default_css=False)
                mine = panels.own_models()
                controls = {"core": choose, **panels.settings(settings.limits, studio.usual(settings.core))}
        current, save = CurrentRuns(studio), saver()
        sweep, export, evaluate = more_tabs(save)
        panel = panels.Panel(studio.order, cards.picks, cards.weights, controls, studio.fits)
        from_files, chat, turns = gr.State({}), gr.State([]), gr.State(())
        wire_talk(studio, panel, talk, viewer, documents.pasted, from_files, chat, turns)
        wire_instead(studio, talk, viewer, chat, turns)
        wire_steer(studio, panel, viewer, branch, talk, chat, turns)
        wire_setup(studio, panel, mix)
        wire_documents(studio, documents, from_files)
        wire_examples(studio, panel, examples, talk.prompt, documents.pasted, mix)
        wire_cores(studio, panel, choose, cards.columns, [core, talk.limits], mix)
        own_cards = wire_own(studio, panel, cards, mine, mix)
        back = gr.State(False)
        wire_teaching(studio, panel, mine, own_cards, documents.pasted, from_files, mix, back)
        question = [talk.prompt, turns, documents.pasted, from_files]
        wire_compare(studio, panel, compare, question)
        on_show = wire_sweep(studio, panel, sweep, question, viewer)
        wire_export(studio, current, panel, export, talk.prompt, viewer, turns, on_show)
        wire_evaluate(studio, panel, evaluate, save)
        wire_stories(current, stories, [viewer, export.shell, export.client])
        settled = wire_link(demo, studio, panel, talk.prompt, mix, viewer)
        wire_return(studio, panel, settled, back, own_cards, [viewer, talk.chat, chat, talk.prompt, turns, talk.stop],
                    [documents.pasted, from_files, documents.chips], mix)
        timer = gr.Timer(STATUS_SECONDS)
        gr.on([timer.tick, demo.load], ticker(studio), choose, [status, core, talk.instead, *cards.columns], **QUIET)
        for leave in (current.close, studio.disconnect, demo.forget):
            demo.unload(leave)
        gr.api(make_generate(studio), api_name="generate")
    demo.health = engine.health
    demo.queue(max_size=2 * running(settings), default_concurrency_limit=None)      # the engine says who waits and who may not
    demo._queue.sleep_when_free, demo._queue.progress_update_sleep_when_free = QUEUE_SECONDS, PROGRESS_SECONDS
    return demo


def more_tabs(save: gr.HTML) -> tuple[SweepTab, ExportTab, EvaluateTab]:
    """What lies under the studio."""
    with gr.Tabs(elem_id="more"):
        sweep = SweepTab()
        with gr.Tab(strings.EXPORT_TAB, elem_id="export-tab"):
            export = export_tab(save)
        with gr.Tab(strings.EVALUATE_TAB, elem_id="evaluate-tab"):
            evaluate = evaluating()
        with gr.Tab(strings.HOW_IT_WORKS_TAB, elem_id="how-it-works-tab"):
            how_it_works()
    return sweep, export, evaluate


def ticker(studio: Studio) -> Callable:
    """A handler that an open page calls every few seconds: how things are, and that its visitor is still here."""
    def tick(request: gr.Request, chosen: str):
        visitor = studio.visitor(request)
        studio.engine.still_here(visitor)
        columns = shown_columns(studio, visitor, chosen) if studio.learn() else [gr.skip()] * len(studio.order)
        return studio.status(), studio.core_card(chosen), ask_instead(studio, visitor), *columns
    return tick


def shown_columns(studio: Studio, visitor: str, core: str) -> list[gr.Column]:
    """The experts' cards, of which those show that go with a core."""
    fitting = {*studio.fits[core], *studio.own_ids(visitor, core)}
    return [gr.Column(visible=i in fitting) for i in studio.order]


def running(settings: Settings) -> int:
    """How many questions may be open at once: the engine's own queue decides who waits, and refuses who comes too many."""
    return settings.limits.max_active + settings.limits.max_waiting


def wire_setup(studio: Studio, panel: panels.Panel, mix: gr.HTML) -> None:
    """Weights and rules act on the run under way."""
    def retune(request: gr.Request, *values):
        with suppress(VisitorError):  # the line under the cards says what is wrong; nothing is sent until it is right
            studio.control(studio.visitor(request), panel, list(values))
        return studio.picked(studio.visitor(request), panel, list(values))

    live = [panel.knobs[name] for name in knobs(EnsembleParams) if name in panel.knobs]
    gr.on([component.input for component in (*panel.picks, *panel.weights, *live)], retune, panel.inputs, mix,
          trigger_mode="always_last", **QUIET)


def wire_examples(studio: Studio, panel: panels.Panel, buttons: list[gr.Button], prompt: gr.Textbox, pasted: gr.Textbox,
                  mix: gr.HTML) -> None:
    """An example fills prompt, document and experts; the visitor sends it."""
    def filler(example: Example):
        def fill(request: gr.Request, core: str):
            users = studio.users_for(core, example.users)
            picked = [i in users if i in studio.fits[core] or i in studio.places else gr.skip() for i in panel.user_ids]
            weights = [users.get(i, gr.skip()) for i in panel.user_ids]
            shown = studio.mix(studio.visitor(request), list(users.items()))
            return example.prompt, example.document, *picked, *weights, shown
        return fill

    for button, example in zip(buttons, EXAMPLES, strict=True):
        button.click(filler(example), panel.knobs["core"], [prompt, pasted, *panel.picks, *panel.weights, mix], **QUIET)


def wire_cores(studio: Studio, panel: panels.Panel, choose: gr.Radio, columns: list[gr.Column], about: list[gr.HTML],
               mix: gr.HTML) -> None:
    """Another core shows its own card and the experts that go with it. about: its card, and what it cannot do.

    A visitor who chooses it gets its own settings, too, but for those that were set to what no core has as its own.
    """
    own = [panel.knobs[name] for name in NAMES]

    def show(request: gr.Request, *values):
        chosen = panel.named(list(values))["core"]
        seen = shown_columns(studio, studio.visitor(request), chosen)
        cannot = conversation.limits_html(studio.cores.get(chosen))
        return studio.core_card(chosen), cannot, *seen, studio.picked(studio.visitor(request), panel, list(values))

    def settle(chosen: str, *stand):
        every, wanted = [studio.usual(i) for i in studio.core_ids], studio.usual(chosen)
        return [wanted[name] if any(each[name] == value for each in every) else gr.skip()
                for name, value in zip(NAMES, stand, strict=True)]

    choose.input(settle, [choose, *own], own, **QUIET)
    choose.change(show, panel.inputs, [*about, *columns, mix], **QUIET)


def launch(demo: gr.Blocks, settings: Settings, **options) -> None:
    """Serve the page until it is interrupted."""
    limits = settings.limits
    demo.launch(server_name=settings.host, server_port=settings.port, share=settings.share, theme=theme(),
                head=page_head(), ssr_mode=False, run_history=False, mcp_server=settings.mcp or None,
                footer_links=["api", "settings"], enable_monitoring=False,
                app_kwargs={"routes": [scripts.route()],
                            "middleware": [Middleware(RequestGuard, limits=limits, health=demo.health)]},
                max_file_size=max(limits.max_file_bytes, limits.max_model_bytes),
                max_threads=2 * running(settings) + 40, state_session_capacity=MAX_SESSIONS, **options)
