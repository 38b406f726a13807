"""Every sentence of the page, as data. Knows no components."""

from ..protocol.messages import Done

TITLE = "SSD-2 Studio"
TAGLINE = ("A large and a small diffusion language model write one answer together. "
           "Watch every word take shape out of noise, and see who decided it.")

TALK_UNKNOWN = "This question is not in the conversation any more; write it again."
PROMPT_PLACEHOLDER = "Ask a question"
DOCUMENT_PLACEHOLDER = "Paste a text; the core never sees it."
ABOUT_SETS = {"pasted": "about a pasted text", "natural": "about a short text", "natural_general": "of general knowledge",
              "island": "about its island", "documents": "about a short note", "general": "in its own phrasings"}
DOCUMENT_TEXT = "What experts read of it; change it as you like"
OWN_TITLE = "Your own small model"
TEACH_HINT = ("Teach a copy of the reader your documents, above: it memorises them within three minutes and then answers "
              "about them without reading them. The core never sees them.")
TEACH_TITLE, TEACH_NAME, TEACH, TEACH_STOP = "Its name", "Mine", "Teach", "Stop"
OWN_HINT = ("Or bring one: a .safetensors file and its small .json, as a model here is downloaded. It is checked, is yours"
            " alone, may have at most 80 % of the weight, and is deleted a minute after you close this page.")
OWN_DROP = "drop both files"
HUB_LABEL = "or name one of the Hub"
HUB_PLACEHOLDER = "owner/name"
HUB_FETCH = "Fetch"
OWN_FILES = "Your model's files"
FILE_GONE = "A file is not here any more; please send it again."
OWN_PAIR = "Send two files together: the weights (.safetensors) and their description (.json)."
DOWNLOAD = "Download"
REMOVE = "Remove"
STOPPED = "stopped"
STEER_UNKNOWN = "This run is not known here any more; ask again."
STEER_NOTHING = "Mark at least one word of the answer first."
STEER_WAIT = "Wait until the answer is finished, or stop it, and then change it."
STEER_LINES = {"pin": "With “{word}” pinned", "again": "Denoise the marked words again",
               "branch": "From step {step} on: {changes}"}
NOTHING_MOVED = "nothing is different; move a weight first to see it act"
TOY = "A toy: short facts and short notes only. The pair that talks is Goliath with David."
SETTINGS = "Settings"
NEW_SEED = "new each time"
NO_TEACHABLE = "No expert that goes with this core can be taught here; choose another core."
NO_READER = "No chosen expert reads documents, so your text would not be used."
NOT_OFFERED = "This service does not offer that."
NOT_UNDERSTOOD = "This request could not be understood; please reload the page and try again."
NOT_A_VALUE = "A value is missing or not what its field takes; check the numbers, or reload the page."
NO_ADDRESS = "A file must be sent here; no address is ever followed."
NO_ROOM = "There is no room for another file on this service now; please try again later."

STOP = "Stop"
COMPARE_GO = "Compare"
COMPARE_HINT = "One question by the core alone, each chosen expert alone and all together; differences are marked."
COMPARE_NOBODY = "Choose an expert first: the core alone has nothing to be compared with."
CORE_ALONE, TOGETHER, AUTOREGRESSIVE = "Core alone", "Together", "Core alone, one word piece a pass"
SWEEP, SWEEP_GO = "Sweep", "Sweep"
SWEEP_HINT = "The same question and seed over one expert's weight; click an answer to see its run in the theatre."
SWEEP_USER, SWEEP_COUNT = "Expert", "Answers"
SWEEP_NOBODY = "Choose an expert first: its weight is what is swept over."
SWEEP_BUSY = "An answer is still being written; click again when it is finished."


def percent(value: float) -> str:
    """0.424 as "42 %", with a narrow space."""
    return f"{round(100 * value)}\u202f%"


def count(number: int) -> str:
    """A parameter count in words: 3.1 M, 1.4 B."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}\u202f{unit}"
    return str(number)


def facts(card) -> list[str]:
    """What a model's card says beside its summary: size, source, licence, and the measure that means most to a reader."""
    told = next((name for name in ABOUT_SETS if name in card.measured), None)
    figures = f"answers {round(10 * card.measured[told])} of 10 questions {ABOUT_SETS[told]}" if told else ""
    source = {"hub": "from the Hub", "folder": "local"}.get(card.source, "")
    return [part for part in (count(card.parameters), source, card.license, figures) if part]


