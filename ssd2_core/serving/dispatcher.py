"""Requests to workers: one queue, one admission, controls and cancels to whoever has the run. Knows no visitor and no page."""

import threading
from collections.abc import Callable, Sequence

from ..protocol.messages import Cancel, Control, Done, Event, Failed, Request, Unload
from .transport import Transport
from .wait_queue import WaitQueue, change_before
from .worker_handle import CLOSED, GAVE_UP, WorkerHandle, WorkerState

WORKER_LOST = "The worker stopped unexpectedly; it is starting again, please ask once more."


def choose(workers: Sequence[WorkerState], models: set[str], max_active: int) -> int | None:
    """Which worker answers next: of those that are not full the one that lacks fewest of the models, then the least busy.

    None: the request waits. Until the first worker is up, those that start count. One that died counts again when it is up, so
    that what ends it twice costs nobody else anything.
    """
    usable = [i for i, worker in enumerate(workers) if worker.up] or [i for i, worker in enumerate(workers) if worker.fresh]
    free = [i for i in usable if len(workers[i].runs) < max_active]
    return min(free, key=lambda i: (len(models - workers[i].models), len(workers[i].runs)), default=None)


class Dispatcher:
    """Every method may be called from any thread.

    starts: each makes the transport to one worker. max_active: requests that each answers at once. preload, required: as
    WorkerHandle takes them. emit: takes the events of all runs, with ``lock`` held where a run ends.
    """

    def __init__(self, starts: Sequence[Callable[[], Transport]], max_active: int, preload: tuple[str, ...], required: set[str],
                 emit: Callable[[Event], None]):
        self.max_active, self.emit = max_active, emit
        self.lock = threading.RLock()
        self.queue = WaitQueue(emit, self.capacity)
        self.workers = [WorkerHandle(start, self.lock, preload, required, self._receive, self._dispatch, self._lost)
                        for start in starts]
        self._is_open = False

    @property
    def states(self) -> list[WorkerState]:
        """What is known of each worker."""
        return [worker.state for worker in self.workers]

    def capacity(self) -> int:
        """How many requests can be answered at once."""
        return self.max_active * sum(not state.gave_up for state in self.states)

    def start(self) -> None:
        """Start the workers; requests that came before wait for them."""
        with self.lock:
            self._is_open = True
            for worker in self.workers:
                worker.start()
            self._dispatch()

    def close(self) -> None:
        """End the workers and every run, within about a second."""
        with self.lock:
            self._is_open = False
            self._fail(CLOSED, *self.queue.requests, *(run for state in self.states for run in state.runs))
        closing = [threading.Thread(target=worker.close) for worker in self.workers]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join()

    def submit(self, request: Request) -> None:
        """Give a request to a worker, or queue it. It is sent in the caller's context, whenever that is."""
        with self.lock:
            self.queue.add(request)
            self._dispatch()

    def control(self, control: Control) -> None:
        """Change a run. Raises BusyError when too many changes wait."""
        with self.lock:
            worker = self._worker_of(control.request_id)
            if worker is not None:
                worker.send(control)
            else:
                change_before(self.queue.requests, control, self.emit)

    def cancel(self, request_id: str) -> None:
        """Stop a run; a worker that has it tells its end, one that waits is only taken out of the queue."""
        with self.lock:
            worker = self._worker_of(request_id)
            if worker is not None:
                worker.send(Cancel(request_id))
            elif self.queue.remove(request_id):
                self.queue.tell_positions()

    def preload(self, model_ids: tuple[str, ...]) -> None:
        """Load models on every worker."""
        for worker in self.workers:
            worker.preload(model_ids)

    def unload(self, model_ids: tuple[str, ...]) -> None:
        """Let every worker drop models."""
        with self.lock:
            for worker in self.workers:
                worker.state.models.difference_update(model_ids)
                worker.send(Unload(model_ids))

    def _worker_of(self, request_id: str) -> WorkerHandle | None:
        return next((worker for worker in self.workers if request_id in worker.state.runs), None)

    def _dispatch(self) -> None:
        """Give the oldest requests to workers that are not full, and tell the others their position. Under the lock."""
        while self._is_open and (request := self.queue.first()) is not None:
            models = {request.core, *request.users}
            chosen = choose(self.states, models, self.max_active)
            if chosen is None:
                break
            context, worker = self.queue.remove(request.request_id), self.workers[chosen]
            worker.state.runs.add(request.request_id)
            worker.state.models |= models
            context.run(worker.send, request)
        self.queue.tell_positions()

    def _receive(self, worker: WorkerHandle, event: Event) -> None:
        """An event of a run that a worker has."""
        if not isinstance(event, Done | Failed):
            self.emit(event)
            return
        with self.lock:
            worker.state.runs.discard(event.request_id)
            if isinstance(event, Done):
                self.queue.note(event)
            self.emit(event)
            self._dispatch()

    def _lost(self, worker: WorkerHandle) -> None:
        """A worker is gone with its runs; the others, and those who wait, go on. Under the lock."""
        lost, worker.state.runs = worker.state.runs, set()
        self._fail(WORKER_LOST, *lost)
        if all(state.gave_up for state in self.states):
            self._fail(GAVE_UP, *self.queue.requests)
        self._dispatch()

    def _fail(self, message: str, *request_ids: str) -> None:
        for request_id in request_ids:
            self.queue.remove(request_id)
            self.emit(Failed(request_id, message))
