"""Trainings for visitors: queued, told, stopped, for their owner alone; and the real trainer on a short text."""

import asyncio

import pytest

from ssd2_core.config import Limits, Settings
from ssd2_core.errors import BusyError, DocumentError, ModelError, VisitorError
from ssd2_core.protocol.messages import Document, Failed, FinetuneProgress, FinetuneResult
from ssd2_core.serving.engines import InlineEngine
from ssd2_core.serving.finetune_jobs import LOST, FinetuneJobs
from ssd2_core.serving.visitor_models import UserModels
from tests.support.browser import until

NOTE = (Document("note", "My dog is called Brimsel."),)


@pytest.fixture
def jobs():
    settings = Settings(limits=Limits(max_own_models=2, max_trainings=3))
    made = FinetuneJobs(settings, UserModels(settings.limits), "tests.support.fake_trainer:main")
    yield made
    made.close()
    made.user_models.close()


def teach(jobs, owner="ann", title="Mine", documents=NOTE, user="compact-reader"):
    return jobs.teach(owner, user, documents, title)


def end(jobs, owner, job_id):
    until(lambda: jobs.job(owner, job_id).ended)
    return jobs.job(owner, job_id)


def test_a_training_is_told_and_its_model_belongs_to_its_owner(jobs):
    job_id = teach(jobs)

    async def news():
        return [event async for event in jobs.astream("ann", job_id)]
    told = asyncio.run(news())
    assert isinstance(told[-1], FinetuneResult) and any(isinstance(event, FinetuneProgress) for event in told)
    card = jobs.job("ann", job_id).card
    assert told[-1].after == NOTE[0].text
    assert jobs.user_models.owns("ann", card.id) and not jobs.user_models.owns("bob", card.id)
    weights, sheet = jobs.user_models.files("ann", card.id)
    assert jobs.user_models.add("bob", weights, "w", sheet, "s").parameters == card.parameters     # it can be brought back
    with pytest.raises(VisitorError, match="not known"):
        jobs.job("bob", job_id)


@pytest.mark.attack(14)
@pytest.mark.parametrize("change,error,rule", [
    ({"documents": ()}, DocumentError, "nothing to learn"), ({"documents": (Document("a", " "),)}, DocumentError, "to learn"),
    ({"user": "compact-core"}, ModelError, "cannot be taught"), ({"user": "../x"}, ModelError, "cannot be taught"),
    ({"title": "a" * 61}, ModelError, "at most 60"), ({"title": 5}, ModelError, "must be text"),
    ({"documents": tuple(Document(str(n), "x") for n in range(9))}, VisitorError, "at most 8"),
    ({"documents": (Document("a", "x" * 20_001),)}, DocumentError, "at most 20000")])
def test_what_cannot_be_taught_is_one_sentence(jobs, change, error, rule):
    with pytest.raises(error, match=rule):
        teach(jobs, **change)


@pytest.mark.attack(15)
def test_one_at_a_time_for_each_owner_and_the_others_wait(jobs):
    first = teach(jobs, title="long")
    with pytest.raises(BusyError, match="not finished"):
        teach(jobs)
    until(lambda: isinstance(jobs.job("ann", first).latest, FinetuneProgress))
    second = teach(jobs, "bob")
    assert jobs.job("bob", second).latest.position == 1
    with pytest.raises(VisitorError):
        jobs.stop("bob", first)
    jobs.stop("ann", first)
    assert end(jobs, "ann", first).latest.after == "stopped" and end(jobs, "bob", second).latest.after == NOTE[0].text


@pytest.mark.attack(10)
def test_quotas(jobs):
    for _ in range(2):
        end(jobs, "ann", teach(jobs))
    with pytest.raises(ModelError, match="2 models here"):
        teach(jobs)
    jobs.user_models.remove("ann", jobs.user_models.cards("ann")[0].id)
    end(jobs, "ann", teach(jobs))
    jobs.user_models.remove("ann", jobs.user_models.cards("ann")[0].id)
    with pytest.raises(BusyError, match="trained 3 times"):
        teach(jobs)


def test_a_training_that_fails_or_dies_leaves_the_next_one_alone(jobs):
    assert end(jobs, "ann", teach(jobs, title="fail")).latest.message == "It did not work."
    assert end(jobs, "ann", teach(jobs, title="die")).latest == Failed(list(jobs._jobs)[-1], LOST)
    assert isinstance(end(jobs, "ann", teach(jobs)).latest, FinetuneResult)
    assert not list(jobs.user_models.folder.glob("work-*"))


@pytest.mark.attack(15)
def test_nothing_stays_of_an_owner_who_leaves_in_the_midst(jobs):
    job_id = teach(jobs, title="long")
    until(lambda: isinstance(jobs.job("ann", job_id).latest, FinetuneProgress))
    jobs.disconnect("ann")
    other = teach(jobs, "bob")
    end(jobs, "bob", other)
    assert jobs.user_models.cards("ann") == [] and not list(jobs.user_models.folder.glob("work-*"))
    with pytest.raises(VisitorError):
        jobs.job("ann", job_id)


@pytest.mark.timeout(200)
def test_the_real_trainer_teaches_and_the_engine_answers_with_what_it_learned():
    from dataclasses import replace

    from tests.test_visitors import request, run
    settings = Settings(limits=replace(Limits(), training_seconds=6.0))
    with InlineEngine(settings, only_known=True) as engine:
        job_id = engine.finetune_jobs.teach("ann", "compact-reader", NOTE, "My dog")
        until(lambda: engine.finetune_jobs.job("ann", job_id).ended, 150)
        job = engine.finetune_jobs.job("ann", job_id)
        assert isinstance(job.latest, FinetuneResult), job.latest
        assert job.latest.step > 0 and job.latest.before != "" and job.latest.question
        assert (job.card.title, job.card.measured) == ("My dog", {})
        assert type(run(engine, request(job.card.id))[1]).__name__ == "Done"
        empty = engine.finetune_jobs.teach("bob", "compact-reader", (Document("x", "uh"),), "x")
        until(lambda: engine.finetune_jobs.job("bob", empty).ended, 100)
        assert "can be asked for" in engine.finetune_jobs.job("bob", empty).latest.message
