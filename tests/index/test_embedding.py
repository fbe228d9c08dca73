"""The real embedding model, asked from several threads at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rag import settings
from rag.wiring import App


@pytest.mark.model
def test_several_threads_get_the_vectors_that_one_gets() -> None:
    embedder = App(settings.load()).embedder
    texts = [f"第{n}家定点医药机构接入即时结算系统" * (1 + n % 7) for n in range(40)]
    alone = [embedder.embed([text]) for text in texts]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda text: embedder.embed([text]), texts))
    assert all(np.allclose(one, other, atol=1e-5) for one, other in zip(alone, together, strict=True))
