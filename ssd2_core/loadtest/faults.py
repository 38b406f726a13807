"""Things that break: memory, disk, queue, connection. Each costs whom it meets one sentence, and then it works again."""

import asyncio
import contextlib
import subprocess
import time
from collections import Counter
from pathlib import Path

import psutil

from .client import Heard, Site, Tab, is_sentence
from .questions import DOCUMENT, SHORT, end_of, sentences_of
from .server import Server
from .stops import ENDLESS, asked, idle
from .visitors import own_model

QUESTION = {"prompt": "What is the name of the dog?", "pasted": DOCUMENT.format("dog", "Brimsel"), **SHORT}
HEAVY = {"prompt": "What is the name of the dog? " * 60, "pasted": DOCUMENT.format("dog", "Brimsel") * 400, "block_length": 32,
         "max_new_tokens": 128, "num_steps": 8}
DISK_MB, WAIT_SECONDS = 8, 60.0


def told(heard: Heard) -> str:
    """The one sentence that a visitor got; raises where it is none."""
    said = sentences_of(heard) if end_of(heard) == "sentence" else []
    if heard.broke or len(said) != 1 or not is_sentence(said[0]):
        raise RuntimeError(f"expected one clear sentence, found {said or heard.broke or end_of(heard)}")
    return said[0]


async def answers(site: Site, tab: Tab | None = None) -> str:
    """See that a question is answered now, of the same visitor in a new talk or of another."""
    async with contextlib.AsyncExitStack() as stack:
        tab = tab or await stack.enter_async_context(Tab(site))
        await tab.quick("clear")
        heard = await tab.ask(**QUESTION)
    if end_of(heard) != "answered" or "Brimsel" not in heard.answer:
        raise RuntimeError(f"expected an answer, found {heard.said or heard.broke or heard.answer}")
    return "then it answers"


async def out_of_memory(server: Server, site: Site) -> str:
    """The worker may have no more memory than it has; eight visitors ask about long documents, at once."""
    worker = server.worker()
    before = worker.rlimit(psutil.RLIMIT_AS)
    async with contextlib.AsyncExitStack() as stack:
        tabs = [await stack.enter_async_context(Tab(site)) for _ in range(8)]
        worker.rlimit(psutil.RLIMIT_AS, (worker.memory_info().vms, before[1]))
        heard = await asyncio.gather(*(tab.ask(**HEAVY) for tab in tabs))
        with contextlib.suppress(psutil.NoSuchProcess):
            worker.rlimit(psutil.RLIMIT_AS, before)
        sentences = Counter(told(one) for one in heard if end_of(one) != "answered")
        if not sentences:
            raise RuntimeError("the memory was not used up")
        await server.until_ready(WAIT_SECONDS)
        after = server.worker()
        same = "the worker lives on" if after and after.pid == worker.pid else "the worker started again"
        again = [await answers(site, tab) for tab in tabs]
    counted = ", ".join(f"{count} x {sentence!r}" for sentence, count in sentences.items())
    return f"of 8 visitors at once {counted}; {same}, {again[0]} all {len(again)}"


async def dropped_connection(server: Server, site: Site) -> str:
    """The stream of an answer is cut while its tab stays open, and then tab and all; the places are free again."""
    out = []
    for whole in (False, True):
        async with Tab(site) as tab:
            _, task = await asked(tab, lambda heard: heard.steps >= 20)
            at = time.monotonic()
            task.cancel()
            if not whole:
                await server.until(idle, WAIT_SECONDS)
                out.append(f"stream cut: the place is free after {1000 * (time.monotonic() - at):.0f} ms, "
                           f"{await answers(site, tab)}")
        if whole:
            await server.until(idle, WAIT_SECONDS)
            out.append(f"all cut: after {1000 * (time.monotonic() - at):.0f} ms, {await answers(site)}")
    return "; ".join(out)


