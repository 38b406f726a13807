"""The engines that there are: one Engine, each over a transport of its own."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ..config import Settings
from ..errors import ModelError
from .engine import Engine
from .transports.process import ProcessTransport
from .transports.thread import ThreadTransport

WORKER = "ssd2_core.serving.worker:main"
ONE_GPU = "ZeroGPU lends one GPU and every model lies on it whole; leave --{} out."


class InlineEngine(Engine):
    """The worker is a thread of this process: for scripts, tests and the command line. Loads torch at the start.

    prepare: makes a worker.Prepare, called once on that thread; by default the real models'.
    """

    def __init__(self, settings: Settings | None = None, *, preload: tuple[str, ...] = (), only_known: bool = False,
                 prepare: Callable[[Settings], object] | None = None):
        super().__init__(settings or Settings(), [partial(ThreadTransport, prepare)], preload=preload, only_known=only_known)


class ProcessEngine(Engine):
    """The worker is a process of its own, so neither its work nor its end stops the page.

    worker_target: "module:function" that the process runs.
    """

    def __init__(self, settings: Settings, *, preload: tuple[str, ...] | None = None, only_known: bool = True,
                 worker_target: str = WORKER):
        super().__init__(settings, [partial(ProcessTransport, worker_target)], preload=preload, only_known=only_known)


class RayEngine(Engine):
    """A worker on each device of a Ray. ``max_active`` is of each; max_waiting and max_each are of the whole service.

    Raises VisitorError when the Ray of ``settings.engine`` cannot be reached or has fewer devices than ``settings.actors``.
    """

    def __init__(self, settings: Settings, *, preload: tuple[str, ...] | None = None, only_known: bool = True,
                 worker_target: str = WORKER):
        from .transports.ray import Connection, RayTransport
        self._connection = Connection(settings.engine, settings.actors)
        try:
            start = partial(RayTransport, partial(self._connection.create, worker_target), self._connection.is_local)
            super().__init__(settings, [start] * self._connection.count, preload=preload, only_known=only_known)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """As of Engine; then Ray, if it was started or connected here."""
        super().close()
        self._connection.close()

    def health(self) -> dict:
        """The same, and how many actors there are and are ready."""
        states = self.dispatcher.states
        return {**super().health(), "actors": len(states), "actors_ready": sum(state.ready for state in states)}


class ZeroEngine(Engine):
    """Each request is a GPU call of ZeroGPU. One in a process; start it in the main thread, before the page is launched.

    Models that are preloaded are on the GPU in every fork; others are loaded there, when they are asked for.
    prepare: makes a worker.Prepare; by default the real models'. Raises ModelError for settings that place weights elsewhere.
    """

    def __init__(self, settings: Settings, *, preload: tuple[str, ...] | None = None, only_known: bool = True,
                 prepare: Callable[[Settings], object] | None = None):
        for name in ("device_map", "max_memory", "offload_folder", "quantize"):
            if getattr(settings, name) is not None:
                raise ModelError(ONE_GPU.format(name.replace("_", "-")))
        from .transports.zerogpu import SLOTS, ZeroTransport
        limits = replace(settings.limits, max_active=min(settings.limits.max_active, SLOTS))
        super().__init__(replace(settings, limits=limits), [partial(ZeroTransport, prepare)], preload=preload,
                         only_known=only_known)
