"""What people usually ask about a sentence that says a certain thing: its words in the text, and the words of the question.

A line is ``pattern > question | question``. In a pattern, <NAME>, <REST>, <NUMBER>, <WHEN>, <PLACE> are what can be the answer, <NOUN> is
a noun that the questions may name as {n}. In a question, {S}, {P}, {O} are whom the sentence is about (subject, possessive, object), and
[do|does] are verb forms for the first and the third person (a third form for "you", where it differs).
"""

import re
from dataclasses import dataclass

from .relations import conjugations

WEEKDAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
COUNTS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|half|both|a dozen|a hundred"
STOP = r"(?=[.,;:!?()]|\s(?:and|but|so|because|since|who|which|when|while|if|or|then|with|for|before|after|until|where)\b|\s[–—-]|$)"
NAME = r"(?:Dr\.? |Mr\.? |Mrs\.? |Ms\.? |Professor |Aunt |Uncle )?[A-Z][\w'’-]+(?: (?:of |the |de |van )?[A-Z][\w'’-]+)*"
DATE = (
    rf"(?:every |each |next |last )?(?:{WEEKDAYS})s?(?: (?:morning|evening|afternoon|night))?"
    rf"|(?:the )?(?:\d{{1,2}}(?:st|nd|rd|th)? (?:of )?)?(?:{MONTHS})(?: \d{{1,2}}(?:st|nd|rd|th)?)?(?:,? \d{{4}})?|\d{{4}}"
    r"|tomorrow|tonight|weekends|Christmas|Easter"
)
CLOCK = (
    rf"(?:{COUNTS}|\d{{1,2}}) (?:in the (?:morning|evening|afternoon)|o'clock|am|pm)|\d{{1,2}}[:.]\d\d(?: ?[ap]m)?|\d{{1,2}} ?[ap]m"
    rf"|noon|midnight|(?:half past|quarter to|quarter past) \w+"
)
PREPOSITIONS = "in|on|under|behind|near|next to|beside|above|below|inside|outside|between|at|opposite|by|over|beneath|across from|in front of"
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
    "<KIN>": r"(?P<n>(?:(?:older|younger|little|big|best|late|eldest|youngest|twin) )?(?:husband|wife|partner|son|daughter|sister|brother|mother|father|"
    r"mum|dad|grandmother|grandfather|grandma|grandpa|aunt|uncle|cousin|nephew|niece|friend|neighbour|neighbor|boss|colleague|"
    r"flatmate|roommate|teacher|doctor|dentist|vet|landlord|landlady|girlfriend|boyfriend|baby|captain|coach|apprentice|"
    r"assistant|manager|dog|cat|horse|rabbit|parrot|hamster|tortoise|pony|goat|hen|goldfish|donkey|puppy|kitten|boat|van|car|bike|tractor))",
    "<OFTEN>": rf"(?P<v>(?:once|twice|(?:{COUNTS}) times) (?:a|every|each|per) (?:day|week|month|year)|every (?:other |second |third )?"
    r"(?:day|week|month|year|morning|evening|night|hour|summer|winter|autumn|spring)|daily|weekly|monthly)",
}

