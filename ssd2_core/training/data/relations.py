"""The table of relations: how each fact is stated, asked for and answered.

A block of the table: ``@ name | kinds of subject | maker | labels for lists | answer``, then one line per phrasing:
"+" and "=" statement, "?" and "!" question, "~" indirect question (train). Of the statements and of the questions of each
relation some are drawn and held out.
{S} {P} {O} subject, possessive, object; {s} {p} {o} the same as pronouns; {v} value; {a} its article;
[first|third|plural] verb forms (plural defaults to first). Kinds: P person, K a relative ("my sister"), H household,
T team, D product, E event, R recipe, L place with rules, J project, X other thing, F only the writer.
"""

import re
from dataclasses import dataclass

from . import values
from .attributes import PERSON_ATTRIBUTES, THING_ATTRIBUTES
from .phrasing import divide
from .relations_people import FAVOURITE_MAKERS, NUMBER_MAKERS, PEOPLE_TABLE, PET_NOUNS, RELATIVES
from .relations_things import THINGS_TABLE

PERSON_MAKERS = frozenset({"person", "full_name", "titled", "formal_person", "female_name", "male_name"})
OBJECT_ONLY = re.compile(r"\bof \{O\}")
NO_PRONOUN = re.compile(r"\b(of|for|on|at|in|from|to|with) \{[SO]\}", re.IGNORECASE)
HELD_OUT = 2
CHOICE = re.compile(r"\[([^\]|]*)\|([^\]|]*)(?:\|([^\]]*))?\]")


def conjugations(template: str) -> tuple[str, str, str]:
    """The template with its verbs for I, for he/she/it, and for we/you/they."""
    def form(k: int) -> str:
        return CHOICE.sub(lambda m: m[k + 1] if m[k + 1] is not None else m[1], template)
    return form(0), form(1), form(2)


@dataclass(frozen=True)
class Relation:
    """One relation; every phrasing is a triple of conjugations."""

    name: str
    kinds: str
    maker: values.Maker
    labels: tuple[str, ...]
    answer: tuple[str, str, str]
    statements: dict[str, tuple]
    questions: dict[str, tuple]
    clauses: tuple
    of_person: bool


def _relation(block: str) -> Relation:
    head, *lines = block.strip().splitlines()
    name, kinds, maker, labels, answer = (part.strip() for part in head.split("|", 4))
    found: dict[str, list] = {sign: [] for sign in "+=?!~"}
    for line in lines:
        found[line[0]].append(conjugations(line[1:].strip()))
    statements = divide(f"{name} stated", found["+"] + found["="], HELD_OUT, is_plain)
    questions = divide(f"{name} asked", found["?"] + found["!"], HELD_OUT, lambda p: not OBJECT_ONLY.search(p[0]))
    return Relation(name, kinds, getattr(values, maker), tuple(labels.split("/")), conjugations(answer),
                    dict(zip(("train", "heldout"), statements, strict=True)),
                    dict(zip(("train", "heldout"), questions, strict=True)), tuple(found["~"]), maker in PERSON_MAKERS)


def is_plain(phrasing: tuple[str, str, str]) -> bool:
    """Whether the phrasing suits every subject and value."""
    template = phrasing[0]
    return not (template.startswith("{v}") or OBJECT_ONLY.search(template))


PETS = """
{n} | PKH | pet | {n}/{n}'s name | It is {v}.
+ {P} {n} is called {v}.
+ {P} {n} is named {v}.
+ {v} is the name of {P} {n}.
+ {S} [have|has] a {n} called {v}.
+ {S} [have|has] a {n}, and its name is {v}.
+ {P} {n}, which came from a shelter, is called {v}.
+ {v}, {P} {n}, sleeps most of the day.
+ The name of {P} {n} is {v}.
+ {S} got a {n} last year and called it {v}.
+ {P} {n} {v} sleeps on the sofa.
+ Every evening {S} [go|goes] out with {p} {n} {v}.
+ This is {v}, {P} {n}.
+ {S} [live|lives] with {p} {n} {v}.
+ {v} is {P} {n}, and a very gentle one.
= The name {S} gave {p} {n} is {v}.
= {P} {n} answers to the name {v}.
= {S} [take|takes] care of a {n} by the name of {v}.
? What is {P} {n} called?
? What is the name of {P} {n}?
? What is {P} {n}'s name?
? What name does {P} {n} have?
? Which name does {P} {n} have?
? {P} {n} is called what?
? What [do|does] {S} call {p} {n}?
? Who is {P} {n}?
? {P} {n}'s name?
? How is {P} {n} called?
! What did {S} name {p} {n}?
! By what name is {P} {n} known?
! Under which name do people know {P} {n}?
~ what {P} {n} is called
~ the name of {P} {n}
"""

