"""Words of a text in any script, for comparing and for finding. Knows no models."""

import re
import unicodedata

# Scripts that put no spaces between words: Thai and Lao, Tibetan, Myanmar, Khmer, kana, Han, and Han's later planes.
UNSPACED = re.compile("[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf"
                      "\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]")


def words(text: str) -> list[str]:
    """Words of letters and digits with their marks, in lower case; punctuation and spaces only part them. In a script without
    spaces each letter with its marks is a word."""
    return [word for run in _runs(text) for word in run]


def terms(text: str) -> list[str]:
    """What a retriever compares: words, and in scripts without spaces each pair of neighbouring letters, as Lucene's
    CJKBigramFilter has it; a letter that stands alone is a term of its own."""
    out = []
    for run in _runs(text):
        out += run if len(run) == 1 else [a + b for a, b in zip(run, run[1:], strict=False)]
    return out


def _runs(text: str) -> list[list[str]]:
    """A spaced word alone, or the letters of a stretch without spaces."""
    runs: list[list[str]] = []
    word, is_unspaced = None, False         # word: the letters so far of what may go on
    for char in unicodedata.normalize("NFC", text).casefold():
        if unicodedata.category(char)[0] == "M" and word:
            word[-1] += char
        elif not char.isalnum():
            word = None
        elif UNSPACED.match(char):
            if word and is_unspaced:
                word.append(char)
            else:
                runs.append(word := [char])
            is_unspaced = True
        elif word and not is_unspaced:
            word[-1] += char
        else:
            runs.append(word := [char])
            is_unspaced = False
    return runs
