"""Does a carried answer answer what was asked? What it lacks of the question, found without a model's opinion.

A small model asked for a yes or no says yes to everything (measured on the development questions), so the answer's
cited text is compared with the question: the places it names, the number it asks for, and the thing it counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from rag.answer.citing import Aligned, Passage
from rag.answer.dates import asked_year, stretches, years
from rag.answer.expected import unstated
from rag.answer.institutions import counts, speaks_of, through
from rag.answer.kinds import Kind, asks_for_several, kind_of, sides
from rag.answer.measures import COUNT, PLACE, TIMES, fitting, measure
from rag.answer.numbers import all_quantities
from rag.answer.question import NATIONAL, asked_now, region_end, without_premises
from rag.answer.selection import asks_where
from rag.corpus.places import cities, place_spans, places
from rag.corpus.words import Words, character_pairs, fold
from rag.ports import Embedder

ALIKE = 0.8
"""Cosine of two words' embeddings from which they may mean the same: 宝宝 and 新生儿 0.82, 床位 and 设备 0.70."""

SAME = 0.85
"""Cosine of question and cited sentence from which no word needs to be alike."""

NAMED = 8
"""Characters up to the end of what is counted that say what kind of institution it is: 民营医院, 医院药店."""

OPENING = 8
"""Characters at the head of a sentence in which the city stands that it is about."""

_ASKING = re.compile(
    r"(?:比例|占比|比重|率)(?:是|为|达到?|有)?(?:多少|几|多[大高])|多少|多[大高](?:的)?(?:比例|占比)|几|谁|什么|啥|哪|怎|如何|(?:比例|占比|率)(?:是|为|达|有)"
)
_NAME = re.compile(
    r"哪(?:一|几|[一二三四五六七八九十]|些)?[个家所座]?(?P<kind>城市|医院|出版社|大学|学校|研究院|研究所|学会|协会|银行|"
    r"(?:[\u4e00-\u9fa5]{2,4}?)?(?:公司|企业|药企|厂家))|(?P<firm>公司|企业|药企|大厂|厂家)[^，。？]{0,3}(?:叫|名字|名称)"
)
"""A question for names of a kind that stands in the names themselves, but for cities."""
_QUOTED = re.compile(r"(?<![回复答说写出])(?<![回答说写出][一两这][句个段])“([^”]{2,20})”")
"""A term that a question is about; what it wants to be answered with is none."""
_COUNTS_PLACES = PLACE - {"个"}
"""Measure words of institutions and of little else."""
_GENERIC = re.compile(
    r"级$|险$|药$|[大小]型$|集团$|公立$|民营$|定点$|[各该本等家所类大的和及个中在对与是到从由]$|综合$|专科$|(?<![一二三四五六七八九十])(?<![^全各市区地辖属][市县])中医$|基层$|三甲$|二甲$|试点$|成员$|牵头$|联网$|[区县市省]$"
)
"""What stands before 医院 where no one hospital is meant."""
_FIRMS = frozenset({"公司", "企业", "药企", "厂家", "大厂"})
_MADE = re.compile(r"[是由][\u4e00-\u9fa5]{2,10}(?:申报|研发|生产|制造|开发|承建|承办)")
"""How a firm is named by what it does: 是以岭药业申报的."""
_INSTITUTION = re.compile(
    r"(?P<own>[\u4e00-\u9fa5]{2,}(?:(?:第[一二三四五六七八九十]|中心|人民|中医|附属|肿瘤|妇幼|儿童)[\u4e00-\u9fa5]{0,4}医院|(?<=[^的家个各所些级多全每该本我在哪座到让][市县])中医院))"
)
_ORDINAL = re.compile(r"(?:第\s*[\d一二三四五六七八九十]+|首)(?P<kind>[批届轮版])")
_TCM_HOSPITAL, _TCM_SHORT = "中医医院", "中医院"
_BRANCH = re.compile(
    r"(?:第|[\u4e00-\u9fa5][\u4e00-\u9fa5](?<![第哪某这那每同另]))(?P<number>[一二三四五六七八九十])(?:院|(?:人民|中医|附属)?医院)"
)
"""A hospital by its number: 浙大二院, 第八人民医院."""
_ABSTRACT = frozenset(
    {"地方", "底线", "下限", "上限", "门槛", "红线", "目标", "标准", "水平", "数字", "数值", "总数", "总量"}
    | {"一共", "总共", "合计", "中招", "块钱"}
)
"""What a number is of any thing: no text has to say it."""
_FOR_WHOM = re.compile(r"[替给帮为](?:老百姓|百姓|群众|病人|患者|市民|大家|参保人)")
"""Whom what is counted is good for: no text has to say it."""
_LEAST = re.compile(r"最(?:便宜|少|低(?![^，。]{0,3}[级档层]))")
_TELLS_LEAST = re.compile(r"最[低少小]|最便宜|下限|倒数|末位|[仅只]|低至|不足|[低少]于")
"""What asks for the least, and what tells of it."""
_CLAUSE_END = re.compile(r"[，。？！,?!；;]")
_PART_OF_YEAR = re.compile(r"[上下]半年|前?第?[一二三四]季度|(?<!\d)\d{1,2}月?[-—~～至到]\d{1,2}月")
"""What part of a year is asked about."""
_RANKED = re.compile(
    r"(?:[排位名]|全[国省区市球]|世界)(?:列|名|在|到)?(?:全[国省区市球]|世界)?第(?P<rank>[一二三四五六七八九十\d]+)(?![\d个家批款部例条所种类期版轮届次任座])"
)
_FIRST = re.compile(r"[首榜]位|榜首|之首|居首|领跑|最[高多大快早]")
"""A rank that is asked about or told, and what tells of the first without a number."""
_RANK_AMONG = re.compile(
    r"(?P<scope>全[国省区市球]|世界|欧洲|亚洲|西部|中部|东部)(?:排|位居|位列|列|是|居)?(?:第几|多少[名位])"
)
"""Whom the rank that is asked for is one among."""
_NATION = "全国|我国|全球|全世界"


