"""One request as a GPU call of ZeroGPU: a function that the package ``spaces`` runs in a fork of the page's process.

The fork has what the page had, its models too, and a worker of its own answers the one request there. What a visitor changes
meanwhile comes through a channel that was made before the fork. Knows no engine.
"""

import logging
import os
import pickle
import re
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from multiprocessing.connection import wait
from queue import SimpleQueue
from types import SimpleNamespace

import spaces  # before torch: it stands in for the GPU until there is one

from ...config import LIMITS
from ...protocol.messages import Cancel, Control, Done, Event, Failed, Request, is_private
from ...registry.cards import local_card
from ..worker import BROKEN, STOP, Worker
from .process import watch

log = logging.getLogger(__name__)
SLOTS = 32                                              # GPU calls at once at most, whatever the limits say
LEAST_SECONDS, PASS_SECONDS, BILLION_SECONDS, MOST_SECONDS = 10.0, 0.01, 0.005, 120.0
LOOK_SECONDS = 0.05
MESSAGE_BYTES = 65536
PAGE = os.getpid()
FORKED = SimpleNamespace(prepare=None, max_pause=LIMITS.max_pause_seconds)     # what a fork finds, set by the page before
NO_GPU = "No GPU could be had from Hugging Face; try again in a minute."
# What the titles of errors of ``spaces`` mean to a visitor.
SENTENCES = {
    "ZeroGPU quota exceeded": "The GPU time that Hugging Face gives you is used up; log in there for more, or try again {}.",
    "ZeroGPU pending credits exceeded": "You have too many answers under way on Hugging Face's GPUs; wait for one of them.",
    "ZeroGPU illegal duration": "Hugging Face lends no GPU for as long as this answer takes; ask for fewer steps or tokens.",
    "ZeroGPU queue timeout": "No GPU was free within a minute; try again in a moment.",
    "ZeroGPU worker error": "The GPU was taken away before the answer was finished; ask again, or for fewer steps or tokens.",
}


class Channel:
    """Messages from the page to a forked process, in order and each in one piece. Bounded by what the kernel keeps."""

    def __init__(self):
        self._page, self._fork = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._page.setblocking(False)
        self._fork.setblocking(False)

    def send(self, message: Control | Cancel | None) -> bool:
        """False when there is no room, because nobody reads. None wakes the reader."""
        try:
            self._page.send(pickle.dumps(message))
        except BlockingIOError:
            return False
        return True

    def clear(self) -> None:
        """Drop what a fork has left unread."""
        with suppress(BlockingIOError):
            while True:
                self._fork.recv(MESSAGE_BYTES)

    def feed(self, request_id: str, inbox: SimpleQueue, over: threading.Event) -> None:
        """Pass on what is for this request, until it is over."""
        while not over.is_set():
            if wait([self._fork], LOOK_SECONDS):
                message = pickle.loads(self._fork.recv(MESSAGE_BYTES))
                if message is not None and message.request_id == request_id:
                    inbox.put(message)


CHANNELS = [Channel() for _ in range(SLOTS)]


def gpu_seconds(request: Request, slot: int = 0) -> int:
    """For how long a request asks for a GPU: a floor for the fork and the models, and its share for each network's passes.

    Whoever asks for less waits less, and what is not used is not counted; a call that takes longer may be ended.
    """
    sampling, again = request.sampling, 2 if request.ensemble.alpha else 1
    steps = -(-sampling.max_new_tokens // sampling.block_length) * sampling.num_steps
    each = pass_seconds(request.core) + again * sum(map(pass_seconds, request.users))
    return round(min(MOST_SECONDS, LEAST_SECONDS + steps * each))


def pass_seconds(model_id: str) -> float:
    """For one pass of a network: for what a GPU takes to begin its kernels, and to read the weights, each taken twice."""
    card = local_card(model_id)
    return PASS_SECONDS + BILLION_SECONDS * (card.parameters if card else 0) / 1e9


@spaces.GPU(duration=gpu_seconds)
def answer(request: Request, slot: int) -> Iterator[int | list[Event]]:
    """In the forked process: first its number, which says that the channel is read, then the events of the request."""
    settle(os.getpid())
    yield os.getpid()
    inbox, events, over = SimpleQueue(), SimpleQueue(), threading.Event()
    inbox.put(request)
    worker = Worker(inbox, events.put, FORKED.prepare, FORKED.max_pause)

    def work() -> None:
        try:
            worker.run()
        except Exception:
            log.exception("request %s failed", request.request_id)
            events.put(Failed(request.request_id, BROKEN))

    threads = [threading.Thread(target=work, daemon=True),
               threading.Thread(target=CHANNELS[slot].feed, args=(request.request_id, inbox, over), daemon=True)]
    for thread in threads:
        thread.start()
    batch: list[Event] = []
    try:
        while not (batch and isinstance(batch[-1], Done | Failed)):
            batch = [events.get()]
            while not events.empty():
                batch.append(events.get())
            yield batch
    finally:
        over.set()
        CHANNELS[slot].send(None)
        inbox.put(STOP)
        for thread in threads:
            thread.join(5.0)
        FORKED.prepare.forget(tuple(filter(is_private, request.users)))     # a fork keeps no visitor's model


@lru_cache(1)
def settle(pid: int) -> None:
    """Once in a forked process: it ends with the page, and leaves alone the threads that torch had there and has not here."""
    if pid != PAGE:
        threading.Thread(target=watch, args=(PAGE,), name="parent-watch", daemon=True).start()
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(1)


def sentence(error: BaseException) -> str:
    """What an error of ``spaces`` means, for the visitor; all others are NO_GPU."""
    found = re.search(r"Try again (in [\d:a-z, ]+)", str(getattr(error, "message", "")))
    return SENTENCES.get(getattr(error, "title", ""), NO_GPU).format(found.group(1).strip() if found else "later")
