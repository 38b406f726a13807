"""Teaching on the page: a visitor's documents become an own small model, with progress and a way to stop."""

from collections.abc import AsyncIterator

import gradio as gr

from ...errors import VisitorError
from ...protocol.messages import Failed, FinetuneProgress, FinetuneResult, Queued
from .. import strings
from ..components import panels
from ..events import QUIET, STREAM, lasting, warn
from ..state import Studio, mixer
from .documents import gather_documents
from .own_models import OwnModelCards


def progress(news: Queued | FinetuneProgress | FinetuneResult | Failed, most: float) -> str:
    """The news of a training as the page shows them. most: seconds that it may take."""
    if isinstance(news, Queued):
        return panels.progress_html(strings.teaching_waits(news.position), 0.0)
    if isinstance(news, FinetuneProgress):
        return panels.progress_html(strings.teaching(news.step, news.loss, news.seconds), 1 - news.seconds / most)
    if isinstance(news, Failed):
        return panels.progress_html(news.message, 0.0)
    return panels.progress_html(*_ended(news))


def _ended(news: FinetuneResult) -> tuple[str, float, list[str]]:
    line, more = strings.taught(news.right, news.question, news.before, news.after)
    return line, 1.0, more


def wire_teaching(studio: Studio, panel: panels.Panel, mine: panels.OwnModelPanel, own_cards: OwnModelCards, pasted: gr.Textbox,
                  from_files: gr.State, mix: gr.HTML, back: gr.State) -> None:
    """Teach and stop. The training goes on when the page looks away; it ends when the visitor has left and does not come back.

    back: changes when a visitor is back whose connection broke.
    """
    finetune_jobs = studio.engine.finetune_jobs
    most = studio.settings.limits.training_seconds

    @lasting
    async def teach(request: gr.Request, title, core, text, documents) -> AsyncIterator[tuple]:
        session = studio.visitor(request)
        try:
            readers = studio.readers(core)
            if not readers:
                raise VisitorError(strings.NO_TEACHABLE)
            job_id = finetune_jobs.teach(session, readers[0], gather_documents(text, documents), title)
        except VisitorError as error:
            warn(str(error))
            yield gr.skip(), gr.skip(), *own_cards.same()
            return
        async for update in follow(session, job_id):
            yield update

    async def follow(session: str, job_id: str) -> AsyncIterator[tuple]:
        async for news in finetune_jobs.astream(session, job_id):
            if isinstance(news, FinetuneResult):
                place = studio.take(session, finetune_jobs.job(session, job_id).card)
                yield progress(news, most), gr.Button(interactive=False), *own_cards.shown(session, place)
            else:
                yield progress(news, most), gr.Button(interactive=not isinstance(news, Failed)), *own_cards.same()

    @lasting
    async def go_on(request: gr.Request) -> AsyncIterator[tuple]:
        job_id = finetune_jobs.under_way(studio.visitor(request))
        async for update in follow(studio.visitor(request), job_id) if job_id else nothing():
            yield update
        yield gr.skip(), gr.skip(), *own_cards.same()

    def stop(request: gr.Request) -> None:
        job_id = finetune_jobs.under_way(studio.visitor(request))
        if job_id:
            finetune_jobs.stop(studio.visitor(request), job_id)

    show, outputs = mixer(studio, panel), [mine.progress, mine.stop, *own_cards.outputs]
    mine.teach.click(teach, [mine.title, panel.knobs["core"], pasted, from_files], outputs, concurrency_limit=None,
                     **STREAM).then(show, panel.inputs, mix, **QUIET)
    back.change(go_on, None, outputs, concurrency_limit=None, **STREAM).then(show, panel.inputs, mix, **QUIET)
    mine.stop.click(stop, None, None, **QUIET)


async def nothing() -> AsyncIterator[tuple]:
    """No training to follow."""
    return
    yield
