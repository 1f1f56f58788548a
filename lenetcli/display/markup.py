"""HTML from Python calls. Text is escaped unless it is Markup, so that nothing from a run becomes part of the page."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from typing import Any

from lenetcli.errors import printable

EMPTY = frozenset(("br", "col", "hr", "img", "input", "link", "meta"))

Child = str | int | None | Iterable["Child"]


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(value: object) -> Markup:
    """A text as it reads: special characters escaped, invisible ones written out.

    Example:
        >>> text("<b> & \\u202e")
        '&lt;b&gt; &amp; \\\\u202e'
    """
    return Markup(html.escape(printable(value)))


def element(name: str, /, *children: Child, **attributes: object) -> Markup:
    """An element. Attributes that are None or False are left out; `class_` is class, `aria_label` is aria-label.

    Example:
        >>> element("a", "1 < 2", href="#top", class_="link")
        '<a href="#top" class="link">1 &lt; 2</a>'
    """
    shown = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        shown.append(f" {key}" if value is True else f' {key}="{text(value)}"')
    start = f"<{name}{''.join(shown)}>"
    return Markup(start if name in EMPTY else f"{start}{joined(children)}</{name}>")


def joined(children: Iterable[Child]) -> Markup:
    """Children one after the other; lists among them are opened, None is nothing."""
    parts = []
    for child in children:
        if isinstance(child, Markup):
            parts.append(child)
        elif isinstance(child, (str, int)):
            parts.append(text(child))
        elif child is not None:
            parts.append(joined(child))
    return Markup("".join(parts))


def filled(template: str, parts: Mapping[str, str]) -> str:
    """A template with parts in place of their names in double braces; what a part holds is not looked at again.

    Example:
        >>> filled("<p>{{a}}, {{b}}</p>", {"a": "{{b}}", "b": "1"})
        '<p>{{b}}, 1</p>'
    """
    found, *rest = template.split("{{")
    for piece in rest:
        name, _, after = piece.partition("}}")
        found += parts[name] + after
    return found


def script_json(value: Any) -> str:
    """JSON that can stand in a script element, whatever the names in it are.

    Example:
        >>> print(script_json({"name": "</script>"}))
        {"name":"\\u003c/script\\u003e"}
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
