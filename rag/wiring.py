"""Settings to objects: the only file that names concrete classes.

`App` builds each part when it is first asked for, so that a command pays only for what it uses.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rag.corpus.words import Words
from rag.errors import SettingsError, StorageError, UsageError
from rag.schema import Article, Evidence, Turn
from rag.settings import Settings

if TYPE_CHECKING:
    from rag.answer.assistant import Assistant
    from rag.answer.cross_encoder import CrossEncoderReranker
    from rag.answer.extracting import Extraction
    from rag.answer.filters import Filters
    from rag.answer.retrieval import HybridRetriever
    from rag.batch import Answering, BatchReport, Plan, Retry
    from rag.index.build import BuildReport, IndexStore
    from rag.index.version import IndexVersion
    from rag.llm.endpoint import EndpointGenerator, LocalGenerator
    from rag.llm.local import LocalServer
    from rag.models import ModelStore, Problem
    from rag.models.builtin import Kind
    from rag.ports import Embedder, Reranker

Progress = Callable[[str, int, int], None]

_REMOTE_WORKERS = 4
_BATCH_PATIENCE_S = 300.0
"""How long a batch waits altogether for an endpoint that takes no more for now; who asks one question won't."""
_SHAPING = {
    *("embedding_model", "local_llm", "llm", "llm_base_url", "llm_model", "llm_writes", "llm_context"),
    *("answer_tokens", "candidates", "passages", "dense", "sentences", "words", "dense_weight", "sentence_weight"),
    *("typos", "boosts", "reranker", "ranker", "sentence_ranker", "evidence_tokens", "thresholds"),
    *("null_bias", "max_question_chars"),
}
"""The settings that shape answers: with others a batch's rows are asked anew."""


