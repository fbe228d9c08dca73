"""The process that holds the local LLM: a llama.cpp server on loopback, which leaves when nobody needs it.

Started by path (`python -P child.py`, its orders as JSON on standard input), so it imports nothing of this
program. It picks its own port and key and tells them in the state file, which only the user may read. It ends
when that file is gone or another's, or when nobody touched the heartbeat file for `idle_s` seconds.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_LOG_LIMIT = 1 << 20
_LOOK_S = 0.5


def main() -> None:
    """Serve until there is no reason to."""
    orders = json.load(sys.stdin)
    key = secrets.token_urlsafe(32)
    server = _serve(orders, key)
    address = server.listening_address
    state = Path(orders["state"])
    mine = json.dumps(
        {"pid": os.getpid(), "address": address, "api_key": key, "identity": orders["identity"]},
        ensure_ascii=False,
    )
    partial = state.with_name(f"{state.name}.{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(mine)
    os.replace(partial, state)
    _stay(orders, state, mine, address, key)
    os._exit(0)  # at once: a generation that nobody reads any more need not end first


def _serve(orders: dict[str, Any], key: str) -> Any:
    """Load the model; returns when the server answers."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = orders["model"]
    params.n_ctx = orders["context"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = orders["threads"]
    params.n_parallel = 1
    params.n_batch = params.n_ubatch = 128  # an abandoned request blocks the next one for one batch at most
    params.cache_ram_mib = 512
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.ui = False
    params.offline = True
    params.fit_params = False
    params.verbosity = 1  # errors only: questions stay out of the log
    return xllamacpp.Server(params)


def _stay(orders: dict[str, Any], state: Path, mine: str, address: str, key: str) -> None:
    """Return when the state file is no longer ours, or after `idle_s` without heartbeat and work."""
    heartbeat, log = Path(orders["heartbeat"]), Path(orders["log"])
    last = time.time()
    while True:
        time.sleep(_LOOK_S)
        if _read(state) != mine:
            return
        if log.exists() and log.stat().st_size > _LOG_LIMIT:
            os.truncate(log, 0)
        if heartbeat.exists():
            last = max(last, heartbeat.stat().st_mtime)
        if time.time() - last <= orders["idle_s"]:
            continue
        if not _busy(address, key):
            state.unlink(missing_ok=True)
            return
        last = time.time()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _busy(address: str, key: str) -> bool:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=5)
    try:
        connection.request("GET", "/slots", headers={"Authorization": f"Bearer {key}"})
        return any(slot["is_processing"] for slot in json.loads(connection.getresponse().read()))
    except (OSError, http.client.HTTPException, ValueError, TypeError, KeyError):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    main()
