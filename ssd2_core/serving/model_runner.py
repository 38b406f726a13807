"""Makes a Run of a Request: models from the library, contexts from the prompts, an Ensemble, generate. Worker side only.

Keeps loaded models. Knows nothing of other runs or of messages.
"""

import gc
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from ..config import CORE, SamplingParams, Settings
from ..diffusion.describe import Description, describe
from ..diffusion.ensemble import Ensemble
from ..diffusion.sampling import Generation, generate
from ..diffusion.step import Step
from ..errors import ModelError, VisitorError
from ..models import attribute_model, loading
from ..protocol.messages import Request, Started, is_private
from ..registry.cards import local_card
from ..text.documents import passages
from ..text.prompts import answer_text, cell_texts, contexts, template_ids, template_of
from .active_run import Run
from .batching import Batcher
from .run_pins import RunPins
from .time_left import TimeLeft

log = logging.getLogger(__name__)
MAX_MODELS = 8
LARGE = 50_000_000              # parameters of a network that every CPU helps
FIRST_CHARS = 80
SILENT = "{} has nothing to read and keeps silent; give it a document."
NO_ROOM = "{} has no room for the document beside a question of this length; shorten the question."
FORGOTTEN = "{} does not read the {} earliest turns of this conversation, which do not fit."
APART = "{} control tokens that mean other things to these models are left out of the answer."
UNGUIDED = "Guidance has no effect here: no attribute model has the vocabulary of this core."

Notify = Callable[[str, float], None]


def threads_beside_page(settings: Settings) -> int | None:
    """Threads of a worker that shares its CPUs with the page; None leaves them to torch.

    A small network gains less from the last CPU than it loses when page and browser take it away in the midst of a step.
    """
    cards = [local_card(model_id) for model_id in (settings.core, *settings.preferred)]
    if settings.threads or "OMP_NUM_THREADS" in os.environ or not all(card and card.parameters < LARGE for card in cards):
        return settings.threads
    return max(1, len(os.sched_getaffinity(0)) - 1) if hasattr(os, "sched_getaffinity") else None


class ModelCache:
    """Loaded experts by model id; the one unused for longest leaves when there are more than ``max_models``."""

    def __init__(self, settings: Settings, max_models: int = MAX_MODELS):
        self.settings, self.max_models = settings, max_models
        self._experts: OrderedDict[str, loading.Expert] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, model_id: str) -> bool:
        return model_id in self._experts

    def ids(self) -> tuple[str, ...]:
        """Ids of the experts that are here."""
        with self._lock:
            return tuple(self._experts)

    def get(self, model_id: str, progress: Notify | None = None) -> loading.Expert:
        """The expert, loaded if it is not here yet. Raises ModelError as the library does. progress: of a base's fetching."""
        with self._lock:
            if model_id in self._experts:
                self._experts.move_to_end(model_id)
                return self._experts[model_id]
        s, own = self.settings, is_private(model_id)
        expert = loading.load(model_id, s.device_map, s.dtype, progress, max_memory=s.max_memory,
                              offload_folder=s.offload_folder, quantize=s.quantize, max_context=s.max_context,
                              prefix_cache=s.prefix_cache, folder=Path(s.visitors_folder, model_id) if own else None)
        if own:
            check_sound(expert)
        with self._lock:
            self._experts[model_id] = expert
            while len(self._experts) > self.max_models:
                self._experts.popitem(last=False)
        return expert

    def drop(self, model_ids: tuple[str, ...]) -> None:
        """Let go of these models."""
        with self._lock:
            for model_id in model_ids:
                self._experts.pop(model_id, None)

    def clear(self) -> None:
        """Let go of every model; running requests keep theirs until they end."""
        with self._lock:
            self._experts.clear()


