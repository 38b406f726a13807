"""Runs as the conversation shows them: on stage, in the chat, and in what is asked next."""

from collections.abc import AsyncIterator
from dataclasses import replace

import gradio as gr

from ...errors import VisitorError
from ...protocol.messages import Done, Pace, Request, Turn
from ...protocol.validation import check_text, printable
from .. import strings
from ..components import panels
from ..components.conversation import ConversationPanel, said, shown
from ..events import QUIET, STREAM, lasting, warn
from ..requests import own_run
from ..runs import Run
from ..state import Studio
from .documents import gather_documents

CHAT_EVERY = 3
SAME = (gr.skip(),) * 6
EMPTY = ("", "", [], gr.skip(), (), gr.Button(interactive=False))      # the same outputs without conversation and run


async def converse(studio: Studio, session: str, request: Request, chat: list, turns: tuple[Turn, ...],
                   line: str = "") -> AsyncIterator[tuple]:
    """One run as updates of (viewer, chat shown, chat kept, prompt, turns, stop). Raises VisitorError if it cannot start.

    It goes at the pace that the visitor has chosen now. line: stands in the chat for a run that writes the last answer anew;
    the conversation goes on from the new one.
    """
    run = studio.runs.start(session, replace(request, pace=studio.paces.get(session, Pace())),
                            studio.head(request) | {"question": request.prompt})
    before = turns[:-2] if line and turns and turns[-2].text == request.prompt else turns
    chat = [*chat, said("user", line or request.prompt, run.id, prompt=request.prompt, turns=len(before))]
    yield (run.message(0, False), shown(chat), chat, gr.skip() if line else "", gr.skip(), gr.Button(interactive=True))
    sent = 0
    async for message in studio.runs.messages(session, run):
        sent += 1
        if run.end is None:
            fresh = run.text and (sent % CHAT_EVERY == 1 or run.pace.per_second is not None)
            written = [*chat, said("assistant", run.text, run.id, writing=True)] if fresh else None
            yield message, shown(written) if written else gr.skip(), written or gr.skip(), gr.skip(), gr.skip(), gr.skip()
            continue
        if isinstance(run.end, Done):
            private = bool(request.documents)
            said_now = printable(run.end.answer)
            turns = (*before, Turn("user", request.prompt, private), Turn("assistant", said_now, private))
            answer, prompt = said("assistant", run.end.answer, run.id, shares=shares_of(run)), gr.skip()
            answer |= {"cut": True} if run.end.finish_reason == "length" else {}
        else:
            answer, prompt = said("assistant", run.end.message), gr.skip() if line else request.prompt
        chat = [*chat, answer]
        studio.note_talk(session, chat, turns)
        yield message, shown(chat), chat, prompt, turns, gr.Button(interactive=False)
    if studio.runs.is_cleared(session):                 # what was on its way to the browser may have come after that
        yield EMPTY


def shares_of(run: Run) -> list[list]:
    """Who decided an answer: title, hue and share of each expert."""
    return [[expert["title"], expert["hue"], run.end.shares.get(expert["name"], 0.0)] for expert in run.head["experts"]]


def ask_instead(studio: Studio, session: str) -> gr.Button:
    """The button beside a question that waits for the preferred pair."""
    return gr.Button(strings.ask_instead(studio.core_title(studio.settings.core)), visible=studio.waits(session) is not None)


def wire_instead(studio: Studio, talk: ConversationPanel, viewer: gr.HTML, chat: gr.State, turns: gr.State) -> None:
    """Whoever does not want to wait for the preferred pair asks the one that is here: the same question, once in the chat."""
    @lasting
    async def instead(request: gr.Request, kept, history):
        session = studio.visitor(request)
        run = studio.waits(session)
        if run is None:                         # it has begun meanwhile
            yield *SAME, gr.Button(visible=False)
            return
        before = kept[:-1] if kept and kept[-1]["run"] == run.id else kept
        try:
            async for update in converse(studio, session, studio.instead(run), before, history):
                yield *update, gr.Button(visible=False)
        except VisitorError as error:
            warn(str(error))
            yield *SAME, gr.skip()

    talk.instead.click(instead, [chat, turns], [viewer, talk.chat, chat, talk.prompt, turns, talk.stop, talk.instead], **STREAM)


