"""What a page's events send: changes of components arrive, however many messages the browser takes at once."""

import asyncio
import time

import gradio as gr
import pytest

from ssd2_core.ui.events import lasting
from tests.support.browser import let_go, logged, open_tab, opened, until


def all_of(handler, *args) -> list[list]:
    async def collected():
        return [values async for values in handler(*args)]
    return asyncio.run(collected())


def test_a_change_of_a_component_is_repeated_until_the_next_one_and_a_value_is_not():
    on, off, hidden = gr.Button(interactive=True), gr.Button(interactive=False), gr.update(visible=False)

    @lasting
    async def handler(first):
        yield on, first, "a", gr.skip()
        yield gr.skip(), gr.skip(), gr.skip(), hidden
        yield gr.skip(), "b", "c", gr.skip()
        yield off, gr.skip(), gr.skip(), gr.skip()
    skip = gr.skip()
    assert all_of(handler, "x") == [[on, "x", "a", skip], [on, skip, skip, hidden], [on, "b", "c", hidden],
                                    [off, skip, skip, hidden]]


def test_a_handler_that_is_left_ends_what_it_holds():
    ended = []

    @lasting
    async def handler():
        try:
            while True:
                yield ("a",)
        finally:
            ended.append(True)

    async def left():
        updates = handler()
        await anext(updates)
        await updates.aclose()
    asyncio.run(left())
    assert ended == [True]


@pytest.mark.parametrize(("first", "go", "stop"), [
    ("#compare", "#send", "#stop"), ("#send", "#compare", "#compare-stop"), ("#send", "#sweep", "#sweep-stop")])
def test_stop_can_be_pressed_though_the_first_messages_of_a_run_arrive_together(browser, url, log, first, go, stop):
    prompt = f"Late, {go}? (waits at 5)"

    def late(route) -> None:
        before = len(logged(log, "submit"))
        answer = route.fetch()
        until(lambda: len(logged(log, "submit")) > before)
        time.sleep(1)                       # what comes meanwhile is kept by the page until it knows whose it is
        route.fulfill(response=answer)
    with opened(browser, url) as page:
        open_tab(page, "Sweep")
        page.fill("#prompt textarea", prompt)
        page.click(first)                   # one stream carries the messages of all runs, and is open from here on
        until(lambda: any(entry["request"]["prompt"] == prompt for entry in logged(log, "submit")))
        page.fill("#prompt textarea", prompt)
        page.wait_for_timeout(500)
        page.route("**/queue/join*", late)
        page.click(go)
        page.wait_for_selector(f"{stop}:enabled")
        page.unroute("**/queue/join*")
        page.click(stop)
        page.wait_for_selector(f"{stop}:disabled", state="attached")
        let_go(log, prompt)
