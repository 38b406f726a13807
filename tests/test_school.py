"""Trainings for visitors: queued, told, stopped, for their owner alone; and the real trainer on a short text."""

import asyncio

import pytest

from ssd2_core.config import Limits, Settings
from ssd2_core.errors import BusyError, DocumentError, ModelError, VisitorError
from ssd2_core.protocol.messages import Document, Failed, Taught, Teaching
from ssd2_core.serving.finetune_jobs import LOST, School
from ssd2_core.serving.inline_engine import InlineEngine
from ssd2_core.serving.visitor_models import Visitors
from tests.browser import until

NOTE = (Document("note", "My dog is called Brimsel."),)


@pytest.fixture
def school():
    settings = Settings(limits=Limits(max_own_models=2, max_trainings=3))
    made = School(settings, Visitors(settings.limits), "tests.fake_trainer:main")
    yield made
    made.close()
    made.visitors.close()


def teach(school, owner="ann", title="Mine", documents=NOTE, user="compact-reader"):
    return school.teach(owner, user, documents, title)


def end(school, owner, job_id):
    until(lambda: school.job(owner, job_id).ended, 30)
    return school.job(owner, job_id)


def test_a_training_is_told_and_its_model_belongs_to_its_owner(school):
    job_id = teach(school)

    async def news():
        return [event async for event in school.astream("ann", job_id)]
    told = asyncio.run(news())
    assert isinstance(told[-1], Taught) and any(isinstance(event, Teaching) for event in told)
    card = school.job("ann", job_id).card
    assert told[-1].after == NOTE[0].text and school.visitors.owns("ann", card.id) and not school.visitors.owns("bob", card.id)
    weights, sheet = school.visitors.files("ann", card.id)
    assert school.visitors.add("bob", weights, "w", sheet, "s").parameters == card.parameters     # it can be brought back
    with pytest.raises(VisitorError, match="not known"):
        school.job("bob", job_id)


@pytest.mark.attack(14)
@pytest.mark.parametrize("change,error,rule", [
    ({"documents": ()}, DocumentError, "nothing to learn"), ({"documents": (Document("a", " "),)}, DocumentError, "to learn"),
    ({"user": "compact-core"}, ModelError, "cannot be taught"), ({"user": "../x"}, ModelError, "cannot be taught"),
    ({"title": "a" * 61}, ModelError, "at most 60"), ({"title": 5}, ModelError, "must be text"),
    ({"documents": tuple(Document(str(n), "x") for n in range(9))}, VisitorError, "at most 8"),
    ({"documents": (Document("a", "x" * 20_001),)}, DocumentError, "at most 20000")])
def test_what_cannot_be_taught_is_one_sentence(school, change, error, rule):
    with pytest.raises(error, match=rule):
        teach(school, **change)


@pytest.mark.attack(15)
def test_one_at_a_time_for_each_owner_and_the_others_wait(school):
    first = teach(school, title="long")
    with pytest.raises(BusyError, match="not finished"):
        teach(school)
    until(lambda: isinstance(school.job("ann", first).latest, Teaching), 30)
    second = teach(school, "bob")
    assert school.job("bob", second).latest.position == 1
    with pytest.raises(VisitorError):
        school.stop("bob", first)
    school.stop("ann", first)
    assert end(school, "ann", first).latest.after == "stopped" and end(school, "bob", second).latest.after == NOTE[0].text


@pytest.mark.attack(10)
def test_quotas(school):
    for _ in range(2):
        end(school, "ann", teach(school))
    with pytest.raises(ModelError, match="2 models here"):
        teach(school)
    school.visitors.remove("ann", school.visitors.cards("ann")[0].id)
    end(school, "ann", teach(school))
    school.visitors.remove("ann", school.visitors.cards("ann")[0].id)
    with pytest.raises(BusyError, match="trained 3 times"):
        teach(school)


def test_a_training_that_fails_or_dies_leaves_the_next_one_alone(school):
    assert end(school, "ann", teach(school, title="fail")).latest.message == "It did not work."
    assert end(school, "ann", teach(school, title="die")).latest == Failed(list(school._jobs)[-1], LOST)
    assert isinstance(end(school, "ann", teach(school)).latest, Taught)
    assert not list(school.visitors.folder.glob("work-*"))


@pytest.mark.attack(15)
def test_nothing_stays_of_an_owner_who_leaves_in_the_midst(school):
    job_id = teach(school, title="long")
    until(lambda: isinstance(school.job("ann", job_id).latest, Teaching), 30)
    school.leave("ann")
    other = teach(school, "bob")
    end(school, "bob", other)
    assert school.visitors.cards("ann") == [] and not list(school.visitors.folder.glob("work-*"))
    with pytest.raises(VisitorError):
        school.job("ann", job_id)


@pytest.mark.timeout(200)
def test_the_real_trainer_teaches_and_the_engine_answers_with_what_it_learned():
    from dataclasses import replace

    from tests.test_visitors import request, run
    settings = Settings(limits=replace(Limits(), training_seconds=20.0))
    with InlineEngine(settings, only_known=True) as engine:
        job_id = engine.school.teach("ann", "compact-reader", NOTE, "My dog")
        until(lambda: engine.school.job("ann", job_id).ended, 150)
        job = engine.school.job("ann", job_id)
        assert isinstance(job.latest, Taught), job.latest
        assert job.latest.step > 0 and job.latest.before != "" and job.latest.question
        assert (job.card.title, job.card.measured) == ("My dog", {})
        assert type(run(engine, request(job.card.id))[1]).__name__ == "Done"
        empty = engine.school.teach("bob", "compact-reader", (Document("x", "uh"),), "x")
        until(lambda: engine.school.job("bob", empty).ended, 100)
        assert "can be asked for" in engine.school.job("bob", empty).latest.message
