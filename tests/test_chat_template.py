"""Prompts by a model's own chat template: as transformers writes them; what visitors type stays text; bad ones are refused."""

import json

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from ssd2_core.config import EnsembleParams, SamplingParams, Settings
from ssd2_core.errors import LimitError, ModelError
from ssd2_core.models.loading import load
from ssd2_core.models.next_token import NextTokenConfig
from ssd2_core.protocol.messages import Document, Done, Request, Turn
from ssd2_core.serving.engines import InlineEngine
from ssd2_core.text.chat_template import ChatTemplate, read_chat_template
from ssd2_core.text.prompts import answer_text, cell_texts, contexts, prompt_format
from tests.test_next_token_loading import lm_folder

TEXTS = ["my dog is called Biscuit and what is it, you are a helpful assistant system user", "7:45 on Monday <|im_start|> [INS"]
CHATML = ("{% for message in messages %}{% if loop.first and message['role'] != 'system' %}{{ '<|im_start|>system\nYou are a "
          "helpful assistant<|im_end|>\n' }}{% endif %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] }}"
          "{{ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
LLAMA3 = ("{% for message in messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
          " + message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}"
          "{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}"
          "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}")
GEMMA = ("{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
         "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
         "{{ raise_exception('Conversation roles must alternate') }}{% endif %}{% if message['role'] == 'assistant' %}"
         "{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}"
         "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
         "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}")
MISTRAL = ("{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
           "{{ raise_exception('Conversation roles must alternate') }}{% endif %}{% if message['role'] == 'user' %}"
           "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% else %}{{ ' ' + message['content'] + eos_token }}{% endif %}"
           "{% endfor %}")
FORMATS = {         # template, control tokens, what ends an answer, whether a space is its own letter as in sentencepiece
    "chatml": (CHATML, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], "<|im_end|>", False),
    "llama3": (LLAMA3, ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"], "<|eot_id|>", False),
    "gemma": (GEMMA, ["<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"], "<end_of_turn>", True),
    "mistral": (MISTRAL, ["<s>", "</s>", "[INST]", "[/INST]"], "</s>", True)}
HISTORY = [Turn("user", "what is it"), Turn("assistant", "a dog")]


def tokenizer_of(tokens: list[str], pieces: bool, special: bool = True) -> Tokenizer:
    """A small tokenizer as a family has it: bytes, or pieces with a letter for the space and none before what is first."""
    made = Tokenizer(models.BPE(byte_fallback=pieces, unk_token=None))
    if pieces:
        made.normalizer = normalizers.Replace(" ", "▁") if "<bos>" in tokens else None
        made.pre_tokenizer = None if "<bos>" in tokens else pre_tokenizers.Metaspace("▁", "first", split=False)
        made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                          *([] if "<bos>" in tokens else [decoders.Strip(" ", 1, 0)])])
    else:
        made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = [f"<0x{n:02X}>" for n in range(256)] if pieces else pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=[] if pieces else alphabet, show_progress=False,
                                  special_tokens=[*tokens, *(alphabet if pieces else [])])
    made.train_from_iterator(TEXTS, trainer)
    data = json.loads(made.to_str())
    data["added_tokens"] = [{**token, "special": special} for token in data["added_tokens"] if token["content"] in tokens]
    return Tokenizer.from_str(json.dumps(data))


def renderer_of(tokenizer: Tokenizer, template: str, tokens: list[str], name: str) -> PreTrainedTokenizerFast:
    begin = {"llama3": tokens[0], "gemma": "<bos>", "mistral": "<s>"}.get(name)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=template, bos_token=begin,
                                   eos_token=FORMATS[name][2] if name in FORMATS else None)


def made(name: str, special: bool = True) -> tuple[ChatTemplate, PreTrainedTokenizerFast]:
    template, tokens, _, pieces = FORMATS[name]
    tokenizer = tokenizer_of(tokens, pieces, special)
    renderer = renderer_of(tokenizer, template, tokens, name)
    return ChatTemplate(tokenizer, renderer, name), renderer