class App:
    """The whole program behind one door. Building it costs nothing; `close` lets go of what it holds."""

    def __init__(self, settings: Settings) -> None:
        """Take the settings; they are read nowhere below."""
        self.settings = settings

    def with_settings(self, **changes: object) -> App:
        """Another program with some settings changed, over the same opened model and index: for measurements."""
        other = App(self.settings.model_copy(update=changes))
        other.__dict__ |= {"embedder": self.embedder, "words": self.words, "index": self.index}
        return other

    # --- models ------------------------------------------------------------

    @cached_property
    def models(self) -> ModelStore:
        """The model files."""
        from rag.models import ModelStore

        return ModelStore(self.settings.models_dir)

    def wanted_models(self) -> tuple[tuple[str, Kind], ...]:
        """The (spec, kind) of the models that the settings call for."""
        wanted: list[tuple[str, Kind]] = [(self.settings.embedding_model, "embedding")]
        if self._has_cross_encoder:
            wanted.append((self.settings.reranker, "reranker"))
        if self.settings.llm == "local":
            wanted.append((self.settings.local_llm, "llm"))
        return tuple(wanted)

    def pull_models(self, progress: Progress) -> None:
        """Fetch and verify the models that the settings call for."""
        for spec, kind in self.wanted_models():
            self.models.pull(spec, kind, progress)

    def verify_models(self) -> tuple[Problem, ...]:
        """Check every file of the models that the settings call for."""
        return tuple(problem for spec, kind in self.wanted_models() for problem in self.models.verify(spec, kind))

    @cached_property
    def embedder(self) -> Embedder:
        """The embedding model."""
        from rag.index.embedding import OpenVinoEmbedder
        from rag.models import fingerprint

        folder = self.models.path(self.settings.embedding_model, "embedding")
        return OpenVinoEmbedder(folder, f"{self.settings.embedding_model}@{fingerprint(folder)}")

    # --- index ------------------------------------------------------------

    @cached_property
    def words(self) -> Words:
        """The tokenizer with the shipped and the user's own lexicon."""
        return Words(self.settings.lexicon)

    @cached_property
    def store(self) -> IndexStore:
        """The index versions on disk."""
        from rag.index.build import IndexStore

        return IndexStore(self.settings.data_dir / "index")

    @cached_property
    def index(self) -> IndexVersion:
        """The live index version, opened once."""
        return self.store.open(model=self.embedder.name)

    def past_index(self, version: str) -> IndexVersion:
        """An index version that is still kept, for reading. Raises `IndexStateError` where it is gone."""
        return self.store.open(version=version)

    def build_index(self, progress: Progress, *, rebuild: bool = False) -> BuildReport:
        """Bring the index up to date with the library folders, and with the lexicon as its file stands."""
        s, off, words = self.settings, self.disabled, Words(self.settings.lexicon)
        return self.store.build(s.library, self.embedder, words, rebuild=rebuild, without=off, progress=progress)

    def reload(self) -> None:
        """Answer from what is the live index now; questions on their way go on with the one that they have."""
        self.__dict__["index"] = self.store.open(model=self.embedder.name)
        for name in ("words", "reranker", "retriever", "spelling"):
            self.__dict__.pop(name, None)

    @property
    def disabled(self) -> frozenset[str]:
        """The library files that are left out of the index, by name. Raises `StorageError`."""
        try:
            return frozenset(json.loads(self._disabled_list.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError) as error:
            raise StorageError(f"停用清单读不了：{self._disabled_list}", "请检查权限，或删除这个文件") from error

    def disable(self, name: str, disabled: bool) -> None:
        """Leave a file out of the next index, or take it in again. Raises `StorageError`."""
        names = self.disabled | {name} if disabled else self.disabled - {name}
        try:
            self._disabled_list.parent.mkdir(parents=True, exist_ok=True)
            self._disabled_list.write_text(json.dumps(sorted(names), ensure_ascii=False), encoding="utf-8")
        except OSError as error:
            raise StorageError(f"停用清单写不了：{self._disabled_list}", "请检查权限和磁盘空间") from error

    @property
    def _disabled_list(self) -> Path:
        return self.settings.data_dir / "disabled.json"

    def own_file(self, name: str) -> Path | None:
        """Where a file lies that users put in: the last library folder. None for those that came with the program."""
        from rag.index.build import library_files

        path = library_files(self.settings.library).get(name)
        own = self.settings.library[-1]
        return path if path is not None and path.resolve().is_relative_to(own.resolve()) else None

    def delete_file(self, name: str) -> None:
        """Delete a file that users put in. Raises `UsageError` for another one, `StorageError`."""
        path = self.own_file(name)
        if path is None:
            raise UsageError(f"{name} 不是自己放进来的资料，不能删除", "可以停用它")
        try:
            path.unlink()
        except OSError as error:
            raise StorageError(f"删除不了 {path}（{error.strerror}）", "请检查权限") from error

    def add_files(self, paths: Sequence[Path]) -> None:
        """Copy documents into the last library folder. Raises `UsageError` on a path that is none."""
        from rag.corpus.readers import SUFFIXES

        for path in paths:
            if not path.is_file():
                raise UsageError(f"找不到文件：{path}", "请检查路径")
            if path.suffix.lower() not in SUFFIXES:
                raise UsageError(f"不支持的文件类型：{path.name}", f"可用：{' '.join(sorted(SUFFIXES))}")
        own = self.settings.library[-1]
        own.mkdir(parents=True, exist_ok=True)
        for path in paths:
            if path.resolve().parent != own:
                shutil.copy2(path, own / path.name)

    # --- questions ------------------------------------------------------------

    @cached_property
    def reranker(self) -> Reranker:
        """What orders passages last."""
        from rag.answer.ranking import FeatureReranker, KeepOrder

        if self.settings.reranker == "off":
            return KeepOrder()
        if self._has_cross_encoder:
            return self._cross_encoder
        return FeatureReranker(self.words, self.index.idf, self.settings.ranker)

    @property
    def _has_cross_encoder(self) -> bool:
        return self.settings.reranker not in {"features", "off"}

    @cached_property
    def _cross_encoder(self) -> CrossEncoderReranker:
        """The model that the setting `reranker` names, loaded once for all index versions."""
        from rag.answer.cross_encoder import CrossEncoderReranker

        s = self.settings
        return CrossEncoderReranker(self.models.path(s.reranker, "reranker"), even=s.thresholds.score or 1.0)

    @cached_property
    def retriever(self) -> HybridRetriever:
        """Retrieval over the live index."""
        from rag.answer.retrieval import FusionWeights, HybridRetriever

        columns = {article.column for article in self.index.articles if article.column}
        return HybridRetriever(
            self.index,
            self.embedder,
            self.words,
            dense=self.settings.dense,
            sentences=self.settings.sentences,
            keywords=self.settings.words,
            boosts=self.settings.boosts,
            weights=FusionWeights(dense=self.settings.dense_weight, sentences=self.settings.sentence_weight),
            candidates=self.settings.candidates,
            reranker=self.reranker,
            columns=sorted(columns),
        )

    @cached_property
    def spelling(self) -> Callable[[str], str]:
        """What puts typos right in a question, by the text of the live index."""
        from rag.answer.typos import Spelling

        if not self.settings.typos:
            return str
        articles = self.index.articles
        return Spelling(lambda: "\n".join(f"{a.title}\n{a.text}" for a in articles), self.words).corrected

    def held_to(self, wanted: Filters) -> Filters | None:
        """Return `wanted` written out as the library has it, None where nothing is asked for. Raises `UsageError`."""
        return wanted.among(self.index.articles) if wanted else None

    def search(
        self,
        question: str,
        history: Sequence[Turn] = (),
        k: int | None = None,
        within: Callable[[Article], bool] | None = None,
    ) -> tuple[Evidence, ...]:
        """Return the passages for `question`, best first, of some articles alone where told."""
        from rag.answer.question import normalise, standalone

        asked = self.spelling(standalone(normalise(question, self.settings.max_question_chars), history))
        return tuple(self._retriever_within(within).retrieve(asked, k or self.settings.passages))

    def _retriever_within(self, within: Callable[[Article], bool] | None) -> HybridRetriever:
        return self.retriever if within is None else self.retriever.within(within)

    @cached_property
    def llm_server(self) -> LocalServer:
        """The child process that runs the local model."""
        from rag.llm.local import LocalServer

        s = self.settings
        return LocalServer(
            self.models.path(s.local_llm, "llm"),
            s.data_dir / "run",
            threads=s.llm_threads,
            context=s.llm_context,
            idle_s=s.llm_idle_s,
            start_timeout_s=s.llm_start_timeout_s,
        )

    @cached_property
    def generator(self) -> EndpointGenerator | LocalGenerator | None:
        """What writes answers; None where the settings want no LLM."""
        from rag.llm.endpoint import PRESETS, EndpointGenerator, LocalGenerator

        s = self.settings
        if s.llm == "none":
            return None
        if s.llm == "local":
            return LocalGenerator(self.llm_server, s.local_llm, s.llm_timeout_s)
        preset = PRESETS.get(s.llm)
        if preset and preset.needs_key and not s.llm_api_key.get_secret_value():
            raise SettingsError(f"接口 {s.llm} 需要密钥", "请设环境变量 WEICE_LLM_API_KEY，或加 --no-llm 只摘录原文")
        base_url = s.llm_base_url or (preset.base_url if preset else "")
        model = s.llm_model or (preset.model if preset else "")
        return EndpointGenerator(base_url, s.llm_api_key.get_secret_value(), model, s.llm_timeout_s)

    def judge(self) -> EndpointGenerator:
        """What gives a second opinion on evaluated answers. Raises `UsageError` where none is set."""
        from rag.llm.endpoint import EndpointGenerator

        s = self.settings
        if missing := [name for name in ("judge_base_url", "judge_model") if not getattr(s, name)]:
            raise UsageError(
                f"没有设置裁判模型：缺 {'、'.join(missing)}",
                "请在 weice.toml 里写上（任何 OpenAI 兼容接口），密钥用环境变量 WEICE_JUDGE_API_KEY",
            )
        return EndpointGenerator(s.judge_base_url, s.judge_api_key.get_secret_value(), s.judge_model, s.llm_timeout_s)

    def similarity(self, one: str, other: str) -> float:
        """The cosine of two texts' embeddings."""
        vectors = self.embedder.embed([one, other])
        return float(vectors[0] @ vectors[1])

    def assistant(
        self,
        *,
        use_llm: bool = True,
        within: Callable[[Article], bool] | None = None,
        stop: threading.Event | None = None,
    ) -> Assistant:
        """An assistant over the live index, with or without an LLM, held to some articles where told.

        One with `stop` has the patience of a batch.
        """
        from rag.answer.assistant import Assistant, Thresholds
        from rag.answer.citing import Aligner
        from rag.answer.kinds import Kind as AnswerKind
        from rag.answer.nearest import Nearest
        from rag.answer.ranking import SentenceRanker
        from rag.answer.reading import EvidenceReader
        from rag.answer.relevance import Relevance
        from rag.llm.endpoint import EndpointGenerator

        s = self.settings
        generator = self.generator if use_llm else None
        if use_llm:
            self.prepare()
        if stop is not None and isinstance(generator, EndpointGenerator):
            generator = generator.patient(_BATCH_PATIENCE_S, stop)
        limits = s.thresholds
        short = s.llm_writes == "short" or (s.llm_writes == "auto" and s.llm == "local")
        aligner = Aligner(
            self.words.tokens, self.index.idf, self.similarity, carried=limits.carried, full=limits.full
        )
        ranker = SentenceRanker(self.words, self.index.idf, aligner, s.sentence_ranker)
        return Assistant(
            self._retriever_within(within),
            EvidenceReader(ranker, aligner, Nearest(self.embedder), budget=s.evidence_tokens),
            aligner,
            Relevance(self.words, self.embedder),
            generator,
            index_version=self.index.version,
            passages=s.passages,
            answer_tokens=s.answer_tokens,
            max_question_chars=s.max_question_chars,
            thresholds=Thresholds(limits.coverage, 0.0 if s.reranker == "off" else limits.score),
            quoted_kinds=frozenset({AnswerKind.LIST, AnswerKind.SUMMARY} if short else ()),
            extraction=self._extraction() if use_llm and short else None,
            spelling=self.spelling,
        )

    def _extraction(self) -> Extraction | None:
        """Short answers copied by the local LLM; an endpoint may not let log-odds be moved, and writes."""
        from rag.answer.extracting import Extraction

        if self.settings.llm != "local" or self.generator is None:
            return None
        return Extraction(self.generator, self.settings.null_bias)

    @property
    def batches(self) -> Path:
        """The folder of the batches' journals."""
        return self.settings.data_dir / "batches"

    def answering(
        self, *, use_llm: bool = True, scenario: str | None = None, stop: threading.Event | None = None
    ) -> Answering:
        """How a batch's rows are answered: with or without an LLM, by `scenario` where a row names no other.

        `stop` is the event that `Batch.run` is given, so that waiting for an endpoint ends with it.
        """
        from rag.batch.answering import fingerprint, with_assistant

        assistant = self.assistant(use_llm=use_llm, stop=stop or threading.Event())
        told = self.settings.model_dump(mode="json", include=_SHAPING)
        shaping = {
            "资料索引": self.index.version,
            "大模型": (self.generator.model if use_llm and self.generator else "") or "不用",
            "场景": (scenario or "").strip(),
            "提示词": fingerprint(),
            "词典": self.words.fingerprint,
            **{name: json.dumps(value, ensure_ascii=False) for name, value in told.items()},
        }

        def held_to(wanted: Filters) -> Assistant:
            return assistant.searching(self._retriever_within(self.held_to(wanted)))

        return with_assistant(assistant, shaping, scenario, held_to)

    def workers(self, wanted: int | None = None, *, use_llm: bool = True) -> int:
        """How many rows are answered at once: a remote endpoint takes several, the local LLM one."""
        from rag.llm.endpoint import EndpointGenerator
        from rag.llm.transport import is_loopback

        generator = self.generator if use_llm else None
        if not isinstance(generator, EndpointGenerator):
            return 1
        return wanted or (1 if is_loopback(generator.base_url) else _REMOTE_WORKERS)

    def run_batch(
        self,
        source: Path,
        target: Path,
        *,
        use_llm: bool = True,
        limit: int | None = None,
        sheet: str | None = None,
        column: str | None = None,
        scenario: str | None = None,
        workers: int | None = None,
        retry: Retry | None = None,
        progress: Progress,
        say: Callable[[str], None] = lambda _: None,
        stop: threading.Event | None = None,
    ) -> BatchReport:
        """Answer a list of questions into a file."""
        from rag.batch import open_questions, run_batch

        questions = open_questions(source, sheet=sheet, column=column)
        say(questions.about)
        at_once, stop = self.workers(workers, use_llm=use_llm), stop or threading.Event()
        if workers and workers > at_once:
            say("本机一次只答一条，--workers 只用于大模型接口")
        return run_batch(
            questions,
            target,
            self.answering(use_llm=use_llm, scenario=scenario, stop=stop),
            folder=self.batches,
            workers=at_once,
            limit=limit,
            retry=retry,
            progress=progress,
            say=say,
            stop=stop,
        )

    def plan_batch(
        self,
        source: Path,
        target: Path,
        *,
        use_llm: bool = True,
        limit: int | None = None,
        sheet: str | None = None,
        column: str | None = None,
        scenario: str | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> Plan:
        """Tell what `run_batch` would do; nothing is asked or written."""
        from rag.batch import open_questions, plan_batch

        questions = open_questions(source, sheet=sheet, column=column)
        say(questions.about)
        answering = self.answering(use_llm=use_llm, scenario=scenario)
        return plan_batch(questions, target, answering, folder=self.batches, limit=limit)

    def prepare(self) -> None:
        """Warm up what the first question would wait for, in the background; a failure shows with the question."""
        if self.generator is not None:
            self.generator.prepare()

    def close(self, *, stop_llm: bool = False) -> None:
        """Let go. The local model is shared and ends by itself when idle; `stop_llm` ends one that we started."""
        if stop_llm and "llm_server" in self.__dict__ and self.llm_server.started_here:
            self.llm_server.stop()
