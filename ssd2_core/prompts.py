"""What each expert is given to read, as token ids. Only an expert of role "reader" ever gets passages of documents.

Text of a visitor is encoded as plain text: a special token that somebody types stays the characters it is written with.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rank_bm25 import BM25Plus
from tokenizers import Tokenizer

from .errors import LimitError, ModelError
from .protocol import Turn

PASSAGE_JOIN = "\n"
SPECIAL = ("<|user|>", "<|assistant|>", "<|document|>", "<eos>")


@dataclass(frozen=True)
class Context:
    """ids: what the expert reads. bare_ids: the same without documents, for contrast; None where there are none.

    used, left_out: passages that fit and that did not.
    """

    ids: list[int]
    bare_ids: list[int] | None
    used: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    """Ids of plain text, never a special token."""
    tokenizer.encode_special_tokens = True
    return tokenizer.encode(text, add_special_tokens=False).ids


def special_ids(tokenizer: Tokenizer) -> list[int]:
    """Ids of SPECIAL. Raises ModelError unless all exist and are special, or typed text could become one of them."""
    marked = {token.content: i for i, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    missing = [token for token in SPECIAL if token not in marked]
    if missing:
        raise ModelError(f"The tokenizer has no special token {', '.join(missing)}; choose a model with this prompt format.")
    return [marked[token] for token in SPECIAL]


def contexts(tokenizer: Tokenizer, config, prompt: str, history: Sequence[Turn], passages: Sequence[str]) -> Context:
    """The context of one expert. config: has role, max_context and history_turns (earlier questions with their answers).

    Raises LimitError when the prompt alone does not fit.
    """
    user, assistant, document, eos = special_ids(tokenizer)
    question = [user, *encode(tokenizer, prompt.strip()), assistant]
    if len(question) > config.max_context:
        raise LimitError(f"Your question has {len(question) - 2} tokens; this model reads at most {config.max_context - 2}.")
    before: list[int] = []
    for asked, answered in reversed(_exchanges(history, config)):
        turn = [user, *encode(tokenizer, asked), assistant, *encode(tokenizer, answered), eos]
        if len(turn) + len(before) + len(question) > config.max_context // 2:
            break
        before = turn + before
    bare = before + question
    if config.role != "reader" or not passages:
        return Context(bare, None)
    room = config.max_context - len(bare) - 1
    used, left_out = choose(tokenizer, prompt, passages, room)
    if not used:
        return Context(bare, None, (), left_out)
    return Context([document, *encode(tokenizer, PASSAGE_JOIN.join(used)), *bare], bare, used, left_out)


def _exchanges(history: Sequence[Turn], config) -> list[tuple[str, str]]:
    """The last (question, answer) pairs that this expert may see: for all but readers, none that may quote a document."""
    pairs = []
    for first, second in zip(history, history[1:], strict=False):
        if (first.role, second.role) == ("user", "assistant"):
            private = first.private or second.private
            if config.role == "reader" or not private:
                pairs.append((first.text, second.text))
    return pairs[-config.history_turns:] if config.history_turns else []


def choose(tokenizer: Tokenizer, prompt: str, passages: Sequence[str], room: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Passages that fit into ``room`` tokens, in the order they stand: all of them, or the best for the prompt by BM25."""
    sizes = [len(encode(tokenizer, text)) + 1 for text in passages]
    if sum(sizes) <= room:
        return tuple(passages), ()
    # BM25Plus: the plain form gives 0 to a word that half of the passages have, and so tells two passages never apart.
    words = lambda text: "".join(c if c.isalnum() else " " for c in text.lower()).split()  # noqa: E731
    scores = BM25Plus([words(text) or ["-"] for text in passages]).get_scores(words(prompt))
    kept: set[int] = set()
    for index in sorted(range(len(passages)), key=lambda i: (-scores[i], i)):
        if sizes[index] <= room:
            kept.add(index)
            room -= sizes[index]
    return tuple(passages[i] for i in sorted(kept)), tuple(t for i, t in enumerate(passages) if i not in kept)


def cell_texts(tokenizer: Tokenizer, ids: Sequence[int]) -> list[str]:
    """One text per token for display; a part of a character is "·", a special token its name."""
    out = []
    for token in ids:
        text = tokenizer.decode([token], skip_special_tokens=False)
        out.append("·" if "\ufffd" in text else text)
    return out


def answer_text(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    """The text of token ids up to the first end-of-text token."""
    ids, eos = list(ids), tokenizer.token_to_id("<eos>")
    return tokenizer.decode(ids[:ids.index(eos)] if eos in ids else ids).strip()
