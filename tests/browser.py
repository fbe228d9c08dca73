"""`python -m tests.browser`: makes sure that there is a Chromium for the browser tests, or says clearly why not.

Debian and Ubuntu machines where we are root get it from their own packages; elsewhere the user is told what to do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = ("chromium", "fonts-noto-cjk")
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


def main() -> int:
    """Return 0 always: without a browser the tests marked `browser` say so, the others run."""
    if Path(CHROMIUM).exists():
        return 0
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        print(f"没有 Chromium，浏览器测试将报告为未运行。请安装：{' '.join(PACKAGES)}，或设 CHROMIUM=浏览器路径")
        return 0
    print("安装 Chromium 和中文字体，供浏览器测试使用 ……", flush=True)
    quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]):
        if subprocess.run(command, check=False, **quiet).returncode:  # type: ignore[call-overload]
            print(f"没有装成（{' '.join(command)}），浏览器测试将报告为未运行。")
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
