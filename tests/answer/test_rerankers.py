"""Every reranker keeps one contract; the cross-encoder is the real library's, with a tiny random model on disk."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rag.answer.cross_encoder import DEPTH, CrossEncoderReranker
from rag.answer.ranking import FeatureReranker, KeepOrder
from rag.corpus.words import Words
from rag.errors import ModelError
from rag.ports import Reranker
from rag.schema import Evidence
from rag.settings import load as load_settings
from rag.wiring import App
from tests.builders import article, whole

TEXTS = ("厦门有定点机构。", "卫生健康改革。", "医保定点。", "医保改革在厦门。", "天气晴朗。")
FOUND = tuple(
    Evidence(whole(article(text, title=f"题{n}", id_=f"a#{n}")), 1.0 - n / 10, ("words",))
    for n, text in enumerate(TEXTS)
)
QUESTION = "厦门医保改革"


def make_cross_encoder(folder: Path, *, labels: int = 1, certain: bool = True) -> Path:
    """A random cross-encoder as a hub holds it; an uncertain one finds everything as likely right as wrong."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    folder.mkdir()
    torch.manual_seed(5)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"医保卫生健康厦门定点机构改革天气题"]
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        num_labels=labels,
        initializer_range=1.0,
    )
    model = BertForSequenceClassification(config)
    if not certain:
        torch.nn.init.zeros_(model.classifier.weight)
        torch.nn.init.zeros_(model.classifier.bias)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "model_max_length": 128}')
    return folder


@pytest.fixture
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection, as tests without a real model do."""

    def refuse(*args: object) -> None:
        raise AssertionError(f"asked for a connection: {args[1:]}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(params=["off", "features", pytest.param("cross-encoder", marks=pytest.mark.model)])
def reranker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reranker]:
    made: dict[str, Callable[[], Reranker]] = {
        "off": KeepOrder,
        "features": lambda: FeatureReranker(Words(), lambda _: 1.0, load_settings().ranker),
        "cross-encoder": lambda: CrossEncoderReranker(make_cross_encoder(tmp_path / "tiny")),
    }
    return made[request.param]()


def test_it_returns_the_same_passages_best_first(reranker: Reranker) -> None:
    again = reranker.rerank(QUESTION, FOUND)
    assert {e.chunk.id for e in again} == {e.chunk.id for e in FOUND}
    assert len(again) == len(FOUND)
    assert [e.score for e in again] == sorted((e.score for e in again), reverse=True)
    assert all(e.found_by == ("words",) for e in again)
    assert all(e.score >= 0 for e in again), "thresholds are not below zero"


def test_it_says_the_same_again_and_leaves_what_it_got(reranker: Reranker) -> None:
    given = list(FOUND)
    assert reranker.rerank(QUESTION, given) == reranker.rerank(QUESTION, given)
    assert tuple(given) == FOUND


def test_no_passages_are_no_error(reranker: Reranker) -> None:
    assert reranker.rerank(QUESTION, []) == []


def test_several_threads_get_what_one_gets(reranker: Reranker) -> None:
    alone = [reranker.rerank(text, FOUND) for text in TEXTS]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: reranker.rerank(text, FOUND), TEXTS))
    for one, other in zip(alone, together, strict=True):
        assert [e.score for e in other] == pytest.approx([e.score for e in one], abs=1e-5)


@pytest.mark.model
def test_the_order_is_that_of_the_library_itself(tmp_path: Path, nobody_is_asked: None) -> None:
    from sentence_transformers import CrossEncoder

    folder = make_cross_encoder(tmp_path / "tiny")
    scores = CrossEncoder(str(folder), local_files_only=True).predict(
        [(QUESTION, f"{e.chunk.article.title}\n{e.chunk.text}") for e in FOUND]
    )
    assert len(set(scores.tolist())) == len(FOUND), "a random model tells the passages apart"
    expected = [FOUND[n].chunk.text for n in (-scores).argsort()]
    assert expected != list(TEXTS), "and not in the order that they came in"
    assert [e.chunk.text for e in CrossEncoderReranker(folder).rerank(QUESTION, FOUND)] == expected


@pytest.mark.model
def test_even_odds_lie_at_the_threshold(tmp_path: Path) -> None:
    reranker = CrossEncoderReranker(make_cross_encoder(tmp_path / "tiny", certain=False), even=1.05)
    assert [e.score for e in reranker.rerank(QUESTION, FOUND)] == pytest.approx([1.05] * len(FOUND))


@pytest.mark.model
def test_passages_far_down_are_not_read_and_stay_behind(tmp_path: Path) -> None:
    many = [FOUND[n % len(FOUND)] for n in range(DEPTH + 3)]
    again = CrossEncoderReranker(make_cross_encoder(tmp_path / "tiny")).rerank(QUESTION, many)
    assert [(e.chunk, e.score) for e in again[DEPTH:]] == [(e.chunk, 0.0) for e in many[DEPTH:]]
    assert min(e.score for e in again[:DEPTH]) > 0


@pytest.mark.model
def test_what_is_no_cross_encoder_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"3 个得分，应为 1 个.*features"):
        CrossEncoderReranker(make_cross_encoder(tmp_path / "three", labels=3))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"重排模型 empty 读不出来.*features"):
        CrossEncoderReranker(tmp_path / "empty")


@pytest.mark.model
def test_a_setting_is_all_it_takes(tmp_path: Path, nobody_is_asked: None) -> None:
    spec = str(make_cross_encoder(tmp_path / "tiny"))
    app = App(load_settings(reranker=spec, models_dir=tmp_path / "models"))
    assert (spec, "reranker") in app.wanted_models()
    with pytest.raises(ModelError, match=r"重排模型 .* 还没有下载.*weice models pull"):
        _ = app.reranker
    folder = app.models.pull(spec, "reranker")
    assert app.models.verify(spec, "reranker") == ()
    assert not (folder / "openvino").exists()
    assert isinstance(app.reranker, CrossEncoderReranker)
    assert {e.score for e in app.reranker.rerank(QUESTION, FOUND)} != {e.score for e in FOUND}


def test_a_reranker_that_is_not_there_is_named(tmp_path: Path) -> None:
    app = App(load_settings(reranker="gpu", models_dir=tmp_path))
    with pytest.raises(
        ModelError,
        match=r"找不到重排模型 gpu。可以写：features、off、hf:作者/名称、modelscope:作者/名称，或本地文件夹",
    ):
        _ = app.reranker
