"""What people usually ask about a sentence that says a certain thing: its words in the text, and the words of the question.

A line of ``tables/cues.tsv`` is a pattern and its questions. In a pattern, <NAME>, <REST>, <NUMBER>, <WHEN>, <PLACE> are what
can be the answer, <NOUN> is a noun that the questions may name as {n}. In a question, {S}, {P}, {O} are whom the sentence is
about (subject, possessive, object), and [do|does] are verb forms for the first and the third person (a third form for "you",
where it differs).
"""

import re
from dataclasses import dataclass

from .read import rows
from .relations import conjugations

WEEKDAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
COUNTS = ("one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|half|both"
          "|a dozen|a hundred")
STOP = (r"(?=[.,;:!?()]|\s(?:and|but|so|because|since|who|which|when|while|if|or|then|with|for|before|after|until|where)\b"
        r"|\s[–—-]|$)")
NAME = r"(?:Dr\.? |Mr\.? |Mrs\.? |Ms\.? |Professor |Aunt |Uncle )?[A-Z][\w'’-]+(?: (?:of |the |de |van )?[A-Z][\w'’-]+)*"
DATE = (
    rf"(?:every |each |next |last )?(?:{WEEKDAYS})s?(?: (?:morning|evening|afternoon|night))?"
    rf"|(?:the )?(?:\d{{1,2}}(?:st|nd|rd|th)? (?:of )?)?(?:{MONTHS})(?: \d{{1,2}}(?:st|nd|rd|th)?)?(?:,? \d{{4}})?|\d{{4}}"
    r"|tomorrow|tonight|weekends|Christmas|Easter"
)
CLOCK = (
    rf"(?:{COUNTS}|\d{{1,2}}) (?:in the (?:morning|evening|afternoon)|o'clock|am|pm)|\d{{1,2}}[:.]\d\d(?: ?[ap]m)?"
    r"|\d{1,2} ?[ap]m"
    rf"|noon|midnight|(?:half past|quarter to|quarter past) \w+"
)
PREPOSITIONS = ("in|on|under|behind|near|next to|beside|above|below|inside|outside|between|at|opposite|by|over|beneath"
                "|across from|in front of")
WORD = (
    r"(?!(?:is|are|was|were|am|has|have|had|in|on|at|by|to|of|from|for|with|and|but|or|cost|costs|lives?|lies?|hangs?|stands?|sits?|stays?"
    r"|sleeps?|hides?|goes|go|who|that|which|under|behind|near|next|called|named|made|bakes?|makes?)\b)[a-z][a-z-]+"
)
MACROS = {
    "<NAME>": rf"(?P<v>{NAME})",
    "<NAMES>": rf"(?P<v>{NAME}(?:, {NAME})*,? and {NAME})",
    "<REST>": rf"(?P<v>(?!not\b|the only\b)[\w][\w'’ -]{{1,40}}?){STOP}",
    "<NUMBER>": rf"(?P<v>\d[\d.,]*\d|\d|{COUNTS})\b",
    "<WHEN>": rf"(?P<v>(?:{CLOCK})|(?:{DATE}))\b",
    "<CLOCK>": rf"(?P<v>{CLOCK})\b",
    "<DATE>": rf"(?P<v>{DATE})\b",
    "<PRICE>": r"(?P<v>[$€£] ?\d[\d.,]*|\d[\d.,]* ?(?:euros?|dollars?|pounds?|crowns?|francs?|cents?|kr)\b)",
    "<PLACE>": rf"(?P<v>(?:{PREPOSITIONS}) (?:the |a |an |my |our |your |his |her |their )?[\w'’ -]{{2,40}}?){STOP}",
    "<NOUN>": rf"(?P<n>{WORD}(?: {WORD})?)",
    "<KIN>": r"(?P<n>(?:(?:older|younger|little|big|best|late|eldest|youngest|twin) )?"
    r"(?:husband|wife|partner|son|daughter|sister|brother|mother|father|mum|dad|grandmother|grandfather|grandma|grandpa|aunt|"
    r"uncle|cousin|nephew|niece|friend|neighbour|neighbor|boss|colleague|"
    r"flatmate|roommate|teacher|doctor|dentist|vet|landlord|landlady|girlfriend|boyfriend|baby|captain|coach|apprentice|"
    r"assistant|manager|dog|cat|horse|rabbit|parrot|hamster|tortoise|pony|goat|hen|goldfish|donkey|puppy|kitten|boat|van|car|"
    r"bike|tractor))",
    "<OFTEN>": rf"(?P<v>(?:once|twice|(?:{COUNTS}) times) (?:a|every|each|per) (?:day|week|month|year)|"
    r"every (?:other |second |third )?(?:day|week|month|year|morning|evening|night|hour|summer|winter|autumn|spring)"
    r"|daily|weekly|monthly)",
}


@dataclass(frozen=True)
class Cue:
    """pattern: with the groups v (the answer) and perhaps n (a noun); questions: each as (first, third, second) person."""

    pattern: re.Pattern
    questions: tuple[tuple[str, str, str], ...]


def _cue(pattern: str, questions: list[str]) -> Cue:
    for name, stands in MACROS.items():
        pattern = pattern.replace(name, stands)
    return Cue(re.compile(pattern), tuple(conjugations(question) for question in questions))


CUES = tuple(_cue(pattern, questions) for pattern, *questions in rows("cues"))
