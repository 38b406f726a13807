"""General knowledge and small talk for the core: finite tables of facts, each asked in many phrasings.

Templates start in lower case where no name comes first. Their fields: {x} the thing, {ax} the thing with "a" or "an",
{head} its first word, {tail} the rest, {last} its last word; in answers also {y} the value and {ay} it with an article.
"""

import random
from dataclasses import dataclass, replace
from itertools import accumulate

from . import facts as tables
from .general_phrasings import MORE, MORE_TALK
from .phrasing import CLAUSE_FRAMES, as_heldout, as_typed, divide
from .schema import QA
from .thesaurus import reworded

AN_BY_SPELLING = ("a", "e", "i", "o", "u")
NOT_AN = ("eu", "ewe", "one", "uni", "use")


@dataclass(frozen=True)
class Kind:
    """One family of facts: the same question asked of many things.

    facts: (thing, value) pairs. clause: an indirect question, for polite train questions only. train, heldout: as written
    here and with the rest of ``general_phrasings.py`` one pool, from which some are drawn and held out.
    """

    name: str
    answer: str
    clause: str
    train: tuple[str, ...]
    heldout: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]


def pairs(table: str) -> tuple[tuple[str, str], ...]:
    """The facts of a table in ``facts.py``."""
    rows = (row.strip().split(": ") for row in table.replace("\n", " ").strip().split(","))
    return tuple((thing, value) for thing, value in rows)


def names(text: str) -> tuple[str, ...]:
    """The names of a text, parted by commas."""
    return tuple(text.split(", "))


def neighbours(text: str, step: int) -> tuple[tuple[str, str], ...]:
    """Every name with the one ``step`` places on, around the end."""
    ring = names(text)
    return tuple((name, ring[(place + step) % len(ring)]) for place, name in enumerate(ring))


def with_article(noun: str) -> str:
    """``noun`` behind "a" or "an"."""
    word = noun.lower()
    return f"{'an' if word.startswith(AN_BY_SPELLING) and not word.startswith(NOT_AN) else 'a'} {noun}"


def upper_first(text: str) -> str:
    """``text`` with a capital first letter."""
    return text[:1].upper() + text[1:]


def fill(template: str, x: str, y: str = "") -> str:
    """``template`` with its fields filled."""
    head, _, tail = x.partition(" ")
    last = x.rpartition(" ")[2]
    return template.format(x=x, ax=with_article(x), head=head, tail=tail, last=last, y=y, ay=with_article(y))