def question_at(chat: list, index: object) -> dict:
    """The question at a place of the conversation. Raises VisitorError."""
    if type(index) is not int or not 0 <= index < len(chat) or chat[index]["role"] != "user":
        raise VisitorError(strings.TALK_UNKNOWN)
    return chat[index]


def wire_talk(studio: Studio, panel: panels.Panel, talk: ConversationPanel, viewer: gr.HTML, pasted: gr.Textbox,
              from_files: gr.State, chat: gr.State, turns: gr.State) -> None:
    """Send, ask again and edit; then ``wire_stage``.

    What the chat shows is kept here: a message that came back from a browser could say anything.
    """
    async def asked(request: gr.Request, prompt, kept, history, text, documents, values, vary=False) -> AsyncIterator[tuple]:
        session = studio.visitor(request)
        try:
            named = panel.named(list(values))
            choice = panel.read(list(values), studio.own_ids(session, named["core"]))
            studio.seeds[session] = named["seed"]
            made = studio.request(session, prompt, choice, gather_documents(text, documents), history)
            made = studio.varied(made) if vary and named["seed"] is None else made
            if made.documents and not studio.reads_documents(session, made.users):
                gr.Info(strings.NO_READER)
            async for update in converse(studio, session, made, kept, history):
                yield update
        except VisitorError as error:
            warn(str(error))
            yield SAME

    @lasting
    async def send(request: gr.Request, prompt, kept, history, text, documents, *values):
        async for update in asked(request, prompt, kept, history, text, documents, values):
            yield update

    @lasting
    async def once_more(event: gr.EventData, request: gr.Request, _, kept, history, text, documents, *values):
        """The same question again, or another in its place; what came after it is gone."""
        wish = dict(event._data or {})
        try:
            found = question_at(kept, wish.get("index"))
            prompt = check_text("The question", wish.get("text", found["prompt"]), studio.settings.limits.max_prompt_chars)
        except VisitorError as error:
            warn(str(error))
            yield SAME
            return
        earlier = kept[:wish["index"]], history[:found["turns"]]
        async for update in asked(request, prompt, *earlier, text, documents, values, "text" not in wish):
            yield *update[:3], gr.skip(), *update[4:]           # what stands in the prompt stays

    inputs = [talk.prompt, chat, turns, pasted, from_files, *panel.inputs]
    outputs = [viewer, talk.chat, chat, talk.prompt, turns, talk.stop]
    gr.on([talk.send.click, talk.prompt.submit], send, inputs, outputs, **STREAM)
    for event in (talk.chat.again, talk.chat.edit):
        event(once_more, inputs, outputs, concurrency_limit=None, **STREAM)
    wire_stage(studio, talk, viewer, outputs)


def wire_stage(studio: Studio, talk: ConversationPanel, viewer: gr.HTML, outputs: list) -> None:
    """An older answer on stage, stop, and clear, which writes all ``outputs``."""
    def show(event: gr.EventData, request: gr.Request):
        try:
            run = own_run(studio, studio.visitor(request), dict(event._data or {}).get("run"))
        except VisitorError as error:
            warn(str(error))
            return gr.skip()
        return studio.runs.show(studio.visitor(request), run) if run.end else gr.skip()

    def stop(request: gr.Request) -> None:
        studio.runs.cancel(studio.visitor(request))

    def clear(request: gr.Request):
        studio.runs.disconnect(studio.visitor(request))
        studio.talks.pop(studio.visitor(request), None)
        return "", *EMPTY[1:3], "", *EMPTY[4:]

    talk.chat.show(show, None, viewer, concurrency_limit=None, **STREAM)
    talk.stop.click(stop, None, None, **QUIET)
    talk.clear.click(clear, None, outputs, **QUIET)
