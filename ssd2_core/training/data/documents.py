"""Documents with facts that nobody knows beforehand, and questions that only the document answers."""

import random
import re
from dataclasses import dataclass

from .incidents import distractor, incident
from .phrasing import CLAUSE_FRAMES, as_heldout, as_typed, contracted
from .read import table, words
from .relations import NO_PRONOUN, OBJECT_ONLY, RELATIONS, Relation
from .schema import QA, Scene
from .subjects import SUBJECT_KINDS, Forms, Subject, make_subject, upper_first
from .thesaurus import reworded
from .values import pick

NUM_RELATIONS: int = len(RELATIONS)
MAX_WORDS = 150

TABLE = table("documents")
LEADS, TAILS = TABLE["leads"].splitlines(), TABLE["tails"].splitlines()
TITLES, OWN_TITLES, COMMON = words(TABLE["titles"]), words(TABLE["own_titles"]), frozenset(words(TABLE["common"]))


@dataclass(frozen=True)
class Fact:
    """A relation of a subject with its value."""

    subject: Subject
    relation: Relation
    value: str


def _relations_by_kind(is_open: bool) -> dict[str, tuple[Relation, ...]]:
    chosen = [r for r in RELATIONS if r.name.startswith("open_") == is_open]
    return {kinds: tuple(r for r in chosen if set(kinds) & set(r.kinds) for _ in range(3 if r.name in COMMON else 1))
            for kinds in ("PF", "P", "K", "H", *"TDERLJX")}


TABLE_OF, OPEN_OF = _relations_by_kind(False), _relations_by_kind(True)


def _relation(rng: random.Random, subject: Subject) -> Relation:
    closed = TABLE_OF[subject.kind]
    is_open = rng.random() < (0.22 if subject.kind in "PFKH" else 0.45) and OPEN_OF[subject.kind]
    return pick(rng, OPEN_OF[subject.kind] if is_open or not closed else closed)


MID_WORDS = frozenset("My Our The It Its She He They His Her Their We There A".split())
PRONOUN = re.compile(r"\b(he|she|they|it|his|her|its|their|him|them)\b", re.IGNORECASE)


def _fits(template: str, forms: Forms, subject: Subject, value: str) -> bool:
    """Whether the template reads well: no "of me", no "of it", no lower-case value as its first word."""
    if template.startswith("{v}") and not (value[0].isupper() or value[0].isdigit() or value[0] in "$£"):
        return False
    if subject.own:
        return not OBJECT_ONLY.search(template)
    return forms is subject.full or not NO_PRONOUN.search(template)


def _write(template: str, forms: Forms, value: str = "") -> str:
    return template.format(v=value, a="an" if value[:1] in "aeiouAEIOU" else "a", **forms.words)


def _fitting(rng: random.Random, phrasings: tuple, forms: Forms, subject: Subject, value: str) -> str:
    """One of the phrasings that fit, conjugated."""
    for _ in range(8):
        template = pick(rng, phrasings)[forms.verb]
        if _fits(template, forms, subject, value):
            return template
    conjugated = [t[forms.verb] for t in phrasings]
    return next((t for t in conjugated if _fits(t, forms, subject, value)), conjugated[0])


def _sentence(rng: random.Random, fact: Fact, forms: Forms, split: str) -> str:
    """The fact as a sentence; ``split`` picks the phrasing only."""
    template = _fitting(rng, fact.relation.statements[split], forms, fact.subject, fact.value)
    if not _fits(template, forms, fact.subject, fact.value):
        forms = fact.subject.full
    if split == "train":
        template = reworded(rng, template, (t[forms.verb] for t in fact.relation.statements["heldout"]))
    text = _write(template, forms, fact.value)
    roll = rng.random()
    if roll < 0.07 and template.startswith("{") and not template.startswith("{v}"):
        return f"{pick(rng, LEADS)} {text}"
    if roll > 0.97 and template.endswith("{v}.") and not template.startswith("{v}"):
        text = f"{text[:-1]}, {pick(rng, TAILS)}."
    return upper_first(text)


def _question(rng: random.Random, fact: Fact, split: str) -> str:
    relation, subject = fact.relation, fact.subject
    keep = f"{subject.full.words['S']} {subject.full.words['P']} {' '.join(relation.labels)}"
    if split == "train" and rng.random() < 0.12 and relation.clauses:
        template = _fitting(rng, relation.clauses, subject.full, subject, "0")
        return as_typed(rng, rng.choice(CLAUSE_FRAMES).format(_write(template, subject.full)), keep)
    template = _fitting(rng, relation.questions[split], subject.full, subject, "0")
    if split == "heldout":
        return as_heldout(rng, upper_first(_write(template, subject.full)), keep)
    heldout = [t[subject.full.verb] for t in relation.questions["heldout"]]
    question = upper_first(_write(reworded(rng, template, heldout), subject.full))
    return as_typed(rng, question, keep, (_write(t, subject.full) for t in heldout))


