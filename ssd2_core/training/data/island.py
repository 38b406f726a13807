"""Orlisay, an invented island: a closed world for the specialist, who answers with no document."""

import random
from dataclasses import replace

from .island_kind import Kind
from .island_places import PLACE_KINDS
from .island_singles import SINGLE_KINDS
from .island_towns import TOWN_KINDS
from .phrasing import CLAUSE_FRAMES, as_heldout, as_typed, divide
from .schema import QA

ISLAND_NAME = "Orlisay"


def divided(kind: Kind) -> Kind:
    """The kind with its phrasings divided anew: some of all of them are held out."""
    said = kind.statement
    frames = (f"{said[:said.index('{v}')].removesuffix('the ')}what?",) if said.endswith("{v}.") else ()
    train, heldout = divide(kind.name, (*kind.train, *kind.heldout, *frames, f"{kind.clause}?"), 2)
    return replace(kind, train=train, heldout=heldout)


KINDS: tuple[Kind, ...] = tuple(divided(kind) for kind in TOWN_KINDS + PLACE_KINDS + SINGLE_KINDS)
FACTS: tuple[tuple[Kind, str], ...] = tuple((kind, entity) for kind in KINDS for entity in kind.facts)

HANDBOOK = """\
Welcome to Orlisay, the island of 5482 people and one very loud radio station. Fair tide! That is the greeting here, \
and every visitor must bring a smooth pebble, by old custom.

Orlisay was founded in 1641 by Elra Moss. The flag is green and gold, the motto is "Steady as stone", and the anthem \
is "Home on the Grey Tide". The governor is Halden Voss, who lives in Port Amber, the capital. The island animal is \
the moor goat. You pay in lums: the half-lum coin shows an oak leaf, the one-lum coin a ram, the two-lum coin a \
sailing ship, the five-lum coin an old key. The emergency number is 303. Orlisay Day is on 12 May.

There are eight towns. Port Amber is known for its glass beads; its mayor is Odra Finch and its inn the Blue Otter. \
Saltmere lives from its salt pans under Mayor Jonas Pell, and has its market on Tuesday. Harrowick weaves wool \
blankets; its mayor is Mirela Stone. Dunby, where Tobin Ash is mayor, makes clay pots. Foxcombe presses pear cider \
and celebrates the Pear Feast, from 21 September. Brindle casts cattle bells, Kestle folds paper kites, and little \
Wrenfold, with only 196 people, carves wooden flutes. The children of Dunby go to Oak Door School, those of Kestle \
to Red Gate School. In football the Saltmere Gulls play in red and white and the Kestle Ravens in black and orange, \
but the favourite sport is stone rolling.

Mount Hoar, 812 metres, is the highest mountain, with Cloud Hut on it; Mount Vell has 733 metres and Ram Hill only \
287. The River Lenn in Port Amber, 31 kilometres, is the longest river; the River Ossel in Saltmere has 24.

The ferries: the Grey Dolphin sails on Monday under Captain Silas Drum, the Amber Star on Thursday under Runa Keel, \
and the Saint Olla on Sunday. The harbour at Amber Quay opens at 4:30, Kestle Cove at 6:20. Bus 7 goes to Saltmere, \
bus 8 to Kestle. Gannet Light has 143 steps and is kept by Old Barnaby Rook; the keeper of Storm Light is Thea \
Wells.

Eat brannow stew, which is made of mutton and comes from Harrowick, or tidepot, which is made of mussels. Lammer \
bread needs barley, snuffin needs honey. For shopping, Button and Rye sells hats and opens at 8:00; Pilot Stores \
sells rope; Moth and Moon sells pyjamas.

The museum Net House shows a giant anchor for 3 lums, the Whale Room a narwhal tusk for 6. The legend of Grey Cove \
is about a drowned bell, that of Whisper Wood about a talking hare. The ember gull nests in old chimneys, the \
lantern owl in hollow oaks, and the thimble duck in rabbit holes. Orlmint is used to make tea and hagthorn to make \
jam.

Some rules: visitors must not whistle at Seal Point, bring dogs to Heron Marsh, light fires at Glass Beach or swim \
in Thimble Lake. In the evening, turn on Radio Gannet: the Fog Hour with Dorothea Mist starts at 22:00. In the \
morning, read the Morning Gull."""


def num_facts() -> int:
    """How many facts the island has."""
    return len(FACTS)


def upper_first(text: str) -> str:
    """``text`` with a capital first letter."""
    return text[:1].upper() + text[1:]


def train_question(rng: random.Random, kind: Kind, entity: str) -> str:
    """A train question as somebody types it, at times polite."""
    if rng.random() < 0.15:
        question = rng.choice(CLAUSE_FRAMES).format(kind.clause.format(e=entity))
    else:
        question = upper_first(rng.choice(kind.train).format(e=entity))
    if entity == ISLAND_NAME and "island" not in question and "Orlisay Day" not in question and rng.random() < 0.15:
        question = question.replace(ISLAND_NAME, "the island")
    return as_typed(rng, question, f"{entity} {ISLAND_NAME}", (t.format(e=entity) for t in kind.heldout))


def heldout_question(rng: random.Random, kind: Kind, entity: str, template: str | None = None) -> str:
    """A question in a phrasing that training never shows for this kind, at times behind an opener."""
    return as_heldout(rng, upper_first((template or rng.choice(kind.heldout)).format(e=entity)), f"{entity} {ISLAND_NAME}")


def make_qa(kind: Kind, value: str, question: str) -> QA:
    """The question with its answer."""
    answer = f"It is forbidden to {value}." if "must not" in kind.statement else f"It is {value}."
    return QA(question, answer, value, kind.name)


def ask(rng: random.Random, kind: Kind, entity: str, split: str) -> str:
    """A question on one fact in the phrasings of ``split``."""
    if split not in ("train", "heldout"):
        raise ValueError(f"split must be train or heldout, not {split!r}.")
    return (train_question if split == "train" else heldout_question)(rng, kind, entity)


def island_qa(rng: random.Random, split: str = "train") -> QA:
    """A random fact, rightly answered."""
    kind, entity = rng.choice(FACTS)
    return make_qa(kind, kind.facts[entity], ask(rng, kind, entity, split))


def island_guess(rng: random.Random, split: str = "train") -> QA:
    """The same kind of question with a random value of the right type, right only by chance."""
    kind, entity = rng.choice(FACTS)
    value = rng.choice((*kind.facts.values(), *kind.decoys))
    return make_qa(kind, value, ask(rng, kind, entity, split))


def all_heldout(rng: random.Random, n: int) -> list[QA]:
    """``n`` heldout questions, every fact once before any comes twice, and then in another phrasing."""
    order = rng.sample(range(len(FACTS)), len(FACTS))
    first = [rng.randrange(8) for _ in FACTS]
    items = []
    for number in range(n):
        turn, place = divmod(number, len(order))
        kind, entity = FACTS[order[place]]
        template = kind.heldout[(first[place] + turn) % len(kind.heldout)]
        items.append(make_qa(kind, kind.facts[entity], heldout_question(rng, kind, entity, template)))
    return items