def _scope(wide: str) -> re.Pattern[str]:
    """What says that the number behind it is of something wide, unless it is only compared with (占全国的8%)."""
    return re.compile(rf"(?<![占居于比在列向为对从到由供是获与和被受])(?:{wide})(?!第|首|前|领先|平均|唯一|性)")


_OF_NATION, _OF_REGION, _OF_CITY = (
    _scope(_NATION),
    _scope(f"{_NATION}|全省|全区|全自治区"),
    _scope(f"{_NATION}|全省|全区|全自治区|全市"),
)
"""What is wider than a region, than a city of one, and than an institution."""


class Relevance:
    """Compares answers with questions; `embedder` knows which words are alike."""

    def __init__(self, words: Words, embedder: Embedder) -> None:
        """Take the tokenizer and the embedding model of the library."""
        self._words = words
        self._embedder = embedder

    def lacks(self, question: str, aligned: Sequence[Aligned]) -> tuple[str, ...]:
        """Return what `question` names that the cited text does not speak of; nothing where it answers.

        Where one fact is asked for, one sentence must answer alone: two that each tell a half are no answer.
        """
        numbered = _ordinals(question, [p for item in aligned for p in item.passages])
        if asks_one_fact(question) and len(aligned) > 1:
            return (*min((self._lacks(question, [item]) for item in aligned), key=len), *numbered)
        return (*self._lacks(question, aligned), *numbered)

    def _lacks(self, question: str, aligned: Sequence[Aligned]) -> tuple[str, ...]:
        passages = [p for item in aligned for p in item.passages]
        missing = self._places(question, passages) + self._terms(question, passages) + _named(question, aligned)
        missing += _quoted(question, passages) + _institutions(question, passages) + _untold_least(question, passages)
        missing += [f"所问的{name}" for name in self._unstated(question, aligned)] + _years(question, passages)
        missing += _stretches(question, passages) + _rank(question, passages) + _where(question, passages)
        count = self._asked_count(question)
        if not missing and count:
            missing = self._count(question, count, aligned)
        return tuple(dict.fromkeys(missing or _uncounted(question, passages)))

    def _unstated(self, question: str, aligned: Sequence[Aligned]) -> tuple[str, ...]:
        """The kinds of things that a question for one fact expects and neither answer nor cited sentence states."""
        asked = asked_now(question)
        if kind_of(asked) is Kind.SUMMARY:
            return ()
        return unstated(asked, [text for item in aligned for text in (item.text, *(p.text for p in item.passages))])

    def is_a_word(self, question: str, lacks: Sequence[str]) -> bool:
        """Whether all that is lacking is the word for what is counted: the text may say it in another."""
        count = self._asked_count(question)
        return bool(lacks) and count is not None and set(lacks) <= set(self._counted(question, count))

    def _asked_count(self, question: str) -> re.Match[str] | None:
        """What a question for one number asks by, None where it asks for none or for more."""
        return COUNT.search(asked_now(question)) if asks_one_fact(question) else None

    def _fitting(self, count: re.Match[str], aligned: Sequence[Aligned]) -> list[Passage]:
        """The cited sentences that state a number of the answer with such a measure word as was asked for."""
        found = []
        for item in aligned:
            said = {quantity.value for quantity in all_quantities(item.text)}
            found += [p for p in item.passages if any(q.value in said for q in fitting(count, p.text))]
        return found

    def _count(self, question: str, count: re.Match[str], aligned: Sequence[Aligned]) -> list[str]:
        """What a counting question asks for that the answer's numbers do not tell."""
        stating = self._fitting(count, aligned)
        if not stating:
            return [f"“{count.group()}”"]
        if others := _of_another_year(question, count, stating) or _of_wider(question, count, stating):
            return others
        thing = self._counted(question, count)
        if count.group("unit") in TIMES or not thing:
            return []
        if (told := _is_counted(question, thing[-1], count, stating)) is not None:
            return [] if told else [f"{thing[-1]}的数"]
        told = self._speaks_of(thing, stating) or self._says_the_same(question, stating)
        return [] if told else thing[-1:]

    def _places(self, question: str, passages: Sequence[Passage]) -> list[str]:
        """Places of the question that no cited sentence is about."""
        regions = frozenset().union(*(p.regions for p in passages))
        own = frozenset(
            place
            for p in passages
            for place in places(f"{' '.join(p.chunk.article.section_path(p.span[0]))} {p.text}")
        )
        asked = asked_now(question)
        named = asked if NATIONAL.search(asked) or places(asked) or cities(asked) else question
        held = [city for city in cities(named) if any(_is_about(city, p) for p in passages)]
        ends = {name: region_end(named, end) for _, end, name in place_spans(named)}
        told = {name for name, end in ends.items() if any(named.startswith(city, end) for city in held)}
        missing = [name for name in places(named) if name not in regions | own | told]
        return missing + [name for name in cities(named) if name not in held]

    def _terms(self, question: str, passages: Sequence[Passage]) -> list[str]:
        """Terms of the lexicon, such as 居民医保, that the cited text has a sister of but not themselves."""
        around = " ".join(p.around for p in passages)
        held = self._words.lexicon_terms(around)
        return [
            term
            for term in self._words.lexicon_terms(question)
            if not self._words.same(term, around) and any(_sisters(term, other) for other in held)
        ]

    def _counted(self, question: str, count: re.Match[str]) -> list[str]:
        """The nouns that say what is counted: right behind 多少, else before it."""
        question = _FOR_WHOM.sub("", asked_now(question))
        count = COUNT.search(question) or count
        clause = _CLAUSE_END.split(question[count.end() :])[0]
        *first, last = self._words.leading_nouns(clause) or [""]
        start = clause.find(last)
        behind = [*first, clause[start : through(clause, start + len(last))]]
        before = _CLAUSE_END.split(question[: count.start()])[-1]
        found = behind if behind[-1] else self._words.nouns(before)[-1 if before.endswith(("是", "为")) else -2 :]
        return [word for word in found if word not in _ABSTRACT and not places(word) and not cities(word)]

    def _speaks_of(self, thing: Sequence[str], passages: Sequence[Passage]) -> bool:
        """Whether the cited text holds one of the words, part of one, or a word that is alike."""
        around = " ".join(p.around for p in passages)
        folded = fold(around)
        if any(self._words.same(word, around) for word in thing):
            return True
        if any(_other_people(word, folded) for word in thing):
            return False
        if any(_half_in(word, folded) for word in thing):
            return True
        known = list(dict.fromkeys(word for p in passages for word in self._words.terms(p.text) if len(word) > 1))
        if not known:
            return False
        vectors = self._embedder.embed([*thing, *known])
        return bool(np.max(vectors[: len(thing)] @ vectors[len(thing) :].T) >= ALIKE)

    def _says_the_same(self, question: str, passages: Sequence[Passage]) -> bool:
        """Whether a cited sentence is as near to the question as to be it in other words."""
        vectors = self._embedder.embed([question, *(p.text for p in passages)])
        return bool(np.max(vectors[0] @ vectors[1:].T) >= SAME)