class ModelRuns:
    """A worker.Prepare over real models."""

    def __init__(self, settings: Settings):
        if settings.threads:
            torch.set_num_threads(settings.threads)
        self.cache = ModelCache(settings)
        self.batcher = Batcher()
        self.device = "cuda" if torch.cuda.is_available() else "cpu"

    def is_loaded(self, request: Request) -> bool:
        """Whether every model of the request is in memory."""
        return all(model_id in self.cache for model_id in (request.core, *request.users))

    def loaded(self) -> tuple[str, ...]:
        """Ids of the models in memory."""
        return self.cache.ids()

    def preload(self, model_ids: tuple[str, ...], notify: Notify) -> str:
        """Load models; returns what went wrong in one sentence for each, or ""."""
        problems = []
        for index, model_id in enumerate(model_ids):
            notify(f"Loading {model_id}.", index / len(model_ids))
            try:
                self.device = str(self.cache.get(model_id, part_of(notify, index, len(model_ids))).model.device)
            except VisitorError as error:
                problems.append(str(error))
        return " ".join(problems)

    def prefetch(self, runs: list[Run]) -> None:
        """One network pass for what several runs ask next. What fails here fails again, alone, in its own run's step."""
        try:
            known = self.batcher.logits((run.ensemble, run.steps.generation) for run in runs)
        except Exception:
            log.exception("a batch of %d runs failed; each goes on alone", len(runs))
            known = {}
        for run in runs:
            run.steps.known = known

    def forget(self, model_ids: tuple[str, ...]) -> None:
        """Let go of models whose owner is gone; runs under way keep theirs to their end."""
        self.cache.drop(model_ids)
        self.batcher.clear()

    def free_memory(self) -> None:
        """Make room after the device ran out of memory."""
        self.cache.clear()
        self.batcher.clear()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def __call__(self, request: Request, notify: Notify) -> Run:
        """Load what is missing, give every expert its context, and start the one generator of this run."""
        experts = self._experts(request, notify)
        loading.check_compatible(experts[CORE].card, [e.card for name, e in experts.items() if name != CORE])
        texts = [passage for document in request.documents for passage in passages(document.text)]
        template = template_of(request.prompt)
        room = request.sampling.answer_length
        given = {name: contexts(expert.tokenizer, expert.config_as(name), template.question, request.history, texts, room)
                 for name, expert in experts.items()}
        bound = {name: experts[name].model.bind(c.ids, c.bare_ids) for name, c in given.items()}
        never = loading.never_said(experts)
        silent = [name for name, c in given.items() if c.bare_ids is None and experts[name].only_reads(name)]
        ensemble = Ensemble(bound, request.ensemble,
                            attribute_model.guide_for(experts[CORE].card.tokenizer_hash), silent, never)
        rng = torch.Generator(device=ensemble.device).manual_seed(request.sampling.seed)
        tokenizer, model = experts[CORE].tokenizer, experts[CORE].model
        pins = RunPins(tokenizer, request.sampling, ensemble.vocab_size, ensemble.lead(request.sampling.block_length))
        pins.fill(template_ids(tokenizer, template), ensemble.ends)
        for pin in request.pins:
            pins.put(pin)
        generation = generate(ensemble, request.sampling, rng, pins=pins.pins)
        return Run(
            request=request, steps=DescribedSteps(generation), ensemble=ensemble, pin=pins.put,
            is_over=lambda: generation.state is None,
            decode_each=lambda ids: cell_texts(tokenizer, ids),
            decode=lambda ids: answer_text(tokenizer, ids, ensemble.ends), ends=ensemble.ends,
            started=started(request, given, ensemble.guide is not None, not_read(given, experts, silent, never)),
            device=str(ensemble.device), dtype=str(model.dtype).removeprefix("torch."))

    def _experts(self, request: Request, notify: Notify) -> dict[str, loading.Expert]:
        wanted = {CORE: request.core, **{user: user for user in request.users}}
        missing = [model_id for model_id in dict.fromkeys(wanted.values()) if model_id not in self.cache]
        for index, model_id in enumerate(missing):
            notify(f"Loading {model_id}.", index / len(missing))
            self.cache.get(model_id, part_of(notify, index, len(missing)))
        return {name: self.cache.get(model_id) for name, model_id in wanted.items()}


class DescribedSteps:
    """Each step of a generation with its Description. known: what a batch computed for the next one."""

    def __init__(self, generation: Generation):
        self.generation, self.known = generation, {}

    def __iter__(self) -> "DescribedSteps":
        return self

    def __next__(self) -> tuple[Step, Description]:
        step = self.generation.make_step(known=self.known)
        self.known = {}
        if step is None:
            raise StopIteration
        return step, describe(step)


@torch.no_grad()
def check_sound(expert: loading.Expert) -> None:
    """Raise ModelError unless a visitor's model has finite weights and says something finite."""
    for name, tensor in expert.model.named_parameters():
        if not bool(tensor.isfinite().all()):
            raise ModelError(f"{expert.card.title} has values that are not finite in {name}; train or save it again.")
    bound = expert.model.bind(contexts(expert.tokenizer, expert.model.config, "Hello", (), ()).ids)
    params = SamplingParams(num_steps=2, block_length=8, max_new_tokens=8)
    for step in generate(bound, params, torch.Generator(device=bound.device).manual_seed(0)):
        if not bool(step.prediction.logits.isfinite().all()):
            raise ModelError(f"{expert.card.title} gives values that are not finite; its weights are too large.")


def part_of(notify: Notify, index: int, count: int) -> Notify:
    """Progress 0..1 of model ``index`` as progress of all ``count``, with the time that its part still takes."""
    return TimeLeft(lambda text, part: notify(text, (index + part) / count))


def not_read(given: dict, experts: dict[str, loading.Expert], silent: Sequence[str], never: Sequence[int]) -> list[str]:
    """Sentences on experts with nothing to read, no room for it, or no room for the beginning. never: ids nobody may say."""
    out = [APART.format(len(never))] if never else []
    for name, context in given.items():
        title = experts[name].card.title
        if context.left_out and not context.used:
            out.append(NO_ROOM.format(title))
        elif name in silent:
            out.append(SILENT.format(title))
        if context.forgotten:
            out.append(FORGOTTEN.format(title, 2 * context.forgotten))
    return out


def started(request: Request, given: dict, can_guide: bool = True, notices: Sequence[str] = ()) -> Started:
    """What each expert was given; a passage counts as left out when no expert has it."""
    notices = tuple(notices)
    notices += (UNGUIDED,) if request.ensemble.guidance and not can_guide else ()
    used = list(dict.fromkeys(text for context in given.values() for text in context.used))
    left_out = [t for t in dict.fromkeys(t for c in given.values() for t in c.left_out) if t not in used]
    return Started(request.request_id, tuple(given), {name: len(c.ids) for name, c in given.items()},
                   tuple(map(first_words, used)), tuple(map(first_words, left_out)), notices)


def first_words(text: str) -> str:
    """The beginning of a passage, enough to know it by."""
    return text if len(text) <= FIRST_CHARS else f"{text[:FIRST_CHARS].rstrip()}…"
