"""The parts of uvicorn that `web/uvicorn_server.py` uses without their being documented are there."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState


async def _app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - an application
    raise AssertionError(scope, receive, send)


def _changed(what: str) -> str:
    return f"uvicorn {uvicorn.__version__} has another {what}: look at repo_manager/web/uvicorn_server.py"


def _config() -> uvicorn.Config:
    config = uvicorn.Config(_app, http=H11Protocol, loop="asyncio", ws="none", lifespan="off", log_config=None)
    config.load()
    return config


@pytest.mark.parametrize(
    "method", ["connection_made", "connection_lost", "data_received", "pause_writing", "resume_writing", "shutdown"]
)
def test_asyncio_calls_the_connection_by_these_methods(method: str) -> None:
    assert method in vars(H11Protocol), _changed(f"H11Protocol.{method}")


def test_a_refused_request_is_answered_by_a_method_that_takes_the_words() -> None:
    words = list(inspect.signature(H11Protocol.send_400_response).parameters)
    assert words == ["self", "msg"], _changed("H11Protocol.send_400_response")


def test_a_connection_has_the_attributes_that_are_used() -> None:
    async def made() -> H11Protocol:
        return H11Protocol(_config(), ServerState(), {})

    connection = asyncio.run(made())
    for name in ("app", "conn", "cycle", "flow", "loop", "scheme", "transport"):
        # Some are declared by the class and have a value only when a client has come.
        declared = name in H11Protocol.__init__.__code__.co_names
        assert hasattr(connection, name) or declared, _changed(f"H11Protocol.{name}")
    assert type(connection.conn).__module__.startswith("h11"), _changed("H11Protocol.conn")


def test_a_server_has_the_methods_and_attributes_that_are_used() -> None:
    server = uvicorn.Server(_config())
    for name in ("capture_signals", "serve", "startup", "shutdown"):
        assert name in vars(uvicorn.Server), _changed(f"Server.{name}")
    for name in ("config", "server_state", "should_exit", "started"):
        assert hasattr(server, name), _changed(f"Server.{name}")
    assert isinstance(server.server_state.connections, set), _changed("ServerState.connections")
    assert list(inspect.signature(uvicorn.Server.startup).parameters) == ["self", "sockets"], _changed("Server.startup")
