"""Small pieces of HTML that all tabs share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def text(plain: str) -> str:
    """Plain text as HTML, its line breaks kept."""
    return escape(plain.strip()).replace("\n", "<br>")


def joined(*parts: object) -> str:
    """The parts that are there, escaped, with dots between them."""
    return " · ".join(escape(str(part)) for part in parts if part)


def note(line: str, *, warn: bool = False) -> str:
    """A line beside the matter; "" where there is nothing to say."""
    return f'<p class="wc-note{" wc-warn" if warn else ""}">{text(line)}</p>' if line else ""


def error(line: str) -> str:
    """The line that says why something failed and what to do."""
    return f'<p class="wc-error" role="alert">{text(line)}</p>'


def doing(line: str, done: int = 0, total: int = 0) -> str:
    """A line on work that goes on, with a bar where its length is known."""
    bar = f'<progress value="{done}" max="{total}"></progress>' if total else ""
    return f'<p class="wc-stage" role="status"><i></i>{escape(line)}{bar}</p>'


def button(label: str, act: str, at: str, *, title: str = "", chosen: bool = False) -> str:
    """A button that tells the tab `act` about `at`; what the acts are is told in `ui.web.script`."""
    hint = f' title="{escape(title)}"' if title else ""
    pressed = ' aria-pressed="true"' if chosen else ""
    act_at = f'data-act="{escape(act)}" data-at="{escape(at)}"'
    return f'<button type="button" class="wc-button" {act_at}{hint}{pressed}>{escape(label)}</button>'


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already, under plain heads."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wc-table"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
