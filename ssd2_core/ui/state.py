"""What the page's handlers share: the engine, the model cards and the runs. No components here, and no visitor's settings."""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace

import gradio as gr

from ..config import EnsembleParams, Settings
from ..protocol.messages import Document, Pace, Request, Turn
from ..registry.model_card import ModelCard, is_compatible
from ..registry.own_sampling import usual
from . import strings
from .components import panels
from .components.viewer import head
from .events import discard
from .run_groups import Groups
from .runs import Run, Runs
from .session_tickets import SessionTickets

MAX_TALKS = 1000


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
        self.places = [f"own-{n}" for n in range(settings.limits.max_own_models)]
        self.order = [*(card.id for card in self.users), *self.places]
        self._taken: dict[str, list[str]] = {}          # by session: which own model stands at which place, "" for none
        self._files: dict[str, set[str]] = {}           # by session: copies that were sent here or can be downloaded
        self.titles = {"core": self.core_title(settings.core), **{card.id: card.title for card in self.users}}
        self.runs = Runs(engine)
        self.groups = Groups(self.runs)
        self.talks: OrderedDict[str, tuple[list, tuple]] = OrderedDict()    # by session: what the chat shows, and its turns
        self.seeds: dict[str, int | None] = {}          # by session: the pinned one, None for a new one for each question
        self.paces: dict[str, Pace] = {}                # by session: what its next runs begin with
        self._came_late = False                         # the core was not here when the page was made
        self.returns = SessionTickets(settings.limits.return_seconds, self.forget)

    def visitor(self, request: gr.Request) -> str:
        """Who asks: the same name for as long as the visitor is here, also after a broken connection."""
        return self.returns.visitor(request.session_hash or "")

    def _fits(self, core: str, user) -> bool:
        """Whether an expert goes with a core; a core that is not here yet is checked when it is loaded."""
        return core not in self.cores or is_compatible(user, self.cores[core])

    def learn(self) -> bool:
        """Note the core of the settings once it is fetched: what goes with it is known only then. -> whether it came late."""
        core = self.settings.core
        if core not in self.cores and core in self.engine.status().loaded:
            self.cores |= {card.id: card for card in self.engine.models() if card.id == core}
            self.titles["core"] = self.core_title(core)
            self.fits[core][:] = [card.id for card in self.users if self._fits(core, card)]     # the panels have it, too
            self._came_late = True
        return self._came_late

    def core_title(self, core: str) -> str:
        """A core's name on the page."""
        return self.cores[core].title if core in self.cores else core

    def first_core(self) -> str:
        """The core that a fresh page starts with: the preferred one once it and its users are in memory."""
        wanted = self.settings.preferred
        return wanted[0] if wanted and set(wanted) <= set(self.engine.status().loaded) else self.settings.core

    def usual(self, core: str) -> dict[str, object]:
        """Settings that stand for a core where the visitor has set none: its own sampler's."""
        return usual(self.cores[core].own if core in self.cores else {}, self.settings.limits)

    def readers(self, core: str) -> list[str]:
        """The experts that read documents and go with a core."""
        return [card.id for card in self.users if card.role == "reader" and card.id in self.fits.get(core, ())]

    def users_for(self, core: str, users: dict[str, float]) -> dict[str, float]:
        """An example's experts as this core has them: a reader stands for the core's own reader."""
        readers = self.readers(core)
        roles = {card.id: card.role for card in self.users}
        found = {}
        for user, weight in users.items():
            if user in self.fits.get(core, ()):
                found[user] = weight
            elif roles.get(user) == "reader" and readers:
                found[readers[0]] = weight
        return found

    def own(self, session: str) -> dict[str, ModelCard]:
        """The session's own models by the place where each stands."""
        cards = {card.id: card for card in self.engine.user_models.cards(session)}
        taken = self._taken.get(session, ())
        return {place: cards[i] for place, i in zip(self.places, taken, strict=False) if i in cards}

    def own_ids(self, session: str, core: str) -> dict[str, str]:
        """Ids of the own models that go with a core, by place."""
        return {place: card.id for place, card in self.own(session).items() if self._fits(core, card)}

    def take(self, session: str, card: ModelCard) -> str:
        """Give a new own model a place. -> the place."""
        own = self.own(session)
        free = next(place for place in self.places if place not in own)
        taken = self._taken.setdefault(session, [""] * len(self.places))
        taken[self.places.index(free)] = card.id
        return free

    def names(self, session: str) -> tuple[dict[str, str], list[str]]:
        """Titles by id, and the ids in the order of their hues, for one session."""
        own = self.own(session)
        titles = self.titles | {card.id: card.title for card in own.values()}
        return titles, [own[i].id if i in own else i for i in self.order]

    def head(self, request: Request) -> dict:
        """What the viewer shows before the first step."""
        titles, order = self.names(request.owner)
        titles = titles | {"core": self.core_title(request.core)}
        names = ["core", *request.users]
        blocks = math.ceil(request.sampling.max_new_tokens / request.sampling.block_length)
        return head([(name, titles.get(name, name)) for name in names], order, blocks, request.sampling.num_steps)

    def request(self, session: str, prompt: str, choice: panels.Choice, documents: tuple[Document, ...],
                history: tuple[Turn, ...]) -> Request:
        """One question as the engine takes it, with the latest turns it accepts; its id is given when it starts."""
        history = history[-self.settings.limits.max_history_turns:]
        return Request("", prompt, choice.core, choice.users, documents, history, choice.sampling, choice.ensemble,
                       owner=session)

    def varied(self, request: Request) -> Request:
        """The same with a choice that noise can move: of a causal LM the likeliest word is always the same one."""
        core = self.cores.get(request.core)
        if core is None or core.kind == "simplex" or request.sampling.projection != "greedy":
            return request
        return replace(request, sampling=replace(request.sampling, projection="sampling"))

    def reads_documents(self, session: str, users: tuple[str, ...]) -> bool:
        """Whether one of the chosen experts is given the documents."""
        return any(card.role == "reader" for card in (*self.users, *self.own(session).values()) if card.id in users)

    def status(self) -> str:
        """The status line."""
        now, wanted = self.engine.status(), self.settings.preferred
        message = strings.at_work(now.active) if now.ready and now.active else now.message
        if now.ready and wanted and not set(wanted) <= set(now.loaded):
            message = strings.answers_meanwhile(self.core_title(self.settings.core), message)
        return panels.status_html(now.ready, message, now.fraction)

    def waits(self, session: str) -> Run | None:
        """The session's run, if it waits for the preferred pair to be loaded."""
        run, wanted = self.runs.latest(session), self.settings.preferred
        waiting = run is not None and not run.end and not run.began_at and run.request.core in wanted
        return run if waiting and not set(wanted) <= set(self.engine.status().loaded) else None

    def instead(self, run: Run) -> Request:
        """The same question for the core that is here from the start, with its own reader."""
        request, core = run.request, self.settings.core
        users = self.users_for(core, dict(request.ensemble.lam))
        return replace(request, core=core, users=tuple(users), ensemble=replace(request.ensemble, lam=users), request_id="")

    def core_card(self, core: str) -> str:
        """A core's card with what is known of the device by now."""
        card, device, dtype = self.cores.get(core), self.engine.status().device, self.settings.dtype
        if self.runs.machine:
            device, dtype = self.runs.machine
        facts = [*(strings.facts(card) if card else []), device, "" if dtype == "auto" else dtype]
        return panels.core_html(self.core_title(core), facts, card.summary if card else "")

    def mix(self, session: str, picked: list[tuple[str, float]]) -> str:
        """The weights as a bar and in words."""
        titles, order = self.names(session)
        return panels.mix_html([(i, titles.get(i, i), weight) for i, weight in picked], order)

    def picked(self, session: str, panel: panels.Panel, values: list) -> str:
        """The same of what a session's panel is set to."""
        own = self.own_ids(session, panel.named(values)["core"])
        return self.mix(session, panel.picked(values, own))

    def note_talk(self, session: str, chat: list, turns: tuple[Turn, ...]) -> None:
        """Keep a conversation for a return; the oldest go when there are too many."""
        self.talks[session] = (chat, turns)
        self.talks.move_to_end(session)
        while len(self.talks) > MAX_TALKS:
            self.talks.popitem(last=False)

    async def disconnect(self, request: gr.Request) -> None:
        """A visitor closed the page, or the connection broke: the runs end, and what is the visitor's waits for a return."""
        visitor = self.visitor(request)
        self.runs.cut(visitor)
        self.groups.disconnect(visitor)
        self.returns.left(request.session_hash)

    def forget(self, visitor: str) -> None:
        """Nobody can come back as this visitor: what was theirs alone is deleted."""
        self.engine.disconnect(visitor)
        self.drop_files(visitor, self._files.get(visitor))
        self.runs.disconnect(visitor)
        for kept in (self._taken, self._files, self.talks, self.paces, self.seeds):
            kept.pop(visitor, None)

    async def come_back(self, ticket: object, session: str) -> bool:
        """Make a session that of the visitor who was given the ticket. False when it is nobody's, or came too late."""
        if not await self.returns.redeem(ticket, session):
            return False
        visitor = self.returns.visitor(session)
        placed = self._taken.get(visitor, ())
        for card in self.engine.user_models.cards(visitor):
            if card.id not in placed:                           # its training ended meanwhile
                self.take(visitor, card)
        return True

    def note_files(self, session: str, paths: list[str] | None) -> None:
        """Files of a session on this machine's disk: they go when the session does."""
        self._files.setdefault(session, set()).update(paths or ())

    def drop_files(self, session: str, paths: Iterable[str] | None) -> None:
        """Delete files of a session, but for those that other sessions sent as well: gradio keeps equal files once."""
        mine, gone = self._files.setdefault(session, set()), set(paths or ())
        mine -= gone
        discard(gone.difference(*(files for other, files in self._files.items() if other != session)))

    def control(self, session: str, panel: panels.Panel, values: list) -> None:
        """Carry moved weights, and how they are fused, to the session's run; experts it did not start with stay out."""
        moved = panel.ensemble(values, self.own_ids(session, panel.named(values)["core"]))

        def retuned(run: Run) -> EnsembleParams:
            return replace(moved, lam={i: moved.lam.get(i, 0.0) for i in run.request.users})
        self.runs.control(session, retuned)


def mixer(studio: Studio, panel: panels.Panel) -> Callable:
    """A handler that shows the weights as they are set."""
    def show(request: gr.Request, *values):
        return studio.picked(studio.visitor(request), panel, list(values))
    return show
