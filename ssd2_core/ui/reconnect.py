"""A page that lost its connection comes back as it was: conversation, run, settings, documents, own models, a training.

Gradio loads the page anew then, in another session. A ticket, which the tab keeps, says whose page it was.
"""

from collections.abc import AsyncIterator
from dataclasses import asdict, replace

import gradio as gr

from ..errors import VisitorError
from ..protocol.messages import Document, Request
from . import strings as words
from .components import panels
from .components.conversation import shown
from .components.documents import chips_of
from .events import QUIET, STREAM, lasting, warn
from .handlers.chat import converse
from .handlers.documents import PASTED
from .handlers.own_models import OwnModelCards
from .runs import Run
from .state import Studio, mixer

SHOW_TICKET = """() => { try { return [sessionStorage.getItem("ssd2-ticket") || ""]; } catch { return [""]; } }"""
KEEP_TICKET = """ticket => { try { sessionStorage.setItem("ssd2-ticket", ticket); } catch { /* no storage: no return */ } }"""


def settings_of(run: Run, places: dict[str, str]) -> dict:
    """What a run was asked with, as ``Panel.updates`` takes it. places: of the visitor's own models, by id."""
    request = run.request
    ensemble = next((c.ensemble for c in reversed(run.changes) if c.ensemble), request.ensemble)
    lam = {places.get(user, user): ensemble.lam.get(user, 0.0) for user in request.users}
    return asdict(request.sampling) | asdict(ensemble) | {"core": request.core, "users": lam}


def documents_of(run: Run) -> tuple[str, dict[str, Document]]:
    """The pasted text of a run, and its files by name."""
    documents = run.request.documents
    pasted = next((document.text for document in documents if document.name == PASTED), "")
    return pasted, {document.name: document for document in documents if document.name != PASTED}


def once_more(run: Run) -> Request:
    """The same run again, with what was changed on its way: it says the same."""
    return replace(run.request, plan=run.plan, request_id="")


def wire_return(studio: Studio, panel: panels.Panel, settled: gr.events.Dependency, back: gr.State, own_cards: OwnModelCards,
                conversation: list, documents: list, mix: gr.HTML) -> None:
    """Come back. settled: the event after which the page stands. back: changes for who is back.

    conversation, documents: components, in the order of what ``settle`` and ``go_on`` give.
    """
    ticket = gr.Textbox(visible="hidden", elem_id="ticket", show_label=False, container=False)

    async def come_back(request: gr.Request, kept: str):
        session = request.session_hash
        is_back = await studio.come_back(kept, session)
        if is_back:
            gr.Info(words.BACK)
        shown_cards = own_cards.shown(studio.visitor(request)) if is_back else own_cards.same()
        return studio.returns.ticket(session), is_back, *shown_cards

    def settle(request: gr.Request):
        run = studio.runs.latest(studio.visitor(request))
        if run is None:
            return [gr.skip()] * (len(documents) + len(panel.inputs))
        places = {card.id: place for place, card in studio.own(studio.visitor(request)).items()}
        pasted, files = documents_of(run)
        settings = settings_of(run, places) | {"seed": studio.seeds.get(run.request.owner)}
        return pasted, files, chips_of(files), *panel.updates(settings)

    @lasting
    async def go_on(request: gr.Request) -> AsyncIterator[tuple]:
        session = studio.visitor(request)
        run, (chat, turns) = studio.runs.latest(session), studio.talks.get(session, ([], ()))
        if run is None:
            yield gr.skip(), shown(chat), chat, gr.skip(), turns, gr.skip()
        elif not run.cut:
            yield studio.runs.show(session, run), shown(chat), chat, gr.skip(), turns, gr.Button(interactive=False)
        else:
            try:
                async for update in converse(studio, session, once_more(run), chat, turns):
                    yield update
            except VisitorError as error:
                warn(str(error))
                yield gr.skip(), shown(chat), chat, run.request.prompt, turns, gr.skip()

    # queued, for only then gradio tells that a state has changed
    settled.then(come_back, ticket, [ticket, back, *own_cards.outputs], js=SHOW_TICKET, **STREAM).then(
        None, ticket, None, js=KEEP_TICKET, **QUIET)
    back.change(settle, None, [*documents, *panel.inputs], **QUIET).then(mixer(studio, panel), panel.inputs, mix, **QUIET)
    back.change(go_on, None, conversation, **STREAM)
