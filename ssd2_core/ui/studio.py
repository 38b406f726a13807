"""What the page's handlers share: the engine, the model cards and the runs. No components here, and no visitor's settings."""

import math
from dataclasses import replace

import gradio as gr

from ..config import EnsembleParams, Settings
from ..library import is_compatible
from ..protocol import Document, Request, Turn
from . import panels, words
from .runs import Run, Runs
from .theatre import head


class Studio:
    """Knows which cores and user experts are here and which go together."""

    def __init__(self, engine, settings: Settings) -> None:
        self.engine = engine
        self.settings = settings
        cards = engine.models()
        self.cores = {card.id: card for card in cards if card.role == "core"}
        self.core_ids = list(dict.fromkeys((settings.core, *self.cores)))
        self.users = [card for card in cards if card.role != "core" and any(self._fits(i, card) for i in self.core_ids)]
        self.fits = {i: [card.id for card in self.users if self._fits(i, card)] for i in self.core_ids}
        self.order = [card.id for card in self.users]
        self.titles = {"core": self.core_title(settings.core), **{card.id: card.title for card in self.users}}
        self.runs = Runs(engine, settings.limits.keep_runs_seconds)

    def _fits(self, core: str, user) -> bool:
        """Whether an expert goes with a core; a core that is not here yet is checked when it is loaded."""
        return core not in self.cores or is_compatible(user, self.cores[core])

    def core_title(self, core: str) -> str:
        """A core's name on the page."""
        return self.cores[core].title if core in self.cores else core

    def first_core(self) -> str:
        """The core that a fresh page starts with: the preferred one once it and its users are in memory."""
        wanted = self.settings.preferred
        return wanted[0] if wanted and set(wanted) <= set(self.engine.status().loaded) else self.settings.core

    def users_for(self, core: str, users: dict[str, float]) -> dict[str, float]:
        """An example's experts as this core has them: a reader stands for the core's own reader."""
        readers = [i for i in self.fits.get(core, ()) for card in self.users if card.id == i and card.role == "reader"]
        roles = {card.id: card.role for card in self.users}
        found = {}
        for user, weight in users.items():
            if user in self.fits.get(core, ()):
                found[user] = weight
            elif roles.get(user) == "reader" and readers:
                found[readers[0]] = weight
        return found

    def head(self, request: Request) -> dict:
        """What the theatre shows before the first step."""
        titles = self.titles | {"core": self.core_title(request.core)}
        names = ["core", *request.users]
        blocks = math.ceil(request.sampling.max_new_tokens / request.sampling.block_length)
        return head([(name, titles.get(name, name)) for name in names], self.order, blocks, request.sampling.num_steps)

    def request(self, prompt: str, choice: panels.Choice, documents: tuple[Document, ...],
                history: tuple[Turn, ...]) -> Request:
        """One question as the engine takes it, with the latest turns it accepts; its id is given when it starts."""
        history = history[-self.settings.limits.max_history_turns:]
        return Request("", prompt, choice.core, choice.users, documents, history, choice.sampling, choice.ensemble)

    def reads_documents(self, users: tuple[str, ...]) -> bool:
        """Whether one of the chosen experts is given the documents."""
        return any(card.role == "reader" for card in self.users if card.id in users)

    def status(self) -> str:
        """The status line."""
        now, wanted = self.engine.status(), self.settings.preferred
        message = now.message
        if now.ready and wanted and not set(wanted) <= set(now.loaded):
            message = words.answers_meanwhile(self.core_title(self.settings.core), message)
        return panels.status_html(now.ready, message, now.fraction)

    def core_card(self, core: str) -> str:
        """A core's card with what is known of the device by now."""
        card, device, dtype = self.cores.get(core), self.engine.status().device, self.settings.dtype
        if self.runs.machine:
            device, dtype = self.runs.machine
        facts = [f"{words.count(card.parameters)} parameters" if card else "", device, "" if dtype == "auto" else dtype]
        return panels.core_html(self.core_title(core), facts, card.summary if card else "")

    def mix(self, picked: list[tuple[str, float]]) -> str:
        """The weights as a bar and in words."""
        return panels.mix_html([(i, self.titles[i], weight) for i, weight in picked], self.order)

    def leave(self, request: gr.Request) -> None:
        """A visitor closed the page."""
        self.runs.leave(request.session_hash)

    def control(self, session: str, panel: panels.Panel, values: list) -> None:
        """Carry moved weights, rule, tau and alpha to the session's run; experts it did not start with stay out."""
        moved = panel.ensemble(values)

        def retuned(run: Run) -> EnsembleParams:
            lam = {i: moved.lam.get(i, 0.0) for i in run.request.users}
            return replace(moved, lam=lam, schedule_end=run.request.ensemble.schedule_end)
        self.runs.control(session, retuned)