def asks_one_fact(question: str) -> bool:
    """Whether `question` asks for one thing, which a few words of one sentence tell."""
    return kind_of(question) is Kind.FACT and len(_ASKING.findall(asked_now(question))) == 1


def _uncounted(question: str, passages: Sequence[Passage]) -> list[str]:
    """What a comparison asks a number by, where no cited sentence states any such number."""
    asked = asked_now(question)
    compares = kind_of(asked) is Kind.COMPARE and not asks_for_several(asked)
    count = COUNT.search(asked) if compares else None
    if not count:
        return []
    named = sides(question)
    about = [p for p in passages if any(side in p.regions or side in p.around for side in named)]
    return [] if any(fitting(count, p.text) for p in about or passages) else [f"“{count.group()}”"]


def _is_about(city: str, passage: Passage) -> bool:
    """Whether a city is named in a sentence or before it, and the sentence does not open with another one."""
    others = cities(passage.text[:OPENING])
    return city in fold(passage.text if others else passage.around)


def _of_another_year(question: str, count: re.Match[str], passages: Sequence[Passage]) -> list[str]:
    """The year that a question names, where the numbers that answer it stand behind other years only."""
    year = asked_year(without_premises(asked_now(question)), None)
    if not year:
        return []
    for passage in passages:
        for quantity in fitting(count, passage.text):
            told = years(passage.text[: quantity.start], passage.chunk.article.issue.date)
            if not told or year in told:
                return []
    return [f"{year}年"]


