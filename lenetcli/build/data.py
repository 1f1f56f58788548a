"""The data of a configuration, and what is held back of it."""

from __future__ import annotations

from typing import Any

from lenetcli.build.model import made
from lenetcli.build.places import located, missing
from lenetcli.config import Config
from lenetcli.data import Source, hold_back


def build_data(config: Config) -> Source:
    """The data source, without reading any file yet; where its files lie is for `located` to find.

    Raises:
        ConfigError: its arguments do not work together.
    """
    found = located(config, shown=True)
    source: Source = made(found, found.data)
    source.missing = missing(config)
    return source


def split_data(config: Config, source: Source) -> tuple[Any, Any]:
    """The training data, and what `train.validation` holds back of it or, without that, the data's own validation
    split (None where there is neither).

    Raises:
        ConfigError: there is too little data for that.
        DataError: the data cannot be read.
    """
    share = config.train.validation
    if share is None:
        return source.train, getattr(source, "validation", None)  # a class of the user's own may know none
    try:
        return hold_back(source.train, source.train.targets, share, config.seed)
    except ValueError as error:
        raise config.error(("train", "validation"), str(error)) from None
