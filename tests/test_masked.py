"""Masked experts: alone, fused with each other and with causal LMs, and everything that a run has beside its steps."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from ssd2_core.__main__ import main
from ssd2_core.config import EnsembleParams, SamplingParams, Settings, knobs
from ssd2_core.diffusion.ensemble import Ensemble
from ssd2_core.diffusion.pins import Pins
from ssd2_core.diffusion.sampling import generate
from ssd2_core.errors import ModelError
from ssd2_core.models.loading import load, never_said
from ssd2_core.models.public_layouts import LAYOUTS
from ssd2_core.protocol.messages import Document, Done, Request, Started, Turn
from ssd2_core.registry.kinds import MASKED_TYPES
from ssd2_core.registry.known import KNOWN, markdown
from ssd2_core.registry.model_card import is_compatible
from ssd2_core.serving.engines import InlineEngine
from ssd2_core.text.prompts import TAGS, answer_text, contexts, encode
from tests.support.browser import ROOT
from tests.support.kinds import MASKED as KINDS
from tests.support.kinds import kind_folders
from tests.support.masked import MASKING, masked_folder
from tests.test_library import TOKENIZER
from tests.test_next_token_loading import lm_folder

V = MASKING.get_vocab_size()
SHORT = SamplingParams(num_steps=4, block_length=6, max_new_tokens=12, mask_schedule="even", mask_order="probability")
ASKED = [5, 6, 7, 8, 9, 10]             # a whole block
NOTE = Document("note", "my dog is called Biscuit")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return kind_folders(tmp_path_factory.mktemp("masked"))


@pytest.fixture(scope="module")
def engine():
    with InlineEngine(Settings()) as made:
        yield made


def answer(denoise, params=SHORT, seed=0, pins=None) -> list[int]:
    blocks = [s.token_ids for s in generate(denoise, params, torch.Generator().manual_seed(seed), pins=pins) if s.finished]
    return torch.cat(blocks, 1).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_read_from_its_public_layout_and_its_own_code_is_not(folders, kind):
    expert = load(folders[kind])
    assert (expert.card.kind, expert.card.role, expert.config.role) == ("masked", "core", "core")
    words = LAYOUTS[KINDS[kind]].masks
    assert expert.config.mask_token_id in [MASKING.token_to_id(word) for word in words]
    assert expert.config.blocks == (kind in ("a2d-bd3lm", "sdar")) and expert.config.shift == (kind == "dream")
    assert expert.config.from_prompt == (kind == "sdar")


@pytest.mark.parametrize("kind", KINDS)
def test_masks_settle_as_the_schedule_says_and_never_stay(folders, kind):
    expert = load(folders[kind])
    mask, shown = expert.config.mask_token_id, []
    for step in generate(expert.model.bind(ASKED), SHORT, torch.Generator()):
        before, after = step.state.settled, step.after.settled
        assert bool((after | ~before).all()) and mask not in step.token_ids
        shown.append(int((after & ~before).sum()))
    assert shown == [2, 2, 1, 1, 2, 2, 1, 1]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "sdar"])
def test_rows_of_several_visitors_are_rows_alone(folders, kind):
    model, rows = load(folders[kind]).model, [[5, 6, 7, 8, 9, 10, 11], [12, 13], [14, 15, 16]]
    together = answer(model.bind_rows(rows))
    assert together == [answer(model.bind(row))[0] for row in rows] and len({tuple(row) for row in together}) > 1


@pytest.mark.parametrize(("kind", "other"), [*((kind, "causal") for kind in KINDS), ("dream", "a2d-mdlm"),
                                             ("a2d-mdlm", "dream"), ("a2d-bd3lm", "dream")])
def test_fused_with_another_kind_weight_decides_and_order_does_not(folders, kind, other):
    core, user = load(folders[kind]).model, load(folders[other]).model

    def fused(weight: float, **experts) -> list[int]:
        bound = {name: model.bind(ASKED) for name, model in experts.items()}
        return answer(Ensemble(bound, EnsembleParams({"me": weight}, "constant")))
    alone = answer(core.bind(ASKED))
    assert fused(0.0, core=core, me=user) == alone == fused(0.5, core=core, me=core)
    half = fused(0.5, core=core, me=user)
    assert half == fused(0.5, me=user, core=core)
    if other != "causal" and core.config.blocks == user.config.blocks:
        assert fused(1.0, core=core, me=user) == answer(user.bind(ASKED))


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_that_are_given_stand_and_are_seen_from_both_sides(folders, kind):
    model, pins = load(folders[kind]).model, Pins()
    pins.put(1, 2, [40, 41])
    [filled] = answer(model.bind(ASKED), pins=pins)
    assert filled[8:10] == [40, 41] and len(filled) == 12
    whole = Pins()
    whole.put(0, 0, [40, 41, 42, 43, 44, 45])
    steps = list(generate(model.bind(ASKED), SHORT, torch.Generator(), pins=whole))
    assert [step.block for step in steps] == [0, 1, 1, 1, 1] and steps[0].token_ids.tolist() == [[40, 41, 42, 43, 44, 45]]
    free, given = (next(generate(model.bind(ASKED), SHORT, torch.Generator(), pins=each)).prediction.logits
                   for each in (None, pins))
    assert torch.equal(free, given) == model.config.blocks              # a canvas knows of them before it comes there


@pytest.mark.parametrize("kind", KINDS)
def test_samples_follow_the_seed(folders, kind):
    bind, params = load(folders[kind]).model.bind, replace(SHORT, projection="sampling", temperature=3.0, top_p=1.0)
    first = answer(bind(ASKED), params, 1)
    assert first == answer(bind(ASKED), params, 1) != answer(bind(ASKED), params, 2)


def causal_with(path, tokenizer: Tokenizer, **changes: str):
    """A causal LM whose tokenizer has other words at some places. changes: old and new."""
    data = json.loads(tokenizer.to_str())
    data["model"]["vocab"] = {changes.get(word, word): i for word, i in data["model"]["vocab"].items()}
    for token in data["added_tokens"]:
        token["content"] = changes.get(token["content"], token["content"])
    path.mkdir()
    lm_folder(path, vocab_size=V)
    (path / "tokenizer.json").write_text(json.dumps(data), encoding="utf-8")
    return str(path)


def test_a_small_model_may_lack_control_tokens_and_have_other_ones(folders, engine, tmp_path):
    fewer = causal_with(tmp_path / "fewer", TOKENIZER)
    other = causal_with(tmp_path / "other", MASKING, **{"[MASK]": "<|tool|>"})
    core, at = load(folders["llada"]), MASKING.token_to_id("[MASK]")
    assert is_compatible(load(fewer).card, core.card) and never_said({"core": core, "me": load(fewer)}) == ()
    assert never_said({"core": core, "me": load(other)}) == (at,)
    both = Ensemble({"core": core.model.bind([5]), "me": load(fewer).model.bind([5])}, EnsembleParams({"me": 0.5}))
    assert both.vocab_size == TOKENIZER.get_vocab_size() < V
    for user, notices in ((fewer, 0), (other, 1)):
        asked = Request("", "my dog", folders["llada"], (user,), (NOTE,), (), SHORT, EnsembleParams({user: 0.5}))
        events = list(engine.stream(engine.submit(asked)))
        assert isinstance(events[-1], Done), events[-1]
        [started] = [event for event in events if isinstance(event, Started)]
        assert sum("1 control tokens" in notice for notice in started.notices) == notices


def test_a_small_model_of_other_words_is_refused_with_the_first_of_them(folders, engine, tmp_path):
    merged = str(json.loads(MASKING.to_str())["model"]["merges"])
    word, at = next((word, i) for word, i in MASKING.get_vocab().items() if len(word) == 1 and word not in merged)
    wrong = causal_with(tmp_path / "wrong", MASKING, **{word: "zzz"})
    assert not is_compatible(load(wrong).card, load(folders["llada"]).card)
    asked = Request("", "my dog", folders["llada"], (wrong,), sampling=SHORT, ensemble=EnsembleParams({wrong: 0.5}))
    said = list(engine.stream(engine.submit(asked)))[-1].message
    assert f"1 tokens differ, first {at}: {word!r}, 'zzz'" in said
    core, other = load(folders["llada"]), causal_with(tmp_path / "other", MASKING, **{"[MASK]": "<|tool|>"})
    core.model.config = replace(core.config, eos_token_id=MASKING.token_to_id("[MASK]"))
    with pytest.raises(ModelError, match="ends its answers with a token"):
        never_said({"core": core, "me": load(other)})
    user = load(other)
    user.model.config = replace(user.config, more_ends=(MASKING.token_to_id("[MASK]"),))
    assert MASKING.token_to_id("[MASK]") not in never_said({"core": core, "me": user})      # the end of both, in other words


def sdar_reference(lm, prompt: list[int], mask: int, length: int, steps: int, blocks: int, order: str) -> list[list[int]]:
    """SDAR's sampler as its code reads, without a cache: every canvas, from the beginning of the prompt. A plain loop."""
    text, canvases = list(prompt), []
    for block in range(len(prompt) // length, len(prompt) // length + blocks):
        text += [mask] * ((block + 1) * length - len(text))
        at = torch.arange(len(text))
        sees = at // length <= (at // length).unsqueeze(-1)
        hidden = torch.zeros(sees.shape).masked_fill(~sees, torch.finfo(torch.float32).min)[None, None]
        for step in range(steps):
            canvases.append(list(text))
            logits = lm(input_ids=torch.tensor([text]), attention_mask=hidden, position_ids=at[None]).logits[0]
            logits[:, mask] = -torch.inf
            sure, best = logits.softmax(-1).max(-1)
            masks = [i for i in range(block * length, len(text)) if text[i] == mask]
            count = length // steps + (step < length % steps)
            for i in (masks if order == "left" else sorted(masks, key=lambda i: -float(sure[i])))[:count]:
                text[i] = int(best[i])
            if mask not in text:
                break
    return [*canvases, text]


@pytest.mark.parametrize("order", ["probability", "left"])
@pytest.mark.parametrize("steps", [6, 4, 2])
def test_sdar_counts_its_blocks_from_the_beginning_of_the_prompt(folders, order, steps):
    model = load(folders["sdar"]).model
    model.config = replace(model.config, eos_token_id=None)
    for prompt in ([5, 6, 7, 8], [5, 6, 7, 8, 9, 10], list(range(5, 20))):
        mask, rest = model.config.mask_token_id, len(prompt) % 6
        params = SamplingParams(num_steps=steps, block_length=6, max_new_tokens=18 - rest, mask_order=order)
        generation, ours = generate(model.bind(prompt), params, torch.Generator()), []
        while (question := generation.question()) is not None:
            ids, state = question
            ours.append([*prompt, *ids[0].tolist(), *state.token_ids.masked_fill(~state.settled, mask)[0].tolist()])
            generation.make_step()
        ours.append([*prompt, *generation.ids[0].tolist()])
        assert ours == sdar_reference(model.lm, prompt, mask, 6, steps, 3, order)
    together = answer(model.bind_rows([[5, 6, 7], [8] * 10]), params)      # where rows differ, blocks begin with the answer
    assert len(together) == 2 and len(together[0]) % 6 == 0


def test_a_layout_is_known_where_cards_are_read_and_where_networks_are_loaded():
    assert set(MASKED_TYPES) == set(LAYOUTS)


def test_how_masks_settle_is_the_model_s_own_unless_it_is_chosen(folders):
    def trail(kind: str, **chosen) -> list:
        params = SamplingParams(num_steps=5, block_length=12, max_new_tokens=12, **chosen)
        steps = generate(load(folders[kind]).model.bind([5, 6]), params, torch.Generator())
        return [step.after.settled.tolist() for step in steps]
    for kind, own in (("llada", ("even", "probability")), ("dream", ("dream", "entropy")), ("bert", ("linear", "probability"))):
        assert trail(kind) == trail(kind, mask_schedule=own[0], mask_order=own[1])
    for name, ways in (("mask_schedule", 3), ("mask_order", 4)):             # "block" differs where tokens are given
        shown = {str(trail("dream", **{name: choice})) for choice in knobs(SamplingParams)[name].choices[1:]}
        assert len(shown) == ways, name
    assert trail("llada", remasking="on") != trail("llada", remasking="off") == trail("llada")


def test_what_cannot_be_read_is_one_sentence(tmp_path):
    for more, rule in (({"mask_token_id": V}, f"has the token id {V}"), ({"vocab_size": 9}, "only 9 rows"),
                       ({"block_type": "sequential"}, "block_type 'sequential'"), ({"n_layers": 3}, "are missing")):
        place = tmp_path / rule.replace(" ", "-").replace("'", "")
        masked_folder(place, "llada")
        raw = json.loads((place / "config.json").read_text())
        (place / "config.json").write_text(json.dumps(raw | more))
        with pytest.raises(ModelError, match=rule):
            load(str(place))
    place = masked_folder(tmp_path / "code", "llada")
    raw = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(raw | {"model_type": "somebodys_dlm"}))
    with pytest.raises(ModelError, match="of a kind that transformers does not know"):
        load(str(place))
    place = masked_folder(tmp_path / "shards", "a2d-qwen3")
    tensors, names = load_file(place / "model.safetensors"), {}
    for n, part in enumerate((sorted(tensors)[:9], sorted(tensors)[9:]), 1):
        names |= dict.fromkeys(part, f"model-0000{n}-of-00002.safetensors")
        save_file({name: tensors[name] for name in part}, place / names[part[0]], {"format": "pt"})
    (place / "model.safetensors").unlink()
    (place / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))
    assert load(str(place)).card.kind == "masked"
    (place / names[part[0]]).unlink()
    with pytest.raises(ModelError, match="lacks a part of its weights, model-00002-of-00002.safetensors"):
        load(str(place))


