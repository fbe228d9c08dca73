"""The audit tab, for administrators: the log as it stands."""

from __future__ import annotations

import gradio as gr

from ui.store import Role
from ui.web.context import QUIET, Web, told
from ui.web.view import audit as view

SHOWN = 500


def add_tab(web: Web, tab: gr.Tab) -> None:
    """Lay out the tab inside the current Blocks."""
    log = gr.HTML(elem_id="audit")

    def on_look(request: gr.Request) -> str:
        return view.entries(web.store.audit.list(web.user(request, Role.ADMIN), limit=SHOWN))

    tab.select(told(on_look), outputs=[log], **QUIET)
