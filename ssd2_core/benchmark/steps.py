"""One denoising step against the network's own part of it and against a plain decoder.

The yardstick is a plain decoder as SSD-LM's public one works: the whole context at every step, the head on every position, the
vocabulary sorted in full. It uses the same weights.
"""

import time

import torch

from ..config import CORE, EnsembleParams, SamplingParams
from ..diffusion.describe import describe
from ..diffusion.ensemble import Ensemble
from ..diffusion.sampling import generate
from ..diffusion.simplex import add_noise, alpha_bar
from ..models.context import bind_rows, blocked
from ..models.ssd2 import SSD2Config, SSD2Model
from .measure import Figure, medians

SHAPES = {  # layers, hidden, heads, intermediate, vocabulary
    "small": (6, 288, 6, 768, 2048), "base": (12, 768, 12, 3072, 50_000), "135M": (30, 576, 9, 1536, 49_152)}


def random_expert(shape: str, dtype: torch.dtype, device: str) -> SSD2Model:
    """An untrained expert of a named shape: speed does not depend on what the weights say."""
    layers, hidden, heads, wide, vocab = SHAPES[shape]
    backbone = {"model_type": "llama", "vocab_size": vocab, "hidden_size": hidden, "intermediate_size": wide,
                "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": heads,
                "max_position_embeddings": 4096, "tie_word_embeddings": True}
    torch.manual_seed(0)
    return SSD2Model(SSD2Config(backbone, context_mode="causal", eos_token_id=None)).to(device, dtype).eval()


class Bare:
    """One step of some experts after C tokens in each of ``rows`` rows, and the networks' own part of it."""

    def __init__(self, models: list[SSD2Model], C: int, L: int, rows: int = 1):
        self.models, self.L = models, L
        model = models[0]
        self.rows = [[5 + (i + row) % (model.config.vocab_size - 5) for i in range(C)] for row in range(rows)]
        self.experts = [bind_rows(m, self.rows) for m in models]
        users = {f"user{i}": expert for i, expert in enumerate(self.experts[1:])}
        self.denoiser = Ensemble({CORE: self.experts[0], **users},
                                 EnsembleParams({name: 0.5 / len(users) for name in users})) if users else self.experts[0]
        self.params = SamplingParams(num_steps=5000, block_length=L, max_new_tokens=L)
        self.steps, self.made = None, None
        self.u = torch.full((rows, L), 0.5, device=model.device)
        self.x_t = 5 * torch.randn(rows, L, model.lm.config.vocab_size, device=model.device)
        self.previous = torch.randn_like(self.x_t)
        with torch.no_grad():
            self.blocks = [m.embed_block(self.x_t, self.u, self.previous) for m in models]

    def step(self) -> None:
        """One step of ``generate``, with noise, projection and what a frame needs."""
        if self.steps is None:
            self.steps = generate(self.denoiser, self.params, torch.Generator(device=self.models[0].device).manual_seed(0))
        self.made = next(self.steps, None)
        if self.made is None:
            self.steps = None
        else:
            describe(self.made)

    @torch.no_grad()
    def forward(self) -> None:
        """The networks alone: from x_t and the prediction before to logits."""
        for expert in self.experts:
            expert.context.denoise(expert.model.embed_block(self.x_t, self.u, self.previous))

    @torch.no_grad()
    def layers(self) -> None:
        """The networks without their input of V numbers a position: layers and head."""
        for expert, block in zip(self.experts, self.blocks, strict=True):
            expert.context.denoise(block)


