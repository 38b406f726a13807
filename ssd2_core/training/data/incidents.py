"""Sentences about anything, with the questions that each answers: a reader learns to find what a question asks for.

A line: the sentence, then "| question => answer" as often as it likes. {w} {x} person, {p} place, {d} day, {t} time, {m} month,
{n} number, {c} colour, {f} food, {a} animal, {o} object, {L} where something is, {r} reason, {q} price, {z} a name.
The answer is a piece of the sentence, word for word.
"""

import random
import re

from . import values
from .phrasing import as_typed
from .schema import QA
from .values import pick

OBJECTS = tuple("""
key, ladder, folder, printer, ticket, camera, drill, umbrella, suitcase, guitar, tent, kettle, toolbox, passport, map, blanket, torch,
projector, scarf, medicine, cake tin, first aid kit, guest list, remote control, dog food, rent money, garden hose, sewing machine,
contract, laptop charger, spare tyre, recycling bin, coffee grinder, fuse box, water meter, fire extinguisher, sledge, pump, cat litter
""".replace("\n", " ").strip().split(", "))
SPOTS = tuple("""
drawer, cupboard, shelf, cellar, garage, attic, kitchen, hall, office, shed, wardrobe, fridge, bathroom, stairs, sofa, desk, box, basket,
green door, back gate, window, mirror, old oak, car park, reception, library, table, bench, pantry, hallway, letterbox, sink, stove, bed
""".replace("\n", " ").strip().split(", "))
PREPOSITIONS = ("in the", "under the", "behind the", "next to the", "on top of the", "near the", "beside the", "above the",
                "inside the", "in the", "on the")
REASONS = tuple("""
the heating broke; it is too noisy; the road is closed; of the rain; the tickets were too expensive; it smells of paint; nobody was there;
the train was late; of a leak in the roof; the children were tired; it saves time; the old one was lost; he was ill; she had a meeting;
the lift does not work; of an allergy; the battery was empty; the shop had closed; it was her birthday; the neighbours complained
""".replace("\n", " ").strip().split("; "))
ACTIONS = tuple("""
paint, sing, go climbing, bake bread, play chess, sew, swim, fix bikes, collect stamps, go fishing, dance, take photos, write poems,
grow tomatoes, watch birds, ride a horse, build models, knit, play cards, go for a run, brew beer, read novels, skate, study maps
""".replace("\n", " ").strip().split(", "))

