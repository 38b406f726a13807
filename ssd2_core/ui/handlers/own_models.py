"""A visitor's own models on the page: brought, checked, shown as cards, downloaded, removed."""

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import gradio as gr

from ...config import EnsembleParams, SamplingParams
from ...errors import VisitorError
from ...protocol.messages import Failed, Request
from ...registry.cards import ModelCard
from ...registry.hub import fetch_user
from .. import strings
from ..components import panels
from ..events import QUIET, STREAM, warn
from ..state import Studio, mixer


def pair_of(paths: list[str] | None) -> tuple[Path, Path]:
    """Weights and description among the files sent. Raises VisitorError."""
    found = {Path(path).suffix.lower(): Path(path) for path in paths or ()}
    if len(paths or ()) != 2 or set(found) != {".safetensors", ".json"}:
        raise VisitorError(strings.OWN_PAIR)
    return found[".safetensors"], found[".json"]


async def bring_in(studio: Studio, session: str, weights: tuple[Path, str], sheet: tuple[bytes, str], core: str) -> ModelCard:
    """Take a model through the gate and let it say one thing. weights, sheet: what was sent, and its name.

    Raises VisitorError; nothing of it stays then.
    """
    visitors = studio.engine.user_models
    card = visitors.add(session, *weights, *sheet)
    try:
        await probe(studio, session, card, core)
    except BaseException:
        visitors.remove(session, card.id)
        raise
    return card


def read_pair(paths: list[str] | None, limit: int) -> tuple[tuple[Path, str], tuple[bytes, str]]:
    """The two files of a model as ``bring_in`` takes them. Raises VisitorError."""
    weights, sheet = pair_of(paths)
    if not (weights.exists() and sheet.exists()):
        raise VisitorError(strings.FILE_GONE)
    with open(sheet, "rb") as file:
        return (weights, weights.name), (file.read(limit), sheet.name)


async def probe(studio: Studio, session: str, card: ModelCard, core: str) -> None:
    """One step with the new model beside the core: it is loaded and checked. Raises VisitorError with the worker's sentence."""
    asked = Request("", "Hello", core, (card.id,), sampling=SamplingParams(num_steps=1, max_new_tokens=1),
                    ensemble=EnsembleParams({card.id: 0.5}), owner=session)
    run_id = studio.engine.submit(asked)
    try:
        async for event in studio.engine.astream(run_id):
            if isinstance(event, Failed):
                raise VisitorError(event.message)
    finally:
        studio.engine.delete(run_id)


class OwnModelCards:
    """The cards of a session's own models: the components, and what they show."""

    def __init__(self, studio: Studio, cards: panels.ExpertCards):
        self.studio, count = studio, len(studio.places)
        self.outputs = [*cards.columns[-count:], *cards.picks[-count:]]

    def shown(self, session: str, picked: str | None = None) -> list:
        """Values of ``outputs``. picked: the place of a model that is new, and so chosen."""
        own, places = self.studio.own(session), self.studio.places
        return [*(gr.Column(visible=place in own) for place in places),
                *(self._label(own[place], place == picked) if place in own else gr.Checkbox(False) for place in places)]

    def same(self) -> list:
        """Values that change nothing."""
        return [gr.skip() for _ in self.outputs]

    def _label(self, card: ModelCard, picked: bool) -> gr.Checkbox:
        about = strings.about(card)
        return gr.Checkbox(True, label=card.title, info=about) if picked else gr.Checkbox(label=card.title, info=about)


def wire_own(studio: Studio, panel: panels.Panel, cards: panels.ExpertCards, mine: panels.OwnModelPanel,
             mix: gr.HTML) -> OwnModelCards:
    """Bring, download and remove."""
    own_cards, bring, files = OwnModelCards(studio, cards), mine.bring, mine.files

    async def take(request: gr.Request, paths, core):
        session = studio.visitor(request)
        studio.note_files(session, paths)
        try:
            card = await bring_in(studio, session, *read_pair(paths, studio.settings.limits.max_file_bytes), core)
        except VisitorError as error:
            warn(str(error))
            return None, *own_cards.same()
        finally:
            studio.drop_files(session, paths)   # what was sent lies in the visitors' folder now, or nowhere
        return None, *own_cards.shown(session, studio.take(session, card))

    async def fetch(request: gr.Request, model_id, core):
        session = studio.visitor(request)
        try:
            studio.engine.user_models.check_room(session)
            with tempfile.TemporaryDirectory(dir=studio.engine.user_models.folder) as folder:
                weights, sheet = await asyncio.to_thread(fetch_user, model_id, Path(folder))
                card = await bring_in(studio, session, (weights, model_id), (sheet, f"config.json of {model_id}"), core)
        except VisitorError as error:
            warn(str(error))
            return gr.skip(), *own_cards.same()
        return "", *own_cards.shown(session, studio.take(session, card))

    def remove(place: str) -> Callable:
        def act(request: gr.Request):
            card = studio.own(studio.visitor(request)).get(place)
            if card:
                studio.engine.drop(studio.visitor(request), card.id)
            return *own_cards.shown(studio.visitor(request)), gr.File(None, visible=False)
        return act

    def download(place: str) -> Callable:
        def act(request: gr.Request):
            card = studio.own(studio.visitor(request)).get(place)
            return gr.File(written(studio, studio.visitor(request), card.id), visible=True) if card else gr.skip()
        return act

    def note(request: gr.Request, copies) -> None:
        studio.note_files(studio.visitor(request), copies)

    show = mixer(studio, panel)
    bring.upload(take, [bring, panel.knobs["core"]], [bring, *own_cards.outputs], **STREAM).then(
        show, panel.inputs, mix, **QUIET)
    gr.on([mine.fetch.click, mine.hub.submit], fetch, [mine.hub, panel.knobs["core"]], [mine.hub, *own_cards.outputs],
          **STREAM).then(show, panel.inputs, mix, **QUIET)
    for place, remover, downloader in zip(studio.places, cards.removes, cards.downloads, strict=True):
        remover.click(remove(place), None, [*own_cards.outputs, files], **QUIET).then(show, panel.inputs, mix, **QUIET)
        downloader.click(download(place), None, files, **QUIET).then(note, files, None, **QUIET)
    return own_cards


def written(studio: Studio, session: str, model_id: str) -> list[str]:
    """The two files of an own model, under names that say what they are, for gradio to copy and serve."""
    weights, sheet = studio.engine.user_models.files(session, model_id)
    folder = Path(tempfile.mkdtemp(dir=weights.parent))
    (folder / "my-model.json").write_bytes(sheet)
    os.link(weights, folder / "my-model.safetensors")
    return [str(folder / "my-model.safetensors"), str(folder / "my-model.json")]
