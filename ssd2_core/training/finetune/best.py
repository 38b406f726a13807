"""Watches a fine-tuning by questions that rules make from its texts, and keeps the weights that answered most of them right."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ...errors import DocumentError
from ...evaluation.metrics import exact
from .question_generation import check_sheet

CHECKED = 24


class BestWeights:
    """The best weights so far. Raises DocumentError for texts in which nothing can be asked for.

    answers: to (question, "") pairs, by the expert as it is then. weights: the tensors that are trained, by name.
    """

    def __init__(self, texts: list[str], answers: Callable[[list[tuple[str, str]]], list[str]],
                 weights: Callable[[], Mapping[str, Tensor]]):
        self.sheet = check_sheet(texts, CHECKED)
        if not self.sheet:
            raise DocumentError("Nothing in these texts can be asked for; add some sentences.")
        self.answers, self.weights = answers, weights
        self.right, self.kept = -1.0, {}

    def check(self, step: int, _: object) -> dict[str, float]:
        """What the training loop asks for a row of its curve: the share that is answered right without any text."""
        said = self.answers([(qa.question, "") for qa in self.sheet])
        right = sum(exact(text, qa.value) for text, qa in zip(said, self.sheet, strict=True)) / len(self.sheet)
        if right >= self.right:
            self.right, self.kept = right, {name: t.detach().clone() for name, t in self.weights().items()}
        return {"right": round(right, 4)}

    @torch.no_grad()
    def restore(self) -> None:
        """Give the expert the best weights."""
        for name, tensor in self.weights().items():
            tensor.copy_(self.kept[name])