LINES = """
{w} keeps the {o} {L}. | Where does {w} keep the {o}? => {L} | Where's the {o}? => {L} | Who keeps the {o} {L}? => {w} | Where can I find the {o}? => {L}
The {o} is {L}. | Where is the {o}? => {L} | where do I find the {o}? => {L} | What is {L}? => the {o} | Where did we put the {o}? => {L}
You will find the {o} {L}. | Where will I find the {o}? => {L} | Where should I look for the {o}? => {L} | where is the {o} kept? => {L}
Please put the {o} {L} when you are done. | Where should I put the {o}? => {L} | What must I put {L}? => the {o} | Where does the {o} go? => {L}
Only {w} may use the {o}. | Who may use the {o}? => {w} | Who is allowed to use the {o}? => {w} | What may only {w} use? => the {o}
{w} grew up in {p} and came here in {m}. | Where did {w} grow up? => {p} | When did {w} come here? => {m} | Which month did {w} arrive? => {m}
I grew up in {p}. | Where did I grow up? => {p} | What place did I grow up in? => {p} | In which town did I grow up? => {p}
On {d} {w} and I {y}. | What do we do on {d}? => {y} | When do we {y}? => {d} | With whom do I {y}? => {w}
In the evening {w} likes to {y}. | What does {w} like to do in the evening? => {y} | Who likes to {y}? => {w}
{w} is learning to {y}. | What is {w} learning? => {y} | Who is learning to {y}? => {w} | What does {w} learn to do? => {y}
We leave on {d} at {t}. | When do we leave? => {d} | At what time do we leave? => {t} | What time should I be ready? => {t} | Which day do we leave? => {d}
The bus to {p} leaves at {t}. | When does the bus to {p} leave? => {t} | Where does the bus go? => {p}
The doors open at {t} and the show starts half an hour later. | When do the doors open? => {t} | What time can people come in? => {t}
The party is on {d} {L}. | When is the party? => {d} | Where is the party? => {L} | what day is the party? => {d}
Come to {p} on {d}, and bring {f}. | Where should I come? => {p} | When should I come? => {d} | What should I bring? => {f}
Feed {w} at {t}. | When do I feed {w}? => {t} | Who must be fed at {t}? => {w} | What time does {w} eat? => {t}
A {o} costs {q}. | How much is a {o}? => {q} | What does a {o} cost? => {q} | What do I pay for a {o}? => {q}
{w} paid {q} for the {o}. | How much did {w} pay for the {o}? => {q} | Who paid for the {o}? => {w} | What did {w} pay {q} for? => the {o} | what did {w} buy? => the {o}
The {o} is made of {k}. | What is the {o} made of? => {k} | What's it made out of? => {k} | Which material is the {o}? => {k}
The {c} {o} belongs to {w}. | Whose is the {c} {o}? => {w} | Who owns the {o}? => {w} | What colour is {w}'s {o}? => {c}
{w} bought a {c} {o} in {p}. | What did {w} buy? => a {c} {o} | Where did {w} buy the {o}? => {p} | Which colour is the {o} that {w} bought? => {c} | Who bought a {o}? => {w}
{w} borrowed the {o} from {x}. | Who borrowed the {o}? => {w} | From whom did {w} borrow the {o}? => {x} | Who lent {w} the {o}? => {x} | What did {w} borrow? => the {o}
{w} gave {x} a {o} for the birthday. | What did {w} give {x}? => a {o} | Who gave {x} a {o}? => {w} | What did {x} get? => a {o} | Who got a {o}? => {x}
{w} works with {x} on {d}. | Who works with {w}? => {x} | When does {w} work? => {d} | Who does {w} work with? => {x}
{w} is {n} years old. | How old is {w}? => {n} | What is the age of {w}? => {n} | Who is {n}? => {w}
My name is {w} and I live near {p} with {x}. | What am I called? => {w} | Who do I live with? => {x} | Where do I live? => near {p}
{w} runs the {z} together with {x}. | Who runs the {z}? => {w} | What does {w} run? => the {z} | With whom does {w} run the {z}? => {x}
The {z} is {n} minutes from the {s}. | How far is the {z} from the {s}? => {n} minutes
We meet {L} every {d}. | Where do we meet? => {L} | When do we meet? => every {d} | How often do we meet? => every {d}
If it rains, we go to {p} instead. | Where do we go if it rains? => {p} | What happens if it rains? => we go to {p} | What's the plan for rain? => we go to {p}
{w} came late because {r}. | Why did {w} come late? => because {r} | Who came late? => {w} | Why was {w} late? => because {r}
We moved the {o} because {r}. | Why did we move the {o}? => because {r} | What did we move? => the {o} | Why was the {o} moved? => because {r}
Do not use the {o}, because {r}. | Why can't I use the {o}? => because {r} | What must I not use? => the {o} | What should nobody use? => the {o}
{w} did not come because {r}. | Why didn't {w} come? => because {r} | Who did not come? => {w} | Why was {w} not there? => because {r}
Turn off the {o} before {t}. | When must the {o} be turned off? => before {t} | What should I turn off? => the {o} | What has to be off before {t}? => the {o}
The rent is {q} a month and is due on {d}. | How much is the rent? => {q} | When is the rent due? => {d} | What do I pay each month? => {q}
Quiet hours begin at {t}. | When do quiet hours begin? => {t} | From what time must I be quiet? => {t} | When should it be quiet? => {t}
Guests pay {q} and children go in for free. | What do guests pay? => {q} | How much is it for guests? => {q} | Who goes in for free? => children
The class has {n} pupils and {w} teaches it. | How many pupils are in the class? => {n} | Who teaches the class? => {w} | How big is the class? => {n} pupils
{n} people came, most of them from {p}. | How many people came? => {n} | Where did most people come from? => {p} | From where were most of them? => {p}
{w} scored {n} goals against {z}. | How many goals did {w} score? => {n} | Who scored {n} goals? => {w} | Against whom did {w} score? => {z} | Who were the opponents? => {z}
{z} won by {n} points in {p}. | Who won? => {z} | By how much did {z} win? => {n} points | Where did {z} win? => {p} | Which team won? => {z}
Mix the {f} with {n} spoons of honey. | How much honey do I need? => {n} spoons | What do I mix with honey? => the {f} | How many spoons of honey go in? => {n}
Serve it with {f}. | What do I serve it with? => {f} | What goes with it? => {f} | What should it be served with? => {f}
Bake it for {n} minutes at {u} degrees. | How long do I bake it? => {n} minutes | How hot should the oven be? => {u} degrees | At what temperature do I bake it? => {u} degrees | For how long is it baked? => {n} minutes
Let it rest {L} overnight. | Where should it rest? => {L} | How long does it rest? => overnight | Where do I leave it overnight? => {L}
{w} found a {a} {L}. | What did {w} find? => a {a} | Where did {w} find the {a}? => {L} | Who found a {a}? => {w}
{w} is afraid of the {a}. | What is {w} afraid of? => the {a} | Who is afraid of the {a}? => {w} | Which animal does {w} fear? => the {a}
{w} plays the part of the {a} in the play. | Which part does {w} play? => the {a} | Who plays the {a}? => {w} | What is {w} in the play? => the {a}
It takes {n} hours to charge. | How long does it take to charge? => {n} hours | How many hours does charging take? => {n} | What's the charging time? => {n} hours
{w} signed the contract on {d} in {p}. | Who signed the contract? => {w} | When was the contract signed? => {d} | Where was the contract signed? => {p} | What did {w} sign? => the contract
The next exam is on {d} {L}. | When is the next exam? => {d} | Where is the exam? => {L} | Where does the exam take place? => {L}
Everybody calls {w} {z}. | What does everybody call {w}? => {z} | Who is called {z}? => {w} | What is the nickname of {w}? => {z}
{w} lost the {o} {L}. | What did {w} lose? => the {o} | Where did {w} lose the {o}? => {L} | Who lost the {o}? => {w}
Send the {o} to {w} by {d}. | To whom do I send the {o}? => {w} | By when must the {o} be sent? => {d} | What should I send {w}? => the {o} | Who gets the {o}? => {w}
{w} leads the team and {x} takes the notes. | Who leads the team? => {w} | Who takes the notes? => {x} | What does {x} do? => takes the notes | What's the job of {x}? => takes the notes
{w} will speak about the {a} at {t}. | What will {w} speak about? => the {a} | When does {w} speak? => {t} | Who speaks about the {a}? => {w} | Who gives the talk at {t}? => {w}
{w} wants to {y} this summer. | What does {w} want to do this summer? => {y} | Who wants to {y}? => {w} | What are the plans of {w} for the summer? => {y}
Ring {w} when the {o} arrives. | Who should I ring when the {o} arrives? => {w} | Whom do I ring about the {o}? => {w} | What will arrive? => the {o}
{w} drives to {p} with {x} every {d}. | Where does {w} drive? => {p} | Who drives to {p}? => {w} | Who goes with {w}? => {x} | How often does {w} drive to {p}? => every {d}
The old {o} was sold to {w} for {q}. | Who bought the {o}? => {w} | To whom was the {o} sold? => {w} | For how much was the {o} sold? => {q} | What was the price of the {o}? => {q}
{w} speaks with {x} only in {m}. | When does {w} speak with {x}? => in {m} | In which month do {w} and {x} speak? => {m} | Who speaks with {w}? => {x}
My shift starts at {t} and ends at lunch. | When does my shift start? => {t} | At what time do I begin to work? => {t} | When does my shift end? => at lunch
We rented a flat in {p} for {q} a week. | Where did we rent a flat? => {p} | How much did we pay a week? => {q} | What did the flat cost? => {q} a week
{w} hid the {o} {L} before the guests came. | Where did {w} hide the {o}? => {L} | Who hid the {o}? => {w} | What did {w} hide? => the {o}
Nobody but {w} can repair the {o}. | Who can repair the {o}? => {w} | Who knows how to fix the {o}? => {w} | What can only {w} repair? => the {o}
For lunch we had {f} with {w}. | What did we have for lunch? => {f} | Who had lunch with us? => {w} | What did we eat? => {f}
"""


