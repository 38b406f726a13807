"""What each expert is given to read, as token ids. Only an expert of role "reader" ever gets passages of documents.

Text of a visitor is encoded as plain text: a special token that somebody types stays the characters it is written with.
"""

import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile

from rank_bm25 import BM25Plus
from tokenizers import Tokenizer

from ..config import check_int
from ..errors import LimitError, ModelError
from ..protocol.messages import Turn
from .documents import passages as cut
from .whitespace import clean
from .words import terms

PASSAGE_JOIN = "\n"
PROBE = "x"                     # a document, to see how many tokens stand around one
BLANK = re.compile(r"[ \t]?\[blank(?::(\d{1,3}))?\]")       # with the space before it, which its tokens hold
SENTENCE_END = re.compile(r"[.?!:]\s+|\n+")
BLANK_TOKENS, MAX_BLANK = 4, 32
BEFORE = "a"
TAGS = ("<|document|>", "<|user|>", "<|assistant|>", "<eos>")
CHATML = ("<|im_start|>", "<|im_end|>")
GEMMA = ("<bos>", "<start_of_turn>", "<end_of_turn>")
PLAIN = ("<s>", "</s>")
BERT, BERT_END = ("[MASK]", "[SEP]", "[PAD]"), "[/Answer]"    # dllm's chat models on ModernBERT mark speakers by plain words


@dataclass(frozen=True)
class Context:
    """ids: what the expert reads. bare_ids: the same without documents, for contrast; None where there are none.

    used, left_out: passages that fit and that did not. forgotten: earlier exchanges for which there was no room.
    """

    ids: list[int]
    bare_ids: list[int] | None
    used: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    forgotten: int = 0


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    """Ids of plain text, never a special token."""
    tokenizer.encode_special_tokens = True
    return tokenizer.encode(text, add_special_tokens=False).ids


@dataclass(frozen=True)
class PromptFormat:
    """How one tokenizer marks who speaks. opening: ids by role ("document", "user", "assistant"). close: after a document and
    after a question. eos: ends an answer. after: between an answer and what follows it.
    ended: what ends an earlier answer, where that is not ``eos``. first: what stands before everything."""

    opening: dict[str, list[int]]
    close: list[int]
    eos: int
    after: list[int]
    ended: tuple[int, ...] = ()
    first: tuple[int, ...] = ()

    def prompt(self, asked: list[int], document: list[int] | None = None) -> list[int]:
        """All that an expert reads of a question without history, up to where its answer begins."""
        return [*self.beginning(document), *self.question(asked)]

    def beginning(self, document: list[int] | None) -> list[int]:
        """What stands before the first question: the document, if there is one."""
        return [*self.first, *(self.part("document", document) if document else ())]

    def part(self, role: str, ids: list[int]) -> list[int]:
        """A document or a question as the expert reads it."""
        return [*self.opening[role], *ids, *self.close]

    def exchange(self, asked: list[int], answered: list[int]) -> list[int]:
        """An earlier question with its answer."""
        return [*self.question(asked), *answered, *(self.ended or (self.eos,)), *self.after]

    def question(self, asked: list[int]) -> list[int]:
        """A question, up to where its answer begins."""
        return [*self.part("user", asked), *self.opening["assistant"]]