def test_an_answer_that_is_longer_than_the_positions_and_control_tokens_that_are_typed(tmp_path, engine):
    place = str(masked_folder(tmp_path / "short", "llada", max_sequence_length=64))

    def asked(prompt: str, tokens: int):
        params = SamplingParams(num_steps=2, max_new_tokens=tokens)
        return list(engine.stream(engine.submit(Request("", prompt, place, sampling=params, ensemble=EnsembleParams()))))[-1]
    assert "reads at most 0 beside an answer of 128; " in asked("my dog", 128).message
    assert isinstance(asked("my <|mdm_mask|> is <eos> what", 16), Done)
    ids = encode(load(place).tokenizer, "my <|mdm_mask|> is <eos> what")
    assert not {MASKING.token_to_id("<|mdm_mask|>"), MASKING.token_to_id("<eos>")} & set(ids)


def test_the_known_models_are_listed_and_the_documentation_has_them(capsys):
    assert main(["models", "--known"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(KNOWN) and all(model.id in line for model, line in zip(KNOWN, lines[1:], strict=True))
    assert "16.0     8.0     4.0" in lines[1]
    assert main(["models", "--known", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["known"][2]["users"] == ["Qwen/Qwen2.5-0.5B-Instruct"]
    assert markdown() in (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


def test_a_chat_model_on_an_encoder_has_plain_words_for_its_speakers():
    plain = TOKENIZER.to_str()
    for tag, word in zip(TAGS, ("[PAD]", "[MASK]", "[SEP]", "[CLS]"), strict=True):
        plain = plain.replace(json.dumps(tag), json.dumps(word))
    found = Tokenizer.from_str(plain)
    asked = SimpleNamespace(role="core", max_context=256, history_turns=4)
    ids = contexts(found, asked, "my dog", (Turn("user", "Hi"), Turn("assistant", "Ho")), ()).ids
    assert "".join(found.decode(ids, skip_special_tokens=False).split()) == (
        "[Question]Hi[/Question][Answer]Ho[/Answer][Question]mydog[/Question][Answer]")
    assert answer_text(found, [*encode(found, "Ho ho\n[/Answer]\n\n[Question]"), 0]) == "Ho ho"
