"""Public masked diffusion LMs: every canvas and logit of stored runs of their samplers, from tiny checkpoints in their layouts.

``SSD2_REFERENCE=FOLDER python -m pytest tests/test_public_dlm.py`` checks the kinds that lie in FOLDER in the same layout.
"""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from ssd2_core.config import SamplingParams
from ssd2_core.diffusion.sampling import generate
from ssd2_core.diffusion.settling import quota
from ssd2_core.models.load_masked import load_network, network_config
from ssd2_core.models.masked import MaskedConfig, MaskedModel

FOLDER = Path(os.environ.get("SSD2_REFERENCE") or Path(__file__).parent / "data" / "public_dlm")
KINDS = sorted(path.parent.name for path in FOLDER.glob("*/vectors.safetensors"))
SCHEDULES = {"llada_original": "even", "dllm_linear": "linear", "dream_hub": "dream"}
SAMPLERS = {"LLaDA": "even", "MDLMSampler": "linear", "BD3LMSampler": "linear", "DreamSampler": "linear",
            "diffusion_generate": "dream", "SDAR": "block", "block_diffusion": "block"}
SDAR_ORDERS = {"sequential": "left"}


def runs_of(kind: str) -> list[str]:
    with safe_open(FOLDER / kind / "vectors.safetensors", "pt") as file:
        return sorted(name for name in file.metadata() if name.startswith("run"))


class Stored:
    """One stored run: the tensors without their prefix, and the sampler's settings."""

    def __init__(self, kind: str, run: str):
        with safe_open(FOLDER / kind / "vectors.safetensors", "pt") as file:
            about = file.metadata()
            self.data = {name.removeprefix(run + "."): file.get_tensor(name) for name in file.keys()  # noqa: SIM118
                         if name.startswith(run + ".")}
        self.ids, self.settings = json.loads(about["ids"]), json.loads(about[run])
        _, layout, shape = network_config(FOLDER / kind, kind)
        lm = load_network(FOLDER / kind, kind, layout, shape, "float32", {"device_map": None})
        self.blocks = "BD3LM" in self.settings["sampler"] or bool(layout.blocks)
        config = MaskedConfig("core", lm.config.vocab_size, self.ids["eos"], mask_token_id=self.ids["mask"],
                              pad_token_id=None if layout.from_prompt else self.ids["pad"], blocks=self.blocks,
                              from_prompt=layout.from_prompt, shift=layout.shift, caches=layout.caches)
        self.model = MaskedModel(lm, config)
        prompts, kept = self.data["prompt_ids"], self.data["prompt_mask"].bool()
        self.rows = [row[keep].tolist() for row, keep in zip(prompts, kept, strict=True)]

    def params(self) -> SamplingParams:
        """Ours for the sampler's."""
        found = self.settings
        schedule = next(ours for name, ours in SAMPLERS.items() if name in found["sampler"])
        new = found["new_tokens"]
        length = found.get("block_length", new)
        rule = found.get("remasking_strategy", found.get("remasking", ""))
        return SamplingParams(
            num_steps=found.get("denoising_steps", found.get("steps_per_block", found.get("steps"))), block_length=length,
            max_new_tokens=new, settling="confidence" if "dynamic" in rule else "count", mask_schedule=schedule,
            mask_order="entropy" if found.get("alg") == "entropy" else SDAR_ORDERS.get(rule, "probability"),
            threshold=found.get("confidence_threshold", found.get("threshold", 0.9)))

    def answers(self, canvas: torch.Tensor) -> torch.Tensor:
        """The part of a stored canvas (B, T) that is the answer, where each row's prompt ends."""
        new = canvas.shape[1] - max(map(len, self.rows))
        if self.settings.get("padding", "left").startswith("left"):
            edge = self.settings.get("padded_prompt_length", max(map(len, self.rows)))
            return canvas[:, edge:]
        return torch.stack([row[len(prompt):len(prompt) + new] for row, prompt in zip(canvas, self.rows, strict=True)])


@pytest.mark.parametrize(("kind", "run"), [(kind, run) for kind in KINDS for run in runs_of(kind)])
def test_every_canvas_of_a_public_sampler_and_its_logits(kind, run):
    stored = Stored(kind, run)
    params, mask = stored.params(), stored.ids["mask"]
    denoise = stored.model.bind_rows(stored.rows)
    generation, canvases, logits = generate(denoise, params, torch.Generator()), [], []
    middle = int(stored.data["mid"])
    while (question := generation.question()) is not None:
        ids, state = question
        now = state.token_ids.masked_fill(~state.settled, mask)
        canvases.append(torch.cat([ids, now], 1))
        if len(canvases) - 1 in (0, middle):
            asks = denoise.asks(ids, state, 10_000)
            found = denoise.read(denoise.network, asks)
            logits.append([found_row[:len(ask.text)] for found_row, ask in zip(found, asks, strict=True)])
        generation.make_step()
    canvases.append(generation.ids)
    wanted = stored.data["canvases"]
    assert len(canvases) == len(wanted)
    for ours, theirs in zip(canvases, wanted, strict=True):
        theirs = stored.answers(theirs)
        assert torch.equal(ours, theirs[:, :ours.shape[1]]) and bool((theirs[:, ours.shape[1]:] == -1).all())
    for ours, name in zip(logits, ("logits_first", "logits_mid"), strict=True):
        for row, theirs, valid in zip(ours, stored.data[name], stored.data["attention_valid"].bool(), strict=True):
            theirs = theirs if stored.blocks else theirs[valid]
            row = row[-len(theirs):]
            assert (row - theirs).abs().max() < 5e-4


def test_the_three_public_schedules_with_their_rounding():
    tables = load_file(FOLDER / "schedules.safetensors")
    for name, schedule in SCHEDULES.items():
        for masks, table in enumerate(tables[name]):
            for steps, wanted in enumerate(table):
                left, made = torch.tensor([masks]), []
                for done in range(steps):
                    made.append(int(quota(left, done, steps, schedule)))
                    left = left - made[-1]
                made = [count for count in made if count or schedule != "linear"]
                assert made == wanted[:len(made)].tolist() and not wanted[len(made):].any(), (name, masks, steps)
