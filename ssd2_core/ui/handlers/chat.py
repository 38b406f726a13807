"""One run as the conversation shows it: in the viewer, in the chat, and in what is asked next."""

import html
from collections.abc import AsyncIterator

import gradio as gr

from ...errors import VisitorError
from ...protocol.messages import Done, Request, Turn
from .. import strings
from ..components import panels
from ..events import STREAM, warn
from ..state import Studio

CHAT_EVERY = 3


def said(role: str, text: str) -> dict:
    """A message for the chat, which reads HTML: escaped, so that every character shows as it is."""
    return {"role": role, "content": html.escape(text, quote=False)}


async def converse(studio: Studio, session: str, request: Request, chat: list, turns: tuple[Turn, ...],
                   line: str = "") -> AsyncIterator[tuple]:
    """One run as updates of (viewer, chat shown, chat kept, prompt, turns, stop). Raises VisitorError if it cannot start.

    line: stands in the chat for a run that writes the last answer anew; the conversation goes on from the new one.
    """
    run = studio.runs.start(session, request, studio.head(request))
    chat = [*chat, said("user", line or request.prompt)]
    yield run.message(0, False), chat, chat, gr.skip() if line else "", gr.skip(), gr.Button(interactive=True)
    sent = 0
    async for message in studio.runs.messages(session, run):
        sent += 1
        if run.end is None:
            fresh = run.text and sent % CHAT_EVERY == 1
            shown = [*chat, said("assistant", run.text)] if fresh else gr.skip()
            yield message, shown, shown, gr.skip(), gr.skip(), gr.skip()
            continue
        if isinstance(run.end, Done):
            private = bool(request.documents)
            before = turns[:-2] if line and turns and turns[-2].text == request.prompt else turns
            turns = (*before, Turn("user", request.prompt, private), Turn("assistant", run.end.answer, private))
            text, prompt = run.end.answer, gr.skip()
        else:
            text, prompt = run.end.message, gr.skip() if line else request.prompt
        chat = [*chat, said("assistant", text)]
        studio.note_talk(session, chat, turns)
        yield message, chat, chat, prompt, turns, gr.Button(interactive=False)


def ask_instead(studio: Studio, session: str) -> gr.Button:
    """The button beside a question that waits for the preferred pair."""
    return gr.Button(strings.ask_instead(studio.core_title(studio.settings.core)), visible=studio.waits(session) is not None)


def wire_instead(studio: Studio, talk: panels.ConversationPanel, viewer: gr.HTML, chat: gr.State, turns: gr.State) -> None:
    """Whoever does not want to wait for the preferred pair asks the one that is here: the same question, once in the chat."""
    async def instead(request: gr.Request, kept, history):
        session = studio.visitor(request)
        run = studio.waits(session)
        if run is None:                         # it has begun meanwhile
            yield *(gr.skip(),) * 6, gr.Button(visible=False)
            return
        before = kept[:-1] if kept[-1:] == [said("user", run.request.prompt)] else kept
        try:
            async for update in converse(studio, session, studio.instead(run), before, history):
                yield *update, gr.Button(visible=False)
        except VisitorError as error:
            warn(str(error))
            yield *(gr.skip(),) * 6, gr.skip()

    talk.instead.click(instead, [chat, turns], [viewer, talk.chat, chat, talk.prompt, turns, talk.stop, talk.instead], **STREAM)