def about(card) -> str:
    """A user expert's card in one text."""
    return " · ".join([*facts(card), *([card.summary] if card.summary else [])])


def at_work(count: int) -> str:
    """The status line while answers are written, those of other visitors among them."""
    return "1 answer is being written." if count == 1 else f"{count} answers are being written."


def answers_meanwhile(core: str, message: str) -> str:
    """The status line while a better core is on its way, or when it could not be had."""
    return f"{core} answers. {message}"


def ask_instead(core: str) -> str:
    """The button that gives up waiting for a better core."""
    return f"Answer with {core} now"


def teaching(step: int, loss: float, seconds: float) -> str:
    """The line of a training under way."""
    return f"Learning: step {step}, loss {loss:.2f}, at most {seconds:.0f} s left."


def teaching_waits(position: int) -> str:
    """The line of a training that has not begun."""
    return f"Waiting: {position} before you." if position else "Starting."


def taught(right: float, question: str, before: str, after: str) -> tuple[str, list[str]]:
    """The line of a finished training, and one question before and after."""
    line = f"Learned. {percent(right)} of questions made from your text are answered without it; pick it above and ask."
    return line, [f"“{question}” Before: “{before}” Now: “{after}”"]


def too_large(limit: int) -> str:
    """The sentence to a request with more bytes than any page sends."""
    return f"One request may have at most {limit / 1e6:g} MB; please send less at once."


def queued(position: int, seconds: float = 0.0) -> str:
    """The sentence of a waiting visitor."""
    place = "You are next in the queue" if position <= 1 else f"You are number {position} in the queue"
    return f"{place}, about {max(1, round(seconds))} s." if seconds else f"{place}."


def figures(done: Done, seed: int | None = None) -> str:
    """The honest line under a finished run."""
    ends = {"eos": "", "length": "length limit reached", "stopped": STOPPED}
    parts = [done.device, done.dtype, f"{done.steps} steps", f"{done.forwards} forwards", f"{done.seconds:.2f} s",
             f"{done.tokens} tokens", f"{done.tokens_per_second:.1f} tokens per second", per_pass(done),
             "" if seed is None else f"seed {seed}", ends.get(done.finish_reason, done.finish_reason)]
    return " · ".join(part for part in parts if part)


def per_pass(done: Done) -> str:
    """How many tokens each pass of a network gave."""
    return f"{done.tokens / done.forwards:.2f} tokens a pass" if done.forwards else ""


def alone(title: str, weight: float = 1.0) -> str:
    """The name of the answer of one expert; own models never have all of the weight."""
    return f"{title} alone" if weight >= 1 else f"{title} at {percent(weight)}, the most an own model may have"


def compare_room(count: int) -> str:
    """There are more chosen experts than places."""
    return f"There is room for {count} experts alone; the first {count} are shown, and all of them together."


def comparing(count: int) -> str:
    """The line of a comparison under way."""
    return f"{count} answers at once."


def side_figures(done: Done) -> str:
    """The figures of one answer among several."""
    parts = [f"{done.steps} steps", f"{done.seconds:.2f} s", f"{done.tokens_per_second:.1f} tokens per second", per_pass(done),
             STOPPED if done.finish_reason == "stopped" else ""]
    return " · ".join(part for part in parts if part)


def compared(count: int, forwards: int, seconds: float, at_once: bool) -> str:
    """The figures of a whole comparison."""
    how = "in one batch: rows of the same network shared each pass" if at_once else "not all at once: some waited for a place"
    return f"{count} answers · {forwards} forwards · {seconds:.2f} s · {how}"


def sweeping(count: int, of: int) -> str:
    """The line of a sweep under way."""
    return f"{count} of {of} answered."


def swept(count: int, forwards: int, seconds: float) -> str:
    """The figures of a whole sweep."""
    return f"{count} answers · {forwards} forwards · {seconds:.2f} s · click one to see its run in the theatre"


def swept_prompt(prompt: str, title: str, weight: float) -> str:
    """What stands over a run of a sweep in the viewer."""
    return f"{prompt} ({title} {percent(weight)})"