_KINDS = (
    Kind("capital", "It is {y}, the capital of {x}.", "what the capital of {x} is",
         ("what is the capital of {x}?", "which city is the capital of {x}?", "what is the capital city of {x}?",
          "name the capital of {x}.", "what city is the capital of {x}?", "what do you call the capital of {x}?",
          "the capital of {x} is which city?", "what is the name of the capital of {x}?"),
         ("where does the government of {x} sit?", "which capital does {x} have?", "what is the chief city of {x}?"),
         pairs(tables.CAPITAL)),
    Kind("language", "It is {y}, the main language of {x}.", "what the main language of {x} is",
         ("what is the main language of {x}?", "which language do people speak in {x}?",
         "what language is spoken in {x}?",
          "which language is spoken in {x}?", "what do people speak in {x}?", "name the main language of {x}.",
          "what language do they speak in {x}?"),
         ("which language would I hear in {x}?", "what language should I learn for a trip to {x}?"),
         pairs(tables.LANGUAGE)),
    Kind("currency", "It is the {y}, the currency of {x}.", "what the currency of {x} is",
         ("what is the currency of {x}?", "which currency is used in {x}?", "what money do people use in {x}?",
          "which currency does {x} use?", "name the currency of {x}.", "what currency does {x} have?",
          "what is the money of {x} called?"),
         ("which money do I need in {x}?", "what do shoppers in {x} pay with?"),
         pairs(tables.CURRENCY)),
    Kind("continent", "It is {y}, the continent of {x}.", "which continent {x} is in",
         ("which continent is {x} in?", "on which continent is {x}?", "what continent is {x} in?",
          "what is the continent of {x}?", "{x} is in which continent?", "which continent does {x} belong to?",
          "name the continent of {x}."),
         ("in what part of the world is {x}?", "on which continent would I find {x}?"),
         pairs(tables.CONTINENT)),
    Kind("opposite", "It is {y}, the opposite of {x}.", "what the opposite of {x} is",
         ("what is the opposite of {x}?", "which word is the opposite of {x}?", "what word means the opposite of {x}?",
          "give me the opposite of {x}.", "name the opposite of {x}.", "what is the antonym of {x}?",
          "{x} is the opposite of what?"),
         ("what is the reverse of {x}?", "if something is not {x} at all, what is it?",
         "which word contrasts with {x}?"),
         pairs(tables.OPPOSITE)),
    Kind("animal_young", "It is {ay}, a young {x}.", "what a young {x} is called",
         ("what is a young {x} called?", "what is a baby {x} called?", "what do you call a young {x}?",
          "what do you call a baby {x}?", "what is the name for a young {x}?", "name the young of {ax}.",
          "what do people call the young of {ax}?", "what is the young of {ax} called?"),
         ("what is the word for the offspring of {ax}?", "which name does a newborn {x} go by?"),
         pairs(tables.YOUNG)),
    Kind("animal_sound", "It {y}.", "what sound {ax} makes",
         ("what sound does {ax} make?", "which sound does {ax} make?", "what noise does {ax} make?",
          "how does {ax} sound?", "what does {ax} do to make a sound?", "what is the sound of {ax}?",
          "name the sound of {ax}."),
         ("what do I hear when {ax} calls?", "which noise comes from {ax}?"),
         pairs(tables.SOUND)),
    Kind("animal_home", "It is {ay}, the home of {ax}.", "what the home of {ax} is called",
         ("what is the home of {ax} called?", "what do you call the home of {ax}?",
         "what is the name for the home of {ax}?",
          "which kind of home does {ax} have?", "what kind of home does {ax} have?",
          "what is the house of {ax} called?",
          "name the home of {ax}."),
         ("what is the place called where {ax} makes its home?", "what is the word for the dwelling of {ax}?"),
         pairs(tables.HOME)),
    Kind("habitat", "It lives {y}.", "where {ax} lives",
         ("where does {ax} live?", "where can you find {ax} in nature?", "in which place does {ax} live?",
          "what is the habitat of {ax}?", "where in the wild does {ax} live?", "where do you find {ax} in the wild?"),
         ("in what surroundings would I meet {ax}?", "where should I go to see a wild {x}?"),
         pairs(tables.HABITAT)),
    Kind("animal_class", "It is {ay}.", "which class of animal {ax} is",
         ("what kind of animal is {ax}?", "which class of animal is {ax}?", "what type of animal is {ax}?",
          "which group of animals does {ax} belong to?", "what class of animal is {ax}?", "what is the class of {ax}?",
          "to which class of animals does {ax} belong?"),
         ("how do biologists classify {ax}?", "what sort of creature is {ax}?"),
         pairs(tables.ANIMAL_CLASS)),
    Kind("addition", "It is {y}.", "what {x} is",
         ("what is {x}?", "how much is {x}?", "{head} + {last}", "what is {head} + {last}?", "add {head} and {last}.",
          "what is the sum of {head} and {last}?", "what do {head} and {last} make?", "{head} and {last} is how much?",
          "what do you get if you add {last} to {head}?"),
         ("what does {x} equal?", "what is the total of {head} and {last}?", "what does {head} + {last} come to?"),
         tuple((f"{a} plus {b}", str(a + b)) for a in range(1, 13) for b in range(1, 13))),
    Kind("multiplication", "It is {y}.", "what {x} is",
         ("what is {x}?", "how much is {x}?", "{head} x {last}", "what is {head} x {last}?",
         "multiply {head} by {last}.",
          "what is the product of {head} and {last}?", "what is {head} multiplied by {last}?",
          "what do you get if you multiply {head} by {last}?"),
         ("what does {x} equal?", "what does {head} x {last} come to?", "what is the result of {x}?"),
         tuple((f"{a} times {b}", str(a * b)) for a in range(2, 10) for b in range(2, 10))),
    Kind("day_after", "It is {y}, the day after {x}.", "which day comes after {x}",
         ("which day comes after {x}?", "what day comes after {x}?", "what is the day after {x}?",
         "which day follows {x}?",
          "what day is it after {x}?", "name the day after {x}."),
         ("if today is {x}, what day is tomorrow?", "what weekday comes right behind {x}?"),
         neighbours(tables.DAYS, 1)),
    Kind("day_before", "It is {y}, the day before {x}.", "which day comes before {x}",
         ("which day comes before {x}?", "what day comes before {x}?", "what is the day before {x}?",
          "which day is just before {x}?", "what day is it before {x}?", "name the day before {x}."),
         ("if today is {x}, what day was yesterday?", "what weekday comes right ahead of {x}?"),
         neighbours(tables.DAYS, -1)),
    Kind("month_after", "It is {y}, the month after {x}.", "which month comes after {x}",
         ("which month comes after {x}?", "what month comes after {x}?", "what is the month after {x}?",
          "which month follows {x}?", "what month is it after {x}?", "name the month after {x}."),
         ("when {x} is over, which month begins?", "if it is {x} now, what will next month be?"),
         neighbours(tables.MONTHS, 1)),
    Kind("month_before", "It is {y}, the month before {x}.", "which month comes before {x}",
         ("which month comes before {x}?", "what month comes before {x}?", "what is the month before {x}?",
          "which month is just before {x}?", "what month is it before {x}?", "name the month before {x}."),
         ("when {x} begins, which month has just ended?", "if it is {x} now, what was last month?"),
         neighbours(tables.MONTHS, -1)),
    Kind("month_number", "It is {y}, the {x} month of the year.", "what the {x} month of the year is",
         ("what is the {x} month of the year?", "which month is the {x} of the year?",
         "name the {x} month of the year.",
          "what is the {x} month?", "which month is the {x} one?", "what month is the {x} in the year?"),
         ("in the calendar, which month stands in {x} place?", "which of the twelve months is the {x}?"),
         tuple(zip(names(tables.ORDINALS), names(tables.MONTHS), strict=True))),
    Kind("count", "It is {y}, the number of {x}.", "how many {head} there are {tail}",
         ("how many {x} are there?", "how many {head} are there {tail}?", "what is the number of {x}?",
          "what is the total number of {x}?", "what is the usual number of {x}?", "give me the number of {x}.",
          "there are how many {head} {tail}?"),
         ("how many {head} would I count {tail}?", "if I count the {x}, how many do I get?"),
         pairs(tables.COUNT)),
    Kind("sides", "It is {y}, the number of sides of {ax}.", "how many sides {ax} has",
         ("how many sides does {ax} have?", "how many sides are there in {ax}?", "what is the number of sides of {ax}?",
          "how many sides has {ax}?", "{ax} has how many sides?", "give me the number of sides of {ax}."),
         ("how many straight lines form {ax}?", "how many edges do I draw for {ax}?"),
         pairs(tables.SIDES)),
    Kind("legs", "It is {y}, the number of legs of {ax}.", "how many legs {ax} has",
         ("how many legs does {ax} have?", "how many legs are there on {ax}?", "what is the number of legs of {ax}?",
          "how many legs has {ax}?", "{ax} has how many legs?", "give me the number of legs of {ax}."),
         ("on how many legs does {ax} stand?", "if I count the legs of {ax}, how many do I get?"),
         pairs(tables.LEGS)),
    Kind("colour", "It is {y}, the colour of {x}.", "what the colour of {x} is",
         ("what is the colour of {x}?", "what colour is {x}?", "which colour is {x}?", "what colour does {x} have?",
          "which colour does {x} have?", "name the colour of {x}.", "{x} has which colour?"),
         ("in what colour should I paint {x}?", "which shade does {x} usually have?"),
         pairs(tables.COLOUR)),
    Kind("material", "It is {y}, the material of {ax}.", "what {ax} is made of",
         ("what is {ax} made of?", "which material is {ax} made of?", "what material is {ax} made of?",
          "{ax} is made of what?", "of what material is {ax} made?", "what is the material of {ax}?",
          "name the material of {ax}."),
         ("what stuff does {ax} consist of?", "what would I need to build {ax}?"),
         pairs(tables.MATERIAL)),
    Kind("ingredient", "It is {y}, the source of {x}.", "what {x} is made from",
         ("what is {x} made from?", "from what is {x} made?", "{x} is made from what?", "what do you make {x} from?",
          "what do people make {x} from?", "which thing is {x} made from?", "what is {x} mainly made from?"),
         ("what does it take to produce {x}?", "what is the main ingredient of {x}?"),
         pairs(tables.INGREDIENT)),
    Kind("use", "It is used to {y}.", "what {ax} is used for",
         ("what is {ax} used for?", "what is {ax} for?", "what do you use {ax} for?", "what do people do with {ax}?",
          "what can you do with {ax}?", "what is the use of {ax}?", "why do people use {ax}?",
          "for what do we use {ax}?"),
         ("what is the purpose of {ax}?", "what would I need {ax} for?", "what job does {ax} do in daily life?"),
         pairs(tables.USE)),
    Kind("profession", "It is somebody who {y}.", "what {ax} does at work",
         ("what does {ax} do?", "what does {ax} do at work?", "what is the job of {ax}?", "what is the work of {ax}?",
          "what does {ax} do for a living?", "what does {ax} do every day?", "as a job, what does {ax} do?"),
         ("what task do people pay {ax} for?", "how does {ax} spend a working day?"),
         pairs(tables.PROFESSION)),
    Kind("past_tense", "It is {y}, the past tense of {x}.", "what the past tense of {x} is",
         ("what is the past tense of {x}?", "what is the past tense of the verb {x}?", "what is the past form of {x}?",
          "give me the past tense of {x}.", "what is {x} in the past tense?", "which form is the past tense of {x}?",
          "name the past tense of {x}."),
         ("how does {x} change when I talk about yesterday?", "how do I put {x} into the past?"),
         pairs(tables.PAST)),
    Kind("plural", "It is {y}, the plural of {x}.", "what the plural of {x} is",
         ("what is the plural of {x}?", "what is the plural form of {x}?", "what is the plural of the word {x}?",
          "give me the plural of {x}.", "how do you form the plural of {x}?", "which word is the plural of {x}?",
          "name the plural of {x}."),
         ("what is the word for more than one {x}?", "one {x}, and two of what?"),
         pairs(tables.PLURAL)),
    Kind("body", "It is there to {y}.", "what the job of {x} is",
         ("what is the job of {x}?", "what is the job of {x} in the body?", "what is the task of {x}?",
          "what does the body need {x} for?", "what does the body use {x} for?", "what is the function of {x}?"),
         ("what role falls to {x} in our body?", "for what do we need {x}?"),
         pairs(tables.ORGAN)),
    Kind("element", "It is {y}, the element with the symbol {x}.", "which element has the symbol {x}",
         ("which element has the symbol {x}?", "what element has the symbol {x}?", "which chemical element is {x}?",
          "what does the chemical symbol {x} stand for?", "{x} is the symbol of which element?",
          "name the element with the symbol {x}.", "which element does {x} stand for?"),
         ("what do chemists mean by {x}?", "which substance is listed as {x} in the periodic table?"),
         tuple((symbol, element) for element, symbol in pairs(tables.SYMBOL))),
    Kind("science", "It is {y}, the {x}.", "what the {x} is",
         ("what is the {x}?", "what do you call the {x}?", "name the {x}.", "what is the {x} called?",
          "what is the name of the {x}?", "give me the {x}.", "the {x} is what?"),
         ("I would like to know the {x}.", "could you remind me of the {x}?", "I forgot the {x}, what is it?"),
         pairs(tables.SCIENCE)),
    Kind("author", "It is {y}, the author of {x}.", "who wrote {x}",
         ("who wrote {x}?", "who is the author of {x}?", "which author wrote {x}?", "by whom was {x} written?",
          "what is the name of the author of {x}?", "who was the writer of {x}?", "name the author of {x}."),
         ("whose work is {x}?", "which writer created {x}?", "from whose pen comes {x}?"),
         pairs(tables.AUTHOR)),
    Kind("group", "It is {ay}, a group of {x}.", "what a group of {x} is called",
         ("what is a group of {x} called?", "what do you call a group of {x}?", "what is the name for a group of {x}?",
          "what is the word for a group of {x}?", "which word means a group of {x}?",
          "what do people call a group of {x}?"),
         ("many {x} together form what?", "what is the collective noun for {x}?"),
         pairs(tables.GROUP)),
)
HELD_OUT = 3