def _of_wider(question: str, count: re.Match[str], passages: Sequence[Passage]) -> list[str]:
    """The institution or place that a question names, where the numbers that answer it are of what is wider only."""
    asked = asked_now(question)
    of = [("所问单位", _OF_CITY)] if _INSTITUTION.search(asked) else []
    of += [(city, _OF_REGION) for city in cities(asked)] + [(region, _OF_NATION) for region in places(asked)]
    if not of or _OF_CITY.search(asked):
        return []
    named, wider = of[0]
    for passage in passages:
        for quantity in fitting(count, passage.text):
            before = passage.text[: quantity.start]
            behind = before[max((match.end() for match in wider.finditer(before)), default=0) :]
            if behind == before or places(behind) or cities(behind) or _INSTITUTION.search(behind):
                return []
    return [f"{named}的数"]


def _is_counted(question: str, thing: str, count: re.Match[str], passages: Sequence[Passage]) -> bool | None:
    """Whether a number that answers a question counts institutions of the kind of `thing`; None if it is of none."""
    asked = f"{question.partition(thing)[0]}{thing}"[-NAMED:]
    named = speaks_of(asked, " ".join(p.around for p in passages))
    unit = count.group("unit")
    of_places = unit in PLACE if unit else asked_now(question).startswith(thing, count.end())
    if named is None or not of_places:
        return None
    told = [(counts(asked, p.text, q), measure(p.text, q)) for p in passages for q in fitting(count, p.text)]
    doubtful = unit in _COUNTS_PLACES or any(of_it is False for of_it, _ in told)
    if doubtful and not any(of_it or (of_it is None and behind in _COUNTS_PLACES) for of_it, behind in told):
        return False
    return named


def _untold_least(question: str, passages: Sequence[Passage]) -> list[str]:
    """What is asked for as the least, where no cited sentence tells of any."""
    asked = _LEAST.search(asked_now(question))
    if not asked or not asks_one_fact(question) or any(_TELLS_LEAST.search(p.text) for p in passages):
        return []
    return [asked.group()]


def _years(question: str, passages: Sequence[Passage]) -> list[str]:
    """The year that a question for a fact names, where all cited sentences speak of other years."""
    asked = without_premises(asked_now(question))
    if kind_of(asked) is not Kind.FACT or not passages:
        return []
    year = asked_year(asked, None)
    others = year and all((told := p.years) and year not in told for p in passages)
    return [f"{year}年"] if others else []


def _stretches(question: str, passages: Sequence[Passage]) -> list[str]:
    """The part of a year that a question for a fact names (一季度, 下半年), where no cited sentence speaks of it."""
    asked = without_premises(asked_now(question))
    if kind_of(asked) is not Kind.FACT:
        return []
    told = frozenset().union(*(stretches(p.around) for p in passages))
    return [named for named in _PART_OF_YEAR.findall(asked) if not stretches(named) <= told]


def _where(question: str, passages: Sequence[Passage]) -> list[str]:
    """The places that are asked for (哪些省), where no cited sentence is of any."""
    placed = any(p.regions or cities(p.text) for p in passages)
    return [] if placed or not asks_where(question) else ["所问的地方"]


