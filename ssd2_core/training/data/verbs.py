"""Common English verbs and their forms."""

import re

IRREGULAR = """be was, begin began, bite bit, break broke, bring brought, build built, buy bought, catch caught, choose chose, come came, cut cut,
do did, draw drew, drink drank, drive drove, eat ate, fall fell, feed fed, feel felt, find found, fly flew, forget forgot, get got,
give gave, go went, grow grew, hang hung, have had, hide hid, hold held, hurt hurt, keep kept, know knew, lead led, learn learnt, leave
left, lend lent, lie lay, lose lost, make made, mean meant, meet met, pay paid, put put, read read, ride rode, ring rang, rise rose,
run ran, see saw, sell sold, send sent, set set, sing sang, sit sat, sleep slept, speak spoke, spend spent, stand stood, swim swam,
take took, teach taught, tell told, think thought, throw threw, wake woke, wear wore, win won, write wrote"""
REGULAR = """add arrive ask bake become belong borrow brew brush call carry carve change clean climb close collect cook cost count cover cross cycle
dance deliver drop dry earn end enjoy fasten fear fetch fill finish fix follow gather happen hate help hire inherit invite join jump
kick knit land last like listen live look love marry measure miss move need open order own pack paint park phone pick plan plant
play practise practice prefer prepare press promise rain raise reach rehearse rent repair rescue rest retire return row sail save
serve sew share show smell sort start stay stop store study talk taste tend tidy train travel trim try turn use visit volunteer
wait walk want wash watch water weed weigh wish work"""


def _verbs() -> dict[str, tuple[str, str]]:
    """Form -> (base, auxiliary)."""
    out: dict[str, tuple[str, str]] = {}
    pairs = [pair.split() for pair in IRREGULAR.split(",")]
    for base, past in [*pairs, *((verb, _past(verb)) for verb in REGULAR.split())]:
        out[past] = (base, "did")
        third = base[:-1] + "ies" if re.search(r"[^aeiou]y$", base) else base + ("es" if re.search(r"(s|sh|ch|x|o)$", base) else "s")
        out[third], out[base] = (base, "does"), (base, "do")
    return out | {"has": ("have", "does")}


def _past(base: str) -> str:
    if base.endswith("e"):
        return base + "d"
    return base[:-1] + "ied" if re.search(r"[^aeiou]y$", base) else base + "ed"


VERBS = _verbs()