def _place(rng: random.Random) -> str:
    place = f"{pick(rng, PREPOSITIONS)} {pick(rng, SPOTS)}"
    return f"{place} {pick(rng, ('in the', 'under the', 'near the', 'of the'))} {pick(rng, SPOTS)}" if rng.random() < 0.3 else place


def _name(rng: random.Random) -> str:
    return values.short_name(rng, "train") if rng.random() < 0.5 else pick(rng, values.NOUNS)


MAKERS = {
    "w": lambda rng: values.person(rng, "train"), "x": lambda rng: values.person(rng, "train"), "p": lambda rng: values.city(rng, "train"),
    "d": lambda rng: values.day(rng, "train"), "t": lambda rng: values.time(rng, "train"), "m": lambda rng: pick(rng, values.MONTHS),
    "n": lambda rng: values.small(rng, "train"), "u": lambda rng: str(rng.randrange(80, 260, 5)),
    "c": lambda rng: values.colour(rng, "train"), "f": lambda rng: values.food(rng, "train"), "a": lambda rng: values.animal(rng, "train"),
    "k": lambda rng: values.material(rng, "train"), "q": lambda rng: values.price(rng, "train"),
    "o": lambda rng: pick(rng, OBJECTS), "L": _place, "s": lambda rng: pick(rng, SPOTS), "r": lambda rng: pick(rng, REASONS),
    "y": lambda rng: pick(rng, ACTIONS), "z": _name,
}


def _parse(line: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    sentence, *asked = (part.strip() for part in line.split(" | "))
    return sentence, tuple(tuple(part.split(" => ")) for part in asked)


TABLE = tuple(_parse(line) for line in LINES.strip().splitlines())


def _written(template: str, filled: dict[str, str]) -> str:
    return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", template.format(**filled))


def incident(rng: random.Random, most: int = 2) -> tuple[str, list[QA]]:
    """A sentence and up to ``most`` questions that it answers."""
    template, asked = pick(rng, TABLE)
    filled = {letter: MAKERS[letter](rng) for letter in sorted(set(re.findall(r"\{(\w)\}", template)))}
    sentence = _written(template, filled)
    items = []
    for question, answer in rng.sample(asked, min(most, len(asked))):
        value = _written(answer, filled)
        if value in sentence and not values.is_heldout(value):
            typed = as_typed(rng, _written(question, filled), " ".join(filled.values()))
            items.append(QA(typed, f"It is {value}.", value, "incident"))
    return sentence, items
