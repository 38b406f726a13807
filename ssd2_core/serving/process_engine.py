"""The engine of the page: the worker is a process of its own, restarted when it dies."""

from functools import partial

from ..config import Settings
from ..errors import BusyError
from ..protocol.messages import Preload
from .child_process import Child
from .engine import WORKER_LOST, Engine
from .supervisor import GAVE_UP, Supervisor


class ProcessEngine(Engine):
    """The engine of the page: the worker is a process of its own, so neither its work nor its end stops the page.

    preload: models to load at the start, by default the core. worker_target: "module:function" that the process runs.
    """

    def __init__(self, settings: Settings, *, preload: tuple[str, ...] | None = None, only_known: bool = True,
                 worker_target: str = "ssd2_core.serving.worker:main"):
        super().__init__(settings, only_known)
        self.supervisor = Supervisor(partial(Child, worker_target, self.settings), self._lock, self._receive, self._lost)
        self.supervisor.send(Preload((settings.core,) if preload is None else tuple(preload)))

    def _start(self) -> None:
        self.supervisor.start()

    def _close(self) -> None:
        self.supervisor.close()

    def _send(self, message: object) -> None:
        self.supervisor.send(message)

    def _check_open(self) -> None:
        super()._check_open()
        if self.supervisor.gave_up:
            raise BusyError(GAVE_UP)

    def _lost(self) -> None:
        self._fail_all(GAVE_UP if self.supervisor.gave_up else WORKER_LOST)

    def _health(self) -> tuple[bool, str, float, int, str, tuple[str, ...]]:
        s = self.supervisor
        return s.ready, s.message, s.fraction, s.restarts, s.device, s.loaded