async def full_queue(server: Server, site: Site) -> str:
    """Three more visitors than two places and three that may wait."""
    async with contextlib.AsyncExitStack() as stack:
        tabs = [await stack.enter_async_context(Tab(site)) for _ in range(8)]
        asking = [(await asked(tab, lambda heard: heard.viewer))[1] for tab in tabs[:5]]
        sentences = [told(await tab.ask(**QUESTION)) for tab in tabs[5:]]
        for tab in tabs[:5]:
            await tab.quick("stop")
        await asyncio.gather(*asking)
        again = [await answers(site, tab) for tab in tabs[5:]]
    return f"{len(sentences)} of 8 were told {sentences[0]!r}; {again[0]} all {len(again)}"


async def many_at_once(server: Server, site: Site) -> str:
    """Fifty visitors where sixty places are: none may wait for another."""
    count = 50
    async with contextlib.AsyncExitStack() as stack:
        tabs = [await stack.enter_async_context(Tab(site)) for _ in range(count)]
        asking = [asyncio.create_task(tab.ask(**ENDLESS)) for tab in tabs]
        await server.until(lambda health: health.get("active") == count, 2 * WAIT_SECONDS)
        for task in asking:
            task.cancel()
    await server.until_idle()
    return f"{count} questions are answered at the same time"


async def full_disk(server: Server, site: Site) -> str:
    """Uploads, own models and trainings find the disk full, one after the other; then there is room."""
    filler, said = server.folder / "filler", {}

    def leave_room(megabytes: float) -> None:
        filler.write_bytes(bytes(int(1e6 * (DISK_MB - megabytes)) - (server.folder / "app.log").stat().st_size))

    async def teach(tab: Tab) -> Heard:
        return await tab.event("teach", ["Mine", "compact-core", QUESTION["pasted"], None])

    async with Tab(site) as tab:
        leave_room(0.5)
        said["an upload"] = told(await tab.bring("take_files", [None, None], ("note.txt", b"My dog is Brimsel. " * 100_000)))
        result = await teach(tab)
        if "disk of this service is full" not in str(result.data[:1]):
            raise RuntimeError(f"a training on a full disk said {result.data[:1] or result.said or result.broke}")
        leave_room(4.0)
        said["an own model"] = told(await tab.bring("take", ["compact-core"], *own_model("disk")))
        await answers(site)                                 # nothing of an answer lies on the disk
        filler.unlink()
        heard = await tab.bring("take", ["compact-core"], *own_model("disk"))
        if heard.said or not heard.success:
            raise RuntimeError(f"with room again an own model is refused: {heard.said or heard.broke}")
        told_each = "; ".join(f"{what}: {sentence!r}" for what, sentence in said.items())
        return f"{told_each}; a training too; {await answers(site)}"


@contextlib.contextmanager
def small_disk(folder: Path):
    """A file system of a few megabytes at ``folder``. Raises CalledProcessError where this user may not mount one."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)      # lazy: a trainer may linger


SETS = (({}, (out_of_memory, dropped_connection)), ({"SSD2_MAX_ACTIVE": "2", "SSD2_MAX_WAITING": "3"}, (full_queue,)),
        ({"SSD2_MAX_ACTIVE": "60"}, (many_at_once,)))


async def faults(plan, folder: Path) -> tuple[list[dict], list[str]]:
    """All of them, each kind of server once. -> a row for each, and what went otherwise than it should."""
    rows: list[dict] = []
    for number, (environment, checks) in enumerate(SETS):
        (folder / str(number)).mkdir()
        await tried(folder / str(number), environment, checks, rows)
    try:
        with small_disk(folder / "disk") as disk:
            await tried(disk, {"SSD2_TRAINING_SECONDS": "3"}, (full_disk,), rows)
    except (subprocess.CalledProcessError, FileNotFoundError):
        rows.append({"name": "full disk", "what": "not tried: a small file system cannot be mounted here", "failed": False})
    return rows, [f"{row['name']}: {row['what']}" for row in rows if row["failed"]]


async def tried(folder: Path, environment: dict[str, str], checks: tuple, rows: list[dict]) -> None:
    """Run the checks on one server and add their rows."""
    async with Server(folder, **environment) as server:
        site = await Site.of(server)
        for check in checks:
            try:
                row = {"what": await check(server, site), "failed": False}
            except (RuntimeError, TimeoutError) as error:
                row = {"what": str(error), "failed": True}
            rows.append({"name": check.__name__.replace("_", " "), **row})
