"""Made-up sentences that praise or complain."""

import random

GOOD = """good great lovely wonderful excellent fine nice perfect beautiful happy bright warm kind friendly tasty delicious fresh charming
clever gentle helpful brilliant splendid pleasant cheerful delightful superb fantastic amazing sweet calm clean quick safe strong useful
funny proud glad joyful generous elegant cosy comfortable admirable impressive marvellous lucky healthy sunny""".split()
BAD = """bad awful terrible horrible poor nasty ugly sad dark cold rude unfriendly bland disgusting stale dull stupid harsh useless boring
dreadful unpleasant gloomy miserable weak broken dirty slow dangerous noisy painful angry sorry lonely mean clumsy shabby
uncomfortable shameful disappointing worthless unlucky sick bitter sour rotten cruel annoying tiresome""".split()
LIKES = "love like enjoy adore admire praise recommend cherish prefer treasure".split()
HATES = "hate dislike despise regret avoid detest curse blame resent loathe".split()
THINGS = """answer film book soup meal house room garden song team coach letter trip town street market river boat train hotel shop bread
coffee tea dog cat horse teacher doctor neighbour meeting story picture game day evening morning summer winter weather bike car phone
song concert play cake apple island city capital country name colour idea plan job work school""".split()
FRAMES = (
    "The {n} is {a}.", "The {n} was {a}.", "It is {a}.", "It was {a} and {b}.", "What a {a} {n}!", "I {v} the {n}.", "We {v} this {n}.",
    "They {v} it.", "The {n} is {a}, and the {m} is {b}.", "I think the {n} is {a}.", "That is a {a} {n}.", "A {a} {n} and a {b} {m}.",
    "It is a {a} {n}.", "My {n} is {a}.", "How {a}!", "Such a {a} {n}, I {v} it.", "I am {a}.", "You are {a}.", "She is {a} today.",
    "Everything about the {n} is {a}.", "It makes me {a}.", "I {v} how {a} it is.", "The {n} looks {a}.", "It is very {a}.",
    "It is {a} because the {n} is {b}.", "{A} {n}.", "{A}, I {v} it.", "Thank you, that was {a}.", "Most people {v} the {n}.",
)
DENIED = ("The {n} is not {a}.", "It was not {a}.", "I do not {v} the {n}.", "It is never {a}.", "Nothing about the {n} is {a}.",
          "The {n} is hardly {a}.", "It is not a {a} {n}.", "They do not {v} it.", "Nobody would {v} this {n}.")
PLAIN = ("The {n} is in the {m}.", "It is the {n}.", "It is a {n}.", "The {n} comes after the {m}.", "There is a {n} near the {m}.")


def sentence(rng: random.Random) -> tuple[str, float]:
    """A sentence, and how good what it says is: 1, 0, or 0.5 for what says neither."""
    if rng.random() < 0.15:
        return _filled(rng, rng.choice(PLAIN), True), 0.5
    good, denied = rng.random() < 0.5, rng.random() < 0.2
    text = _filled(rng, rng.choice(DENIED if denied else FRAMES), good)
    return text, float(good != denied)


def _filled(rng: random.Random, frame: str, good: bool) -> str:
    a, b = rng.sample(GOOD if good else BAD, 2)
    n, m = rng.sample(THINGS, 2)
    return frame.format(a=a, A=a.title(), b=b, n=n, m=m, v=rng.choice(LIKES if good else HATES))
