"""Fetches a repository's files from the Hub and says how far it is, by bytes. Imports no torch."""

import io
from collections.abc import Callable, Iterable
from pathlib import Path

Progress = Callable[[str, float], None]     # a sentence, and which part of the work is done, 0..1


def fetch(model_id: str, files: Iterable[str], progress: Progress | None = None) -> Path:
    """The folder of a repository with the files of these patterns. Raises whatever the Hub's client does."""
    from huggingface_hub import snapshot_download
    bar = {}
    if progress:
        text = f"Fetching {model_id} from the Hub."
        progress(text, 0.0)
        bar["tqdm_class"] = bar_of(lambda part: progress(text, part))
    return Path(snapshot_download(model_id, allow_patterns=list(files), **bar))


def bar_of(report: Callable[[float], None]) -> type:
    """A progress bar of tqdm that shows nothing and reports which part of the bytes is here."""
    from tqdm import tqdm

    class Bar(tqdm):
        most = 0.0

        def __init__(self, *args, **more):
            super().__init__(*args, **more | {"file": io.StringIO(), "leave": False})

        def display(self, *_, **__) -> None:
            """Nothing: no terminal is asked."""

        def update(self, n: float | None = 1) -> bool | None:
            done = super().update(n)
            if self.unit == "B" and self.total:
                Bar.most = max(Bar.most, min(0.99, self.n / self.total))        # bytes sent and bytes unpacked have a bar each
                report(Bar.most)
            return done
    return Bar