FAMILY = """
{n} | {k} | {m} | {n}/{n}'s name | It is {v}.
+ {P} {n} is called {v}.
+ {P} {n}'s name is {v}.
+ {v} is {P} {n}.
+ {P} {n} is {v}.
+ {S} [have|has] a {n} called {v}.
+ {v} is the name of {P} {n}.
+ {P} {n}, whose name is {v}, visits quite often.
+ {v}, {P} {n}, makes good coffee.
+ {P} {n} {v} came to visit last week.
+ {S} went to the market with {p} {n} {v}.
+ {v} ({P} {n}) likes to read.
= {P} {n} goes by {v}.
= {S} [have|has] a {n} by the name of {v}.
= The {n} {S} often [mention|mentions] is {v}.
? What is {P} {n} called?
? Who is {P} {n}?
? What is {P} {n}'s name?
? What name does {P} {n} have?
? {P} {n} is called what?
? Which name does {P} {n} go by?
? {P} {n}'s name?
? What is the name of {P} {n}?
? How is {P} {n} called?
! What do people call {P} {n}?
! How would one address {P} {n} by name?
! By what name is {P} {n} known?
~ what {P} {n} is called
~ who {P} {n} is
"""

FAVOURITES = """
favourite_{n} | PK | {m} | favourite {n}/best-liked {n} | It is {v}.
+ {P} favourite {n} is {v}.
+ The {n} {S} [like|likes] best is {v}.
+ {S} [like|likes] {v} more than any other {n}.
+ For {O}, the best {n} is {v}.
+ If {S} could keep only one {n}, it would be {v}.
+ {v} is {P} favourite {n}.
+ {v} is the {n} that {S} [like|likes] most.
+ Asked for a favourite {n}, {S} always [say|says] {v}.
= No {n} pleases {O} as much as {v}.
= {P} {n} of choice is {v}.
= {S} [love|loves] one {n} above all, and that is {v}.
? What is {P} favourite {n}?
? Which {n} [do|does] {S} like best?
? What {n} [do|does] {S} like most?
? Which {n} is {P} favourite?
? What is the favourite {n} of {O}?
? What {n} [do|does] {S} prefer?
? {P} favourite {n}?
? What {n} [am|is|are] {S} most fond of?
! Which {n} [do|does] {S} love above all others?
! What is {P} {n} of choice?
~ what {P} favourite {n} is
~ which {n} {S} [like|likes] best
"""

NUMBERS = """
{i} | {k} | {m} | {n}/the {n} | It is {v}.
+ {P} {n} is {v}.
+ The {n} {S} [use|uses] is {v}.
+ {S} [have|has] {v} as {p} {n}.
+ {v} is {P} {n}.
+ {P} {n}, which changed in spring, is now {v}.
+ Please note {P} {n}: {v}.
+ {P} {n} is {v}, so write it down.
= The {n} that belongs to {O} is {v}.
= Where a {n} is asked for, {S} [give|gives] {v}.
= {v} was set as {P} {n}.
? What is {P} {n}?
? Which {n} [do|does] {S} have?
? What {n} [do|does] {S} use?
? What is the {n} of {O}?
? {P} {n} is what?
? What [do|does] {S} have as {p} {n}?
? {P} {n}?
! What should be entered as {P} {n}?
! Which {n} belongs to {O}?
~ what {P} {n} is
~ {P} {n}
"""

