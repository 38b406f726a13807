"""What reaches each expert: the core never sees documents, typed special tokens stay text, the best passages are chosen."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd2_core.errors import LimitError
from ssd2_core.protocol.messages import Turn
from ssd2_core.text.documents import passages
from ssd2_core.text.prompts import answer_text, cell_texts, contexts, encode, prompt_format, template_of
from ssd2_core.training.tokenizer import ASSISTANT, DOCUMENT, EOS, PAD, SPECIAL_TOKENS, USER, train_tokenizer

TOKENIZER = train_tokenizer(["my dog is called Biscuit and what is it", "7:45 on Monday"], 400)
SPECIALS = {PAD, EOS, DOCUMENT, USER, ASSISTANT}


def config(role="reader", **changes):
    return SimpleNamespace(**{"role": role, "max_context": 200, "history_turns": 1, **changes})


def test_the_layout_of_a_reader_and_of_a_core():
    reader = contexts(TOKENIZER, config(), "what is it", (), ["my dog", "is Biscuit"])
    question = [USER, *encode(TOKENIZER, "what is it"), ASSISTANT]
    assert reader.ids == [DOCUMENT, *encode(TOKENIZER, "my dog\nis Biscuit"), *question]
    assert reader.bare_ids == question and reader.used == ("my dog", "is Biscuit") and reader.left_out == ()
    for role in ("core", "specialist"):
        other = contexts(TOKENIZER, config(role), "what is it", (), ["my dog", "is Biscuit"])
        assert other.ids == question and other.bare_ids is None and other.used == ()


@pytest.mark.attack(15)
@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=60), max_size=4), st.text(max_size=40))
def test_nothing_of_a_document_reaches_the_core(documents, prompt):
    history = [Turn("user", "private question", True), Turn("assistant", "private answer", True)]
    for role in ("core", "specialist"):
        given_ = contexts(TOKENIZER, config(role), prompt, history, documents).ids
        assert given_ == contexts(TOKENIZER, config(role), prompt, (), []).ids


@pytest.mark.attack(11)
@pytest.mark.attack(18)
@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([*SPECIAL_TOKENS, " a ", "\n", "🐕", "<", "|>"]), max_size=12).map("".join))
def test_typed_special_tokens_stay_text(text):
    assert not SPECIALS & set(encode(TOKENIZER, text))
    ids = contexts(TOKENIZER, config(max_context=2000), text, (), [text] if text.strip() else []).ids
    assert [i for i in ids if i in SPECIALS] in ([USER, ASSISTANT], [DOCUMENT, USER, ASSISTANT])


def test_history_goes_to_those_who_may_read_it():
    turns = [Turn("user", "dog"), Turn("assistant", "Biscuit"), Turn("user", "it", True), Turn("assistant", "my", True)]
    reader = contexts(TOKENIZER, config(), "what", turns, []).ids
    assert reader == [USER, *encode(TOKENIZER, "it"), ASSISTANT, *encode(TOKENIZER, "my"), EOS,
                      USER, *encode(TOKENIZER, "what"), ASSISTANT]
    core = contexts(TOKENIZER, config("core"), "what", turns, []).ids
    assert core[1:2] == encode(TOKENIZER, "dog")[:1] and len(core) < len(reader) + 3
    without = contexts(TOKENIZER, config(history_turns=0), "what", turns, []).ids
    assert without == contexts(TOKENIZER, config(), "what", (), []).ids


def test_passages_that_do_not_fit_are_chosen_by_the_question():
    texts = [f"filler number {n} about weather and more weather" for n in range(12)]
    texts.insert(7, "my dog is called Biscuit")
    chosen = contexts(TOKENIZER, config(max_context=90), "what is my dog called", (), texts)
    assert "my dog is called Biscuit" in chosen.used and chosen.left_out and len(chosen.ids) <= 90
    assert set(chosen.used) | set(chosen.left_out) == set(texts)
    assert [p for p in texts if p in chosen.used] == list(chosen.used)


@pytest.mark.parametrize("fact,asked,filler", [
    ("私の犬の名前はビスケットです。", "私の犬の名前は何ですか？", "今日は雨が降り、風も強かったです。"),
    ("我的狗叫饼干。", "我的狗叫什么？", "昨天下了很大的雨，风也很强。"),
    ("สุนัขของฉันชื่อบิสกิต", "สุนัขของฉันชื่ออะไร", " เมื่อวานฝนตกหนักและลมแรง ")])
def test_facts_in_scripts_without_spaces_are_found(fact, asked, filler):
    for texts in ([filler] * 6 + [fact] + [filler] * 5, passages(filler * 12 + fact + filler * 12)):
        chosen = contexts(TOKENIZER, config(max_context=230), asked, (), texts)
        assert chosen.left_out and len(chosen.ids) <= 230 and any(fact.rstrip("。") in used for used in chosen.used)


def test_white_space_in_a_question_is_one_space():
    plain = contexts(TOKENIZER, config(), "what is my dog", (), ["my dog is Biscuit"])
    for space in ("  ", "\xa0", "\u3000\u200b ", "\t"):
        text = f"\ufeffwhat is my dog{space}".replace(" ", space)
        assert contexts(TOKENIZER, config(), text, (), passages(f"my dog{space}is Biscuit")) == plain
    assert template_of("Where\xa0is  Oslo? It\u2009is [blank:2].") == template_of("Where is Oslo? It is [blank:2].")


@pytest.mark.attack(18)
def test_a_prompt_that_is_too_long_is_refused():
    with pytest.raises(LimitError, match="at most 198"):
        contexts(TOKENIZER, config(), "dog " * 400, (), [])


def test_an_answer_has_its_positions_before_documents_have_theirs():
    narrow = config(max_positions=120)
    texts = [f"filler number {n} about weather and more weather" for n in range(12)] + ["my dog is called Biscuit"]
    chosen = contexts(TOKENIZER, narrow, "what is my dog called", (), texts, 40)
    assert len(chosen.ids) <= 80 and texts[-1] in chosen.used and chosen.left_out
    assert contexts(TOKENIZER, config(), "what is it", (), texts, 400) == contexts(TOKENIZER, config(), "what is it", (), texts)
    with pytest.raises(LimitError, match="reads at most 18 beside an answer of 100"):
        contexts(TOKENIZER, narrow, "dog " * 30, (), [], 100)
    with pytest.raises(LimitError, match="reads at most 0 beside an answer of 128"):
        contexts(TOKENIZER, narrow, "dog", (), [], 128)


def test_cells_and_answers():
    ids = encode(TOKENIZER, "dog 🐕")
    texts = cell_texts(TOKENIZER, [*ids, EOS])
    assert texts[-1] == "<eos>" and "·" in texts and len(texts) == len(ids) + 1
    assert answer_text(TOKENIZER, [*ids, EOS, *ids]) == "dog 🐕"
    assert answer_text(TOKENIZER, [EOS]) == ""


@pytest.mark.attack(18)
@settings(max_examples=80, deadline=None)
@given(st.text(alphabet=st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=60).filter(lambda t: "\n" not in t))
def test_any_text_survives_the_tokenizer(text):
    assert TOKENIZER.decode(encode(TOKENIZER, text)) == " " + text


def test_a_value_has_the_same_tokens_wherever_it_stands():
    alone = encode(TOKENIZER, "Brimsel")
    inside = encode(TOKENIZER, "my dog is Brimsel")
    assert inside[-len(alone):] == alone
    assert encode(TOKENIZER, "dog\nBrimsel")[-len(alone):] == alone
    assert encode(TOKENIZER, "7:45")[-4:] == encode(TOKENIZER, "on 7:45")[-4:]


def test_a_chat_format_wins_over_the_marks_of_a_plain_text():
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
    words = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "user", "assistant", "document", "dog", "\n"]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="dog"))
    made.pre_tokenizer = pre_tokenizers.Split("\n", "isolated")
    marks = [AddedToken(word, special=True) for word in words[:4]]
    made.add_special_tokens(marks[:2])
    assert prompt_format(made).question([7]) == [0, 7] and prompt_format(made).eos == 1
    made.add_special_tokens(marks[2:])
    assert prompt_format(made).question([7]) == [2, 4, 8, 7, 3, 8, 2, 5, 8] and prompt_format(made).eos == 3
    assert prompt_format(made, "tulu").eos == 1
