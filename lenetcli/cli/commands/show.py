"""`lenet show`: a configuration with everything filled in."""

from __future__ import annotations

import json
import sys

from lenetcli.cli.options import Config, Json, Overrides
from lenetcli.errors import DataError, printable


def show(
    config: Config,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Print a configuration fully resolved: section files, changes, inferred arguments and defaults written in.

    A class of a file that you have not trained with stays as it is written: nothing is imported to be shown.

    Example: lenet show configs/lenet.yaml optimizer.lr=0.1
    """
    from lenetcli import config as configuration
    from lenetcli.build.model import follow
    from lenetcli.build.notes import notes_of
    from lenetcli.build.parts import resolved
    from lenetcli.build.scheduler import with_lengths
    from lenetcli.config import consent
    from lenetcli.config.writing import plain

    with consent.under(look=True):
        found = with_lengths(resolved(configuration.load(config, overrides or [])))
        strangers = found.strangers()
        notes: tuple[str, ...] = ()
        if found.model.init is not None and not strangers:
            try:
                notes = notes_of(found, follow(found))
            except DataError as error:  # to be shown, a configuration needs no file
                notes = (str(error),)
    if strangers:
        names = ", ".join(dict.fromkeys(stranger.what for stranger in strangers))
        print(printable(f"{config}: {names} is not imported: what follows from it stays as it is"), file=sys.stderr)
    for note in notes:
        print(printable(f"{config}: {note}"), file=sys.stderr)
    if as_json:
        print(json.dumps(plain(found)))
    else:
        print(configuration.dump(found, sys.stdout.encoding), end="")
