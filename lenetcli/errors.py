"""The error tree. Every failure a user can cause ends in one of these, and each knows its exit code.

    LenetError                 1   the run failed
    ├── ConfigError            2   usage or configuration is wrong
    │   ├── ShapeError         2   sizes that do not fit (also a RuntimeError, as in torch)
    │   └── DeviceError        2   a device that is not there, or not for this (also a RuntimeError, as in torch)
    ├── DataError              3   a data, checkpoint or image file is missing, damaged or hostile
    │   └── DownloadError      3   no mirror could deliver the file
    ├── DivergedError          4   the loss or a gradient became NaN or infinite
    │   └── AnomalyError       4   the first operation that did (also a RuntimeError, as in torch)
    └── CheckFailed            5   a check the user asked for did not hold

Interrupts are no errors: SIGINT ends with 130 and SIGTERM with 143.
"""

from __future__ import annotations

from typing import ClassVar


class LenetError(Exception):
    """Base of all errors with a message meant for the user (no traceback is shown)."""

    exit_code: ClassVar[int] = 1
    begins_with_place: ClassVar[bool] = False  # file:line:column, so nothing may stand before it


class ConfigError(LenetError):
    """A command line, configuration or argument that cannot work as written."""

    exit_code: ClassVar[int] = 2


class ShapeError(ConfigError, RuntimeError):
    """Sizes that do not fit together; torch raises RuntimeError here, so this is one too."""


class DeviceError(ConfigError, RuntimeError):
    """A device that is not there, or that cannot do what was asked; torch raises RuntimeError here."""


class DataError(LenetError):
    """An input file that is missing, damaged, of the wrong kind or of an absurd size."""

    exit_code: ClassVar[int] = 3


class DownloadError(DataError):
    """Every mirror failed; the message lists each with its reason."""


class DivergedError(LenetError):
    """A non-finite loss or gradient; the message names the step."""

    exit_code: ClassVar[int] = 4


class AnomalyError(DivergedError, RuntimeError):
    """What `detect_anomaly` found; torch raises RuntimeError here, so this is one too."""


class CheckFailed(LenetError):
    """A requested check (gradient, resume, hash) did not hold."""

    exit_code: ClassVar[int] = 5


def printable(text: object) -> str:
    """Text for a terminal: control characters, which a hostile file may have brought in, are escaped.

    So are bytes of a path that is not UTF-8, which Python has as halves of characters.
    """
    return "".join(c if c.isprintable() or c in "\n\t" else escaped(c) for c in str(text))


def plain_text(text: str) -> str:
    """Text on one line, as a terminal shows it: what would control that (escape sequences, line ends) is written out.

    Example:
        >>> plain_text("conv\\x1b[31m1")
        'conv\\\\x1b[31m1'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else escaped(c) for c in text)


def escaped(character: str) -> str:
    r"""A character as Python writes it; a byte of a path as that.

    Example:
        >>> escaped("\x1b"), escaped("\udcff")
        ('\\x1b', '\\xff')
    """
    code = ord(character)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code < 0xDD00 else ascii(character)[1:-1]


def in_a_line(error: object, most: int = 200) -> str:
    """What another library said of a damaged file, as part of a message; its kind where it said nothing.

    Example:
        >>> in_a_line(ValueError("bad\\n  header")), in_a_line(KeyError())
        ('bad header', 'KeyError')
    """
    return " ".join(str(error).split())[:most] or type(error).__name__
