"""ZeroGPU without a GPU: a device API whose answers are known, and the package ``spaces`` as it is on a Space that has it.

The forks are real; what is not there is the GPU: in a fork, models stay in main memory.
"""

import faulthandler
import importlib
import json
import os
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest

GPUS = 4


class DeviceApi:
    """What ZeroGPU's own API does: lends GPUs by number. asked: what each call asked for.

    refuse: None, or what the next calls get instead of a GPU: "quota", "length", "none", "queue".
    """

    def __init__(self):
        self.asked, self.allowed, self.calls = [], [], Counter()
        self.refuse = None
        self.may_go = threading.Event()         # what waits in the queue gets its GPU
        self._free, self._used, self._lock = list(range(GPUS)), set(), threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """No more answers."""
        self.may_go.set()
        self._server.shutdown()
        self._server.server_close()

    def lend(self) -> dict:
        """A GPU; idle: one that was lent before, whose fork may still be there."""
        with self._lock:
            index = self._free.pop(0)
            idle = index in self._used
            self._used.add(index)
        return {"idle": idle, "nvidiaIndex": index, "nvidiaUUID": f"GPU-{index}", "allowToken": str(index)}

    def take_back(self, token: str) -> None:
        """A GPU was released."""
        with self._lock:
            self._free.insert(0, int(token))


def handler(api: DeviceApi) -> type:
    """The HTTP side of an API."""
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            url = urlsplit(self.path)
            given = dict(parse_qsl(url.query))
            api.calls[url.path] += 1
            if url.path == "/schedule":
                api.asked.append(given)
                return self.schedule(api.refuse)
            if url.path == "/allow":
                api.allowed.append(int(given["pid"]))
            if url.path == "/release":
                api.take_back(given["allowToken"])
            self.say(200, {})

        def schedule(self, refuse):
            if refuse == "quota":
                return self.say(429, {"left": 3, "wait": 7200})
            if refuse == "length":
                return self.say(429, {"left": 3, "wait": -1})
            if refuse == "none":
                return self.say(503, {})
            if refuse != "queue":
                return self.say(200, api.lend())
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b"event: ping\n\n")
            self.wfile.flush()
            api.may_go.wait()
            self.wfile.write(f"event: succeeded\ndata: {json.dumps(api.lend())}\n\n".encode())

        def say(self, status, data):
            body = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Nothing."""
    return Handler


@contextmanager
def zero_gpu():
    """The device API, with ``spaces`` of this very process asking it. torch is hidden from ``spaces``: other tests use it."""
    pytest.importorskip("spaces", reason="the package spaces is not installed")
    import gradio
    api, launch, torch = DeviceApi(), gradio.Blocks.launch, sys.modules.get("torch")
    if "ssd2_core.serving.transports.zerogpu_call" not in sys.modules:
        for name in [name for name in sys.modules if name.split(".")[0] == "spaces"]:
            del sys.modules[name]
        sys.modules["torch"] = None
        os.environ |= {"SPACES_ZERO_GPU": "1", "SPACES_ZERO_DEVICE_API_URL": api.url}
        os.register_at_fork(after_in_child=lambda: faulthandler.dump_traceback_later(40))     # a fork that hangs says where
        try:
            importlib.import_module("ssd2_core.serving.transports.zerogpu_call")
        finally:
            del os.environ["SPACES_ZERO_GPU"], os.environ["SPACES_ZERO_DEVICE_API_URL"], sys.modules["torch"]
            if torch is not None:
                sys.modules["torch"] = torch
            gradio.Blocks.launch = launch       # pages of other tests tell no device API that they start
    sys.modules["spaces.config"].Config.zero_device_api_url = api.url
    try:
        yield api
    finally:
        api.close()
