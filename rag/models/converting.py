"""Turns a sentence-transformers-style BERT folder into one OpenVINO graph: token ids in, unit vectors out.

Runs once, when a model is pulled. It alone imports torch and transformers, and only inside its functions.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any, Literal

from rag.errors import ModelError

GRAPH = "openvino/model.xml"
GRAPH_WEIGHTS = "openvino/model.bin"
_POOLING = "1_Pooling/config.json"
_OTHER_MODEL = "请换一个 BERT 类句向量模型，例如 m3e-small 或 hf:BAAI/bge-small-zh-v1.5"

Pooling = Literal["mean", "cls"]


def to_safetensors(pickled: Path, target: Path) -> None:
    """Write the weights of a `pytorch_model.bin` as safetensors; code inside the pickle is never run."""
    import torch
    from safetensors.torch import save_file

    try:
        tensors = torch.load(pickled, map_location="cpu", weights_only=True)
        whole = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
    except (pickle.UnpicklingError, RuntimeError, EOFError, AttributeError) as error:
        raise ModelError(f"{pickled} 不是可以安全读取的权重文件", _OTHER_MODEL) from error
    partial = target.with_name(f"{target.name}.partial")
    save_file(whole, partial, metadata={"format": "pt"})
    partial.chmod(0o644)  # safetensors makes it private; a store may be shared
    os.replace(partial, target)


def pooling_of(folder: Path) -> Pooling:
    """How the model makes one vector of many: from `1_Pooling/config.json`, mean where there is none."""
    modules_file, pooling_file = folder / "modules.json", folder / _POOLING
    modules = _read(modules_file) if modules_file.is_file() else []
    kinds = {str(module.get("type", "")).rsplit(".", 1)[-1] for module in modules}
    if strange := kinds - {"Transformer", "Pooling", "Normalize"}:
        raise ModelError(f"模型 {folder.name} 含有不支持的层 {'、'.join(sorted(strange))}", _OTHER_MODEL)
    config = _read(pooling_file) if pooling_file.is_file() else {}
    modes = {key.removeprefix("pooling_mode_") for key, on in config.items() if on is True and "_mode_" in key}
    if isinstance(config.get("pooling_mode"), str):  # the spelling of newer sentence-transformers
        modes = {config["pooling_mode"]}
    if not modes or modes <= {"mean", "mean_tokens"}:
        return "mean"
    if modes <= {"cls", "cls_token"}:
        return "cls"
    raise ModelError(f"模型 {folder.name} 的池化方式 {'、'.join(sorted(modes))} 不支持", _OTHER_MODEL)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} 不是 JSON", "请删除它后运行 weice models pull") from error


def to_openvino(folder: Path) -> None:
    """Write `openvino/model.xml` and `.bin` beside the weights, and `tokenizer.json` where it is missing.

    The graph takes int64 `input_ids` and `attention_mask`, both [n, length], and gives float32 [n, d]: pooled
    over the mask and of length 1. Raises `ModelError` for a model that is no such encoder.
    """
    import torch
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    pooling = pooling_of(folder)
    try:
        encoder = transformers.AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            attn_implementation="eager",
            dtype=torch.float32,
        )
        if not (folder / "tokenizer.json").is_file():
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    except (OSError, ValueError, KeyError, AttributeError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"模型 {folder.name} 读不出来（{reason}）", _OTHER_MODEL) from error
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the tracer warns of branches that are the same for every input
        _save_graph(_sentence_encoder(encoder.eval(), pooling), folder)


def _sentence_encoder(encoder: Any, pooling: Pooling) -> Any:
    """Wrap a transformer so that it gives sentence vectors."""
    import torch

    class SentenceEncoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            tokens = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            if pooling == "cls":
                pooled = tokens[:, 0]
            else:
                mask = attention_mask.unsqueeze(-1).to(tokens.dtype)
                pooled = (tokens * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(pooled, p=2.0, dim=1)

    return SentenceEncoder().eval()


def _save_graph(model: Any, folder: Path) -> None:
    import torch

    # OpenVINO reports its import to its maker unless this package is missing
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None is how a module is barred
    import openvino

    example = {
        "input_ids": torch.tensor([[2, 3, 3], [2, 3, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1], [1, 1, 0]]),
    }
    shape = openvino.PartialShape([-1, -1])
    inputs = [(name, shape, openvino.Type.i64) for name in example]
    try:
        graph = openvino.convert_model(model, example_input=example, input=inputs)
    except RuntimeError as error:
        raise ModelError(f"模型 {folder.name} 转换不成 OpenVINO 图", _OTHER_MODEL) from error
    graph.outputs[0].get_tensor().set_names({"sentence_embedding"})
    (folder / GRAPH).parent.mkdir(exist_ok=True)
    openvino.save_model(graph, folder / GRAPH, compress_to_fp16=False)
