"""The folder of this server's uploads and downloads: its own, in the one that gradio shares with others. Imports no gradio."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import VisitorError, reason


@contextmanager
def own_upload_folder() -> Iterator[Path]:
    """A new folder in $GRADIO_TEMP_DIR, or in the system's folder for such files, that gradio uses from here on and that goes
    at the end. Raises VisitorError where no file can be written.
    """
    above = os.environ.get("GRADIO_TEMP_DIR")
    try:
        if above:
            Path(above).mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="ssd2-uploads-", dir=above or None)).resolve()
        (folder / "probe").write_bytes(b"x")
        (folder / "probe").unlink()
    except OSError as error:
        where, why = above or tempfile.gettempdir(), error.strerror or reason(error)
        raise VisitorError(f"Uploads cannot be written to {where}: {why}; set GRADIO_TEMP_DIR to a folder that this service "
                           "may write.") from None
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if above is None:
            os.environ.pop("GRADIO_TEMP_DIR", None)
        else:
            os.environ["GRADIO_TEMP_DIR"] = above
