"""The prompt of a model that brings a chat template: the template decides it, rendered in transformers' sandbox.

For models that the operator of a service chose; a template that a visitor sends is never rendered. What people write does not
go through it either: it is rendered with marks where their texts belong, and the texts are put in afterwards, as text.
"""

import json
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

from tokenizers import AddedToken, Tokenizer

from ..errors import LimitError, ModelError, reason

FILES = ("tokenizer_config.json", "chat_template.jinja")
MARK = re.compile(r"@@text-(\d+)@@")
DOCUMENT_JOIN = "\n\n"          # no two families agree on how a document is given; all read it before the question
TRIAL = ("x", [("x", "x")], "x")


class ChatTemplate:
    """How one model marks who speaks, by its own template.

    renderer: has transformers' ``apply_chat_template``. eos: what ends an answer where the template does not say it. Raises
    ModelError for a template that cannot be used.
    """

    def __init__(self, tokenizer: Tokenizer, renderer, model_id: str, eos: int | None = None):
        self.renderer, self.model_id = renderer, model_id
        added = {i: token for i, token in tokenizer.get_added_tokens_decoder().items() if token.content.strip()}
        self.tokenizer, self.private = _apart(tokenizer, list(added.values()))
        self.control = {token.content: i for i, token in added.items()}
        self.ids_of = {self.tokenizer.token_to_id(name): self.control[content] for content, name in self.private.items()}
        self.written = re.compile("|".join(map(re.escape, sorted(self.control, key=len, reverse=True))) or "(?!)")
        self.ids(*TRIAL)
        self.eos = self._end(eos)

    def ids(self, document: str, exchanges: Sequence[tuple[str, str]], question: str) -> list[int]:
        """Token ids of (question, answer) pairs and a question, up to where its answer begins. document: "" for none.

        Raises LimitError for a text that this tokenizer cannot tell from a control token.
        """
        texts = [text for pair in exchanges for text in pair] + [question]
        marks = [f"@@text-{n}@@" for n in range(len(texts))]
        asked = f"@@text-{len(texts)}@@{DOCUMENT_JOIN}{marks[-1]}" if document else marks[-1]
        rendered = self._render([*marks[:-1], asked], add_generation_prompt=True)
        texts += [document] if document else []
        if set(map(int, MARK.findall(rendered))) != set(range(len(texts))):
            raise ModelError(f"The chat template of {self.model_id} leaves out what was said; choose another model, or correct "
                             "the template.")
        whole = "".join(texts[int(part)] if place % 2 else self.written.sub(lambda m: self.private[m[0]], part)
                        for place, part in enumerate(MARK.split(rendered)))
        ids = self.tokenizer.encode(whole, add_special_tokens=False).ids
        if not set(ids).isdisjoint(self.control.values()):
            shown = next((m[0] for text in texts for m in self.written.finditer(text)), "a control token")
            raise LimitError(f"{self.model_id} cannot read {shown} as text; take it out of the question or the document.")
        return [self.ids_of.get(i, i) for i in ids]

    def _render(self, said: list[str], **how: bool) -> str:
        """Turns of a user and an assistant in turn, as text."""
        messages = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(said)]
        try:
            return self.renderer.apply_chat_template(messages, tokenize=False, **how)
        except Exception as error:              # whatever a template raises, jinja's own errors among it
            raise ModelError(f"The chat template of {self.model_id} cannot be used ({reason(error)}); choose another model, or "
                             "correct the template.") from None

    def _end(self, eos: int | None) -> int:
        """The control token right behind an answer, else ``eos``."""
        after = self._render(["@@text-0@@", "@@text-1@@"]).rpartition("@@text-1@@")[2].lstrip()
        found = self.written.match(after)
        if found is None and eos is None:
            raise ModelError(f"Neither the chat template nor the config.json of {self.model_id} says what ends an answer.")
        return eos if found is None else self.control[found[0]]


def _apart(tokenizer: Tokenizer, control: list[AddedToken]) -> tuple[Tokenizer, dict[str, str]]:
    """A copy that reads every control token as text, but for names that nobody can guess. -> it, and these names."""
    data, names = json.loads(tokenizer.to_str()), {}
    for token in data["added_tokens"]:
        token["special"] = token["special"] or bool(token["content"].strip())
    copy = Tokenizer.from_str(json.dumps(data))
    copy.encode_special_tokens = True           # which makes text of what is special
    for n, token in enumerate(control):
        names[token.content] = f"\ue000{secrets.token_hex(8)}.{n}\ue001"
        copy.add_tokens([AddedToken(names[token.content], lstrip=token.lstrip, rstrip=token.rstrip,
                                    single_word=token.single_word, normalized=False, special=False)])
    return copy, names


def read_chat_template(folder: Path, tokenizer: Tokenizer, model_id: str, eos: int | None = None) -> ChatTemplate | None:
    """The chat template of a folder that transformers saved; None where it has none. Raises ModelError."""
    if not any((folder / name).is_file() for name in FILES):
        return None
    from transformers import PreTrainedTokenizerFast
    try:
        renderer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:                  # a damaged tokenizer_config.json, in one of many ways
        raise ModelError(f"The chat template of {model_id} cannot be read ({reason(error)}); fetch or save its tokenizer "
                         "again.") from None
    return ChatTemplate(tokenizer, renderer, model_id, eos) if renderer.chat_template else None