def _qa(rng: random.Random, fact: Fact, split: str, sentences: bool = False) -> QA:
    """A question about the fact. sentences: its answer repeats a statement of the fact instead of "It is ..."."""
    forms = fact.subject.answer
    template = fact.relation.answer[forms.verb]
    if sentences:
        template = _fitting(rng, fact.relation.statements[split], forms, fact.subject, fact.value)
    answer = upper_first(_write(template, forms, fact.value))
    return QA(_question(rng, fact, split), answer, fact.value, fact.relation.name)


CLASHES = ({"key_place", "open_thing:spare key place"}, {"key_place", "open_person:spare key place"})


def _cast(rng: random.Random, split: str) -> list[Subject]:
    """One to four subjects, often of the same kind, at most one of them the writer."""
    count = pick(rng, (1, 1, 1, 1, 2, 2, 2, 2, 3, 4))
    kind, alike = pick(rng, SUBJECT_KINDS), rng.random() < 0.7
    cast: dict[str, Subject] = {}
    for _ in range(count):
        subject = make_subject(rng, split, kind)
        cast.setdefault(subject.heading.lower().replace("our ", "my "), subject)
        if kind in ("me", "we", "person", "relative") and alike:
            kind = pick(rng, ("person", "person", "relative", "me"))
        elif not alike:
            kind = pick(rng, SUBJECT_KINDS)
    if "me" in cast and "us" in cast:
        del cast["us"]
    return list(cast.values())


def _facts(rng: random.Random, cast: list[Subject], split: str) -> list[Fact]:
    """Facts about the cast; every subject has one, no value and no pair of subject and relation comes twice."""
    count = max(len(cast), pick(rng, (1, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 8, 9, 9)))
    facts, seen, used = [], {}, set()
    for i in range(count):
        subject = cast[i] if i < len(cast) else pick(rng, cast)
        relation = None
        if facts and rng.random() < 0.5:
            relation = pick(rng, facts).relation
            relation = relation if set(relation.kinds) & set(subject.kind) else None
        relation = relation or _relation(rng, subject)
        known = seen.setdefault(subject.heading, set())
        if relation.name in known or any(relation.name in pair and pair & known for pair in CLASHES):
            continue
        value = relation.maker(rng, split)
        if value.lower() in used or value in subject.heading:
            continue
        known.add(relation.name)
        used.add(value.lower())
        facts.append(Fact(subject, relation, value))
    return facts


def _ordered(rng: random.Random, facts: list[Fact]) -> list[Fact]:
    """Shuffled; mostly with the facts of one subject side by side."""
    facts = facts[:]
    rng.shuffle(facts)
    if rng.random() < 0.75:
        order = {id(f.subject): i for i, f in reversed(list(enumerate(facts)))}
        facts.sort(key=lambda f: order[id(f.subject)])
    return facts


def _sentences(rng: random.Random, facts: list[Fact], split: str, asked: Fact | None) -> list[str]:
    """The facts as sentences; a subject just named may go on as a pronoun. ``asked`` gets a held-out phrasing."""
    out, last, clear = [], None, False
    wish = rng.random()
    for fact in facts:
        again = last is fact.subject and clear and rng.random() < wish
        forms = fact.subject.pronoun if again else fact.subject.full
        phrasing = "heldout" if fact is asked or (split == "heldout" and rng.random() < 0.5) else "train"
        out.append(_sentence(rng, fact, forms, phrasing))
        last = fact.subject
        clear = not fact.relation.of_person or fact.subject.kind not in "PFKH"
    return out


def _listing(rng: random.Random, facts: list[Fact], split: str) -> str:
    """The facts as labels and values, under a heading for each subject."""
    style = pick(rng, ("{}: {}", "{}: {}", "- {}: {}", "* {}: {}", "{} - {}"))
    small = rng.random() < 0.5
    groups: dict[int, list[Fact]] = {}
    for fact in facts:
        groups.setdefault(id(fact.subject), []).append(fact)
    in_line = rng.random() < 0.2
    parts = []
    for group in groups.values():
        subject = group[0].subject
        labels = [pick(rng, f.relation.labels) for f in group]
        pairs = [(label if small else upper_first(label), f.value) for label, f in zip(labels, group, strict=True)]
        lines = [style.format(*pair) for pair in pairs]
        heading = pick(rng, OWN_TITLES) if subject.own and len(groups) == 1 else subject.heading
        if in_line:
            body = "; ".join(f"{label}: {f.value}" for label, f in zip(labels, group, strict=True))
            parts.append(f"{heading} - {body}")
        elif subject.own and len(groups) == 1 and rng.random() < 0.3:
            parts.append("\n".join(lines))
        else:
            parts.append(heading + pick(rng, (":", "", ":")) + "\n" + "\n".join(lines))
    return ("\n" if in_line else pick(rng, ("\n\n", "\n"))).join(parts)


