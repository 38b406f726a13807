"""Other words for the same thing: training meets more of English than its tables of phrasings hold.

A line is "word = other word | other word". A word of the left is replaced where it stands whole; what comes out is never a held-out
phrasing. Words of {braces} are left alone.
"""

import random
import re
from collections.abc import Iterable

RATE = 0.25                     # share of train phrasings that are reworded

LINES = """
is called = is known as | has the name | bears the name | carries the name | goes under the name | is referred to as
is named = is known as | was given the name | has been named | is referred to as
called = named | nicknamed | known as
the name of = the proper name of | the full name of
lives = dwells | has a home | stays | resides
live = dwell | have a home | stay | reside
home = house | dwelling | residence
works as = is employed as | has a job as | earns a living as | serves as
work as = have a job as | serve as | be employed as
works for = is employed by | has a post at | is on the payroll of
work for = have a post at | earn money from
job = profession | occupation | work | trade | employment
likes best = loves most | prefers | adores | is most fond of | enjoys most
like best = love most | prefer | enjoy most | adore
favourite = preferred | best-loved | most loved | top | dearest
likes = loves | enjoys | is fond of
comes to = amounts to | adds up to | totals | runs to
costs = is priced at | sells for | is sold for | sets one back
cost = price | charge | expense
price = cost | sum to pay | charge
fee = charge | cost | price
begins = starts | gets under way | kicks off | opens | commences
begin = start | get under way | kick off | commence
starts = begins | gets under way | kicks off | commences
start = begin | get going | kick off | commence
ends = finishes | closes | is over | stops | concludes
end = finish | close | be over | conclude
opens = unlocks its doors | starts its day | begins service
closes = shuts | shuts its doors | locks up
happens = takes place | occurs | is held | is planned | falls
happen = take place | occur | be held
takes place = happens | is held | occurs | goes ahead | is scheduled
take place = happen | be held | occur | go ahead
kept = stored | stowed | put away | held
keeps = stores | stows | holds | puts
keep = store | stow | put | hold
is in = lies in | can be found in | is situated in | sits in
stands in = is placed in | can be found in
leads = heads | runs | manages | is in charge of | directs
lead = head | run | manage | direct
led by = headed by | run by | managed by | directed by
boss = manager | chief | superior
made of = built from | fashioned from | crafted from | produced from
made from = built from | crafted from | put together from
material = stuff | substance | fabric
colour = shade | tint | hue
painted = coloured | done in
weighs = has a weight of | comes in at
weight = mass | heaviness
length = extent | size from end to end
height = tallness | size from top to bottom
width = breadth
number of = count of | amount of | total of
count = total | tally | number
number = figure | digits
code = secret code | combination | key code
password = secret word | passphrase | pass code
picked = selected | opted for | settled on | went for
chose = selected | opted for | settled on | decided on | went for | picked
choose = select | opt for | settle on | decide on
got = received | obtained | acquired | was handed
gave = handed | presented | passed
bought = purchased | acquired | picked up
buy = purchase | acquire
brings = carries | takes along
bring = carry | take along
eats = has | dines on | feeds on
eat = have | dine on | consume
drinks = sips | takes
plays = performs | practises
teaches = gives lessons in | instructs
studies = is learning | reads up on | takes courses in
speaks = talks | is fluent in
visits = calls on | drops in on | goes to see
visit = call on | drop in on | go to see
meets = gathers | gets together | assembles | convenes
meet = gather | get together | assemble
was born = came to life | first saw the light
founded = established | set up | created | started
owner = proprietor | holder | possessor
owns = possesses | has | is the owner of
has a = owns a | possesses a | keeps a
have a = own a | possess a | keep a
friend = pal | mate | companion | buddy
child = kid | youngster
mother = mum | mom
father = dad
town = city | municipality
city = town | municipality
company = firm | business | enterprise
firm = company | business
house = building | home
room = chamber | hall
doctor = physician
teacher = instructor | tutor
neighbour = person next door
holiday = vacation | break
meeting = gathering | assembly | get-together | session
dish = meal | plate | course
meal = dish
food = thing to eat | fare
drink = beverage
day = weekday
date = calendar date | day
time = hour | clock time
place = spot | location | site
area = region | district
limit = maximum | cap | upper bound
allowed = permitted | admitted
must = has to | is required to | needs to
need = require
main = chief | principal | primary
usual = customary | normal | habitual
often = frequently | many times
new = brand-new | recent
old = aged | ancient
big = large | huge
small = little | tiny
good = fine | pleasant
quite often = frequently
every = each
for years = for a long time | for ages
last year = a year ago
near = close to | beside
tell me = let me know | inform me
regarding = concerning | about | as to | with respect to
what is = what would be | what might be | what exactly is
what are = what exactly are
which = what
who is = who might be | who exactly is
where is = where exactly is | where might be
when is = on what occasion is | when exactly is
how many = what number of
how much = what amount
capital = capital city | seat of government
opposite = reverse | contrary | converse | antonym
word = term | expression
means = signifies | stands for
part of = piece of
kind of = sort of | type of
sound = noise | cry
baby = young one | newborn
animal = creature | beast
country = nation | land | state
language = tongue
continent = part of the world
money = currency | cash
month = calendar month
season = time of year
shape = form | figure
tool = implement | instrument | device
use = employ | utilise
used for = employed for | meant for | good for
plus = and | added to
minus = less | take away
times = multiplied by
comes after = follows | succeeds | is right behind
comes before = precedes | goes ahead of
belongs to = is the property of
found = discovered | located
say = state | mention
"""


def _parse(lines: str) -> dict[str, tuple[str, ...]]:
    pairs = (line.split(" = ") for line in lines.strip().splitlines())
    return {word: tuple(others.split(" | ")) for word, others in pairs}


THESAURUS = _parse(LINES)
_WORDS = re.compile(r"(?<![\w{'-])(" + "|".join(sorted(map(re.escape, THESAURUS), key=len, reverse=True)) + r")(?![\w}'-])",
                    re.IGNORECASE)


def reworded(rng: random.Random, template: str, never: Iterable[str] = ()) -> str:
    """``template`` with one or two of its words replaced, for a share of the calls. never: what must not come out."""
    if rng.random() >= RATE:
        return template
    found = list(_WORDS.finditer(template))
    if not found:
        return template
    out = template
    for match in sorted(rng.sample(found, min(len(found), rng.choice((1, 1, 2)))), key=lambda m: -m.start()):
        other = rng.choice(THESAURUS[match[1].lower()])
        if match[1][0].isupper():
            other = other[:1].upper() + other[1:]
        out = out[:match.start()] + other + out[match.end():]
    return template if out in set(never) else out
