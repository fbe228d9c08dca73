"""The page behind a real nginx with the very lines of README, under a path of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docx
import httpx
import pytest

from rag.settings import ROOT
from tests.ui.api.places import served
from tests.ui.standin import StandIn
from tests.ui.web.conftest import UPLOADS, Site, file_store, watched
from tests.ui.web.test_asking import TIMEOUT_S
from ui import serve
from ui.store import Role

pytestmark = pytest.mark.browser

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
PATH = "/weice"
PASSWORD = "correct horse battery"  # noqa: S105  # of an account made for this test
CONFIG = """
{user} daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; {location} }}
}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    if NGINX is None:
        pytest.skip("no nginx here: apt-get install nginx-light")
    app, store = StandIn(tmp_path, delay_s=0.2), file_store(tmp_path / "db")
    store.accounts.add("小编", PASSWORD, Role.EDITOR)
    whole = serve.build(app, store, use_llm=True, login=True, root_path=PATH)  # type: ignore[arg-type]
    location = re.search(r"```nginx\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert location is not None
    with served(whole) as inner, serve.listen("127.0.0.1", 0) as probe:
        port = probe.getsockname()[1]
        probe.close()
        proxied = location[1].replace("http://127.0.0.1:7860", inner)
        assert proxied != location[1]
        config = tmp_path / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""  # its workers keep large uploads in our folder
        text = CONFIG.format(user=user, folder=tmp_path, port=port, location=proxied)
        config.write_text(text, encoding="utf-8")
        with subprocess.Popen([NGINX, "-p", tmp_path, "-c", config]) as proxy:
            root = f"http://127.0.0.1:{port}{PATH}"
            try:
                with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
                    assert client.get(f"{root}/healthz", timeout=TIMEOUT_S).status_code == 200
                yield Site(app, store, root)
            finally:
                proxy.terminate()


def test_all_works_under_its_path_from_login_to_logout(site: Site, tmp_path: Path, chromium: Any):
    with watched(chromium, site, "/", login=("小编", PASSWORD)) as seen:
        page = seen.page
        page.wait_for_selector("#top >> text=小编（编辑）")
        seen.ask("慢")
        page.wait_for_selector("#draft .wc-draft")  # streamed through the proxy, not held back by it
        page.click("#stop")
        page.wait_for_selector("#talk >> text=已停止")
        page.click("#fresh")
        page.wait_for_selector(".wc-welcome")
        seen.answered("厦门？")
        page.reload()
        page.wait_for_selector("#talk .wc-citations")
        page.click("#talk .wc-answer [data-act=open]")
        page.wait_for_selector("#reader #here")
        page.keyboard.press("Escape")
        page.click("#talk [data-act=word]")
        with page.expect_download() as download:
            page.locator("#answer-file a[download]").first.click()
        assert "厦门" in docx.Document(download.value.path()).paragraphs[0].text
        seen.tab("批量")
        seen.expected_complaints = UPLOADS
        large = tmp_path / "清单.csv"
        large.write_text("问题\n" + "厦门有多少家定点医药机构？\n" * 60_000, encoding="utf-8")
        page.set_input_files("#batch-file input[type=file]", [large])
        page.wait_for_selector("text=共 60000 个问题")
        seen.tab("历史")
        page.click("#history [data-act=resume] >> nth=0")
        page.wait_for_selector("#talk .wc-citations")
        page.click("#top >> text=退出")
        page.wait_for_selector("input[type=password]")
        assert page.url.startswith(site.root)


def test_the_api_is_there_under_the_same_path(site: Site):
    secret, _ = site.store.accounts.create_key("小编")
    headers = {"Authorization": f"Bearer {secret}"}
    with httpx.Client(base_url=site.root, timeout=TIMEOUT_S) as client:
        assert client.get("/v1/models").status_code == 401
        assert client.get("/v1/models", headers=headers).status_code == 200
        assert f"'{PATH}/openapi.json'" in client.get("/docs", headers=headers).text
        asked = client.post("/api/ask", headers=headers, json={"question": "厦门？"}).json()
    assert asked["verdict"] == "answered"
