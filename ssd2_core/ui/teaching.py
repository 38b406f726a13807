"""Teaching on the page: a visitor's documents become an own small model, with progress and a way to stop."""

from collections.abc import AsyncIterator

import gradio as gr

from ..errors import VisitorError
from ..protocol import Document, Failed, Queued, Taught, Teaching
from . import panels, words
from .events import QUIET, STREAM, warn
from .own import Shelf, mixer
from .studio import Studio


def gather_documents(pasted: str, from_files: dict[str, Document]) -> tuple[Document, ...]:
    """The pasted text and the files read, as documents."""
    own = (Document("pasted text", pasted),) if pasted and pasted.strip() else ()
    return own + tuple(from_files.values())


def lesson(news: Queued | Teaching | Taught | Failed, most: float) -> str:
    """The news of a training as the page shows them. most: seconds that it may take."""
    if isinstance(news, Queued):
        return panels.lesson_html(words.teaching_waits(news.position), 0.0)
    if isinstance(news, Teaching):
        return panels.lesson_html(words.teaching(news.step, news.loss, news.seconds), 1 - news.seconds / most)
    if isinstance(news, Failed):
        return panels.lesson_html(news.message, 0.0)
    return panels.lesson_html(*_ended(news))


def _ended(news: Taught) -> tuple[str, float, list[str]]:
    line, more = words.taught(news.right, news.question, news.before, news.after)
    return line, 1.0, more


def wire_teaching(studio: Studio, panel: panels.Panel, mine: panels.Own, shelf: Shelf, pasted: gr.Textbox,
                  from_files: gr.State, mix: gr.HTML) -> None:
    """Teach and stop. The training goes on when the page looks away; it ends when the tab closes."""
    school, jobs = studio.engine.school, {}
    most = studio.settings.limits.training_seconds

    async def teach(request: gr.Request, title, core, text, documents) -> AsyncIterator[tuple]:
        session = request.session_hash
        try:
            readers = studio.readers(core)
            if not readers:
                raise VisitorError(words.NO_TEACHABLE)
            job_id = school.teach(session, readers[0], gather_documents(text, documents), title)
        except VisitorError as error:
            warn(str(error))
            yield gr.skip(), gr.skip(), *shelf.same()
            return
        jobs[session] = job_id
        try:
            async for news in school.astream(session, job_id):
                if isinstance(news, Taught):
                    place = studio.take(session, school.job(session, job_id).card)
                    yield lesson(news, most), gr.Button(interactive=False), *shelf.shown(session, place)
                else:
                    yield lesson(news, most), gr.Button(interactive=not isinstance(news, Failed)), *shelf.same()
        finally:
            jobs.pop(session, None)

    def stop(request: gr.Request) -> None:
        if request.session_hash in jobs:
            school.stop(request.session_hash, jobs[request.session_hash])

    mine.teach.click(teach, [mine.title, panel.knobs["core"], pasted, from_files], [mine.lesson, mine.stop, *shelf.outputs],
                     concurrency_limit=None, **STREAM).then(mixer(studio, panel), panel.inputs, mix, **QUIET)
    mine.stop.click(stop, None, None, **QUIET)
