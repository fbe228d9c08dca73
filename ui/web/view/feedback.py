"""What readers thought of answers, for the editor."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from rag.schema import Verdict
from ui.labels import VERDICTS
from ui.store import Feedback
from ui.web.view.history import local
from ui.web.view.parts import button, joined, note, text


def given(found: Sequence[Feedback]) -> str:
    """All feedback, the latest first."""
    if not found:
        return note("没有符合条件的反馈。读者在回答下点“赞”或“踩”，就会列在这里。")
    return "".join(_one(one) for one in found)


def _one(one: Feedback) -> str:
    what = "赞" if one.good else f"踩 · {one.reason}"
    tone = "answered" if one.good else "partial"
    answer = one.answer
    right = f"<p><b>读者认为：</b>{text(one.right_answer)}</p>" if one.right_answer else ""
    made = note(f"已做成考题 {one.case_id}") if one.case_id else ""
    history = "".join(f"<li>{escape(turn['user'])}</li>" for turn in one.history)
    before = f"<p>前面问过：</p><ul>{history}</ul>" if history else ""
    sources = "".join(
        f"<li>《{escape(c['title'])}》<blockquote>{text(c['quote'])}</blockquote></li>" for c in answer["citations"]
    )
    return (
        f'<section class="wc-turn"><div class="wc-head"><span class="wc-verdict wc-{tone}">{escape(what)}</span>'
        f"<small>{joined(one.user, local(one.given_at), VERDICTS[Verdict(answer['verdict'])])}</small></div>"
        f"<p><b>{text(one.question)}</b></p>{right}<details><summary>当时的回答和出处</summary>{before}"
        f'<p>{text(answer["answer"])}</p><ol class="wc-citations">{sources}</ol></details>{made}'
        f'<div class="wc-actions">{button("做成考题", "make", str(one.id))}</div></section>'
    )