def divided(kind: Kind) -> Kind:
    """The kind with all of its phrasings, some of them held out."""
    train, heldout = divide(kind.name, (*kind.train, *kind.heldout, *MORE[kind.name]), HELD_OUT)
    return replace(kind, train=train, heldout=heldout)


_KINDS = tuple(divided(kind) for kind in _KINDS)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _KINDS}
FACTS: tuple[tuple[Kind, str, str], ...] = tuple((kind, x, y) for kind in _KINDS for x, y in kind.facts)
VALUES: dict[str, tuple[str, ...]] = {kind.name: tuple(dict.fromkeys(y for _, y in kind.facts)) for kind in _KINDS}
WEIGHTS = tuple(accumulate(len(kind.facts) ** 0.5 for kind in _KINDS))

# (answer, train questions, heldout questions), parted by "|".
_TALK = (
    ("Hello, how can I help you?",
     "hello|hi|hey|hello there|good day|hi, how is it going?|greetings",
     "hey there, nice to meet you|hello, anybody there?"),
    ("Good morning to you.",
     "good morning|good morning!|a very good morning|morning!|good morning to you",
     "what a good morning|hello and good morning"),
    ("Good night and sleep well.",
     "good night|good night!|I am going to bed|I am off to bed|time for me to sleep|sleep well",
     "I will go to sleep now|have a good night"),
    ("Goodbye and see you soon.",
     "bye|goodbye|bye bye|see you|see you later|I have to go|that is all, goodbye",
     "farewell|I must leave now, bye"),
    ("You are welcome.",
     "thank you|thanks|thanks a lot|thank you very much|many thanks|great, thank you",
     "thanks for your help|that was helpful, thanks"),
    ("I am fine, thank you.",
     "how are you?|how are you today?|how do you do?|are you well?|are you fine?|how do you feel?",
     "is everything fine with you?|how do you feel today?"),
    ("I am a small diffusion language model.",
     "who are you?|what are you?|tell me who you are|are you a robot?|are you human?|what kind of model are you?|"
     "are you a person?",
     "please introduce yourself|am I talking to a human?|what sort of program are you?"),
    ("I can answer short questions.",
     "what can you do?|how can you help me?|what are you able to do?|can you help me?|help|what do you do?|"
     "what are you good at?",
     "in what way can you help me?|which tasks can you do?"),
    ("I am called SSD-2.",
     "what is your name?|do you have a name?|what are you called?|tell me your name|what should I call you?|"
     "your name, please",
     "what name do you go by?|may I know your name?"),
    ("I write by removing noise from a block of words.",
     "how do you work?|how do you write?|how do you make an answer?|how do you write your answers?|"
     "explain how you work|how does your writing work?",
     "in what way do you work?|how do your answers come about?"),
    ("I am sorry about that.",
     "that is wrong|you are wrong|this is not right|your answer is wrong|wrong answer|that is not true|"
     "no, that is wrong",
     "you made a mistake|I think that is wrong"),
    ("I am glad to hear that.",
     "that is right|well done|good answer|great job|you are right|very good|correct",
     "good job|yes, that is right"),
    ("No problem at all.",
     "sorry|I am sorry|I am so sorry|excuse me|sorry, my mistake|pardon me",
     "oh, sorry about that|please excuse me"),
    ("I only speak English.",
     "which languages do you speak?|do you speak French?|can you speak German?|do you speak English?|"
     "what languages do you know?|do you know Spanish?",
     "in which languages can you talk?|can you speak French?"),
    ("I have no age, I am a program.",
     "how old are you?|what is your age?|tell me your age|how many years old are you?|when were you born?|"
     "when is your birthday?",
     "may I ask how old you are?|what age are you?"),
    ("I live inside a computer.",
     "where do you live?|where are you?|where is your home?|where are you from?|in which city do you live?|"
     "where do you come from?",
     "in what place do you live?|where exactly are you?"),
)
SMALL_TALK = tuple((answer, *divide(answer, "|".join((train, heldout, MORE_TALK[answer])).split("|"), 2))
                   for answer, train, heldout in _TALK)