def prompt_format(tokenizer: Tokenizer, style: str = "auto") -> PromptFormat:
    """The format that the special tokens of ``tokenizer`` tell: the compact pair's own tags, ChatML, Gemma's turns, or a text
    to go on with.

    style: "tulu" marks the speakers by plain words, as models tuned on Tulu data read them.
    Raises ModelError unless all of its tokens exist and are special, or typed text could become one of them.
    """
    marked = {token.content: i for i, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    if style != "tulu" and all(token in marked for token in CHATML):
        return _turns(tokenizer, *(marked[token] for token in CHATML))
    if style != "tulu" and all(token in marked for token in GEMMA):
        first, start, end = (marked[token] for token in GEMMA)
        return _turns(tokenizer, start, end, "model", (first,))
    missing = [token for token in TAGS if token not in marked]
    if missing and all(token in marked for token in BERT):
        question, answer = encode(tokenizer, "[Question]\n"), encode(tokenizer, "[Answer]\n")
        return PromptFormat({"document": question, "user": question, "assistant": answer},
                            encode(tokenizer, "\n[/Question]\n\n"), marked["[PAD]"], encode(tokenizer, "\n\n"),
                            tuple(encode(tokenizer, f"\n{BERT_END}")))
    if missing and all(token in marked for token in PLAIN):
        return _plain(tokenizer, style, *(marked[token] for token in PLAIN))
    if missing:
        raise ModelError(f"There is no chat template, and the tokenizer has no special token {', '.join(missing)}; choose a "
                         f"model with a chat template, with ChatML, with Gemma's turns, or with {' and '.join(PLAIN)}.")
    document, user, assistant, eos = (marked[token] for token in TAGS)
    return PromptFormat({"document": [document], "user": [user], "assistant": [assistant]}, [], eos, [])


def _turns(tokenizer: Tokenizer, start: int, end: int, speaker: str = "assistant", first: tuple[int, ...] = ()) -> PromptFormat:
    """Turns between two marks, each with its role in words."""
    newline, roles = encode(tokenizer, "\n"), {"document": "document", "user": "user", "assistant": speaker}
    opening = {role: [start, *encode(tokenizer, f"{word}\n")] for role, word in roles.items()}
    return PromptFormat(opening, [end, *newline], end, newline, first=first)


def _plain(tokenizer: Tokenizer, style: str, first: int, last: int) -> PromptFormat:
    """A text to go on with between its two marks, or speakers marked by plain words."""
    if style != "tulu":
        return PromptFormat({"document": [first], "user": [first], "assistant": []}, [], last, [])
    newline = encode(tokenizer, "\n")
    said = {role: encode(tokenizer, f"<|{role}|>\n") for role in ("document", "user", "assistant")}
    return PromptFormat(said, newline, last, newline)


ANY, WORD = -1, -2              # tokens of a blank
SPACES, LINE_ENDS = ("\u0120", "\u2581"), ("\n", "\u010a")         # as byte-level and SentencePiece vocabularies write them


@dataclass(frozen=True)
class Template:
    """A prompt to be filled in. question: what experts read. parts: fixed texts and, as numbers, blanks of so many tokens.

    apart: of each blank, whether a space goes before what is filled in.
    """

    question: str
    parts: tuple[str | int, ...] = ()
    apart: tuple[bool, ...] = ()


def template_of(prompt: str) -> Template:
    """A prompt with [blank] in it: from the sentence of the first one on, all is an answer to be filled in.

    "Where is Oslo? It is [blank]." asks "Where is Oslo?"; the answer is "It is", a blank and ".". Where nothing stands before
    it, the question is that sentence with dots for its blanks. [blank:3] has three tokens. Raises LimitError.
    """
    prompt = clean(prompt)
    first = BLANK.search(prompt)
    if not first:
        return Template(prompt)
    begins = max((m.end() for m in SENTENCE_END.finditer(prompt, 0, prompt.index("[", first.start()))), default=0)
    filled, parts = prompt[begins:].strip(), []
    for at, part in enumerate(BLANK.split(filled)):
        if at % 2 == 0 and part:
            parts.append(part)
        elif at % 2:
            parts.append(check_int("a blank", int(part or BLANK_TOKENS), 1, MAX_BLANK))
    apart = tuple(found.group()[0].isspace() for found in BLANK.finditer(filled))
    return Template(prompt[:begins].strip() or BLANK.sub("...", filled), tuple(parts), apart)


def template_ids(tokenizer: Tokenizer, template: Template) -> list[int]:
    """Token ids of a template; of a blank ANY for each token, but WORD for a first one that a space goes before."""
    out, apart = [], iter(template.apart)
    for part in template.parts:
        if isinstance(part, int):
            out += [WORD if next(apart) else ANY, *[ANY] * (part - 1)]
        else:
            out += following(tokenizer, part) if out else encode(tokenizer, part)
    return out


def never_in_a_blank(tokenizer: Tokenizer, ends: Sequence[int], kind: int) -> list[int]:
    """Ids that no token of a blank may have: the end of text and line ends; of a WORD also what has no space before it."""
    table = tokenizer.get_vocab()
    spaced = {i for token, i in table.items() if token.startswith(SPACES) and len(token) > 1}
    never = {i for token, i in table.items() if any(end in token for end in LINE_ENDS)} | set(ends)
    return sorted(never | (set(table.values()) - spaced if kind == WORD and spaced else set()))


def following(tokenizer: Tokenizer, text: str) -> list[int]:
    """Token ids of a text that goes on another one: a space that the tokenizer puts before every text is not among them."""
    return encode(tokenizer, BEFORE + text)[len(encode(tokenizer, BEFORE)):]


def pin_ids(tokenizer: Tokenizer, text: str, begins: bool) -> list[int]:
    """Token ids of a word that somebody puts into an answer; a space goes before it, unless it ``begins`` the answer."""
    bare = text.strip()
    return encode(tokenizer, bare) if begins else following(tokenizer, f" {bare}" if bare[:1].isalnum() else bare)


def contexts(tokenizer: Tokenizer, config, prompt: str, history: Sequence[Turn], passages: Sequence[str],
             answer_tokens: int = 0) -> Context:
    """The context of one expert. config: has role, max_context and history_turns (earlier questions with their answers), and
    may have a ``chat_template``.

    answer_tokens: positions that the answer takes where the network has a table of them (``max_positions``).
    Raises LimitError when the prompt alone does not fit.
    """
    most = min(config.max_context, (getattr(config, "max_positions", None) or math.inf) - answer_tokens)
    write, asked = _writer(tokenizer, config), clean(prompt)
    bare = write("", (), asked)
    if len(bare) > most:
        count = len(encode(tokenizer, asked))
        why = f" beside an answer of {answer_tokens}; ask shorter, or for fewer tokens" if most < config.max_context else ""
        raise LimitError(f"Your question has {count} tokens; this model reads at most {max(0, most - len(bare) + count)}{why}.")
    before, kept = _exchanges(history, config), 0
    while kept < len(before) and len(longer := write("", before[-kept - 1:], asked)) <= most // 2:
        kept, bare = kept + 1, longer
    forgotten = len(before) - kept
    if config.role != "reader" or not passages:
        return Context(bare, None, forgotten=forgotten)
    before = before[forgotten:]
    around = len(write(PROBE, before, asked)) - len(bare) - len(encode(tokenizer, PROBE))
    used, left_out = choose(tokenizer, prompt, passages, most - len(bare) - around)
    if not used:
        return Context(bare, None, (), left_out, forgotten)
    return Context(write(PASSAGE_JOIN.join(used), before, asked), bare, used, left_out, forgotten)


def _writer(tokenizer: Tokenizer, config) -> Callable[[str, Sequence[tuple[str, str]], str], list[int]]:
    """What gives the ids of a document ("" for none), (question, answer) pairs and a question, in the model's own format."""
    template = getattr(config, "chat_template", None)
    if template is not None:
        return template.ids
    form = prompt_format(tokenizer, getattr(config, "prompt_style", "auto"))

    def ids(document: str, exchanges: Sequence[tuple[str, str]], question: str) -> list[int]:
        out = form.beginning(encode(tokenizer, document))
        for asked, answered in exchanges:
            out += form.exchange(encode(tokenizer, asked), encode(tokenizer, answered))
        return out + form.question(encode(tokenizer, question))
    return ids


def _exchanges(history: Sequence[Turn], config) -> list[tuple[str, str]]:
    """The last (question, answer) pairs that this expert may see, cleaned: only a reader's may quote a document."""
    pairs = []
    for first, second in zip(history, history[1:], strict=False):
        if (first.role, second.role) == ("user", "assistant"):
            private = first.private or second.private
            if config.role == "reader" or not private:
                pairs.append((clean(first.text), clean(second.text)))
    return pairs[-config.history_turns:] if config.history_turns else []


def choose(tokenizer: Tokenizer, prompt: str, passages: Sequence[str], room: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Passages that fit into ``room`` tokens, in the order they stand: all of them, or the best for the prompt by BM25.

    One that would not fit alone, as in a script whose letters are several tokens each, is cut until its parts do.
    """
    sizes = [len(encode(tokenizer, text)) + 1 for text in passages]
    if sum(sizes) <= room:
        return tuple(passages), ()
    parts = [part for text, size in zip(passages, sizes, strict=True)
             for part in ([text] if size <= room else cut(text, max(1, len(text) * room // (2 * size))))]
    sizes = [len(encode(tokenizer, text)) + 1 for text in parts]
    # BM25Plus: the plain form gives 0 to a word that half of the passages have, and so tells two passages never apart.
    scores = BM25Plus([terms(text) or ["-"] for text in parts]).get_scores(terms(prompt))
    kept: set[int] = set()
    for index in sorted(range(len(parts)), key=lambda i: (-scores[i], i)):
        if sizes[index] <= room:
            kept.add(index)
            room -= sizes[index]
    return tuple(parts[i] for i in sorted(kept)), tuple(t for i, t in enumerate(parts) if i not in kept)


def cell_texts(tokenizer: Tokenizer, ids: Sequence[int]) -> list[str]:
    """One text per token for display; a part of a character is "·", a special token its name."""
    out = []
    for token in ids:
        first = tokenizer.decode([token], skip_special_tokens=False)
        text = tokenizer.decode([token, token], skip_special_tokens=False)      # some decoders drop the first space of a text
        text = first if "\ufffd" in text or not text.startswith(first) else text[len(first):]
        out.append("·" if "\ufffd" in text else text)
    return out


def answer_text(tokenizer: Tokenizer, ids: Sequence[int], ends: Collection[int] = ()) -> str:
    """The text of token ids up to the first of ``ends``; without any, up to what the format of the prompt has."""
    ends = ends or (prompt_format(tokenizer).eos,)
    text = tokenizer.decode(list(takewhile(lambda i: i not in ends, ids)))
    return text.partition(BERT_END)[0].strip() if tokenizer.token_to_id(BERT[0]) is not None else text.strip()
