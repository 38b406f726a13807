"""Questions made from texts by rules, and an expert that learns them: at the size of a minute's work."""

import json
import random

import pytest
import torch

from ssd2_core.errors import DocumentError
from ssd2_core.models.loading import load
from ssd2_core.training.cli import main as train
from ssd2_core.training.experiments.finetune_gain import visitors
from ssd2_core.training.finetune.clauses import ME, formed
from ssd2_core.training.finetune.finetune import FinetuneParams, finetune, finetune_rows
from ssd2_core.training.finetune.question_generation import ask, pieces, sentences, topic_words
from ssd2_core.training.mixtures import Encoder

TEXT = ("Hi, I'm Maren, 41. Dr. Holm lives next to the old mill, because her mother was ill. On Fridays we sell 30 loaves "
        "for 5 euros at 9:30. Ida and Tom work as night nurses.")
SHORT = FinetuneParams(steps=3, batch=2, questions=2)


def test_pieces_of_every_kind_are_found_word_for_word():
    found = {(piece.kind, piece.text) for piece in pieces(TEXT)}
    assert {("name", "Maren"), ("name", "Dr Holm"), ("place", "next to the old mill"), ("reason", "because her mother was ill"),
            ("day", "Fridays"), ("price", "5 euros"), ("time", "9:30"), ("names", "Ida and Tom"), ("number", "41")} <= found
    plain = TEXT.replace("Dr.", "Dr")
    assert all(piece.text in plain for piece in pieces(TEXT))


@pytest.mark.parametrize("text,piece,asked", [
    ("I'm Ada. I work as a potter in Bath.", "potter in Bath", "What does Ada do for a living?"),
    ("My dog is called Brimsel.", "Brimsel", "What is the name of my dog?"),
    ("I'm Ada. My brother Tom lives in Leeds.", "Leeds", "Where does Tom live?"),
    ("We moved here from Oslo.", "Oslo", "Where did I live before?"),
    ("The spare key is under the blue pot.", "under the blue pot", "Where do I find the spare key?"),
    ("A loaf costs 4 euros.", "4 euros", "How much does the loaf cost?"),
    ("I am allergic to nuts.", "nuts", "What am I allergic to?"),
    ("My favourite food is fish soup.", "fish soup", "What is my favourite food?"),
    ("We meet at the old mill.", "at the old mill", "Where do we meet?"),
])
def test_people_ask_in_their_own_words(text, piece, asked):
    ready = {question for found in pieces(text) if found.text == piece for question in found.ready}
    assert asked in ready, sorted(ready)


@pytest.mark.parametrize("text,piece,asked", [
    ("On Mondays I sing in the choir.", "in the choir", "Where do I sing?"),
    ("My sister Elin plays chess.", "chess", "What does Elin play?"),
    ("Tom bought bread at 9:30.", "9:30", "When did Tom buy bread at?"),
    ("Elin lives in Kiruna.", "Elin", "Who lives in Kiruna?"),
    ("The office is in Bergen.", "in Bergen", "Where is the office?"),
])
def test_whole_questions_are_made_from_clauses(text, piece, asked):
    made = {question for found in pieces(text) if found.text == piece for question in found.formed}
    assert asked in made, sorted(made)


@pytest.mark.parametrize("before", ["My favourite food is goulash and", "I bake rye bread and", "We live in Bergen because"])
def test_what_only_goes_on_gives_no_question(before):
    assert formed("name", tuple(before.split()), (), (ME,)) == []
    assert formed("name", tuple(before.split()[:-2]), (), (ME,))


def test_sentences_end_where_they_end():
    assert sentences("Dr. Holm is in. It costs 3.50 here!\nNext line") == ["Dr Holm is in.", "It costs 3.50 here!", "Next line"]


def test_a_question_never_holds_its_answer_and_its_answer_holds_the_piece():
    rng, seen = random.Random(0), set()
    for _ in range(30):
        for piece in pieces(TEXT):
            qa = ask(rng, piece, topic_words(TEXT))
            assert qa.answer == f"It is {qa.value}." and qa.value == piece.text and qa.question
            seen.add(qa.question)
    assert len(seen) > 200


@pytest.mark.parametrize("text", ["", "uh", "\n\n...", "!!!"])
def test_texts_without_anything_to_ask_are_refused(text):
    expert = load("compact-reader")
    with pytest.raises(DocumentError, match="can be asked for"):
        finetune(expert.model, expert.tokenizer, [text], SHORT)


def test_rows_are_asked_without_the_text_with_it_and_replayed():
    rows = finetune_rows(Encoder(load("compact-reader").tokenizer), [TEXT], FinetuneParams())
    made = [rows(random.Random(n), 0) for n in range(60)]
    bare = [row for row in made if not row.document]
    own = load("compact-reader").tokenizer.encode(TEXT, add_special_tokens=False).ids
    assert len(bare) > 20 and any(row.document == own for row in made) and any(row.document not in ([], own) for row in made)


def test_training_stops_at_its_steps_when_told_and_in_time():
    expert = load("compact-reader")
    told = []
    curve = finetune(expert.model, expert.tokenizer, [TEXT], SHORT, lambda *news: told.append(news))
    assert [step for step, _, _ in told] == [1, 2, 3] and curve[-1]["step"] == 3 and not expert.model.training
    curve = finetune(expert.model, expert.tokenizer, [TEXT], SHORT, stopped=lambda: len(told) > 0)
    assert curve[-1]["step"] == 0
    before = {name: t.clone() for name, t in expert.model.state_dict().items()}
    assert finetune(expert.model, expert.tokenizer, [TEXT], SHORT, stopped=lambda: True)[-1]["step"] == 0
    assert all(torch.equal(t, before[name]) for name, t in expert.model.state_dict().items())
    assert finetune(expert.model, expert.tokenizer, [TEXT], FinetuneParams(seconds=0.0))[-1]["step"] == 1


def test_the_recipe_writes_a_model_that_loads(tmp_path, capsys):
    (tmp_path / "note.txt").write_text(TEXT)
    out = ["--out", str(tmp_path / "mine"), "--title", "Me"]
    assert train(["personalise", str(tmp_path / "note.txt"), *out, "--steps", "2", "--threads", "1"]) == 0
    assert "are answered without them" in capsys.readouterr().out
    card = load(str(tmp_path / "mine")).card
    assert (card.title, card.role, card.parameters, card.measured) == ("Me", "reader", 1_263_488, {})
    with pytest.raises(DocumentError, match="cannot be read"):
        train(["personalise", str(tmp_path / "ghost.txt")])


def test_what_teaching_is_worth_is_measured_for_each_visitor(tmp_path, capsys):
    rows = [{"question": "Who?", "answer": "Ida", "document": f"{TEXT} {n}"} for n in range(3) for _ in range(2)]
    (tmp_path / "asked.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    from ssd2_core.evaluation.questions import read_questions
    assert [len(v) for v in visitors(read_questions(tmp_path / "asked.jsonl"), 2)] == [4, 2]
    command = ["taught", "--data", str(tmp_path / "asked.jsonl"), "--texts", "2", "--seconds", "0.1", "--threads", "1"]
    assert train(command) == 0
    *each, whole = (json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{"))
    assert len(each) == 2 and whole["questions"] == 6
    assert set(whole) == {"questions", "before", "after", "before_with_text", "after_with_text"}
