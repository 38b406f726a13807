"""An engine on Ray: a worker as an actor on each device, requests given to them by the models they need and by load.

The page keeps the line: a request goes to an actor when that has a place for it, so the end of an actor costs only the runs it
had. Training stays on the page's machine; a visitor's own model is sent to the actor that needs it.
"""

import importlib.util
import logging
import os
import re
import secrets
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from ..config import Settings, check_int
from ..errors import BusyError, VisitorError, reason
from ..protocol.messages import Cancel, Control, Done, Event, Failed, Preload, Request, Unload, is_private
from .child_process import ROOT
from .engine import WORKER_LOST, Engine
from .ray_actor import Actor, ActorChild, Files
from .supervisor import GAVE_UP, Supervisor
from .wait_queue import WaitQueue, change_before

LOCAL, HERE = ("ray", "ray://local"), "ray://auto"
ADDRESS = re.compile(r"ray://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
STORE_BYTES = 100_000_000       # of a Ray that is started here: messages are small
CONNECT_SECONDS = 5.0
UPLOADED = ("ssd2_core", "assets")      # of this repository, to the machines of a cluster


@dataclass
class Place:
    """What is known of one actor. ready: it has loaded what it was to load first. fresh: it has not died yet.

    models: that it has, or was asked for; it may have dropped some since, which costs a load. sent: ids of visitors' models
    whose files it has. runs: that it was given.
    """

    ready: bool = False
    fresh: bool = True
    models: set[str] = field(default_factory=set)
    sent: set[str] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)


def choose(places: Sequence[Place], models: set[str], max_active: int) -> int | None:
    """Which actor answers next: of those with a free place the one that lacks fewest of the models, then the least busy.

    None: the request waits. Until the first actor is ready, those that start count. One that died counts again when it is
    ready, so that what ends it twice costs nobody else anything.
    """
    usable = [i for i, place in enumerate(places) if place.ready] or [i for i, place in enumerate(places) if place.fresh]
    free = [i for i in usable if len(places[i].runs) < max_active]
    return min(free, key=lambda i: (len(models - places[i].models), len(places[i].runs)), default=None)


