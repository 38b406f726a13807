"""Training drafts: what is learned is what is used, only masks have a gradient, and a run goes on where it stopped."""

import json
import random
from itertools import cycle

import pytest
import torch
from safetensors.torch import load_file

from ssd2_core.errors import ModelError
from ssd2_core.models.causal_rows import Ask, Row, read
from ssd2_core.models.drafts import MASKS, add_drafts, masks_of
from ssd2_core.models.loading import load
from ssd2_core.training.david import course
from ssd2_core.training.david.model import add_low_rank, trained, write_adapter
from ssd2_core.training.drafts.answers import Answer, batches, core_prompts, greedy, read_answers, reader_prompts, write_answers
from ssd2_core.training.drafts.losses import IGNORED, DraftLoss, draft_loss, hits, make_batch, mask_logits
from ssd2_core.training.drafts.recipe import sharing, start_masks, with_adapter
from ssd2_core.training.loop import LoopParams, train
from tests.test_cli import run
from tests.test_david_training import TOKENIZER, base

EOS = TOKENIZER.token_to_id("<|im_end|>")
ANSWERS = [Answer([5, 6, 7], [8, 9, 10, 11, 12, EOS]), Answer([20, 21, 22, 23, 24], [25, 26, 27, EOS])]


def learning(seed: int = 0, masks: int = 3):
    """A base with masks and low-rank matrices that act."""
    lm = base(seed)
    start_masks(lm, masks)
    add_low_rank(lm, 2, 4)
    torch.manual_seed(5)
    with torch.no_grad():
        for p in trained(lm).values():
            p.copy_(0.3 * torch.randn_like(p))
    return lm


def batch(reads: str = "core", masks: int = 3):
    return make_batch(ANSWERS, 2, masks, EOS, reads, torch.Generator().manual_seed(1))


def test_a_mask_is_asked_for_what_follows_it_and_for_nothing_beyond_the_end():
    made = batch()
    assert made.ids.shape == (2, 9) and made.known.shape == (2, 2) and made.targets.shape == (2, 2, 3)
    for row, answer in enumerate(ANSWERS):
        text = [*answer.prompt, *answer.said]
        for known, targets in zip(made.known[row].tolist(), made.targets[row].tolist(), strict=True):
            assert len(answer.prompt) - 1 <= known <= len(text) - 3
            wanted = text[known + 2:known + 5]
            assert targets == [*wanted, *[IGNORED] * (3 - len(wanted))]


def test_what_is_learned_at_a_mask_is_what_is_predicted_there_when_it_drafts():
    lm, made = learning(), batch()
    with torch.no_grad():
        logits = mask_logits(lm, made)
    tensors = {MASKS if name == "draft_masks" else f"{name}.weight": p.detach() for name, p in trained(lm).items()}
    used = base()
    add_drafts(used, {"r": 2, "lora_alpha": 4}, tensors)
    for row, answer in enumerate(ANSWERS):
        text = [*answer.prompt, *answer.said]
        for group, known in enumerate(made.known[row].tolist()):
            seen = [*text[:known + 1], -1, -2, -3]
            found, = read(used, [Ask(Row(answer.prompt, None), seen, 3)])
            assert torch.allclose(found, logits[row, group], atol=1e-4)


def test_the_clean_pass_is_the_base_and_has_no_gradient():
    lm, made = learning(), batch()
    loss = draft_loss(mask_logits(lm, made), made.targets)
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in trained(lm).values())
    assert all(p.grad is None for name, p in lm.named_parameters() if name not in trained(lm))
    shares = hits(mask_logits(lm, made), made.targets)
    assert shares.shape == (3,) and (shares >= 0).all() and (shares <= 1).all()