def num_facts() -> int:
    """How many facts all kinds hold together."""
    return len(FACTS)


def check_split(split: str) -> None:
    """Refuse a split that is neither train nor heldout."""
    if split not in ("train", "heldout"):
        raise ValueError(f"split must be train or heldout, not {split!r}.")


def train_question(rng: random.Random, kind: Kind, x: str) -> str:
    """A train question as somebody types it, at times polite."""
    if rng.random() < 0.1:
        question = rng.choice(CLAUSE_FRAMES).format(fill(kind.clause, x))
    else:
        question = upper_first(fill(reworded(rng, rng.choice(kind.train), kind.heldout), x))
    return as_typed(rng, question, x, (fill(t, x) for t in kind.heldout))


def heldout_question(rng: random.Random, kind: Kind, x: str, template: str | None = None) -> str:
    """A question in a phrasing that training never shows for this kind, at times behind an opener."""
    return as_heldout(rng, upper_first(fill(template or rng.choice(kind.heldout), x)), x)


def ask(rng: random.Random, kind: Kind, x: str, split: str) -> str:
    """A question on one fact in the phrasings of ``split``."""
    check_split(split)
    return (train_question if split == "train" else heldout_question)(rng, kind, x)


def make_qa(kind: Kind, x: str, y: str, question: str) -> QA:
    """The question with the one answer form of its kind."""
    return QA(question, upper_first(fill(kind.answer, x, y)), y, kind.name)