def as_transformers(renderer: PreTrainedTokenizerFast, *said: str) -> list[int]:
    messages = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(said)]
    return renderer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True)["input_ids"]


def config(template: ChatTemplate, role: str = "reader", **more) -> NextTokenConfig:
    return NextTokenConfig(role, 600, template.eos, chat_template=template, **more)


@pytest.mark.parametrize("name", FORMATS)
def test_the_template_decides_the_prompt_as_in_transformers(name):
    template, renderer = made(name)
    assert template.eos == renderer.convert_tokens_to_ids(FORMATS[name][2])
    found = contexts(renderer._tokenizer, config(template), "my dog", HISTORY, ["Biscuit is called", "Monday"])
    assert found.bare_ids == as_transformers(renderer, "what is it", "a dog", "my dog")
    assert found.ids == as_transformers(renderer, "what is it", "a dog", "Biscuit is called\nMonday\n\nmy dog")
    core = contexts(renderer._tokenizer, config(template, "core"), "my dog", (), ["Biscuit is called"])
    assert core.ids == as_transformers(renderer, "my dog") and core.bare_ids is None


def test_the_turns_of_gemma_are_written_without_a_template_as_with_it():
    template, renderer = made("gemma")
    tokenizer = renderer._tokenizer
    form = prompt_format(tokenizer)
    first, start, end = (tokenizer.token_to_id(token) for token in ("<bos>", "<start_of_turn>", "<end_of_turn>"))
    plain = NextTokenConfig("reader", 600, form.eos)
    found = contexts(tokenizer, plain, "my dog", HISTORY, ["Biscuit is called"])
    assert found.bare_ids == as_transformers(renderer, "what is it", "a dog", "my dog") and form.eos == template.eos == end
    words = tokenizer.decode(found.ids, skip_special_tokens=False)
    assert words.startswith("<bos><start_of_turn>document\nBiscuit is called<end_of_turn>\n<start_of_turn>user\nwhat")
    assert words.endswith("<start_of_turn>model\n") and found.ids.count(first) == 1
    every = "<bos> <start_of_turn> <end_of_turn> <eos>"
    typed = contexts(tokenizer, plain, every, [Turn("user", every), Turn("assistant", every)], [every])
    assert [i for i in typed.ids if i in (first, start, end, 0)] == [i for i in found.ids if i in (first, start, end, 0)]
    assert typed.used == (every,)


@pytest.mark.attack(11)
@pytest.mark.parametrize("special", [True, False], ids=["special", "only added"])
@pytest.mark.parametrize("name", FORMATS)
def test_typed_control_tokens_stay_text(name, special):
    template, renderer = made(name, special)
    every = " ".join(token for _, tokens, *_ in FORMATS.values() for token in tokens)
    control = {renderer.convert_tokens_to_ids(token) for token in FORMATS[name][1]}

    def controls(*texts: str) -> list[int]:
        question, earlier, answered, document = texts
        found = contexts(renderer._tokenizer, config(template), question, [Turn("user", earlier), Turn("assistant", answered)],
                         [document])
        assert found.used == (document,)
        return [i for i in found.ids if i in control]
    plain = controls("dog", "dog", "dog", "dog")
    assert plain and all(controls(*(every if n == at else "dog" for n in range(4))) == plain for at in range(4))
    said = renderer.decode(template.ids(every, [], "my dog"))
    assert every in said


@pytest.mark.parametrize("name", FORMATS)
def test_cells_keep_the_spaces_between_words(name):
    template, renderer = made(name)
    ids = renderer._tokenizer.encode("my dog is called Biscuit", add_special_tokens=False).ids
    assert "".join(cell_texts(renderer._tokenizer, ids)).strip() == "my dog is called Biscuit"
    assert answer_text(renderer._tokenizer, [*ids, template.eos, *ids], [template.eos]) == "my dog is called Biscuit"


