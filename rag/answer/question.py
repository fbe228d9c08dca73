"""Understands a question without a model: normalised, made standalone, and what it constrains.

Rules only: they cost nothing and never invent. What they do not see stays in the question's own words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from rag.corpus.places import cities, place_spans, places
from rag.errors import UsageError
from rag.schema import Turn

_SPACES = re.compile(r"\s+")
_BETWEEN_CJK = re.compile(
    r"(?<=[^\x00-\x7f])\s+(?=[^\x00-\x7f])|(?<=[^\x00-\x7f])\s+(?=\w)|(?<=\w)\s+(?=[^\x00-\x7f])"
)
_YEAR = re.compile(r"(?<!\d)((?:19|20)\d{2})(?=年|\D|$)")
_SHORT_YEAR = re.compile(r"(?<![\d近满前后第达共约过])((?:1[5-9]|2[1-9])年)(?![来内间多以之制期前后经历])")
_NUMBER = re.compile(r"第\s*(\d{1,3})\s*期")
_TOTAL = re.compile(r"总第?\s*(\d{1,4})\s*期")


@cache
def _simplifier() -> Any:
    import opencc

    return opencc.OpenCC("t2s")


def normalise(question: str, limit: int = 2000) -> str:
    """Return the question in simplified characters and half-width letters and digits, without stray spaces.

    A year of two digits is written out: 24年 becomes 2024年, where it can be no duration.

    Raises `UsageError` where nothing is asked. What stands beyond `limit` characters is left out.
    """
    text = "".join(c for c in question if unicodedata.category(c) not in {"Cc", "Cf", "Cs"} or c.isspace())
    text = "".join(unicodedata.normalize("NFKC", c) if _is_wide_alnum(c) else c for c in text)
    text = _BETWEEN_CJK.sub("", _SPACES.sub(" ", text).strip())[:limit]
    if not any(c.isalnum() for c in text):
        raise UsageError("问题是空的", "请输入要问的内容，例如：四川今年中医药抓哪几件事？")
    simplified: str = _simplifier().convert(text)
    return _SHORT_YEAR.sub(r"20\1", simplified)


def _is_wide_alnum(char: str) -> bool:
    return ("０" <= char <= "ｚ" and char.isalnum()) or char in "％＋－．"


@dataclass(frozen=True, slots=True)
class Constraints:
    """What a question names that articles carry too."""

    places: tuple[str, ...] = ()
    years: tuple[int, ...] = ()
    numbers: tuple[int, ...] = ()
    totals: tuple[int, ...] = ()
    columns: tuple[str, ...] = ()


def constraints(question: str, columns: Sequence[str] = ()) -> Constraints:
    """Return what `question` names; `columns` are the columns (栏目) of the library."""
    totals = tuple(int(n) for n in _TOTAL.findall(question))
    return Constraints(
        places=places_asked(question),
        years=tuple(dict.fromkeys(int(y) for y in _YEAR.findall(question))),
        numbers=tuple(n for n in map(int, _NUMBER.findall(question)) if n not in totals),
        totals=totals,
        columns=tuple(c for c in columns if c in question),
    )


_WANTS_NUMBER = re.compile(
    r"多少|几(?!个方面|点建议|个?(?:省|地|城?市))|比例|占比|多大|多久|多长|多高|[率数额值量]是|第几"
)
_WANTS_TIME = re.compile(r"哪[一]?年|何时|什么时候|啥时候|几月|几号|哪天|时间")
_TIME = re.compile(r"\d\s*[年月日]")


@dataclass(frozen=True, slots=True)
class Shape:
    """What an answer must look like."""

    number: bool
    time: bool

    @classmethod
    def of(cls, question: str) -> Shape:
        """The shape that `question` asks for."""
        return cls(bool(_WANTS_NUMBER.search(question)), bool(_WANTS_TIME.search(question)))

    def fits(self, text: str) -> bool:
        """Whether `text` has such a shape; never where the question asks for none."""
        if self.time:
            return bool(_TIME.search(text))
        return self.number and any(c.isdigit() for c in text)


# --- several questions in one ------------------------------------------------------------

_CLAUSE = re.compile(r"[^，,；;？?。！!]+[，,；;？?。！!]*")
_ASKS = re.compile(r"多少|多[久长大高]|几|谁|什么|啥|哪|怎|咋|如何|会不会|是不是|有没有|能不能|吗|[不没][？?]")
_LEANS = re.compile(r"各|分别|谁|哪[边个家](?=更|最|[多少高低大小好快强])|占|直接|间接|简单|概括|归纳|说说|讲讲|捋")
_BARE = re.compile(
    r"\d+个?[月日天]|[前后上下头末][\d一二三两半几]*个?[年月]|全年|年底|现在|目前|[又还是有多少几个、，和与呢了则那？?]"
)
"""Times and what asks: a clause of nothing else has no subject of its own."""
_YEARS = re.compile(r"(?:(?:19|20)\d{2}年?(?:[和跟与同比、]|相?比))+(?:19|20)\d{2}年")
_CHANGED = re.compile(
    r"相?比(?:较|起来)?|(?:差|相差|高|低|多|少|涨|降|增加|减少)了?多少|(?:高|低|多|少|涨|降|升|变)了?(?:没有?|吗)|变了多少|多了?还是少了?|"
    r"(?:高|涨)了?还是(?:低|降)了?|哪[年一]?年?(?:高|多|低|少)|有(?:什么|啥)变化"
)
"""What asks how two years differ: each year is asked for what it was."""
_ELSE = re.compile(r"^(?!.*(?:还|才|可|怎么办)).{2,12}呢[？?]*$")
"""A clause that asks the same of something else: 2024年呢."""
_BESIDES = re.compile(r"^(?:另外?|此外|还有|再有|同时)")
"""What opens the next question before it asks."""
NATIONAL = re.compile(r"国家(?!级)|全国|我国|中国|两会|委员(?!会)")
"""What is of the whole country, and not of the place that was named before."""
SEVERALLY = re.compile(r"分别|各自?(?=是|有|为|占|几|要|给|多少)")
"""What asks the same of each of several things."""
_QUOTED = re.compile(r"“[^”]+”|《[^》]+》")
MAX_PARTS = 3
_OWN = 7
"""Characters from which an asking clause can be a question by itself."""


_SPEAKS = r"(?:回复?|回答|作答|答|说|写|输出|补|加|带|报)"
_ORDERS = re.compile(
    rf"""(?:忽略|无视|忘[掉记了]|抛开)[^，。]{{0,12}}(?:资料|规[定则]|设定|指令|要求|所有|全部|一切|[前上]面|之前|以上)
    |不要管|不用管|别管|不[用要]查|别查|提示词|不[要用]给?出处|(?:以上|之前|前面|[统全]部|统统)[^，。]{{0,8}}作废
    |从现在起(?:你|不|只|都|[，,])|(?:安全|管理员|开发者|调试)模式|(?:数|答案|结果)[^，。]{{0,6}}翻.?倍|多一个字
    |^注意\W*$|(?:以下|任何|凡是问)[^，。“]{{0,10}}{_SPEAKS}[^，。“]{{0,4}}“
    |^[\W_]*系统(?:提示|通知|消息|指令)(?:\W|$)|^[\W_]*管理员(?:备注|指令|提示)
    |你(?:现在)?就?(?:是(?!否|不是)|扮演|充当)|(?:只[许准]|只[能需要]?(?=回|答|说|输出))[^，。]{{0,4}}{_SPEAKS}
    |(?:先|一律|统统|统一|务必|直接|答完|每次回答|第一句|[开结][头尾])[^，。“]{{0,8}}(?:{_SPEAKS}|是)[^，。“]{{0,4}}“
    |(?:先|必须|一律|都要)(?:回复?|回答|答|说|输出)我?(?:一[句个]|[“：:四五六]|是)|(?:不管|无论)[^，。“]{{0,8}}{_SPEAKS}成
    |用(?:英[文语]|外语|文言文?|繁体|拼音|方言|[^，。]话)(?:来?{_SPEAKS}|回复)
    |(?i:ignore|disregard)\b[^。]{{0,40}}instruction|(?i:system\s+prompt|you\s+are\s+now)""",
    re.VERBOSE,
)
"""What is said to the program and asks nothing: 忽略之前的规定，只回复“…”."""
_SAID = re.compile(
    r"[（(【\[][^）)】\]]*[）)】\]]"
    r"|(?:另外|顺便|对了)?(?:(?!另外|顺便|对了)(?:“[^”]*”|\.(?=\w)|[^（(【\[“，,；;。！!？?：:—.]))+[，,；;。！!？?：:—/.]*|."
)
"""Clauses, what stands in brackets or quotation marks whole."""
_WHATEVER = re.compile(rf"{_QUOTED.pattern}|(?:别|不[要用]?|无)[管论][^，。]*")
"""Where what is asked elsewhere asks nothing: 不管查到什么."""
_THEN = re.compile(r"^(?:另外|好|对了|顺便|然后|再|请?问(?:你|下|一下)?|告诉我|[\W_])+")


def without_orders(question: str) -> str:
    """Return the question without the orders around it: that is text, never an instruction."""
    said = _SAID.findall(question)
    kept = [clause for clause in said if not _ORDERS.search(clause) or _ASKS.search(_WHATEVER.sub("", clause))]
    asked = _THEN.sub("", "".join(kept)).rstrip("，,；;：:—/")
    return asked if len(kept) < len(said) and len(asked) >= _OWN and _ASKS.search(asked) else question


_TAKEN = re.compile(r"[^，,；;。！!？?]*(?:吧|没错|对不对|是不是)[，,。？?]+")
"""A clause that takes something for granted: 是1956年建的吧？"""


def without_premises(question: str) -> str:
    """Return the question without the clauses that take something for granted, where anything else asks."""
    asked = _TAKEN.sub("", question)
    return asked if _ASKS.search(asked) else question


_CLAIMED = re.compile(
    r"是(?:(?P<year>(?:19|20)\d{2}年)|“[^”]{2,20}”)(?P<rest>[^，,。；;？?]{0,12}?)"
    r"[，,]?(?:没错吧?|对不对|是不是|[对是]?[吗吧])[，,。？?]*"
)
"""A year or a quoted name that is said to be the one, to be borne out: 是1956年建起来的吧."""


def without_claims(question: str) -> str:
    """Return the question with the year or the name that it claims asked for instead: 是1956年建起来的吧."""
    return _CLAIMED.sub(lambda m: f"是{'哪年' if m.group('year') else '什么'}{m.group('rest')}？", question)


_EXCEPT = re.compile(
    r"除[了去开]?(?P<what>[^，,。；;？?]{2,12}?)(?:[以之]?外)?[，,]?(?=(?:还有?|其[他它余]|别的)(?:哪|什么|啥)(?:[儿里]|[些几]?个?(?:省|地方|地区|城市|市)))"
)
"""What all the others are asked beside: 除了江西."""


def without_exceptions(question: str) -> str:
    """Return the question without the place that it asks of all others but: 除了江西还有哪个省."""
    found = _EXCEPT.search(question)
    named = found and (places(found.group("what")) or cities(found.group("what")))
    return question[: found.start()] + question[found.end() :] if found and named else question


def excepted(question: str) -> frozenset[str]:
    """Return the regions that a question asks of all others but: 除了江西还有哪个省."""
    return frozenset(place for found in _EXCEPT.finditer(question) for place in places(found.group("what")))


def parts(question: str) -> tuple[str, ...]:
    """Return the questions that `question` asks one after another, each with what the first clauses set for all.

    A clause is a question of its own where it asks, is long enough and does not lean on the one before it
    (各是多少, 占多少). One question comes back as it is.
    """
    if several := _YEARS.search(question):
        return tuple(_of_one_year(question, several, year) for year in _YEAR.findall(several.group())[:MAX_PARTS])
    lead, asked = _clauses(question)
    if not 2 <= len(asked) <= MAX_PARTS:
        return (question,)
    named = places(f"{lead}{asked[0]}")
    home = named[0] if len(named) == 1 else ""
    told: list[str] = []
    for clause in asked:
        elsewhere = places(f"{lead}{clause}") or cities(clause) or NATIONAL.search(clause)
        own = home if told and not elsewhere else ""
        question = f"{lead}{own}{clause}".rstrip("，,；;")
        if elsewhere and _BESIDES.match(clause) and not _PRONOUN.search(clause):
            told.append(_BESIDES.sub("", question).lstrip(_TAIL))
        elif told and _QUOTED.search(told[0]) and not _QUOTED.search(clause):
            told.append(_join(told[0], question))
        else:
            told.append(standalone(question, [Turn(told[-1], "")]) if told else question)
    return tuple(told)


def _clauses(question: str) -> tuple[str, list[str]]:
    """What the first clauses set for all, and then the clauses that ask, each with what else belongs to it."""
    lead = before = ""
    asked: list[str] = []
    for said in _CLAUSE.findall(_separated(question)):
        clause, before = before + said, ""
        if asked and _BESIDES.search(said) and not _ASKS.search(said):
            before = said
        elif _asks_anew(clause, asked):
            asked.append(clause)
        elif asked:
            asked[-1] += clause
        else:
            lead += clause
    if before:
        asked[-1] += before
    return lead, asked


def _separated(question: str) -> str:
    """The question with a comma for the 、 between what is asked of two places: 甲省几成、乙省几成."""
    for start, _, _ in place_spans(question):
        before = _CLAUSE.findall(question[:start])[-1:]
        if before and before[0].endswith("、") and _ASKS.search(before[0]):
            question = f"{question[: start - 1]}，{question[start:]}"
    return question


def _asks_anew(clause: str, asked: Sequence[str]) -> bool:
    """Whether a clause is a question of its own beside those before it."""
    if asked and ((_ELSE.search(clause) and not places(clause)) or _VERSUS.match(clause)):
        return True
    asks = _ASKS.search(_QUOTED.sub("", clause))
    return bool(asks) and len(clause.rstrip(_TAIL)) >= _OWN and not (asked and _leans_on(clause))


def _leans_on(clause: str) -> bool:
    """Whether a clause says by whom, of what or when, but not what is asked: 占多少, 前11个月是多少、全年又是多少."""
    return bool(_LEANS.search(clause)) or not _BARE.sub("", clause)


def _of_one_year(question: str, several: re.Match[str], year: str) -> str:
    """The question asked of one of the years that it names in a row."""
    alone = f"{question[: several.start()]}{year}年{question[several.end() :]}"
    asked, changes = _CHANGED.subn("", SEVERALLY.sub("", alone.rstrip(_TAIL)))
    return f"{asked.rstrip(_TAIL)}是多少" if changes else asked


# --- follow-ups ------------------------------------------------------------

_OPENING = re.compile(r"^(?:那么?|还有|另外|再|然后|以及|至于|换成|而|哦|嗯|好的?|对了|请问)[，,、\s]*")
_VERSUS = re.compile(
    r"^(?:和|跟|与|同)(?P<other>[^，,？?]{1,20}?)(?:相?比(?:较|起来|一比)?|对比|区别|差异|有什么不同|哪个|谁)"
)
_ABOUT = re.compile(r"^(?P<topic>[^，,？?。]{1,20}?)(?:呢|的呢|又?如何|怎么样|咋样|也?是多少)[？?。]*$")
_THEIRS = re.compile(r"^[\u4e00-\u9fa5、]{2,7}的(?:又|也|则|呢)")
"""What asks the same of what others have: 陕西、宁夏的又在哪国."""
_YEAR_BESIDE = re.compile(r"(?<![比较和与跟同])再?(?:(?P<back>[前上头]一年)|[后下]一年|次年)")
"""The year before or after the one that was asked about; what is compared with it (比上一年多几家) is one text's."""
_RELATIVE_YEARS = ("前年", "去年", "今年", "明年")
_YEAR_TOLD = re.compile(rf"(?<!\d)(?:19|20)\d{{2}}(?=年)|{'|'.join(_RELATIVE_YEARS)}")
_PRONOUN = re.compile(
    r"它们?|他们?|她们?|其(?!他|它|中|实|余)|该(?:院|省|市|县|区|局|项|政策|办法|系统|平台|文件|模式)?|这(?:家|个|项|些|种|套|里|份|次)|那(?:家|个|项|些|种|里)|上述|前者|后者|当地|同期|此(?:项|举)"
)
_OF_A_THING = re.compile(r"[这那][个些种项套份次](?!省|市|县|区|地方)")
"""A pronoun that stands for no place."""
_ENTITY = re.compile(
    r"《[^》]{2,40}》|[\u4e00-\u9fa5]{2,12}?(?:医院|医保局|卫生健康委|药监局|大学|公司|保心丸|学会|研究所|研究院)|"
    r"(?:(?!多少|几|了|的|是|有|个)[\u4e00-\u9fa5]){2,8}?(?:省(?!级)|市(?![级场])|县(?![级域])|自治区)|"
    r"[\u4e00-\u9fa5]{0,4}“[^”]{2,12}”(?:(?!多少|几|了|的|是|有|建|拿|入|获)[\u4e00-\u9fa5]){0,4}"
)
_LATIN = re.compile(r"[A-Za-z]{3,}")
"""The name of a product or a system that a question opens with: DeepSeek."""
_TOTALS = re.compile(r"^(?:一共|总共|合计|其中|分别|具体|各自?)")
"""What opens a question about the parts or the sum of what was spoken of."""
_TAIL = "？?。！!，, "
_SHORT = 9
"""A question of fewer characters than this, asked after another one, leans on it."""
_LONG = 22
"""Characters from which a question that names nothing has a subject of its own all the same."""
_ANY = re.compile(r"所有|全部|各|哪|多少|几|什么|够")
"""What is no name though it ends like one: 所有医院."""