def draw(rng: random.Random) -> tuple[Kind, str, str]:
    """A fact; a kind is as likely as the square root of its size."""
    kind = rng.choices(_KINDS, cum_weights=WEIGHTS)[0]
    return kind, *rng.choice(kind.facts)


def general_qa(rng: random.Random, split: str = "train") -> QA:
    """A random fact, rightly answered."""
    kind, x, y = draw(rng)
    return make_qa(kind, x, y, ask(rng, kind, x, split))


def general_guess(rng: random.Random, split: str = "train") -> QA:
    """The same question with a random value of its kind, right only by chance."""
    kind, x, _ = draw(rng)
    return make_qa(kind, x, rng.choice(VALUES[kind.name]), ask(rng, kind, x, split))


def all_heldout(rng: random.Random, n: int) -> list[QA]:
    """``n`` heldout questions, every fact once before any comes twice, and then in another phrasing."""
    order = rng.sample(range(len(FACTS)), len(FACTS))
    first = [rng.randrange(6) for _ in FACTS]
    items = []
    for number in range(n):
        turn, place = divmod(number, len(order))
        kind, x, y = FACTS[order[place]]
        template = kind.heldout[(first[place] + turn) % len(kind.heldout)]
        items.append(make_qa(kind, x, y, heldout_question(rng, kind, x, template)))
    return items


def small_talk_qa(rng: random.Random, split: str = "train") -> QA:
    """A greeting, a thank-you or a question about the model itself, with its one answer."""
    check_split(split)
    answer, train, heldout = rng.choice(SMALL_TALK)
    question = upper_first(rng.choice(train if split == "train" else heldout))
    if split == "train":
        question = as_typed(rng, question, "")
    return QA(question, answer, answer.rstrip("?."), "small_talk")