def weights_line(parts: list[tuple[str, float]]) -> str:
    """The weights of the chosen experts in words, the core first; ``parts`` are (title, weight) of the users.

    At a word they may be others: the rule of the weights says.
    """
    total = sum(weight for _, weight in parts)
    if total > 1 + 1e-6:
        return f"The weights add up to {percent(total)}; lower them by {percent(total - 1)}."
    if not parts:
        return "The core answers alone."
    shares = ", ".join([f"core {percent(1 - total)}", *(f"{title} {percent(weight)}" for title, weight in parts)])
    return f"To begin with: {shares}."


EXPORT_TAB, EVALUATE_TAB, HOW_IT_WORKS_TAB = "Keep", "Evaluate", "How it works"

WITH_DOCUMENTS = "with my documents"

TRACE, REPLAY, LINK = "Download trace", "Download replay", "Link to these settings"

OPEN_TRACE = "or drop a trace here to see it"

EXPORT_HINT = ("The trace (JSON) holds every step and opens here again and in Python; the replay (HTML) is one page that opens "
             "anywhere, without a connection. Your documents are in neither, unless you say so; the answer may quote them.")

LINK_LABEL = "Opens this page with the panels as they are now and the question; documents are never in it"

SHELL_LABEL, CLIENT_LABEL = "The same run on the command line", "The same run from Python, asked of this page"

NO_COMMANDS = "Ask something first; then the commands for it stand here."

NOTHING_TO_EXPORT = "There is no finished answer here yet; ask something first."

STILL_RUNNING = "An answer is being written; wait for its end, or stop it."

ONE_TRACE = "Send one trace, a .json file."

STORED_HAS_NO_COMMAND = "# This is a stored run; ask something yourself to see its commands."

NOTES = {
    "history": "The conversation before it is not repeated, so an answer that builds on it may differ.",
    "moved": "Weights, settings or pins were changed while it ran; here they stay as they were at the start. "
             "With the trace: python -m ssd2_core generate --again ssd2-trace.json",
    "pins": "It had pinned tokens, which these commands do not give. "
            "With the trace: python -m ssd2_core generate --again ssd2-trace.json",
    "own": "It used a model of your own, which only your page knows; download it there first.",
    "stopped": "It was stopped; here it goes on to its end.",
    "documents": "Your documents are too long to stand here; put them beside the command under these names.",
}

REPLAY_TITLE = "SSD-2 Studio: a stored run"

REPLAY_TAGLINE = ("A large and a small diffusion language model wrote this answer together, out of noise. "
                  "Colour tells who decided a word. Play it, or point at a word.")

REPLAY_HOW = "How it was made"

LINK_PROBLEM = "The link's {problem}"

STORIES_LABEL = "Stored runs"

EVALUATE_HINT = ('Measure on your own questions: a file of lines {"question": …, "answer": …, "document": …}, at most 200 of '
                 "them; the document may be missing. They are asked with the settings above, a few at a time, beside everybody "
                 "else's.")

EVALUATE_DROP, EVALUATE_WHO = "drop a .jsonl file of questions", "Who answers"

CONTENDERS = (("The core alone", "core"), ("Each chosen expert alone", "users"), ("The ensemble", "ensemble"))

EVALUATE, EVALUATE_STOP, EVALUATE_SAVE = "Evaluate", "Stop", "Download figures"

BACK = "The connection broke for a while; here is everything again."

NO_CONTENDER = "Nobody is left to answer: choose who answers, and an expert above."

NO_SHEET = "Drop a .jsonl file of questions first."

NO_FIGURES = "There are no figures yet; evaluate first."

EVALUATION_STOPPED = "Stopped; the finished rows stay."

EVALUATION_RUNS = "An evaluation of yours is under way; stop it first."

EVALUATION_DONE = "Done: {n} questions."

COLUMNS = (("name", "answers"), ("n", "n"), ("exact", "contains the answer"), ("f1", "F1"), ("rouge_l", "ROUGE-L"),
           ("correction", "corrected"), ("resistance", "kept right"), ("tokens_per_second", "tokens / s"),
           ("share", "mean share"))

COLUMN_HELP = {"correction": "How often the ensemble is right where the core alone is wrong and an expert alone is right.",
               "resistance": "How often the ensemble is right where the core alone is right and every expert alone is wrong."}

SCORES = (("exact", "contains the answer"), ("f1", "F1"), ("rouge_l", "ROUGE-L"))

NAMES = {"core": "core alone", "ensemble": "ensemble"}


def progress(name: str, count: int, total: int) -> str:
    """How far an evaluation is."""
    return f"{name}: {count} of {total} questions."
