"""torch's zips with other members than they have."""

from __future__ import annotations

import io
import zipfile

from tests.formats import make_torch_files


def rewritten(source: str, change: dict[str, bytes | None], folder: str = "archive", packed: bool = False) -> bytes:
    """A zip of torch with other members, in another folder."""
    made = io.BytesIO()
    with zipfile.ZipFile(make_torch_files.PLACE / source) as archive, zipfile.ZipFile(made, "w") as new:
        for name in archive.namelist():
            content = change.get(name.partition("/")[2], archive.read(name))
            if content is not None:
                method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
                new.writestr(f"{folder}/{name.partition('/')[2]}", content, method)
    return made.getvalue()