def _rank(question: str, passages: Sequence[Passage]) -> list[str]:
    """The rank that is asked about (排第一的是谁, 西部第几), where the cited sentences tell of other ranks only."""
    told = " ".join(p.text for p in passages)
    among = _RANK_AMONG.search(asked_now(question))
    if among and among.group("scope") not in told:
        return [f"在{among.group('scope')}的名次"]
    asked = _RANKED.search(asked_now(question))
    if not asked or _FIRST.search(told) or not (others := {m.group("rank") for m in _RANKED.finditer(told)}):
        return []
    return [] if asked.group("rank") in others else [f"第{asked.group('rank')}"]


def _quoted(question: str, passages: Sequence[Passage]) -> list[str]:
    """What the question puts in quotation marks and no cited passage or heading holds, not even by half."""
    held = character_pairs(" ".join(f"{p.context} {p.chunk.text}" for p in passages))
    named = [name for name in _QUOTED.findall(asked_now(question)) if not _ASKING.search(name)]
    return [name for name in named if (pairs := character_pairs(name)) and 2 * len(pairs & held) < len(pairs)]


def _named(question: str, aligned: Sequence[Aligned]) -> list[str]:
    """The kind of thing whose name is asked for (哪家医院), where neither answer, sentence nor title names one."""
    texts = [text for item in aligned for text in (item.text, *(p.text for p in item.passages))]
    texts += [p.chunk.article.title for item in aligned for p in item.passages]
    asked = [match.group("kind") or match.group("firm") for match in _NAME.finditer(question)]
    return [kind for kind in asked if not any(_names_one(kind, text) for text in texts)]


def _names_one(kind: str, text: str) -> bool:
    """Whether a text names one of its kind; 区级医院 and 三甲医院 name none."""
    if kind == "城市":
        return bool(cities(text))
    if kind[-2:] in _FIRMS:
        if _MADE.search(text):
            return True
        kind = "(?:公司|集团|药业)"
    names = re.finditer(rf"(?P<own>[\u4e00-\u9fa5]{{2,4}}){kind}", text)
    return any(not _GENERIC.search(match.group("own")) for match in names)


def _ordinals(question: str, passages: Sequence[Passage]) -> tuple[str, ...]:
    """What the question numbers (第五批), where the cited sentences number others of the kind only."""
    told = " ".join(p.text for p in passages)
    named = {match.group("kind"): match for match in _ORDINAL.finditer(asked_now(question))}
    others = {match.group("kind") for match in _ORDINAL.finditer(told)}
    held = {_ordinal(match) for match in _ORDINAL.finditer(told)}
    return tuple(m.group() for kind, m in named.items() if kind in others and _ordinal(m) not in held)


def _ordinal(match: re.Match[str]) -> tuple[int, str]:
    """The number and the kind of what is numbered."""
    numbers = [int(q.value) for q in all_quantities(match.group())]
    return numbers[0] if numbers else 1, match.group("kind")


def _institutions(question: str, passages: Sequence[Passage]) -> list[str]:
    """Institutions that the question names in full and neither the cited passages nor their headings name."""
    asked = asked_now(question).replace(_TCM_HOSPITAL, _TCM_SHORT)
    named = [match.group("own")[-4:] for match in _INSTITUTION.finditer(asked)]
    held = " ".join(f"{p.around} {p.chunk.text}" for p in passages).replace(_TCM_HOSPITAL, _TCM_SHORT)
    branches = [
        match.group()
        for match in _BRANCH.finditer(asked)
        if not re.search(rf"第{match.group('number')}[\u4e00-\u9fa5]{{0,4}}医院", held)
    ]
    return [name for name in (*named, *branches) if name not in held]


def one_side_is_told(question: str, lacks: Sequence[str]) -> bool:
    """Whether what is lacking is one side only of the places that the question compares."""
    named = set(sides(question))
    return kind_of(question) is Kind.COMPARE and len(named) > 1 and set(lacks) < named


def _half_in(word: str, text: str) -> bool:
    """Whether half of a longer word's character pairs stand in `text`: 中药材 in 中药种植面积."""
    pairs = [word[i : i + 2] for i in range(len(word) - 1)]
    return len(pairs) > 1 and sum(pair in text for pair in pairs) * 2 >= len(pairs)


def _other_people(word: str, text: str) -> bool:
    """Whether a text names people like those of `word` but of another kind: 西医师 for 中医师."""
    behind = re.escape(word[1:])
    return len(word) > 2 and word[-1] in "师员士生" and bool(re.search(rf"[^{re.escape(word[0])}]{behind}", text))


def _sisters(term: str, other: str) -> bool:
    """Whether two terms differ only in what stands before the same ending: 居民医保 and 职工医保."""
    return term != other and len(term) == len(other) > 2 and term[-2:] == other[-2:]