TABLE = r"""
(?:I'm|I am|[Mm]y name is|[Tt]his is|call me) <NAME> > What is my name? | Who am I? | What am I called? | Who wrote this? | Whose page is this?
\b(?:my|our|his|her|their|the|a|an) <NOUN>,? (?:is |was |are |were )?(?:called|named|by the name of) <NAME> > What is {P} {n} called? | What is the name of {P} {n}? | What name does {P} {n} have? | {n} name? | Who is {P} {n}?
\b(?:my|our|his|her|their|a|an|the) <KIN>,? <NAME> > What is {P} {n} called? | Who is {P} {n}? | What is {P} {n}'s name? | name of {P} {n}? | What is the name of {P} {n}? | Which name does {P} {n} have?
<NAME>,? (?:is )?(?:my|our|his|her|their) <KIN> > What is {P} {n} called? | Who is {P} {n}? | What is {P} {n}'s name? | name of {P} {n}?
\b(?:two|three|four|my|our|his|her|their|the) <NOUN>,? (?:are )?(?:called |named )?<NAMES> > What are {P} {n} called? | What are the names of {P} {n}? | Who are {P} {n}? | names of the {n}?
\b<KIN>'s name is <NAME> > What is {P} {n} called? | Who is {P} {n}? | What is {P} {n}'s name?
\b(?:work|works|worked|working|job|career|trained|employed|started|began)\w* (?:\w+ )?as (?:an? |the )?<REST> > What [do|does] {S} do for a living? | What is {P} job? | What [do|does] {S} work as? | What is {P} profession? | What is {P} occupation? | What kind of work [do|does] {S} do? | What job [do|does] {S} have? | How [do|does] {S} earn money?
\b(?:I'm|I am|is|was|we are) (?:a|an) (?:retired |former )?(?P<v>(?:[a-z]+ ){0,2}[a-z]+(?:er|or|ist|ian|man|woman|nurse|cook|chef|student|smith|wright|guide|clerk|pilot|judge|vet|coach))\b > What [do|does] {S} do for a living? | What is {P} job? | What is {P} profession? | What [do|does] {S} work as? | What kind of work [do|does] {S} do? | What [am|is|are] {S} by trade?
\b(?:work|works|worked|working|job|employed) (?:part-time |full-time |nights |shifts )?(?:at|for|in|on) (?P<v>(?:the |a |an )?[\w'’ -]{2,40}?)(?=[.,;:!?()]|\s(?:and|but|so|as|for|in|because|since|until|on)\b|$) > Where [do|does] {S} work? | What is {P} workplace? | Who [do|does] {S} work for? | Which place [do|does] {S} work at? | At what place [do|does] {S} have a job?
\b(?:live|lives|living|lived|based|home is|settled|stay|stays) (?:\w+ )?(?:in|at|on|near) (?P<v>(?:the |a |an )?[\w'’ -]{2,40}?)(?=[.,;:!?()]|\s(?:and|but|so|with|for|because|since|until|now|where)\b|$) > Where [do|does] {S} live? | What is {P} home? | Where is {P} home? | Which place [do|does] {S} live in? | What town [do|does] {S} live in? | Where can {S} be found at home?
\b(?:moved|came|come|comes|arrived)\b(?: \w+){0,3}? from <NAME> > Where did {S} live before? | Where [do|does] {S} come from? | Where did {S} move from? | Which place did {S} leave? | Where [am|is|are] {S} from? | Where was {P} home before?
\b(?:moved|came|went|travelled|traveled|drove|sailed|flew)\b(?: \w+){0,2}? (?:to|into) (?P<v>(?:the |a |an |my |our )?[\w'’ -]{2,30}?)(?=[.,;:!?()]|\s(?:and|but|in|so|with|for|because|from|when|after|by|where)\b|$) > Where did {S} go? | Where did {S} move to? | Where did {S} travel? | Which place did {S} go to? | To which place did {S} come?
\b(?:grew up|was born|were born|born|raised) (?:in|on|near) (?P<v>(?:the |a |an )?[\w'’ -]{2,30}?)(?=[.,;:!?()]|\s(?:and|but|in|on|so|with|where)\b|$) > Where did {S} grow up? | Where [was|was|were] {S} born? | Where [am|is|are] {S} from? | In what place [was|was|were] {S} raised? | Where did {S} spend {P} childhood? | Where was {P} home as a child?
\b(?:I'm|I am|is|was|turned|turn|turns|aged) (?:now |just |only |almost )?<NUMBER>(?= |[.,;!?]|$)(?! (?:of|in the|metres|euros|kilo|km)) > How old [am|is|are] {S}? | What is {P} age? | What age [am|is|are] {S}?
\b[A-Z]\w+, (?P<v>\d\d), > How old [am|is|are] {S}? | What is {P} age?
\b<NUMBER> years old > How old [am|is|are] {S}? | What is {P} age?
\bbirthday\b(?: \w+)? (?:is |falls |comes )?(?:on |in )?<DATE> > When is {P} birthday? | What day [was|was|were] {S} born on? | On what date is {P} birthday?
\b(?:married|wedding|retired|opened|founded|started|began|born|built|moved|joined|met|bought|since|graduated|arrived|inherited|left)\b(?: [\w']+){0,5}? (?:in|on|since|around|the) <DATE> > When did that happen? | What year was that? | When was it? | Since when?
\b(?:allergic|allergy) to <REST> > What [am|is|are] {S} allergic to? | What can {S} not eat? | What allergy [do|does] {S} have? | What must {S} not touch? | What should nobody give {O}?
\b(?:favou?rite|best-loved) <NOUN> (?:is|was|are|has always been) <REST> > What is {P} favourite {n}? | Which {n} [do|does] {S} like best? | What {n} [do|does] {S} like most? | favourite {n}?
\b(?:love|loves|like|likes|enjoy|enjoys|adore|adores|fond of|into|keen on) (?:to |the )?<REST> > What [do|does] {S} like? | What [do|does] {S} enjoy? | What [do|does] {S} love? | What is {P} hobby? | What makes {O} happy? | What [do|does] {S} do for fun?
\b(?:hate|hates|dislike|dislikes|can't stand|cannot stand|don't like|doesn't like|afraid of|scared of|fear|fears|avoid|avoids) (?:the |to )?<REST> > What [do|does] {S} not like? | What [do|does] {S} hate? | What [am|is|are] {S} afraid of? | What [do|does] {S} dislike? | What can {S} not stand?
\b(?:play|plays|played|playing) (?:the |in the |in )?<REST> > What [do|does] {S} play? | Which instrument [do|does] {S} play? | What sport [do|does] {S} do? | What game [do|does] {S} play? | What music [do|does] {S} make?
\b(?:paint|paints|collect|collects|bake|bakes|knit|knits|grow|grows|build|builds|repair|repairs|make|makes|sell|sells|carve|carves|sew|sews|cook|cooks|draw|draws|write|writes|brew|brews|raise|raises|keep|keeps) (?:the |my |our )?<REST> > What [do|does] {S} make? | What is {P} hobby? | What [do|does] {S} do in {P} free time? | What sort of thing [do|does] {S} work on? | What [do|does] {S} produce? | What [do|does] {S} spend time on?
\b(?:teach|teaches|taught|study|studies|studied|learn|learns|learning|learnt|learned|studying|teaching) (?:the |to |how to )?<REST> > What [do|does] {S} teach? | What [do|does] {S} study? | What [am|is|are] {S} learning? | Which subject is it? | What subject [do|does] {S} have?
\b(?:speak|speaks|spoke) <REST> > Which language [do|does] {S} speak? | What languages [do|does] {S} know? | What [do|does] {S} speak?
\b(?:drive|drives|ride|rides|sail|sails|cycle|cycles) (?:a |an |the |my |our )?<REST> > What [do|does] {S} drive? | What [do|does] {S} ride? | How [do|does] {S} get around? | What vehicle [do|does] {S} have? | How [do|does] {S} get there?
\bby (?P<v>bike|bicycle|bus|train|car|boat|ferry|tram|plane|ship|foot|van|taxi)\b > How [do|does] {S} travel? | How [do|does] {S} get there? | What [do|does] {S} travel by? | How [do|does] {S} get to work?
\b(?:eat|eats|drink|drinks|order|orders)\b (?:a |an |the |some |only )?<REST> > What [do|does] {S} eat? | What [do|does] {S} drink? | What [do|does] {S} have for breakfast? | What [do|does] {S} usually have?
\b(?:gave|gives|given|bought|lent|sent|left) (?:me|us|him|her|them) (?:a |an |the |his |her |their )?<REST> > What did {S} get? | What was the present? | What was the gift? | What did they give {O}?
\b(?:bring|take|pack|carry|brings|takes) (?:a |an |the |your |some |my )?<REST> > What should {S} bring? | What must {S} take along? | What [do|does] {S} have to bring? | What should people carry?
\b(?:meet|meets|gather|gathers|rehearse|rehearses|practise|practises|train|trains)\b[^.;!?]*? <PLACE> > Where [do|does] {S} meet? | What is the meeting place? | Where are rehearsals? | Where is the meeting?
\b(?:meet|meets|gather|gathers|rehearse|rehearses|practise|practises|practice|train|trains|lesson|class|course)\b[^.;!?]*? <DATE> > When [do|does] {S} meet? | Which day is the meeting? | On which day [do|does] {S} practise? | What day is it on? | When is rehearsal?
\b(?:my|our|the|your|his|her) <NOUN>,? (?:is|are|lives|live|lie|lies|hangs|hang|stands|stand|sits|sit|stays|sleeps|sleep|hides|hide|goes|go|was|were)(?: [a-z]+)? <PLACE> > Where is {P} {n}? | Where is the {n}? | Where do I find the {n}? | Where can the {n} be found? | Where are the {n}? | Where does {P} {n} live? | where's the {n}?
\b(?:keep|keeps|store|stores|put|puts|hide|hides|leave|leaves|park|parks|hang|hangs|kept|left|hid)\b (?:\w+ )?(?:the |my |our |his |her |a |an )<NOUN>(?: \w+)? <PLACE> > Where is the {n}? | Where [do|does] {S} keep the {n}? | Where do I find the {n}? | Where is {P} {n} kept? | Where can the {n} be found? | where's the {n}?
\b(?:in|on|under|behind|near|inside|by|at) (?P<v>the [\w'’ -]{2,24}?) (?:is|are|stands|hangs|lies) (?:the |a |an |my |our )<NOUN> > Where is the {n}? | Where do I find the {n}? | Where [do|does] {S} keep the {n}?
\b(?:the |my |our |a |an |his |her )<NOUN>\b[^.;!?]*? (?:cost|costs|for|paid|pay|charge|charges|price is)\b(?: \w+)? <PRICE> > How much is the {n}? | How much does the {n} cost? | What does the {n} cost? | What is the price of the {n}? | What did {S} pay for the {n}? | How expensive is the {n}?
<PRICE> > How much is it? | What does it cost? | How much money is that? | What is the price? | How much [do|does] {S} pay? | How much did {S} spend?
\b(?:my|our|the|your|his|her) (?P<n>(?:[a-z-]+ )?(?:number|code|password|extension|combination|address|pin))\b[^.;!?]*? (?:is|was|:) (?P<v>[\w@.-]{2,24}) > What is {P} {n}? | What is the {n}? | {n}? | Which {n} [do|does] {S} have?
\b(?:phone|call|ring|ask|text|write to|contact|email|see)s? (?P<v>(?:Dr\.? |Mr\.? |Mrs\.? |Ms\.? |Aunt |Uncle )?[A-Z][\w'’-]+) > Who should I call? | Who can be asked? | Whom should I ask for help? | Who is to be contacted? | Who helps?
\b(?:made|built|carved|knitted|sewn) (?:of|from|out of) <REST> > What is it made of? | What material is it? | What is it made from? | Out of what is it?
\b(?:taught|gave|showed|helped|trained|lent|sold|hired|left|introduced)\b[^.;!?]*? by (?P<v>(?:my |an? |the )?[\w'’ -]{2,30}?)(?=[.,;:!?()]|\s(?:and|but|in|when|who)\b|$) > Who taught {O}? | Who did that? | Who gave it to {O}? | By whom?
(?P<v>[Mm]y [a-z]+(?: [A-Z][\w]+)?|[A-Z]\w+) (?:taught|gave|showed|trained|lent|sold|hired|left|introduced|helped) > Who taught {O}? | Who gave it to {O}? | Who showed {O} how? | Who helped {O}? | Who was it from?
\b(?:with|together with|beside) (?P<v>(?:my |our |his |her )?(?:[a-z]+ )?[A-Z][\w'’-]+|my [a-z]+(?: [a-z]+)?)(?=[.,;:!?()]|\s(?:and|but|in|on|at|who|every|for)\b|$) > Who with? | With whom [do|does] {S} do that? | Who [do|does] {S} do it with? | Who comes along? | Who [do|does] {S} live with? | Who goes with {O}?
\b<OFTEN> > How often? | How often is it? | How many times? | How frequently [do|does] {S} do that?
\b(?P<v>red|blue|green|yellow|black|white|grey|gray|brown|orange|purple|pink|golden|silver) (?P<n>[a-z]+)\b > What colour is the {n}? | What colour is {P} {n}? | Which colour has the {n}? | colour of the {n}?
\bfor (?P<v>(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|many|several|a few|about \w+|almost \w+|over \w+) (?:minutes|hours|days|weeks|months|years|nights)) > How long? | For how long? | How long did it take? | How long [have|has] {S} done that? | How long does it last?
\b(?P<v>(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty) (?:minutes|hours|days|weeks|months|years|nights)) > How long does it take? | How long? | How much time is that?
\b(?P<v>(?:\d[\d.,]*|one|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty|forty|fifty) (?:metres?|meters?|kilometres?|kilometers?|km|miles?|kilos?|kg|grams?|litres?|liters?|degrees|feet|pages|loaves|people|members|children|patients|pupils|singers|students))\b > How many? | How much? | How big is it? | How far is it? | How many are there? | What is the number?
\b<NUMBER> (?P<n>[a-z]+s)\b > How many {n} are there? | How many {n} [do|does] {S} have? | What is the number of {n}? | how many {n}? | How many {n} were there?
\b(?:open|opens|start|starts|begin|begins|leave|leaves|get up|gets up|wake|wakes|arrive|arrives|rise|rises)\b[^.;!?]*? (?:at|from|by|around|about|before) <CLOCK> > When does it start? | What time [do|does] {S} start? | When does it open? | At what time does it begin? | When [do|does] {S} get up? | What time does the day begin?
\b(?:close|closes|end|ends|finish|finishes|until|till|home|shuts?)\b[^.;!?]*? (?:at|by|around)? ?<CLOCK> > When does it end? | When does it close? | What time [do|does] {S} finish? | Until when? | At what time is it over?
\b(?:because|since|so that|in order to|as) (?P<v>[^.;!?,]{6,58}) > Why? | Why is that? | What is the reason? | Why did {S} do that? | For what reason? | Why [do|does] {S} do it?
\b(?:want|wants|hope|hopes|plan|plans|dream|dreams|wish|wishes|would like|going|saving up|trying|promised)\b(?: of| to| for)? <REST> > What [do|does] {S} want? | What [am|is|are] {S} hoping for? | What is {P} plan? | What is {P} dream? | What would {S} like to do? | What [am|is|are] {S} saving for?
\b(?:called|titled|book|film|song|novel|poem) "?(?P<v>[A-Z][\w' ]+?)"?(?=[.,;!?"]|$) > What is it called? | What is the title? | What is its name? | Which one is it?
\bnamed after (?P<v>[\w'’ -]{2,40}?)(?=[.,;:!?()]|\s(?:and|but|in|because|who)\b|$) > Who is it named after? | Where does the name come from? | What is it named after?
\b(?:bought|got|came|ordered|found|rescued|adopted|borrowed|inherited)\b[^.;!?]*? (?:from|at|in) (?P<v>(?:the |a |an |my |our )?[\w'’ -]{2,40}?)(?=[.,;:!?()]|\s(?:and|but|in|so|for|when|because|who)\b|$) > Where does it come from? | Where did {S} get it? | Who did {S} get it from? | Where did {S} buy it? | Where did {S} find it?
\b(?:broke|lost|hurt|forgot|missed|burnt|dropped|spilled|injured)\b (?:my |our |his |her |the |a |an )?<REST> > What did {S} break? | What went wrong? | What did {S} lose? | What happened? | What did {S} forget?
\b(?:can't|cannot|never|don't|do not|doesn't|must not|mustn't|please don't) <REST> > What must not be done? | What should nobody do? | What [do|does] {S} never do? | What can {S} not do?
\b(?:water|feed|feeds|waters|walk|walks|clean|cleans|brush)\b (?:the |my |our |her |his )?<REST> > What must be fed? | What needs care? | What needs water? | Whom should I feed?
"""


@dataclass(frozen=True)
class Cue:
    """pattern: with the groups v (the answer) and perhaps n (a noun); questions: each as (first, third, second) person."""

    pattern: re.Pattern
    questions: tuple[tuple[str, str, str], ...]


def _cue(line: str) -> Cue:
    pattern, questions = line.split(" > ", 1)
    for name, stands in MACROS.items():
        pattern = pattern.replace(name, stands)
    return Cue(re.compile(pattern), tuple(conjugations(q.strip()) for q in questions.split(" | ")))


CUES = tuple(_cue(line) for line in TABLE.strip().splitlines())