OPEN_THING = """
open_thing:{n} | {k} | {m} | {n} | It is {v}.
+ The {n} of {S} is {v}.
+ {P} {n} is {v}.
+ For {O}, the {n} is {v}.
+ {v} is the {n} of {S}.
+ {S} [have|has] {v} as its {n}.
+ The {n} for {S} is {v}.
+ {v} is {P} {n}.
+ As for {O}, its {n} is {v}.
+ {S} got a new {n}: {v}.
= When it comes to {O}, the {n} is {v}.
= {S} [come|comes] with {v} as the {n}.
= The {n} that goes with {S} is {v}.
? What is the {n} of {S}?
? What is {P} {n}?
? Which {n} [do|does] {S} have?
? What {n} [do|does] {S} have?
? What is the {n} for {S}?
? {P} {n} is what?
? What {n} was set for {S}?
? {P} {n}?
! Which {n} goes with {S}?
! When it comes to {S}, what is the {n}?
! Regarding {S}, what would be the {n}?
~ what the {n} of {S} is
~ the {n} of {S}
"""

OPEN_PERSON = """
open_person:{n} | PKH | {m} | {n} | It is {v}.
+ {P} {n} is {v}.
+ {S} [have|has] {v} as {p} {n}.
+ {v} is {P} {n}.
+ For {O}, the {n} is {v}.
+ The {n} of {O} is {v}.
+ {P} {n} used to be different, but now it is {v}.
= When it comes to {O}, the {n} is {v}.
= {S} chose {v} as {p} {n}.
= {P} {n} happens to be {v}.
? What is {P} {n}?
? Which {n} [do|does] {S} have?
? What {n} [do|does] {S} have?
? {P} {n} is what?
? What [do|does] {S} have as {p} {n}?
? {P} {n}?
? What is the {n} of {O}?
! What would {P} {n} be?
! When it comes to {O}, what is the {n}?
~ what {P} {n} is
~ {P} {n}
"""


ATTRIBUTE_TYPES = {
    "T": "code digits formal_person name_like colour time day date year price number drink food city room company "
         "the_animal password",
    "D": "code digits name_like colour weight length minutes material company year date",
    "E": "code digits formal_person name_like colour time price number food drink room company the_animal",
    "J": "code digits formal_person name_like colour day date price number room company city password",
}


def _fill(block: str, **words: str) -> Relation:
    for key, word in words.items():
        block = block.replace("{" + key + "}", word)
    if words["n"][0] in "aeiou":
        block = re.sub(rf"\b([Aa]) {re.escape(words['n'])}", rf"\1n {words['n']}", block)
    return _relation(block)


def _read(table: str) -> list[Relation]:
    return [_relation(block) for block in table.split("@ ")[1:]]


def _kinds(maker: str) -> str:
    """Which kinds of things can have an attribute of this type."""
    return "LX" + "".join(kind for kind, makers in ATTRIBUTE_TYPES.items() if maker in makers.split())


def _about_people(block: str) -> str:
    """The block with "who" in place of "what" where the answer is a person."""
    block = re.sub(r"\b([Ww])hat (?=is |would |the |\{P\} )", r"\1ho ", block)
    return block.replace("{n} is what?", "{n} is who?")


def _all_relations() -> tuple[Relation, ...]:
    out = [_fill(PETS, n=noun) for noun in PET_NOUNS]
    out += [_fill(FAMILY, n=noun, k=kinds, m=maker) for noun, kinds, maker in RELATIVES]
    out += [_fill(FAVOURITES, n=noun, m=maker) for noun, maker in FAVOURITE_MAKERS]
    out += [_fill(NUMBERS, n=noun, i=noun.replace(" ", "_"), k=kinds, m=maker) for noun, kinds, maker in NUMBER_MAKERS]
    out += _read(PEOPLE_TABLE) + _read(THINGS_TABLE)
    for block, table in ((OPEN_THING, THING_ATTRIBUTES), (OPEN_PERSON, PERSON_ATTRIBUTES)):
        for maker, nouns in table.items():
            asked = _about_people(block) if maker in PERSON_MAKERS else block
            out += [_fill(asked, n=noun, m=maker, k=_kinds(maker)) for noun in nouns.split(", ")]
    return tuple(out)


RELATIONS: tuple[Relation, ...] = _all_relations()
BY_NAME: dict[str, Relation] = {r.name: r for r in RELATIONS}
