"""A server on loopback, which no proxy is asked for."""

import pytest
from loopback import Files, serving


@pytest.fixture
def files():
    return Files()


@pytest.fixture
def address(files, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(files) as url:
        yield url
