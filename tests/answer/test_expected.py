"""What a question expects to be stated, and texts that state it or something else."""

from __future__ import annotations

import pytest

from rag.answer.expected import unstated


@pytest.mark.parametrize(
    ("question", "text", "lacking"),
    [
        ("办这些夜市花了多少经费", "举办中医夜市三百多场。", "金额"),
        ("办这些夜市花了多少经费", "举办中医夜市花费200万元。", None),
        ("完成了百分之几", "主要指标完成67%。", None),
        ("完成了百分之几", "主要指标完成67项。", "比例"),
        ("分别落在哪几个区", "新建5个紧密型城市医疗集团。", "区县"),
        ("分别落在哪几个区", "医疗集团落在海淀区和朝阳区。", None),
        ("委员在哪家单位任职", "全国政协委员姚建红提出五条建议。", "单位"),
        ("被罚的药店全名叫什么", "武汉某零售药店销售假药。", "名称"),
        ("哪天起能报销", "2025年2月28日起报销。", None),
        ("哪天起能报销", "2025年起报销。", "日期"),
        ("在十国里能排到第几名", "在十国里比甲国好。", "名次"),
        ("在十国里能排到第几名", "仅次于甲国，排名第二。", None),
        ("老人投诉打哪个电话", "老人可扫码投诉，共受理30件。", "电话"),
        ("老人投诉打哪个电话", "老人可拨打12320投诉。", None),
        ("号源提前多长时间放给基层", "平台服务2.5亿人次，预约率达92%。", "时长"),
        ("号源提前多长时间放给基层", "号源提前2周向基层投放。", None),
        ("讲座建议隔多久办一次", "每季度举办一次讲座。", None),
        ("最后自家掏了多少钱", "整个花了7万多，自付2万就行了。", None),
        ("小镇主打什么来吸引人", "小镇有民族医药。", None),
        ("这件事排第几项", "工作安排有十项。", None),
        ("做法有哪些", "举办中医夜市三百多场。", None),
    ],
)
def test_what_is_expected_and_not_stated_is_named(question: str, text: str, lacking: str | None) -> None:
    assert unstated(question, [text]) == ((lacking,) if lacking else ())
