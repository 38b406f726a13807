"""The words of what stands under the studio: keep, evaluate, how it works. Data only."""

KEEP_TAB, EVALUATE_TAB, TELL_TAB = "Keep", "Evaluate", "How it works"

WITH_DOCUMENTS = "with my documents"
TRACE, REPLAY, LINK = "Download trace", "Download replay", "Link to these settings"
OPEN_TRACE = "or drop a trace here to see it"
KEEP_HINT = ("The trace (JSON) holds every step and opens here again and in Python; the replay (HTML) is one page that opens "
             "anywhere, without a connection. Your documents are in neither, unless you say so; the answer may quote them.")
LINK_LABEL = "Opens this page with the panels as they are now and the question; documents are never in it"
SHELL_LABEL, CLIENT_LABEL = "The same run on the command line", "The same run from Python, asked of this page"
NO_COMMANDS = "Ask something first; then the commands for it stand here."
NOTHING_TO_KEEP = "There is no finished answer here yet; ask something first."
STILL_RUNNING = "An answer is being written; wait for its end, or stop it."
ONE_TRACE = "Send one trace, a .json file."
STORED_HAS_NO_COMMAND = "# A stored run is on stage; ask something yourself to see its commands."
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
COLUMNS = (("name", "answers"), ("n", "n"), ("exact", "exact"), ("f1", "F1"), ("rouge_l", "ROUGE-L"),
           ("tokens_per_second", "tokens / s"), ("share", "mean share"))
SCORES = (("exact", "exact"), ("f1", "F1"), ("rouge_l", "ROUGE-L"))
NAMES = {"core": "core alone", "ensemble": "ensemble"}


def progress(name: str, count: int, total: int) -> str:
    """How far an evaluation is."""
    return f"{name}: {count} of {total} questions."
