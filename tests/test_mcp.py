"""The endpoint as a tool for MCP clients, where the package for it is installed."""

import asyncio
import importlib.util
import subprocess
import sys

import pytest

import app
from ssd2_core.config import Settings
from ssd2_core.errors import VisitorError
from tests.support.browser import ROOT, served

MODELS = ROOT / "assets" / "models"
HAS_MCP = importlib.util.find_spec("mcp") is not None


@pytest.mark.skipif(not HAS_MCP, reason="mcp is not installed: pip install -r requirements-mcp.txt")
@pytest.mark.skipif(not (MODELS / "compact-core" / "config.json").exists(), reason="assets/models/compact-core is missing")
def test_an_mcp_client_gets_the_answer(tmp_path):
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async def ask(url: str):
        async with streamablehttp_client(url + "/gradio_api/mcp/") as (read, write, _), ClientSession(read, write) as session:
            await session.initialize()
            tools = (await session.list_tools()).tools
            result = await session.call_tool(tools[0].name, {
                "prompt": "What is the dog called?", "document": "Maria has a dog. Her dog is called Biscuit.", "seed": 1})
            wrong = await session.call_tool(tools[0].name, {"prompt": "What?", "steps": 99})
            return tools, result, wrong

    with served(["app.py", "--port", "PORT", "--mcp"], tmp_path, 240) as url:
        tools, result, wrong = asyncio.run(asyncio.wait_for(ask(url), 240))
    assert len(tools) == 1 and tools[0].name.endswith("generate") and "document" in tools[0].inputSchema["properties"]
    assert tools[0].description.startswith("Answer a prompt with a core and user experts")
    assert not result.isError and "Biscuit" in result.content[-1].text and "finish_reason" in result.content[-1].text
    assert wrong.isError and "steps must lie between 1 and 64" in wrong.content[-1].text


def test_without_the_package_it_is_one_sentence(monkeypatch):
    app.check_mcp(Settings())
    monkeypatch.setattr(app, "find_spec", lambda name: None)
    app.check_mcp(Settings())
    with pytest.raises(VisitorError, match="pip install -r requirements-mcp.txt"):
        app.check_mcp(Settings(mcp=True))


def test_the_app_ends_with_that_sentence():
    hidden = ("import runpy, sys; sys.modules['mcp'] = None; sys.argv = ['app.py', '--mcp']; "
              "runpy.run_path('app.py', run_name='__main__')")
    done = subprocess.run([sys.executable, "-c", hidden], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and done.stderr.strip() == "--mcp needs a package that is not here: " \
                                                           "pip install -r requirements-mcp.txt"
