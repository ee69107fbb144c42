"""Names and downloads: the real client against a loopback server with faults."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from edge_sdk import hub, paths
from edge_sdk.cli import main
from edge_sdk.errors import (
    AccessError,
    LinkError,
    MissingExtra,
    ModelRejected,
    NotFound,
    UsageError,
)
from tests.helpers import packed_model, tiny_tokenizer_json, write_checkpoint

REPO = "someone/Tiny-1.0"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class HubServer(ThreadingHTTPServer):
    """The part of the Hub's protocol that snapshot_download uses, for one repository."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.cut_once: set[str] = set()
        """Files whose next GET ends in the middle."""
        self.answer: tuple[int, dict[str, str]] | None = None
        """What every request gets instead."""
        self.served: list[tuple[str, str | None]] = []
        """(file, Range) of every GET."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer

    def log_message(self, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.respond(body=False)

    def do_GET(self) -> None:
        self.respond(body=True)

    def respond(self, *, body: bool) -> None:
        if self.server.answer is not None:
            status, headers = self.server.answer
            self.send(status, b"{}", headers, body)
            return
        path = self.path.partition("?")[0]
        files = self.server.files
        if re.fullmatch(rf"/api/models/{REPO}(/revision/\w+)?", path):
            siblings = [{"rfilename": n, "size": len(d)} for n, d in files.items()]
            info = {"id": REPO, "sha": COMMIT, "siblings": siblings}
            self.send(200, json.dumps(info).encode(), {}, body)
        elif path.startswith(f"/api/models/{REPO}/tree/{COMMIT}"):
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": etag(data)}
                for name, data in files.items()
            ]
            self.send(200, json.dumps(tree).encode(), {}, body)
        elif path.startswith(f"/{REPO}/resolve/{COMMIT}/") and path.rpartition("/")[2] in files:
            self.send_file(path.rpartition("/")[2], body)
        else:
            self.send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, body)

    def send_file(self, name: str, body: bool) -> None:
        data = self.server.files[name]
        headers = {"ETag": f'"{etag(data)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        wanted = self.headers.get("Range")
        status, start = 200, 0
        if wanted:
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            status = 206
        if body:
            self.server.served.append((name, wanted))
        if body and name in self.server.cut_once:
            self.server.cut_once.discard(name)
            headers["Content-Length"] = str(len(data))
            self.send(status, data[: len(data) // 2], headers, body)
            self.close_connection = True
            return
        self.send(status, data[start:], headers, body)

    def send(self, status: int, data: bytes, headers: dict[str, str], body: bool) -> None:
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(data))} | headers).items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(data)


def etag(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose cache, too, belongs to this test."""
    monkeypatch.setenv("EDGE_SDK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path / "home"


@pytest.fixture
def server(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with HubServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        folder = write_checkpoint(tmp_path / "served", tokenizer=tiny_tokenizer_json())
        server.files = {path.name: path.read_bytes() for path in folder.iterdir()}
        server.files |= {"README.md": b"# Tiny", "pytorch_model.bin": b"\x80\x04evil"}
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server
        server.shutdown()
        thread.join()


def test_a_pulled_model_is_packed_and_found_by_name(server: HubServer, home: Path) -> None:
    seen = []
    path = hub.pull(REPO, progress=lambda *step: seen.append(step))
    assert path == paths.models_dir() / "someone" / "Tiny-1.0.edge"
    with hub.load_model(REPO) as model:
        assert model.name == REPO
        assert model.tokenizer.vocab_size == 29
    fetched = {name for name, _ in server.served}
    assert fetched == {"config.json", "model.safetensors", "tokenizer.json"}
    entry = next(entry for entry in hub.list_models() if entry.name == REPO)
    assert (entry.path, entry.size, entry.embedded) == (path, path.stat().st_size, False)
    total = sum(len(server.files[name]) for name in fetched)
    downloads = [step for step in seen if step[0] == "download"]
    assert downloads[0] == ("download", 0, total)
    assert downloads[-1] == ("download", total, total)
    assert seen[-1][0] == "convert"
    # The checkpoint is not kept: it is many times larger than what was made of it.
    assert not list((home / "cache").rglob("*.safetensors"))


def test_another_name_and_embedding(server: HubServer) -> None:
    path = hub.pull(REPO, name="mine", embedding="fp16")
    assert path == paths.models_dir() / "mine.edge"
    with hub.load_model("mine") as model:
        assert (model.name, model.embedding_dtype) == ("mine", "fp16")


def test_a_cut_connection_is_resumed(
    server: HubServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # The client keeps whole chunks only, and ours is far smaller than its usual one.
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1024)
    server.cut_once.add("model.safetensors")
    hub.pull(REPO)
    ranges = [wanted for name, wanted in server.served if name == "model.safetensors"]
    half = len(server.files["model.safetensors"]) // 2
    assert ranges == [None, f"bytes={half // 1024 * 1024}-"]
    assert capfd.readouterr().err == ""
    with hub.load_model(REPO):
        pass


def test_an_interrupted_pull_keeps_complete_files(
    server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights arrive, the conversion fails: the next pull fetches nothing again."""

    def fail(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("edge_sdk.convert.convert_checkpoint", fail)
        with pytest.raises(KeyboardInterrupt):
            hub.pull(REPO)
    server.served.clear()
    hub.pull(REPO)
    assert server.served == []


def test_a_checkpoint_that_is_refused_is_not_kept(server: HubServer, home: Path) -> None:
    server.files["chat.json"] = b"[]"
    with pytest.raises(ModelRejected, match=r"chat\.json"):
        hub.pull(REPO)
    assert not list((home / "cache").rglob("*.safetensors"))
    assert not paths.models_dir().exists() or not list(paths.models_dir().rglob("*.edge"))


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ((404, {"X-Error-Code": "RepoNotFound"}), NotFound, "has no model"),
        ((401, {"X-Error-Code": "RepoNotFound"}), NotFound, "has no model"),
        ((403, {"X-Error-Code": "GatedRepo"}), AccessError, "conditions"),
        ((418, {}), LinkError, "failed"),
    ],
)
def test_what_the_server_refuses_is_a_sentence(
    answer: Any, error: Any, words: Any, server: HubServer
) -> None:
    server.answer = answer
    with pytest.raises(error, match=words) as raised:
        hub.pull(REPO)
    assert raised.value.hint
    assert "\n" not in raised.value.message


def test_no_server_is_a_link_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(LinkError, match=r"failed"):
        hub.pull(REPO)


def test_a_repository_of_pickles_is_refused_before_the_download(server: HubServer) -> None:
    del server.files["model.safetensors"]
    with pytest.raises(ModelRejected, match="pickles"):
        hub.pull(REPO)
    assert server.served == []


@pytest.mark.parametrize("repo", ["", "name", "a/b/c", "../x", "a b/c", "http://x/y", "a/b?c"])
def test_what_is_no_repository(repo: str, home: Path) -> None:
    with pytest.raises(UsageError):
        hub.pull(repo)


def test_without_the_client_the_extra_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtra) as raised:
        hub.pull(REPO)
    assert raised.value.hint == 'pip install "edge-sdk[pull]"'


def test_the_command(server: HubServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pull", REPO, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["name"] == REPO
    assert err == ""
    server.answer = (404, {"X-Error-Code": "RepoNotFound"})
    assert main(["pull", "someone/else"]) == 3


def test_models_are_found_by_name_and_by_path(home: Path, tmp_path: Path) -> None:
    path = packed_model(tmp_path)
    folder = paths.models_dir() / "owner"
    folder.mkdir(parents=True)
    (folder / "one.edge").write_bytes(path.read_bytes())
    (paths.models_dir() / "two.edge").write_bytes(path.read_bytes())
    (paths.models_dir() / ".three.edge.1.part").write_bytes(b"")
    (paths.models_dir() / ".four.edge").write_bytes(b"")
    installed = [entry.name for entry in hub.list_models() if not entry.embedded]
    assert installed == ["owner/one", "two"]
    with hub.load_model("owner/one") as model:
        assert model.name == "owner/one"
    for by_path in (path, str(path)):
        with hub.load_model(by_path, verify=False) as model:
            assert model.name == "tiny"


def test_a_name_that_is_unknown_lists_the_known_ones(home: Path, tmp_path: Path) -> None:
    (paths.models_dir()).mkdir(parents=True)
    (paths.models_dir() / "two.edge").write_bytes(b"")
    with pytest.raises(NotFound, match=r"'nothing'; known are .*two") as raised:
        hub.load_model("nothing")
    assert "edge-sdk pull" in str(raised.value.hint)
    for name in ("~nobody/x", "a\0b", "x" * 9999, tmp_path / "gone.edge"):
        with pytest.raises(NotFound):
            hub.load_model(name)


def test_a_checkpoint_folder_is_not_loaded(tmp_path: Path, home: Path) -> None:
    folder = write_checkpoint(tmp_path / "c")
    with pytest.raises(UsageError) as raised:
        hub.load_model(folder)
    assert "edge-sdk convert" in str(raised.value.hint)


def test_embedded_models_come_first(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = packed_model(tmp_path)
    package = tmp_path / "embedded"
    package.mkdir()
    (package / "demo.edge").write_bytes(path.read_bytes())
    (package / "LICENSE.md").touch()
    monkeypatch.setattr("edge_sdk.models.__path__", [str(package)])
    paths.models_dir().mkdir(parents=True)
    (paths.models_dir() / "demo.edge").write_bytes(b"")
    (paths.models_dir() / "a.edge").write_bytes(b"")
    assert [(entry.name, entry.embedded) for entry in hub.list_models()] == [
        ("demo", True),
        ("a", False),
    ]
    with hub.load_model("demo") as model:
        assert model.name == "demo"
