"""Training David: questions side by side, silence as the base's own prediction, runs that resume exactly."""

import json
import random
import re
from itertools import count, cycle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM

from ssd2_core.config import EnsembleParams, SamplingParams
from ssd2_core.diffusion.ensemble import Ensemble
from ssd2_core.diffusion.sampling import generate
from ssd2_core.evaluation.metrics import exact, normal_words
from ssd2_core.models.loading import load
from ssd2_core.training.david import recipe
from ssd2_core.training.david.losses import ReadingLoss, additive, losses, silent_kl
from ssd2_core.training.david.makers import maker_of
from ssd2_core.training.david.model import add_low_rank, trained
from ssd2_core.training.david.pages import page_text, pages
from ssd2_core.training.david.reading import passages, reading, said
from ssd2_core.training.david.rows import PARTS, Row, RowMaker, make_batch
from ssd2_core.training.david.silence import make_pool, read_pool, requests
from ssd2_core.training.david.texts import kinds, text
from ssd2_core.training.david.watch import Case, Watch, reads_from
from ssd2_core.training.loop import LoopParams, train
from tests.support.tiny import LLAMA
from tests.test_cli import run

REPORTED = Path("assets/evaluation")


def marked(*marks: str) -> Tokenizer:
    """A small byte-level tokenizer with these marks."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=340, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  special_tokens=list(marks), show_progress=False)
    rng = random.Random(0)
    tokenizer.train_from_iterator([text(rng).document for _ in range(40)], trainer)
    return tokenizer


TOKENIZER = marked("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TURNS = marked("<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>")


FAMILIES = {"llama": {}, "qwen2": {}, "qwen3": {"head_dim": 8},
            "gemma3_text": {"head_dim": 8, "sliding_window": 16, "query_pre_attn_scalar": 8}}


def base(seed: int = 0, family: str = "llama", **more):
    torch.manual_seed(seed)
    shape = {**LLAMA, "vocab_size": TOKENIZER.get_vocab_size(), "max_position_embeddings": 1024, "initializer_range": 0.3}
    shape |= FAMILIES[family] | {"model_type": family, "eos_token_id": TOKENIZER.token_to_id("<|im_end|>")} | more
    config = AutoConfig.for_model(**shape)
    return AutoModelForCausalLM.from_config(config, attn_implementation="eager").requires_grad_(False).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("pool")
    make_pool(base(), TOKENIZER, path, 70, log=lambda text: None)
    return path


@pytest.fixture()
def maker(folder):
    return RowMaker(TOKENIZER, read_pool(folder, heldout=4))


def adam(lm):
    return torch.optim.AdamW(trained(lm).values(), 1e-3, weight_decay=0.01, betas=(0.9, 0.98))


def predicted(lm, batch):
    return lm(input_ids=batch.ids, attention_mask=additive(batch.mask, torch.float32), position_ids=batch.positions).logits


def test_questions_side_by_side_do_not_see_one_another(maker):
    lm = base()
    document = maker.document("The plumber comes on Friday.")
    branches = [maker.branch("When does the plumber come?", "On Friday."), maker.branch("Who comes?", "The plumber comes.")]
    batch = make_batch([Row(document, branches)], maker.form)
    together = predicted(lm, batch)[0]
    at = len(document)
    for branch in branches:
        alone = lm(input_ids=torch.tensor([[*document, *branch.ids]])).logits[0, len(document):]
        assert torch.allclose(together[at:at + len(branch.ids)], alone, atol=1e-4)
        at += len(branch.ids)
    chained = make_batch([Row(document, branches, chained=True)], maker.form)
    told = predicted(lm, chained)
    plain = lm(input_ids=torch.tensor([[*document, *branches[0].ids, *branches[1].ids]])).logits
    assert torch.allclose(told[:, :plain.shape[1]], plain, atol=1e-4)


def test_the_loss_is_on_answers_only_and_ends_with_the_end(maker):
    branch = maker.branch("Who?", "Ann.")
    batch = make_batch([Row(maker.document("Ann."), [branch])], maker.form)
    assert TOKENIZER.decode(batch.read_ids.tolist()[:-1]) == "Ann." and batch.read_ids[-1] == maker.form.eos
    assert batch.ids[0, batch.read_at[:, 1] + 1].tolist() == batch.read_ids.tolist()


def test_over_gemma_all_that_is_read_begins_as_gemma_does(tmp_path):
    lm = base(family="gemma3_text", sliding_window=512)         # no row is longer, as over the real ones
    make_pool(lm, TURNS, tmp_path, 70, log=lambda text: None)
    maker, first = RowMaker(TURNS, read_pool(tmp_path, heldout=4)), TURNS.token_to_id("<bos>")
    for document in ("Ann.", ""):
        batch = make_batch([Row(maker.document(document), [maker.branch("Who?", "Ann."), maker.silent(maker.pool.loose[0])])],
                           maker.form)
        assert batch.ids[0, 0] == first and batch.ids.tolist()[0].count(first) == 1
        assert batch.read_ids[-1] == maker.form.eos == TURNS.token_to_id("<end_of_turn>")
    alone = make_batch([Row(maker.document(""), [maker.silent(item)]) for item in maker.pool.loose[:3]], maker.form)
    assert losses(add_low_rank(lm, 4, 8), alone)[1].abs() < 1e-3            # its silence is the base's own prediction


def test_an_untouched_base_without_a_document_is_silent_already(maker):
    lm = add_low_rank(base(), 4, 8)
    branches = [maker.silent(item) for item in maker.pool.loose[:6]]
    alone = make_batch([Row([], [branch]) for branch in branches], maker.form)
    beside = make_batch([Row(maker.document("The plumber comes on Friday."), [branch]) for branch in branches], maker.form)
    assert losses(lm, alone)[1].abs() < 1e-3 < 0.01 < losses(lm, beside)[1]


def test_the_silent_loss_is_forward_kl_where_the_target_is_whole():
    logits, right = torch.randn(5, 9), torch.randn(5, 9).log_softmax(-1)
    top = right.topk(8)
    wanted = (right.exp() * (right - logits.log_softmax(-1))).sum(-1).mean()
    assert torch.allclose(silent_kl(logits, top.indices, top.values), wanted, atol=1e-4)


def test_steps_lower_both_losses_and_touch_the_adapters_alone(maker, tmp_path):
    lm = add_low_rank(base(), 4, 8)
    before = {name: p.clone() for name, p in lm.named_parameters()}
    told = []
    params = LoopParams(15, 0.02, warmup=1, accumulate=PARTS, cpu=True)
    train(ReadingLoss(lm), [adam(lm)], lambda *_: cycle(maker.batches(0, 0)), params,
          tell=lambda _, shown, __: told.append(dict(shown)))
    assert told[-1]["reading"] < told[0]["reading"] and told[-1]["silent"] < told[0]["silent"] and not lm.training
    changed = {name for name, p in lm.named_parameters() if not torch.equal(p, before[name])}
    assert changed == set(trained(lm)) and all("lora_" in name for name in changed)


def test_a_run_that_was_cut_goes_on_exactly(maker, tmp_path):
    ends = []
    params = LoopParams(4, 6e-4, warmup=2, accumulate=PARTS, cpu=True, whole=True)
    for parts in ([4], [2, 2]):             # steps until it is cut off; it goes on from the folder alone
        folder = tmp_path / str(len(parts))
        for steps in parts:
            torch.manual_seed(1)
            lm, left = add_low_rank(base(), 4, 8), iter(range(steps))
            stream = lambda first, _: (batch for step in count(first // PARTS) for batch in maker.batches(0, step))  # noqa: E731
            stopped = lambda left=left: next(left, None) is None  # noqa: E731
            found = train(ReadingLoss(lm), [adam(lm)], stream, params, folder=folder, stopped=stopped)
        assert found.steps == 4
        ends.append(trained(lm))
        saved, = folder.glob("step-*/model.safetensors")
        assert set(load_file(saved)) == {f"lm.{name}" for name in trained(lm)}             # not the base
    whole, resumed = ends
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_every_kind_of_text_comes_and_holds_what_it_is_asked():
    rng, seen = random.Random(0), {}
    for made in [text(rng) for _ in range(300)] + [page_text(rng, most=9) for _ in range(300)]:
        seen.setdefault(made.kind, []).append(made.document)
        for qa in made.items:
            assert exact(made.document, qa.value) and exact(qa.answer, qa.value), qa
    assert set(seen) == {kind.name for kind in kinds()} | {page.name for page in pages()} and len(seen) > 30
    assert all(len(set(documents)) == len(documents) for documents in seen.values())


def test_answers_are_sentences_of_many_shapes():
    rng = random.Random(0)
    answers = [qa.answer for _ in range(300) for qa in reading(rng).items]
    begun = [" ".join(answer.split()[:2]) for answer in answers]
    assert begun.count("It is") < 0.3 * len(begun) and len(set(begun)) > 400
    assert said("Who broke the ball polisher?", "Joey") == "Joey broke the ball polisher."
    assert said("What was Feraud's unit?", "French 7th Hussars") == "Feraud's unit was French 7th Hussars."
    assert "Cocaine" in said("What drug did Parnell take too much of?", "Cocaine.")


def reported(name: str) -> list[dict]:
    """The lines of a reported set that people wrote; made-up sets share sentences with what is trained on, not facts."""
    return [json.loads(line) for line in (REPORTED / f"{name}.jsonl").read_text(encoding="utf-8").split("\n") if line]


def _runs(words: list[str], size: int = 9) -> set[tuple[str, ...]]:
    return {tuple(words[i:i + size]) for i in range(len(words) - size + 1)}


def test_nothing_of_a_reported_set_is_trained_on():
    rng = random.Random(0)
    trained_on = {run for _ in range(400) for run in _runs(normal_words(re.sub(r"\n", " ", reading(rng).document)))}
    trained_on |= {run for row in passages("train") for run in _runs(normal_words(row["passage"]))}
    documents = {row["document"] for name in ("natural", "pages", "pages_free", "pasted") for row in reported(name)}
    copied = [d for d in documents if any(run in trained_on for run in _runs(normal_words(d)))]
    assert len(documents) > 40 and not copied, copied
    asked = {question.lower() for question, _ in requests(0, 4000)[0]}
    assert not [row for row in reported("chat") if row["question"].lower() in asked]
    assert not {row["passage"] for row in passages("train")} & {row["passage"] for row in passages("validation")}


def test_a_value_of_no_known_kind_is_named():
    with pytest.raises(ValueError, match="zebra is no maker of values"):
        maker_of("zebra")


def test_an_answer_that_should_be_silent_is_caught_reading():
    case = Case("Tamsin Okafor feeds the otters at noon.", "hi there", said="Hello, how can I help you?")
    assert reads_from("It is Tamsin Okafor.", case) and not reads_from("Hello, how can I help you today?", case)


def test_the_watch_tells_reading_from_silence(maker):
    report = json.loads(Watch(base(), TOKENIZER, maker.pool, random.Random(0)).report())
    assert 0 <= report["passages"] <= 1 and 0 <= report["texts"] <= 1 and len(report["wrong"]) == 6
    alone = Watch(base(), TOKENIZER, maker.pool, random.Random(0))
    alone.silent = [Case("", case.question, said=case.said) for case in alone.silent]
    assert json.loads(alone.report())["begun_as_the_base"] == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_the_recipe_writes_a_small_folder_over_any_base_and_goes_on(family, tmp_path, monkeypatch, capsys):
    lm = base(family=family)
    lm.save_pretrained(tmp_path / "base")
    (TURNS if family == "gemma3_text" else TOKENIZER).save(str(tmp_path / "base" / "tokenizer.json"))
    monkeypatch.setattr(recipe, "Watch", lambda *args: type("Quiet", (), {"report": lambda self: "{}"})())
    for steps in (1, 2) if family == "llama" else (1,):
        code, told, _ = run(capsys, "train", "david", "--base", tmp_path / "base", "--out", tmp_path / "out", "--no-compile",
                            "--silent", 70, "--steps", steps)
        assert code == 0 and f'"step": {steps}' in told and "{}" in told
    config = json.loads((tmp_path / "out" / "export" / "config.json").read_text(encoding="utf-8"))
    assert config["kind"] == "next-token" and config["lora"]["r"] == 16 and config["base"] == str(tmp_path / "base")
    tensors = load_file(tmp_path / "out" / "export" / "model.safetensors")
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    assert tensors[name].shape == (16, 32) and len(tensors) == 2 * 7 * 2
    assert all(t.dtype == torch.float16 for t in tensors.values())
    assert "frozen" in (tmp_path / "out" / "export" / "README.md").read_text(encoding="utf-8")
    core, david = load(str(tmp_path / "base")), load(str(tmp_path / "out" / "export"))     # and writes beside its base
    both = Ensemble({"core": core.model.bind([5, 6]), "me": david.model.bind([7, 8, 5, 6])}, EnsembleParams({"me": 0.5}))
    params = SamplingParams(block_length=4, max_new_tokens=8)
    assert [step for step in generate(both, params, torch.Generator()) if step.finished]
    assert david.config.role == "reader" and david.model.lm is core.model.lm