class RayEngine(Engine):
    """The same on Ray. ``settings.limits.max_active`` is of each actor; max_waiting and max_each are of the whole service.

    preload: models that every actor loads first, by default the core. worker_target: "module:function" that an actor runs.
    Raises VisitorError when the Ray of ``settings.engine`` cannot be reached or has fewer devices than ``settings.actors``.
    """

    def __init__(self, settings: Settings, *, preload: tuple[str, ...] | None = None, only_known: bool = True,
                 worker_target: str = "ssd2_core.serving.worker:main"):
        self._owns_ray = connect(settings.engine, settings.actors)
        try:
            count, options, share = devices(settings.engine, settings.actors)
            super().__init__(settings, only_known)
        except BaseException:
            self._disconnect()
            raise
        self.is_local = settings.engine in LOCAL
        self.places = [Place() for _ in range(count)]
        self.line = WaitQueue(self._receive, self._places)
        create = partial(self._create, worker_target, options, share)
        self.supervisors = [
            Supervisor(partial(ActorChild, create), self._lock, partial(self._hear, place), partial(self._lost, place),
                       partial(self._ready, number))
            for number, place in enumerate(self.places)]
        self._send(Preload((settings.core,) if preload is None else tuple(preload)))

    def _create(self, target: str, options: dict, share: int) -> object:
        """A handle of a new actor. On other machines there is no folder of visitors' models, and modules lie elsewhere."""
        import ray
        settings = self.settings if self.is_local else replace(self.settings, visitors_folder="")
        # Calls at once: one that waits for events, one that brings messages, one that cleans up, and one to spare.
        remote = ray.remote(Actor).options(max_concurrency=4, max_restarts=0, scheduling_strategy="SPREAD", **options)
        return remote.remote(target, settings, list(sys.path) if self.is_local else [], share)

    def _start(self) -> None:
        for supervisor in self.supervisors:
            supervisor.start()

    def _close(self) -> None:
        closing = [threading.Thread(target=supervisor.close) for supervisor in self.supervisors]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join()

    def close(self) -> None:
        """End the actors and every run, within about a second, then Ray if it was started or connected here."""
        super().close()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._owns_ray:
            import ray
            self._owns_ray = False
            with suppress(Exception):       # a Ray that is gone already
                ray.shutdown()

    def _places(self) -> int:
        return self.settings.limits.max_active * sum(not supervisor.gave_up for supervisor in self.supervisors)

    def _check_open(self) -> None:
        super()._check_open()
        if all(supervisor.gave_up for supervisor in self.supervisors):
            raise BusyError(GAVE_UP)

    def _send(self, message: object) -> None:
        with self._lock:
            match message:
                case Request():
                    self.line.add(message)
                    self._admit()
                case Control() | Cancel():
                    self._tell_run(message)
                case _:
                    for place, supervisor in zip(self.places, self.supervisors, strict=True):
                        if isinstance(message, Preload):
                            place.models.update(message.model_ids)
                        if isinstance(message, Unload):
                            place.models.difference_update(message.model_ids)
                            place.sent.difference_update(message.model_ids)
                        supervisor.send(message)

    def _tell_run(self, message: Control | Cancel) -> None:
        """To the actor that has the run, or here where it still waits."""
        for place, supervisor in zip(self.places, self.supervisors, strict=True):
            if message.request_id in place.runs:
                supervisor.send(message)
                return
        if isinstance(message, Control):
            change_before(self.line.requests, message, self._receive)
        elif self.line.disconnect(message.request_id):
            self.line.tell()

    def _admit(self) -> None:
        """Give free places to those who wait longest, and tell the others where they stand. Under the lock."""
        while self._state == "open" and (request := self.line.first()) is not None:
            models = {request.core, *request.users}
            number = choose(self.places, models, self.settings.limits.max_active)
            if number is None:
                break
            self.line.disconnect(request.request_id)
            place, supervisor = self.places[number], self.supervisors[number]
            place.runs.add(request.request_id)
            place.models |= models
            for model_id in filter(is_private, request.users):
                self._send_files(place, supervisor, model_id)
            supervisor.send(request)
        self.line.tell()

    def _send_files(self, place: Place, supervisor: Supervisor, model_id: str) -> None:
        """A visitor's own model, of at most ``max_model_bytes``, to an actor on another machine."""
        if self.is_local or model_id in place.sent:
            return
        with suppress(OSError):             # deleted just now: the actor says that it is not there
            files = [file for file in (self.user_models.folder / model_id).iterdir() if file.is_file()]
            supervisor.send(Files(model_id, {file.name: file.read_bytes() for file in files}))
            place.sent.add(model_id)

    def _hear(self, place: Place, event: Event) -> None:
        """An event of a run on an actor."""
        if not isinstance(event, Done | Failed):
            self._receive(event)
            return
        with self._lock:
            place.runs.discard(event.request_id)
            if isinstance(event, Done):
                self.line.note(event)
            self._receive(event)
            self._admit()

    def _ready(self, number: int) -> None:
        with self._lock:
            self.places[number].ready = True
            self.places[number].models.update(self.supervisors[number].loaded)
            self._admit()

    def _lost(self, place: Place) -> None:
        """An actor is gone with its runs; the other actors, and those who wait, go on. Under the lock."""
        lost, place.runs = place.runs, set()
        place.ready = place.fresh = False
        place.models.clear()
        place.sent.clear()
        for request_id in lost:
            self._receive(Failed(request_id, WORKER_LOST))
        if all(supervisor.gave_up for supervisor in self.supervisors):
            self.line.clear()
            self._fail_all(GAVE_UP)
        else:
            self._admit()

    def _device(self) -> str:
        return ", ".join(dict.fromkeys(s.device for s in self.supervisors if s.device))

    def _health(self) -> tuple[bool, str, float, int, str, tuple[str, ...]]:
        """Ready as soon as one actor is. loaded: what all that are ready have. message: of one that is not, if there is one."""
        ready = [s for s in self.supervisors if s.ready]
        loaded = tuple(i for i in ready[0].loaded if all(i in s.loaded for s in ready)) if ready else ()
        message = next((s.message for s in self.supervisors if not s.ready), self.supervisors[0].message)
        return (bool(ready), message, sum(s.fraction for s in self.supervisors) / len(self.supervisors),
                sum(s.restarts for s in self.supervisors), self._device(), loaded)

    def health(self) -> dict:
        """The same, and how many actors there are and are ready."""
        return {**super().health(), "actors": len(self.places), "actors_ready": sum(s.ready for s in self.supervisors)}