def standalone(question: str, history: Sequence[Turn] = ()) -> str:
    """Return `question` so that it can be understood without `history`, by rule.

    那海南呢 puts Hainan into the previous question, 和云南比呢 sets Yunnan beside its place, a pronoun gets the
    previous question's subject, and what else leans on it has it put behind it. Other questions stay as they are.
    """
    if not history:
        return question
    previous = standalone(_clean(history[-1].user), history[:-1])
    question = _in_its_year(previous, question)
    rest = _OPENING.sub("", question)
    if versus := _VERSUS.match(rest):
        return _beside(previous, versus.group("other"), rest)
    if _PRONOUN.search(rest):
        return _resolve(previous, rest)
    about = _ABOUT.match(rest)
    if about and not _ASKS.search(about.group("topic")) and (rest != question or len(rest) < _SHORT + 4):
        return _swap(previous, about.group("topic"))
    if rest != question or len(rest) < _SHORT or not _stands_alone(rest) or _THEIRS.match(rest):
        return _join(previous, rest)
    return question


def _in_its_year(previous: str, question: str) -> str:
    """Name the year that `question` counts from that of the question before: 前一年 after 2024年 is 2023年."""
    beside = _YEAR_BESIDE.search(question)
    told = set(_YEAR_TOLD.findall(asked_now(previous)))
    if not beside or len(told) != 1:
        return question
    step, year = -1 if beside.group("back") else 1, told.pop()
    if year.isdecimal():
        named = f"{int(year) + step}年"
    else:
        at = _RELATIVE_YEARS.index(year) + step
        named = _RELATIVE_YEARS[at] if 0 <= at < len(_RELATIVE_YEARS) else beside.group()
    return question[: beside.start()] + named + question[beside.end() :]


