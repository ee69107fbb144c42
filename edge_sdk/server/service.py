"""The endpoints: models, and chat completions as a whole or as a stream.

It knows HTTP and the one answer that may be written at a time; it does not know how the model is
run. When the client goes away, its answer is stopped.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from edge_sdk.errors import EdgeError, UsageError
from edge_sdk.server.guard import Guard, Rules
from edge_sdk.server.replies import Completion, Json, error, model, models
from edge_sdk.server.request import BadRequest, parse
from edge_sdk.server.talker import Talker
from edge_sdk.server.work import Work

RETRY_SECONDS = 1
"""When a client that found the model at work may try again."""

CLOSE_SECONDS = 5.0
"""How long the end of the server waits for a device that does not stop."""


class Service:
    """One model behind the protocol; `app` is the ASGI application."""

    def __init__(self, talker: Talker, model: str, rules: Rules) -> None:
        """model: the name that requests must give."""
        self._talker = talker
        self._model = model
        self._busy = threading.Lock()
        self._work: Work | None = None
        routes = [
            Route("/v1/models", self._list, methods=["GET"]),
            Route("/v1/models/{name:path}", self._show, methods=["GET"]),
            Route("/v1/chat/completions", self._complete, methods=["POST"]),
        ]
        handlers = {404: _not_found, 405: _not_allowed, Exception: _failed}
        self.app = Guard(Starlette(routes=routes, exception_handlers=handlers), rules)

    def close(self) -> None:
        """Stop the answer that is being written and wait for the device."""
        if self._work is not None:
            self._work.stop()
        if self._busy.acquire(timeout=CLOSE_SECONDS):
            self._busy.release()

    async def _list(self, request: Request) -> Response:
        return JSONResponse(models([self._model]))

    async def _show(self, request: Request) -> Response:
        name = request.path_params["name"]
        return JSONResponse(model(name)) if name == self._model else self._unknown_model()

    async def _complete(self, request: Request) -> Response:
        try:
            wanted = parse(json.loads(await request.body()))
        except BadRequest as refused:
            return _refuse(refused.message, refused.param)
        except (ValueError, RecursionError):
            return _refuse("the body is not valid JSON.", "body")
        if wanted.model != self._model:
            return self._unknown_model()
        if not self._busy.acquire(blocking=False):
            reply = error("another answer is being written.", "rate_limit_error", code="busy")
            return JSONResponse(reply, 429, {"retry-after": str(RETRY_SECONDS)})
        work = self._work = Work(self._talker, wanted, self._busy.release)
        completion = Completion(self._model)
        try:
            async with _stopped_when_gone(request, work):
                # Before the headers, so that a refusal still has its status.
                text = await work.next() or ""
                if not wanted.stream:
                    text += await work.rest()
                    return JSONResponse(completion.whole(text, work.answer))
        except UsageError as refused:
            return _refuse(refused.message, "messages")
        except EdgeError as failure:
            return JSONResponse(_error_of(failure), 503)
        stream = _events(text, work, completion, include_usage=wanted.include_usage)
        return StreamingResponse(stream, media_type="text/event-stream")

    def _unknown_model(self) -> Response:
        text = f"there is no such model; this server has {self._model!r}."
        return JSONResponse(error(text, "invalid_request_error", code="model_not_found"), 404)


async def _events(
    first: str, work: Work, completion: Completion, *, include_usage: bool
) -> AsyncIterator[str]:
    """The lines of a stream of server-sent events; the client's leaving closes the iterator."""
    try:
        yield _event(completion.chunk({"role": "assistant", "content": first}))
        while (piece := await work.next()) is not None:
            yield _event(completion.chunk({"content": piece}))
        yield _event(completion.chunk({}, work.answer.finish_reason))
        if include_usage:
            yield _event(completion.usage_chunk(work.answer))
        yield "data: [DONE]\n\n"
    except EdgeError as failure:
        yield _event(_error_of(failure))
    finally:
        work.stop()


@asynccontextmanager
async def _stopped_when_gone(request: Request, work: Work) -> AsyncIterator[None]:
    """Stop `work` if the client goes away meanwhile, or the block fails."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        work.stop()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except BaseException:
        work.stop()
        raise
    finally:
        watcher.cancel()


def _event(value: Json) -> str:
    return f"data: {json.dumps(value)}\n\n"


def _error_of(failure: EdgeError) -> Json:
    text = f"{failure.message} {failure.hint}" if failure.hint else failure.message
    return error(text, "server_error", code=type(failure).__name__)


def _refuse(message: str, param: str) -> Response:
    return JSONResponse(error(message, "invalid_request_error", param=param), 400)


async def _not_found(request: Request, exc: Exception) -> Response:
    text = "there is nothing here; /v1/chat/completions and /v1/models are served."
    return JSONResponse(error(text, "invalid_request_error"), 404)


async def _not_allowed(request: Request, exc: Exception) -> Response:
    return JSONResponse(error("this method is not served here.", "invalid_request_error"), 405)


async def _failed(request: Request, exc: Exception) -> Response:
    return JSONResponse(error("something unexpected went wrong.", "server_error"), 500)