class Yardstick:
    """A step of a plain decoder on the same weights, for the first expert."""

    def __init__(self, bare: Bare):
        self.model, self.L = bare.models[0], bare.L
        self.ids = torch.tensor(bare.rows, device=self.model.device)
        self.V, self.K = self.model.lm.config.vocab_size, self.model.config.simplex_value
        B, n = len(bare.rows), self.ids.shape[1] + self.L
        self.x_t = self.K * torch.randn(B, self.L, self.V, device=self.model.device)
        self.mask = blocked(torch.ones(B, n, n, dtype=torch.bool, device=self.model.device), self.model.dtype)
        self.positions = torch.arange(n, device=self.model.device).unsqueeze(0)

    @torch.no_grad()
    def step(self, u: float = 0.5, top_p: float = 0.95) -> None:
        """Context again, head everywhere, full sort, multi-hot projection, fresh noise."""
        model = self.model
        context = model.get_input_embeddings()(self.ids)
        block = model.embed_block(self.x_t, torch.full(self.x_t.shape[:2], u, device=self.x_t.device), None)
        logits = model.head(model.trunk(torch.cat([context, block], 1), self.mask, self.positions))[:, -self.L:]
        ordered, index = logits.sort(-1, descending=True)
        probs = ordered.softmax(-1)
        best = probs.cumsum(-1) - probs <= top_p
        keep = best.scatter(-1, index, best)
        x_0 = torch.where(keep, self.K, -self.K)
        self.x_t = add_noise(x_0, alpha_bar(u), self.K * torch.randn_like(self.x_t))


def about(shape: str, dtype: torch.dtype) -> str:
    """What was measured, in words."""
    return f"{shape} {'x'.join(map(str, SHAPES[shape][:2]))}, V {SHAPES[shape][4]:,}, {str(dtype).removeprefix('torch.')}"


def step_figures(shape: str, dtype: torch.dtype, device: str, context: int) -> list[Figure]:
    """A step against its own forward, against the yardstick, at other contexts and block lengths."""
    model, what = random_expert(shape, dtype, device), about(shape, dtype)
    sizes = [*((C, 32) for C in (128, 512, 2048)), *((context, L) for L in (16, 25, 32, 64))]
    bare = {size: Bare([model], *size) for size in dict.fromkeys(sizes)}
    calls = {f"step {C} {L}": b.step for (C, L), b in bare.items()}
    calls |= {"forward": bare[context, 32].forward, "layers": bare[context, 32].layers}
    found = medians(calls | {"yardstick": Yardstick(bare[context, 25]).step})
    s = lambda C, L: found[f"step {C} {L}"]  # noqa: E731
    out = [Figure("step_over_forward", s(context, 32) / found["forward"], "ratio",
                  f"{what}, C {context}, L 32; forward: from x_t to logits"),
           Figure("step_over_layers", s(context, 32) / found["layers"], "ratio",
                  f"{what}, C {context}, L 32; layers and head without that input"),
           Figure("yardstick_over_step", found["yardstick"] / s(context, 25), "ratio", f"{what}, C {context}, L 25"),
           Figure("context_2048_over_128", s(2048, 32) / s(128, 32), "ratio", f"{what}, L 32")]
    out += [Figure(f"step_ms_C{C}_L{L}", 1000 * s(C, L), "ms", what) for C, L in bare]
    return [*out, Figure("yardstick_ms", 1000 * found["yardstick"], "ms", f"{what}, C {context}, L 25")]


def compile_figures(shape: str, dtype: torch.dtype, device: str, context: int) -> list[Figure]:
    """A step with the backbone under torch.compile against one without, and how long compiling took."""
    plain, compiled = random_expert(shape, dtype, device), random_expert(shape, dtype, device)
    body = compiled.lm.base_model
    body.forward = torch.compile(body.forward)
    start = time.perf_counter()
    bare, other = Bare([compiled], context, 32), Bare([plain], context, 32)
    for _ in range(3):
        bare.step()
    seconds = time.perf_counter() - start
    found = medians({"compiled": bare.step, "plain": other.step})
    return [Figure("plain_over_compiled", found["plain"] / found["compiled"], "ratio", f"{about(shape, dtype)}, step, L 32"),
            Figure("compile_s", seconds, "s", "until its first three steps were made")]
