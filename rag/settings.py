"""Every setting with its default, read once: defaults, then `weice.toml`, then `WEICE_*` environment variables.

Defaults that were fitted to the development questions stand in `calibration.toml`, with date, command and figures.

Only `rag.wiring` and the command line read settings; everything else takes plain arguments.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from rag.errors import SettingsError

ROOT = Path(__file__).resolve().parent.parent
"""The project folder: relative paths in settings start here."""

CALIBRATION = Path(__file__).with_name("calibration.toml")
"""The settings that `weice eval fit` and `weice eval calibrate` fitted."""

LlmPreset = Literal["local", "none", "deepseek", "dashscope", "ollama", "vllm", "custom"]


class Thresholds(BaseModel):
    """Where refusing and support begin: shares and cosines, 0 to 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    coverage: float = Field(ge=0, le=1, description="问题用词在最好一句里的占比，它与最好一段的得分都低时直接拒答")
    score: float = Field(ge=0, description="最好一段的得分（重排之后）")
    carried: float = Field(ge=0, le=1, description="句子用词在所引原文里的占比，低于它即无依据")
    full: float = Field(ge=0, le=1, description="达到它即依据完整，其间为部分依据")


class Settings(BaseSettings):
    """All settings. Paths are absolute after loading. Unknown names in `weice.toml` are refused."""

    model_config = SettingsConfigDict(env_prefix="WEICE_", extra="forbid", frozen=True)

    # Where things are
    data_dir: Path = Field(Path("var"), description="模型、索引、运行状态所在文件夹")
    models_dir: Path = Field(Path("var/models"), description="模型文件夹，可放在多个副本共用的地方")
    library: tuple[Path, ...] = Field(
        (Path("seeds"), Path("library")), description="资料文件夹，可多个；自己的资料放进 library/"
    )
    lexicon: Path = Field(Path("library/词典.txt"), description="自己的词典，一行一个词，可不存在")

    # Models
    embedding_model: str = Field(
        "m3e-small", description="向量模型：内置名、hf:作者/名称、modelscope:作者/名称，或本地文件夹"
    )
    local_llm: str = Field(
        "qwen2.5-coder-1.5b",
        description="本机大模型：内置名、hf:作者/名称/文件.gguf、modelscope:…，或本地 .gguf 文件",
    )

    # LLM endpoint
    llm: LlmPreset = Field("local", description="大模型来源")
    llm_base_url: str = Field("", description="OpenAI 兼容接口地址，空则用预设")
    llm_model: str = Field("", description="接口上的模型名，空则用预设")
    llm_api_key: SecretStr = Field(SecretStr(""), description="接口密钥，建议用环境变量 WEICE_LLM_API_KEY")
    judge_base_url: str = Field("", description="评测时另请的裁判模型（weice eval judge）：OpenAI 兼容接口地址")
    judge_model: str = Field("", description="裁判模型的名称")
    judge_api_key: SecretStr = Field(SecretStr(""), description="裁判接口密钥，建议用环境变量 WEICE_JUDGE_API_KEY")
    llm_timeout_s: float = Field(90.0, gt=0, description="等待大模型下一段文字的最长秒数")
    llm_start_timeout_s: float = Field(180.0, gt=0, description="等待本机大模型启动的最长秒数")
    llm_idle_s: float = Field(600.0, gt=0, description="本机大模型空闲多少秒后自行退出")
    llm_threads: int = Field(0, ge=0, description="本机大模型线程数，0 为自动")
    llm_context: int = Field(4096, ge=1024, description="本机大模型上下文长度（token）")
    llm_writes: Literal["auto", "all", "short"] = Field(
        "auto",
        description="大模型写什么：all 全部；short 本机只摘事实，接口写事实和比较；auto 本机 short，接口 all",
    )
    answer_tokens: int = Field(400, ge=16, description="回答最长 token 数")

    # Retrieval
    candidates: int = Field(50, ge=1, description="每路检索的候选段落数")
    passages: int = Field(8, ge=1, description="最终保留的段落数")
    dense: bool = Field(True, description="是否用向量检索")
    sentences: bool = Field(True, description="是否用逐句的向量检索")
    words: bool = Field(True, description="是否用关键词检索")
    dense_weight: float = Field(0.32, ge=0, le=0.5, description="融合时段落向量一路的权重")
    sentence_weight: float = Field(0.38, ge=0, le=0.5, description="融合时逐句向量一路的权重，余下归关键词")
    boosts: bool = Field(True, description="是否按问题中的省份、年份、期号、栏目调整次序")
    typos: bool = Field(True, description="是否改正问题里的同音错字：射香 → 麝香（资料里没有前者，有后者）")
    reranker: str = Field(
        "features",
        min_length=1,
        description="重排：features（自带）、off，或交叉编码器 hf:作者/名称、modelscope:作者/名称、本地文件夹",
    )
    ranker: dict[str, float] = Field(description="重排各特征的权重，由 weice eval fit 在开发集上学出")
    sentence_ranker: dict[str, float] = Field(description="挑句子各特征的权重，同上")

    # Answering
    evidence_tokens: int = Field(600, ge=100, description="送入大模型的资料上限（token）")
    thresholds: Thresholds = Field(description="拒答与依据的界线，由 weice eval calibrate 在开发集上定出")
    null_bias: float = Field(0.0, description="本机大模型答“无”（资料没有写）的对数几率加上这么多：越小越少拒答")
    max_question_chars: int = Field(2000, ge=10, description="问题最长字数，超出部分不参与检索")

    # Serving
    database: SecretStr = Field(
        SecretStr(""), description="数据库（账号、对话、反馈）的 SQLAlchemy 地址，空则用数据文件夹里的 weice.db"
    )
    host: str = Field("127.0.0.1", description="监听地址")
    port: int = Field(7860, ge=1, le=65535, description="监听端口")
    root_path: str = Field("", pattern=r"^(/[\w.~-]+)*$", description="反向代理把本服务放在哪个路径下，如 /weice")
    login: bool = Field(False, description="本机打开也要登录、接口也要密钥；监听别的地址时总是要的")
    session_hours: float = Field(12.0, gt=0, description="网页登录多少小时后要重新登录")
    questions_at_once: int = Field(
        16, ge=1, description="网页：同时有几个问题由大模型作答或在等它，再多的请稍后再问（摘录模式不限）"
    )
    api_per_minute: int = Field(60, ge=1, description="接口：每个密钥每分钟最多几次请求")
    api_body_kb: int = Field(1024, ge=1, description="接口：一次请求最大多少 KB")
    api_timeout_s: float = Field(300.0, gt=0, description="接口：一个回答最长多少秒")
    api_at_once: int = Field(8, ge=1, description="接口：同时回答几个问题，再多的请它稍后再来")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # pydantic's shape
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, `weice.toml`, what was fitted."""
        own, fitted = (TomlConfigSettingsSource(settings_cls, path) for path in (config_file(), CALIBRATION))
        return init_settings, env_settings, own, fitted


def config_file() -> Path:
    """The settings file: `$WEICE_CONFIG`, else `weice.toml` in the project folder."""
    return Path(os.environ.get("WEICE_CONFIG") or ROOT / "weice.toml")


def load(**overrides: object) -> Settings:
    """Read the settings once, with `overrides` on top. Raises `SettingsError` naming the setting."""
    path = config_file()
    if os.environ.get("WEICE_CONFIG") and not path.is_file():
        raise SettingsError(f"找不到设置文件 {path}", "请检查环境变量 WEICE_CONFIG")
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]  # checked by pydantic itself
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        known = "、".join(Settings.model_fields)
        if first["type"] == "extra_forbidden":
            raise SettingsError(f"不认识的设置 {name}", f"可用的设置：{known}") from error
        raise SettingsError(
            f"设置 {name} 的值不对：{first.get('input')!r}（{first['msg']}）",
            f"请改 {path} 或环境变量 WEICE_{name.upper()}",
        ) from error
    except ValueError as error:  # tomllib: not TOML; pydantic-settings: an environment value that is no JSON
        raise SettingsError(f"设置读不出来：{error}", f"请检查 {path} 和 WEICE_* 环境变量") from error
    anchored = {name: (ROOT / getattr(settings, name)).resolve() for name in ("data_dir", "models_dir", "lexicon")}
    library = tuple((ROOT / path).resolve() for path in settings.library)
    return settings.model_copy(update={**anchored, "library": library})
