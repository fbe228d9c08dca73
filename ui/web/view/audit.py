"""The audit log: who did what, when, and with which verdict."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from eval.names import VERDICTS
from ui.store import Entry
from ui.web.view.history import local
from ui.web.view.parts import note, table

ACTIONS = {
    "ask": "提问",
    "search": "检索",
    "login": "登录",
    "upload": "添加资料",
    "disable": "停用资料",
    "enable": "启用资料",
    "delete": "删除资料",
    "use": "改用索引",
    "index": "更新索引",
    "lexicon": "改词典",
    "batch": "批量作答",
    "user add": "新建账号",
    "user passwd": "改密码",
    "user role": "改角色",
    "user disable": "停用账号",
    "user enable": "启用账号",
    "key create": "新建密钥",
    "key revoke": "作废密钥",
    "case": "做成考题",
    "eval": "评测",
}
WAYS = {"web": "网页", "api": "接口", "cli": "命令行", "mcp": "智能助手"}
HEADS = ("时间", "用户", "途径", "做了什么", "内容", "结论")


def entries(found: Sequence[Entry]) -> str:
    """The log, the latest first."""
    if not found:
        return note("还没有记录。")
    return table(HEADS, [_row(one) for one in found])


def _row(one: Entry) -> list[str]:
    action, verdict = ACTIONS.get(one.action, one.action), VERDICTS.get(one.verdict, one.verdict)
    return [
        escape(cell)
        for cell in (local(one.at), one.user, WAYS.get(one.via, one.via), action, one.question[:200], verdict)
    ]
