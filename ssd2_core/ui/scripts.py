"""The page's scripts: ES modules, served at an address that changes with them; in one piece for a file that stands alone.

A module imports by lines of the form ``import { a, b } from "./name.js";`` and exports what it declares with ``export``.
"""

import hashlib
import re
from functools import cache

from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from .theme import ASSETS

SCRIPTS = ASSETS / "scripts"
IMPORT = re.compile(r'^import (\{.*\}) from "\./(\w+)\.js";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class) (\w+))", re.MULTILINE)


@cache
def version() -> str:
    """A name of the scripts as they are: no browser takes one from its cache that goes with others."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(SCRIPTS.glob("*.js")))).hexdigest()[:12]


def route() -> Mount:
    """Where the app serves them. An earlier version's address gives what there is now."""
    return Mount("/scripts/{version}", StaticFiles(directory=SCRIPTS))


# What a component tells before its module has arrived is kept: a run's steps come once. Of gradio's root the path
# alone counts: behind a proxy its scheme and host may be others.
ON_LOAD = """const early = [props.value];
let take = value => early.push(value);
watch("value", () => take(props.value));
const onValue = taker => { take = taker; early.forEach(taker); };
const root = new URL(window.gradio_config?.root || ".", document.baseURI).pathname.replace(/\\/?$/, "/");
import(new URL(`${root}scripts/%s/%s.js`, document.baseURI)).then(({ start }) =>
  start({ element, props, onValue, server, trigger }));
"""


def on_load(name: str, *events: str) -> str:
    """For gr.HTML's ``js_on_load``: the module's ``start`` gets what gradio gives the component.

    Its ``onValue`` takes a function, which is given the value at first and each later one.
    events: what the module triggers; gradio knows an event by its name in quotes.
    """
    return ON_LOAD % (version(), name) + "".join(f'// "{event}"\n' for event in events)


def bundle(name: str) -> str:
    """A module and all that it imports as one classic script, which declares ``start``: each is a constant of its exports."""
    done: dict[str, str] = {}

    def add(module: str) -> None:
        source = (SCRIPTS / f"{module}.js").read_text(encoding="utf-8")
        for _, needed in IMPORT.findall(source):
            if needed not in done:
                add(needed)
        body = EXPORT.sub("", IMPORT.sub(r"const \1 = $\2;", source))
        exports = ", ".join(EXPORT.findall(source))
        done[module] = f"const ${module} = (() => {{\n{body}return {{ {exports} }};\n}})();\n"

    add(name)
    return "".join(done.values()) + f"const {{ start }} = ${name};\n"
