"""Files of questions: our lines, the layouts in which others publish such data, and one sentence for everything else."""

import json

import pytest

from ssd2_core.errors import VisitorError
from ssd2_core.evaluation.metrics import exact, token_f1
from ssd2_core.evaluation.questions import Question, questions_of, read_questions
from ssd2_core.text.words import terms, words
from tests.support.browser import ROOT

CASES = ROOT / "tests/data/cases"
DOG = Question("What is my dog called?", "Biscuit", "My dog is called Biscuit.")
SQUAD = {"version": "2", "data": [{"title": "Dogs", "paragraphs": [{"context": DOG.document, "qas": [
    {"id": "1", "question": DOG.question, "answers": [{"text": "Biscuit", "answer_start": 17}, {"text": "B."}]}]}]}]}


@pytest.mark.parametrize("row", [
    {"question": DOG.question, "answer": "Biscuit", "context": DOG.document, "id": "a b c d e"},
    {"question": DOG.question, "answer": "Biscuit", "passage": DOG.document},
    {"id": "1", "title": "Dogs", "context": DOG.document, "question": DOG.question,
     "answers": {"text": ["Biscuit", "B."], "answer_start": [17, 17]}},
    {"instruction": DOG.question, "input": DOG.document, "output": "Biscuit"},
    {"instruction": DOG.question, "context": DOG.document, "response": "Biscuit", "category": "closed_qa"},
    SQUAD, SQUAD["data"]])
def test_public_layouts_are_read(row):
    assert questions_of(json.dumps(row), "x.jsonl") == questions_of(json.dumps(row, indent=1), "x.json") == [DOG]


def test_a_file_that_is_one_list_has_as_many_questions_as_entries():
    rows = [{"instruction": "Name a number.", "input": "", "output": n} for n in range(3)]
    assert questions_of(json.dumps(rows), "x.json", 2) == [Question("Name a number.", str(n), "") for n in range(2)]


def test_a_context_is_the_document():
    assert read_questions(CASES / "context-field.jsonl") == [DOG]


@pytest.mark.parametrize("line,said", [
    ((CASES / "surrogate.jsonl").read_text().strip(), "has half a character (U+D800 to U+DFFF) in its question"),
    ('{"question": "a", "answer": NaN}', "has NaN, which is not JSON"),
    ('{"question": "a", "answer": "b", "score": -Infinity}', "has -Infinity, which is not JSON"),
    ('{"question": "a", "answer": 1e999}', "has neither text nor a number as its answer"),
    ('{"question": "a", "answer": true}', "has neither text nor a number as its answer"),
    ('{"question": "a", "answer": "🐕"}', "has no word and no number in its answer"),
    ('{"question": "🐕", "answer": "a"}', "has no word and no number in its question"),
    ('{"question": "a", "answers": []}', "it has no answer"), ('{"answer": "a"}', "it has no question"),
    ('{"question": "a", "answer": "b", "paragraph": "My dog is called Biscuit."}', "has a text named 'paragraph'"),
    ("[1, 2]", "needs JSON with question"), ("5", "needs JSON with question"), ("no", "needs JSON with question"),
    ("[" * 9000, "is nested too deeply")])
def test_a_line_that_cannot_be_used_is_named(line, said):
    with pytest.raises(VisitorError) as caught:
        questions_of(f'{{"question": "q", "answer": "a"}}\n\n{line}\n', "my.jsonl")
    sentence = str(caught.value)
    assert sentence.startswith("Line 3 of my.jsonl ") and said in sentence and sentence.endswith(".")
    sentence.encode()


def test_an_entry_that_cannot_be_used_is_named():
    broken = json.loads(json.dumps(SQUAD))
    broken["data"][0]["paragraphs"][0]["qas"].append({"question": "Who?", "answers": [], "is_impossible": True})
    with pytest.raises(VisitorError, match=r"^Entry 2 of dev\.json needs JSON .* it has no answer\.$"):
        questions_of(json.dumps(broken), "dev.json")
    with pytest.raises(VisitorError, match="Line 1 of my.jsonl has NaN"):
        questions_of('{"question": "a", "answer": NaN}', "my.jsonl")
    with pytest.raises(VisitorError, match="my.jsonl has no questions"):
        questions_of(" \n", "my.jsonl")


@pytest.mark.parametrize("said,right", [
    ("犬の名前はビスケットです。", "ビスケット"), ("我的狗叫饼干。", "饼干"), ("สุนัขของฉันชื่อบิสกิต", "บิสกิต"), ("彼は9歳です", "9")])
def test_answers_without_spaces_are_found(said, right):
    assert exact(said, right) and not exact(said, "猫" + right) and 0 < token_f1(said, right) < 1


def test_words_keep_their_marks_and_terms_are_pairs():
    assert words("हिन्दी सुनो, Cafe\u0301!") == ["हिन्दी", "सुनो", "café"] and words("It's_a 7:45") == ["it", "s", "a", "7", "45"]
    assert not exact("บิสกิต", "บสกต")
    assert terms("犬は Rex と住む9匹") == ["犬は", "rex", "と住", "住む", "9", "匹"] and terms("dog 犬") == ["dog", "犬"]
