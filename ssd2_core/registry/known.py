"""Public diffusion LMs that this program reads, with what a person needs to choose one. Nothing is fetched for it."""

from dataclasses import dataclass

BYTES = {"bf16": 2.0, "8bit": 1.0, "4bit": 0.5}


@dataclass(frozen=True)
class KnownModel:
    """billions: of parameters. license: as its card or its authors' repository says, "" where neither does.

    users: small causal LMs of the same vocabulary, which may write along once they read documents.
    """

    id: str
    billions: float
    license: str
    vocabulary: str
    users: tuple[str, ...] = ()

    def memory(self, kind: str) -> float:
        """GB of its weights alone. kind: one of BYTES."""
        return self.billions * BYTES[kind]


QWEN2, QWEN3, GEMMA = ("Qwen/Qwen2.5-0.5B-Instruct",), ("Qwen/Qwen3-0.6B",), ("google/gemma-3-270m-it",)
KNOWN = (
    KnownModel("GSAI-ML/LLaDA-8B-Instruct", 8.0, "MIT", "LLaDA"),
    KnownModel("GSAI-ML/LLaDA-8B-Base", 8.0, "MIT", "LLaDA"),
    KnownModel("Dream-org/Dream-v0-Instruct-7B", 7.6, "Apache-2.0", "Qwen2.5", QWEN2),
    KnownModel("Dream-org/Dream-v0-Base-7B", 7.6, "Apache-2.0", "Qwen2.5", QWEN2),
    KnownModel("dllm-hub/Qwen3-0.6B-diffusion-mdlm-v0.1", 0.6, "Apache-2.0", "Qwen3", QWEN3),
    KnownModel("dllm-hub/Qwen3-0.6B-diffusion-bd3lm-v0.1", 0.6, "Apache-2.0", "Qwen3", QWEN3),
    KnownModel("dllm-hub/Qwen2.5-Coder-0.5B-Instruct-diffusion-mdlm-v0.1", 0.5, "Apache-2.0", "Qwen2.5", QWEN2),
    KnownModel("dllm-hub/Qwen2.5-Coder-0.5B-Instruct-diffusion-bd3lm-v0.1", 0.5, "Apache-2.0", "Qwen2.5", QWEN2),
    KnownModel("JetLM/SDAR-1.7B-Chat", 1.7, "MIT", "Qwen3", QWEN3),
    KnownModel("JetLM/SDAR-4B-Chat", 4.0, "MIT", "Qwen3", QWEN3),
    KnownModel("JetLM/SDAR-8B-Chat", 8.2, "MIT", "Qwen3", QWEN3),
    KnownModel("google/diffusiongemma-26B-A4B-it", 25.2, "Apache-2.0", "Gemma", GEMMA),
    KnownModel("dllm-hub/ModernBERT-base-chat-v0.1", 0.15, "Apache-2.0", "ModernBERT"),
    KnownModel("dllm-hub/ModernBERT-large-chat-v0.1", 0.4, "Apache-2.0", "ModernBERT"),
)


def rows() -> list[list[str]]:
    """Id, parameters, licence, vocabulary, GB of weights by BYTES, and small models that go with it."""
    return [[each.id, f"{each.billions:g} B", each.license, each.vocabulary,
             *(f"{each.memory(kind):.1f}" for kind in BYTES), ", ".join(each.users) or "-"] for each in KNOWN]


HEAD = ["model", "parameters", "licence", "vocabulary", *(f"GB {kind}" for kind in BYTES), "small ones that go with it"]


def markdown() -> str:
    """The table of the documentation."""
    lines = [HEAD, ["---"] * len(HEAD), *([f"`{first}`", *rest] for first, *rest in rows())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
