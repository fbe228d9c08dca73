# 卫策问答：每个目标自己做好所需的准备，再次运行立即开始。
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: serve ask eval test check models index clean
.DEFAULT_GOAL := serve

serve: $(VENV)/.ready ## 打开网页 http://127.0.0.1:7860
	@$(BIN)/weice models pull
	@$(BIN)/weice index --quiet || true # 个别文件读不了时照样打开网页
	@$(BIN)/weice serve

ask: $(VENV)/.ready ## 在终端问一个问题：make ask Q="…"
	@$(BIN)/weice models pull >/dev/null
	@$(BIN)/weice index --quiet || true
	@$(BIN)/weice ask "$(Q)"

eval: $(VENV)/.ready ## 在标准题上评测，dev 与 test 各写一份网页报告；中断后再运行会接着做
	@$(BIN)/weice models pull
	@$(BIN)/weice index --quiet || true
	@failed=; for split in dev test; do \
	  $(BIN)/weice eval run eval/datasets/newsletters.jsonl --split $$split --once --report || failed=1; \
	done; test -z "$$failed"

test: $(VENV)/.ready-dev ## 全部测试
	@$(BIN)/weice models pull
	@$(BIN)/weice index --quiet
	@$(BIN)/python -m tests.browser
	$(BIN)/pytest

check: $(VENV)/.ready-dev ## 格式、静态检查、类型、依赖方向、快测试
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -m "not model and not browser"

models: $(VENV)/.ready
	@$(BIN)/weice models pull

index: $(VENV)/.ready
	@$(BIN)/weice index

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "错误：需要 Python 3.11。请安装后重试，或 make PYTHON=/路径/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "安装依赖（首次约几分钟）……"
	$(BIN)/python -m pip install --progress-bar on -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.ready-dev: requirements-dev.lock $(VENV)/.ready
	$(BIN)/python -m pip install --progress-bar on -r requirements-dev.lock
	@touch $@

clean: ## 删除虚拟环境与缓存；资料、模型和索引不动
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build *.egg-info