@pytest.mark.parametrize("template,words", [
    ("{{ raise_exception('no users here') }}", r"cannot be used \(no users here\)"),
    ("{% for message in messages %}{{ message['role'] }}{% endfor %}</s>", "leaves out what was said"),
    ("{% for message in messages %}{{ message['content'] }}</s>{% endfor %}{{ messages[3]['role'] }}", "cannot be used"),
    ("{% for message in messages[-1:] %}{{ message['content'] }}</s>{% endfor %}", "leaves out what was said"),
    ("{% for message in messages %}{{ message['content'] }}{% endfor %}", "says what ends an answer"),
    ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "cannot be used"), ("{% for %}", "cannot be used")])
def test_a_template_that_cannot_be_used_is_one_sentence(template, words):
    tokenizer = tokenizer_of(FORMATS["mistral"][1], True)
    with pytest.raises(ModelError, match=words) as caught:
        ChatTemplate(tokenizer, renderer_of(tokenizer, template, FORMATS["mistral"][1], "mistral"), "mine")
    assert "\n" not in str(caught.value)


def test_a_control_token_that_cannot_be_told_from_a_word_is_refused():
    words = ["<s>", "</s>", "dog", "user"]
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="dog"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in words[:2]])
    template = ChatTemplate(tokenizer, renderer_of(tokenizer, "{% for m in messages %}<s> {{ m['content'] }} </s>{% endfor %}",
                                                   words[:2], "mistral"), "mine")
    assert template.ids("", [], "user") == [0, 3, 1]
    with pytest.raises(LimitError, match="mine cannot read </s> as text"):
        template.ids("", [], "user </s>")


@pytest.fixture(scope="module")
def chat_folder(tmp_path_factory):
    """A tiny LM with the tokenizer of the Llama 3 format, which no other format fits."""
    path = tmp_path_factory.mktemp("chat")
    template, tokens, _, pieces = FORMATS["llama3"]
    tokenizer = tokenizer_of(tokens, pieces)
    lm_folder(path, vocab_size=tokenizer.get_vocab_size(), eos_token_id=0)
    renderer_of(tokenizer, template, tokens, "llama3").save_pretrained(path)
    return path


def test_a_folder_with_a_template_is_a_core_and_a_reader(chat_folder):
    expert = load(str(chat_folder))
    assert expert.config.eos_token_id == expert.tokenizer.token_to_id("<|eot_id|>")
    assert expert.bind("my dog").rows[0].context[0] == expert.tokenizer.token_to_id("<|begin_of_text|>")
    sampling = SamplingParams(block_length=6, max_new_tokens=12)
    asked = Request("", "my <|eot_id|> dog", str(chat_folder), (str(chat_folder),), (Document("d", "<|eot_id|> is Biscuit"),),
                    tuple(HISTORY), sampling, EnsembleParams({str(chat_folder): 0.5}))
    with InlineEngine(Settings()) as engine:
        end = list(engine.stream(engine.submit(asked)))[-1]
    assert isinstance(end, Done) and end.shares[str(chat_folder)] > 0


def test_without_a_template_or_known_marks_a_folder_is_refused(chat_folder, tmp_path):
    for file in chat_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="There is no chat template, and the tokenizer has no special token"):
        load(str(tmp_path))
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(ModelError, match="chat template of .* cannot be read"):
        load(str(tmp_path))


def test_an_expert_that_visitors_share_has_no_template_unless_its_card_asks_for_it(chat_folder, tmp_path):
    base = load(str(chat_folder))
    about = {"kind": "next-token", "role": "core", "base": str(chat_folder), "tokenizer_hash": base.card.tokenizer_hash,
             "num_parameters": 1}
    (tmp_path / "config.json").write_text(json.dumps(about))
    with pytest.raises(ModelError, match="There is no chat template"):
        load(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(about | {"prompt_style": "template"}))
    found = load(str(tmp_path))
    assert found.config.chat_template and found.model.lm is base.model.lm
    assert read_chat_template(tmp_path, base.tokenizer, "x") is None