def _clean(question: str) -> str:
    try:
        return without_orders(normalise(question))
    except UsageError:
        return ""


def _stands_alone(question: str) -> bool:
    """Whether the question names a place, a title, an institution, or is long enough to have its own subject."""
    named = any(not _ANY.search(match.group()) for match in _ENTITY.finditer(question))
    named = named or bool(places(question) or cities(question) or _LATIN.match(question))
    return named or (len(question) >= _LONG and not _TOTALS.search(question))


COMPARED = "，对比有什么异同？"
"""What is asked of two places at last, where the second is put beside the first: 和云南比呢."""
_COUNTED = re.compile(r"(?:几|多少)[个家所名位项条种支间张]?(?P<thing>[\u4e00-\u9fa5“”]{3,})[?？]?$")
_FOLLOWS = "（接着“"


def _join(previous: str, question: str) -> str:
    """The new question, and behind it what it follows: it alone is to be answered."""
    if not previous:
        return question
    last, _, before = previous.partition(_FOLLOWS)
    earlier = f"“{before.removesuffix('问）')}" if before else ""
    return f"{question.rstrip(_TAIL)}{_FOLLOWS}{last.rstrip(_TAIL)}”{earlier}问）"


def _beside(previous: str, other: str, question: str) -> str:
    """Put `other` beside the place or subject of the previous question."""
    spans = place_spans(previous)
    if spans and places(other):
        start, end, name = spans[0]
        return f"{previous[:start]}{name}和{other}{previous[end:]}".rstrip(_TAIL) + COMPARED
    return _join(previous, question)


