"""Text for a stream that takes only some characters: a Windows pipe (cp1252), an old console (cp437), an ASCII log.

What it cannot take is drawn with what it can: lines and blocks in ASCII, the signs of formulas as programs write them.
Any other character, of a name or a path, is escaped, so that it can still be told from another.
"""

from __future__ import annotations

import codecs
from functools import cache

from lenetcli.errors import escaped

ERRORS = "lenetcli"  # the name of this way to encode, for streams

_SIGNS = {
    **dict.fromkeys("─━═┄╌", "-"), **dict.fromkeys("│┃║┆╎", "|"), **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╞╪╡", "+"),
    **dict.fromkeys("━╸╺", "-"), "▀": "^",
    **dict(zip(" ▏▎▍▌▋▊▉█", " ....:###")), **dict(zip("▁▂▃▄▅▆▇", "_.-:=+*")), **dict(zip("░▒▓", ".:#")),
    "•": "*", "·": "*", "×": "x", "−": "-", "±": "+-", "√": "sqrt", "∞": "inf", "∂": "d", "≤": "<=", "≥": ">=",
    "←": "<-", "→": "->", "…": "...", "′": "'", "ᵀ": "^T", "²": "^2", "³": "^3", "₋": "-", "₊": "+",
    "\u0302": "^", "\u00a0": " ", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"',
    **dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789")),
}  # fmt: skip
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "eps", "η": "eta", "θ": "theta", "λ": "lambda",
    "μ": "mu", "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau", "φ": "phi", "Φ": "Phi", "Σ": "sum", "Π": "prod",
}  # fmt: skip
_SCALES = ("▏▎▍▌▋▊▉█", "▁▂▃▄▅▆▇█")
_BRAILLE = range(0x2800, 0x2900)


def shown(text: str, encoding: str) -> str:
    """Text as a stream of that encoding shows it.

    Example:
        >>> shown("─ café → 猫 └ σ(x)", "ascii"), shown("─ café → 猫", "cp1252")
        ('- caf\\\\xe9 -> \\\\u732b + sigma(x)', '- café -> \\\\u732b')
    """
    text = text.translate(_stand_ins(encoding))
    return text if takes(text, encoding) else text.encode(encoding, ERRORS).decode(encoding)


def takes(text: str, encoding: str | None) -> bool:
    """Whether a stream of that encoding shows the text as it is.

    Example:
        >>> takes("café", "cp1252"), takes("猫", "cp1252")
        (True, False)
    """
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


@cache
def _stand_ins(encoding: str) -> dict[int, str]:
    """Signs of a scale that an encoding lacks in part: half of them as blocks would stand higher than the others."""
    return {ord(c): _SIGNS[c] for scale in _SCALES if not takes(scale, encoding) for c in scale}


def _drawn(error: UnicodeError) -> tuple[str, int]:
    """What stands in place of the characters that an encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text, start, end = error.object, error.start, error.end
    return "".join(_one(text, i) for i in range(start, end)), end


def _one(text: str, i: int) -> str:
    character = text[i]
    code = ord(character)
    if character in _SIGNS:
        return _SIGNS[character]
    if character in _GREEK and not _in_word(text, i):
        return _GREEK[character]
    if code in _BRAILLE:
        return " " if code == _BRAILLE.start else "*"
    return escaped(character)


def _in_word(text: str, i: int) -> bool:
    """Whether a letter has letters beside it: then it is no variable of a formula."""
    return any(0 <= j < len(text) and text[j].isalpha() for j in (i - 1, i + 1))


codecs.register_error(ERRORS, _drawn)