def check_address(address: str, actors: int | None) -> None:
    """Raise VisitorError unless ``connect`` can make sense of it, with what is installed here."""
    if address not in (*LOCAL, HERE) and not ADDRESS.fullmatch(address):
        raise VisitorError(f"--engine must be process, zero, ray, {HERE} or ray://HOST:PORT, not {address!r}.")
    if actors is not None:
        check_int("--actors", actors, 1, 1000)
    if importlib.util.find_spec("ray") is None:
        raise VisitorError("--engine ray needs a package that is not here: pip install -r requirements-ray.txt")


def connect(address: str, actors: int | None) -> bool:
    """Start a Ray here, or connect to one. False: this process has one already. Raises VisitorError in one sentence."""
    check_address(address, actors)
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_AUTO_CONNECT": "0"}      # no new Ray when this one is gone
    import ray
    if ray.is_initialized():
        return False
    found = ADDRESS.fullmatch(address)
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    stays = ["__pycache__", *(f"/{path.name}" for path in ROOT.iterdir() if path.name not in UPLOADED)]
    code = {"working_dir": str(ROOT), "excludes": stays}
    try:
        if found:
            socket.create_connection((found[1].strip("[]"), int(found[2])), CONNECT_SECONDS).close()
            ray.init(address, runtime_env=code, **quiet)
        elif address == HERE:
            ray.init("auto", runtime_env=code, **quiet)
        else:
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))         # for its ports; else Ray keeps one in $HOME
            path = os.pathsep.join([str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))])
            ray.init("local", num_cpus=max(actors or 1, os.cpu_count() or 1), include_dashboard=False,
                     object_store_memory=STORE_BYTES, runtime_env={"env_vars": {"PYTHONPATH": path}}, **quiet)
        ray.get(ray.put(None))              # imports what is imported at the first use, before the page's threads import, too
    except Exception as error:              # whatever a network, another version or a full disk makes Ray say
        raise VisitorError(f"The Ray of --engine {address} cannot be used: {reason(error)}; check the address, and that it "
                           f"has Ray {ray.__version__} and this Python.") from None
    return True


def devices(address: str, actors: int | None) -> tuple[int, dict, int]:
    """How many actors there will be, Ray's options for each, and how many share the processor of a machine (0 with GPUs)."""
    import ray
    have = ray.cluster_resources()
    gpus, machines = int(have.get("GPU", 0)), max(1, sum(node["Alive"] for node in ray.nodes()))
    kind, most = ("GPU", gpus) if gpus else ("CPU", int(have.get("CPU", 0)))
    count = actors or gpus or machines
    if count > most:
        raise VisitorError(f"--actors asks for {count}, and the Ray of --engine {address} has {most} {kind}s.")
    keep_threads = gpus or (address in LOCAL and "OMP_NUM_THREADS" in os.environ)
    return count, {"num_cpus": 1, "num_gpus": 1 if gpus else 0}, 0 if keep_threads else -(-count // machines)