def asked_now(question: str) -> str:
    """Return a standalone question without the earlier ones that it was put before."""
    return question.partition(_FOLLOWS)[0]


def places_asked(question: str) -> tuple[str, ...]:
    """Return the regions that a standalone question asks about: those of what was asked before, where it has none."""
    return places(asked_now(question)) or places(question)


def leans(question: str) -> bool:
    """Whether a standalone question has the one that it follows put behind it."""
    return _FOLLOWS in question


def as_told(question: str) -> str:
    """Return a standalone question as an LLM is asked it: what was asked before first, what is asked now last.

    What it takes for granted is left out: a small LLM finds nothing where that is wrong.
    """
    now, follows, before = question.partition(_FOLLOWS)
    now = without_premises(now)
    return f"（上一问：“{before.removesuffix('问）')}）现在只答：{now}" if follows else now


def _swap(previous: str, topic: str) -> str:
    """Put `topic` in the place of what it resembles in the previous question."""
    spans = place_spans(previous)
    if spans and (places(topic) or cities(topic)):
        start, end = spans[0][0], spans[-1][1]
        return previous[:start] + topic + previous[region_end(previous, end) :]
    years = list(re.finditer(r"(?:19|20)\d{2}年?|今年|去年|明年|前年", previous))
    if years and re.fullmatch(r"(?:19|20)\d{2}年?|今年|去年|明年|前年", topic):
        return previous[: years[0].start()] + topic + previous[years[0].end() :]
    entity = _ENTITY.search(previous)
    if entity and (_ENTITY.search(topic) or topic.endswith(("医院", "院"))):
        return previous[: entity.start()] + topic + previous[entity.end() :]
    if counted := _COUNTED.search(previous):
        return f"{previous[: counted.start('thing')]}{topic}"
    alike = _resembling(previous, topic)
    if alike:
        return previous.replace(alike, topic, 1)
    return f"{topic}：{previous}" if previous else topic


def region_end(text: str, end: int) -> int:
    """The end of a region's name with its 省, 市 or 自治区."""
    match = re.compile(r"(?:壮族|回族|维吾尔)?(?:自治区|省|市)").match(text, end)
    return match.end() if match else end


def _resembling(previous: str, topic: str) -> str:
    """The stretch of `previous` as long as `topic` that shares its last two characters, or the longest such."""
    tail = topic[-2:]
    at = previous.find(tail)
    if len(topic) < 3 or at < 0:
        return ""
    start = max(0, at + 2 - len(topic))
    return previous[start : at + 2]


def _resolve(previous: str, question: str) -> str:
    """Put the previous question's subject in the place of the pronoun."""
    entity, match = _ENTITY.search(previous), _PRONOUN.search(question)
    of_a_place = match and not _OF_A_THING.match(question, match.start())
    named = entity.group() if entity else next(iter(places(previous) if of_a_place else ()), "")
    if named and match and match.group() not in {"前者", "后者", "同期"}:
        return question[: match.start()] + named + question[match.end() :]
    return _join(previous, question)