def test_a_core_and_its_reader_train_one_set_of_drafts_and_the_loss_falls(tmp_path):
    settings = {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj"]}
    lm, reader = base(), base()
    tensors = {f"model.layers.{i}.self_attn.q_proj.lora_{part}": torch.randn(shape)
               for i in range(2) for part, shape in (("A", (2, 32)), ("B", (32, 2)))}
    write_adapter(tensors, {"lora": settings}, tmp_path / "me")
    before = reader.model.layers[0].self_attn.q_proj.weight.clone()
    with_adapter(reader, tmp_path / "me")
    a, b = (tensors[f"model.layers.0.self_attn.q_proj.lora_{part}"].half().float() for part in "AB")
    assert torch.allclose(reader.model.layers[0].self_attn.q_proj.weight, before + 2 * b @ a, atol=1e-3)
    start_masks(lm, 3)
    for one in (lm, reader):
        add_low_rank(one, 4, 4)
        sharing(lm, one)
    told = []
    params = LoopParams(30, 5e-3, warmup=1, accumulate=2, cpu=True)
    train(DraftLoss({"core": lm, "reader": reader}), [torch.optim.AdamW(trained(lm).values(), 5e-3)],
          lambda *_: map(batch, cycle(["core", "reader"])), params, tell=lambda _, shown, __: told.append(dict(shown)))
    assert told[-1]["loss"] < told[0]["loss"] / 1.5 and all(0 <= each["first"] <= 1 for each in told)
    assert all(p is q for p, q in zip(trained(lm).values(), trained(reader).values(), strict=True))


def test_answers_are_the_base_s_own_and_are_kept(tmp_path):
    lm = base()
    prompts = [*core_prompts(TOKENIZER, 40, 0)[:3], *reader_prompts(TOKENIZER, 2, 0)]
    assert len(prompts) == 5 and prompts == [*core_prompts(TOKENIZER, 40, 0)[:3], *reader_prompts(TOKENIZER, 2, 0)]
    made = greedy(lm, prompts, EOS, 6, lambda text: None)
    for one, prompt in zip(made, prompts, strict=True):
        alone = lm.generate(torch.tensor([prompt]), max_new_tokens=6, do_sample=False, eos_token_id=EOS, pad_token_id=EOS)
        assert one.prompt == prompt and one.said == alone[0, len(prompt):].tolist()
    write_answers(tmp_path / "answers.json", core=[*made, Answer([1], [2, 3])])
    assert read_answers(tmp_path / "answers.json") == {"core": [one for one in made if len(one.said) > 2]}
    write_answers(tmp_path / "answers.json", core=[Answer([1], [2, 3])])
    with pytest.raises(ModelError, match="no answer of the core with at least three tokens"):
        read_answers(tmp_path / "answers.json")
    first = next(batches(made, 2, random.Random(0)))
    assert first == next(batches(made, 2, random.Random(0))) and len(first) == 2


def test_the_recipe_writes_a_core_that_drafts_and_goes_on_where_it_stopped(tmp_path, capsys, monkeypatch):
    home = tmp_path / "base"
    base().save_pretrained(home)
    TOKENIZER.save(str(home / "tokenizer.json"))
    out = tmp_path / "out"

    def go(steps: int, *more: str) -> str:
        code, said, err = run(capsys, "train", "drafts", "--core", str(home), "--reader", "", "--out", str(out), "--answers",
                              "40", "--most-tokens", "8", "--rank", "2", "--masks", "2", "--steps", str(steps), *more)
        assert code == (2 if more else 0), err
        return err if more else said
    assert "right at each mask, held out: core" in go(2)
    saved = load_file(next(out.glob("step-2/*.safetensors")))
    assert len(saved) == 1 + 2 * 7 * 2 and "lms.core.draft_masks" in saved              # what is trained, and that once
    kept = (out / "answers.json").read_bytes()
    go(3)
    monkeypatch.setattr(course, "FIRST_SECONDS", 0)
    assert "at least 9 and at most inf were asked for" in go(9, "--least-steps", "9")
    assert "at most 0.001 were asked for" in go(9, "--most-loss", "0.001")
    assert json.loads((out / "progress.json").read_text())["step"] == 3                 # what was saved is still good
    assert (out / "answers.json").read_bytes() == kept
    assert json.loads((out / "export/config.json").read_text())["role"] == "core"
    assert load_file(out / "export/drafts/model.safetensors")[MASKS].shape == (2, 32)
    expert = load(str(out / "export"), None, "float32")
    assert len(masks_of(expert.model.lm)) == 2