def _joined(rng: random.Random, sentences: list[str]) -> list[str]:
    """The sentences; in some documents two that follow each other are at times made one."""
    if rng.random() < 0.6:
        return sentences
    out = sentences[:1]
    for sentence in sentences[1:]:
        word = sentence.split()[0]
        if rng.random() < 0.35 and out[-1].endswith(".") and (word in MID_WORDS or word == "I"):
            rest = sentence if word == "I" else sentence[:1].lower() + sentence[1:]
            out[-1] = out[-1][:-1] + pick(rng, (", and ", " and ", ", ", "; ", ", but ", " while ")) + rest
        else:
            out.append(sentence)
    return out


def _document(rng: random.Random, facts: list[Fact], split: str, asked: Fact | None = None, also: tuple[str, ...] = ()) -> str:
    """The facts and the sentences of ``also``, with distractors among them."""
    facts = _ordered(rng, facts)
    roll = rng.random()
    extra = [distractor(rng, split) for _ in range(pick(rng, (0, 0, 1, 1, 2, 3, 4, 5)))]
    if roll < 0.17 and asked is None:
        listed = _listing(rng, facts, split)
        extra = [*also, *(extra if extra and rng.random() < 0.5 else ())]
        return listed + "\n" + " ".join(extra) if extra else listed
    sentences = _sentences(rng, facts, split, asked)
    words = sum(s.count(" ") + 1 for s in sentences)
    extra += [distractor(rng, split) for _ in range(2 if words < 15 and not extra else 0)]
    for sentence in (*also, *extra):
        words += sentence.count(" ") + 1
        if words > MAX_WORDS and sentence not in also:
            break
        at = rng.randrange(len(sentences) + 1)
        if at < len(sentences) and PRONOUN.search(sentences[at]):
            at = len(sentences) if rng.random() < 0.5 else 0
        sentences.insert(at, sentence)
    sentences = _joined(rng, sentences)
    if roll < 0.27:
        text = "\n".join(sentences)
    elif roll < 0.37:
        text = "\n".join("- " + s for s in sentences)
    elif roll < 0.45 and len(sentences) > 3:
        cut = rng.randrange(1, len(sentences))
        text = " ".join(sentences[:cut]) + "\n\n" + " ".join(sentences[cut:])
    else:
        text = " ".join(sentences)
    if rng.random() < 0.15:
        text = contracted(text)
    if rng.random() < 0.2:
        first = facts[0].subject
        title = pick(rng, OWN_TITLES if first.own and rng.random() < 0.5 else TITLES)
        if not first.own and rng.random() < 0.4 and len({id(f.subject) for f in facts}) == 1:
            title = pick(rng, ("{}", "About {}", "Notes on {}")).format(first.full.words["S"])
        text = upper_first(title) + "\n" + text
    return text


def _questions(rng: random.Random, facts: list[Fact], split: str, most: int, sentences: bool) -> list[QA]:
    """Questions about some of the facts; a lone fact is asked for twice, in other words."""
    items = [_qa(rng, fact, split, sentences) for fact in rng.sample(facts, min(len(facts), most))]
    if len(facts) < 3:
        again = [_qa(rng, fact, split, sentences) for fact in facts]
        items += [qa for qa in again if qa not in items][:most - len(items)]
    return items


def scene(rng: random.Random, split: str = "train", max_questions: int = 6, sentences: bool = False) -> Scene:
    """A document and questions about a random part of its facts. sentences: answers say the fact, not "It is ..."."""
    facts = []
    while not facts:
        facts = _facts(rng, _cast(rng, split), split)
    if split == "heldout":
        asked = pick(rng, facts)
        return Scene(_document(rng, facts, split, asked), [_qa(rng, asked, split)])
    happened = [incident(rng) for _ in range(pick(rng, (0, 0, 1, 1, 2, 3)))]
    facts = facts[:max(1, len(facts) - len(happened))]
    document = _document(rng, facts, split, None, tuple(sentence for sentence, _ in happened))
    items = [item for _, items in happened for item in items]
    return Scene(document, [*_questions(rng, facts, split, max_questions - min(len(items), 3), sentences), *items[:3]])


def blind_qa(rng: random.Random, split: str = "train") -> QA:
    """A question of the same kind as in ``scene`` with a random value: nothing can know the answer."""
    subject = pick(rng, _cast(rng, split))
    relation = _relation(rng, subject)
    return _qa(rng, Fact(subject, relation, relation.maker(rng, split)), split)


def heldout_set(rng: random.Random, n: int) -> list[tuple[str, QA]]:
    """Documents with one question each; phrasings and values never used in training."""
    out = []
    for _ in range(n):
        made = scene(rng, "heldout", 1)
        out.append((made.document, made.items[0]))
    return out
