"""Text as it is meant to be read: one kind of space, no invisible characters, one form of each letter. Knows no files."""

import re
import unicodedata

# Characters that show nothing: soft hyphen, joiners, direction marks, fillers, the byte order mark, tags. The joiners U+200C
# and U+200D stay: Persian, the scripts of India and many emoji are written with them.
INVISIBLE = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164"
                       "\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]")
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")
PARAGRAPH = re.compile(r"[\f\u2029]")
LINE = re.compile(r"\r\n|[\r\v\x85\u2028]")
SPACES = re.compile(r"[^\S\n]+")
BREAKS = re.compile(r" ?\n(?: ?\n)+ ?")
LIGATURES = str.maketrans({"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\ufb05": "st",
                           "\ufb06": "st"})
SOFT_BREAK = re.compile(r"\u00ad[^\S\n]*\n\s*")
HYPHEN_BREAK = re.compile(r"(?<![\w-])(\w*[^\W\d_])[-\u2010][^\S\n]*\n[^\S\n]*([^\W\d_]+)")
WRAP = re.compile(r"(?m)^(.{30,}[^\s.:;!?])[^\S\n]*\n(?=[^\S\n]*([^\W\d_]))")       # a full line, and a letter begins the next
# After a hyphen these begin no second half of a word: "pre- and post-war".
LINKS = frozenset("and or to nor und oder bis et ou y o e en of och eller".split())


def clean(text: str) -> str:
    """Every run of white space as one space, or one line end, or the blank line between two paragraphs; no invisible and no
    control characters; ligatures of Latin letters as letters; NFC."""
    text = LINE.sub("\n", PARAGRAPH.sub("\n\n", text))
    text = unicodedata.normalize("NFC", CONTROL.sub("", INVISIBLE.sub("", text)).translate(LIGATURES))
    text = BREAKS.sub("\n\n", SPACES.sub(" ", text))
    return text.replace(" \n", "\n").replace("\n ", "\n").strip()


def unwrapped(text: str) -> str:
    """Lines that a fixed width cut put together again: a word divided by a hyphen, and a long line that goes on in lower case.

    A hyphen stays where the text has the word with it elsewhere, before a capital ("Jean-Paul") and before a word like "and".
    """
    text = SOFT_BREAK.sub("", LINE.sub("\n", text))
    whole = text.casefold()

    def together(found: re.Match) -> str:
        first, second = found[1], found[2]
        if second.casefold() in LINKS:
            return f"{first}- {second}"
        hyphened = f"{first}-{second}"
        keeps = not second[0].islower() or re.search(rf"(?<!\w){re.escape(hyphened.casefold())}(?!\w)", whole)
        return hyphened if keeps else first + second
    text = HYPHEN_BREAK.sub(together, text)
    return WRAP.sub(lambda found: f"{found[1]} " if found[2].islower() else found[0], text)
