"""The token file: made once, whole, and for its owner only."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.http.token import (
    NoTokenError,
    TokenError,
    ensure_token,
    read_token,
    token_beside,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return token_beside(tmp_path / "orchestrator.db")


def test_the_token_lies_beside_the_database():
    assert token_beside(Path("data/fleet.db")) == Path("data/orchestrator.token")


def test_a_token_is_made_once_kept_and_read_back(path: Path):
    made = ensure_token(path)
    assert len(made) >= 43
    assert ensure_token(path) == made
    assert read_token(path) == made


@pytest.mark.parametrize("umask", [0, 0o022, 0o777])
def test_only_its_owner_may_read_it_whatever_the_umask(path: Path, umask):
    before = os.umask(umask)
    try:
        ensure_token(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_else_is_left_beside_it(path: Path):
    ensure_token(path)
    assert list(path.parent.iterdir()) == [path]


def test_two_databases_have_two_tokens(tmp_path: Path):
    assert ensure_token(tmp_path / "a") != ensure_token(tmp_path / "b")


def test_daemons_that_start_together_share_one_token(path: Path):
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ensure_token, [path] * 32))) == 1
    assert list(path.parent.iterdir()) == [path]


def test_without_a_daemon_there_is_no_token(path: Path):
    with pytest.raises(NoTokenError, match="no daemon has run"):
        read_token(path)
    assert not path.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o620, 0o610, 0o601])
def test_a_token_that_others_can_touch_is_not_used(path: Path, mode):
    ensure_token(path)
    path.chmod(mode)
    for use in (read_token, ensure_token):
        with pytest.raises(TokenError, match="chmod 600"):
            use(path)


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 300, b"\xff" * 50, b"a b" * 20])
def test_what_is_no_token_is_not_sent_anywhere(path: Path, content):
    path.write_bytes(content)
    path.chmod(0o600)
    for use in (read_token, ensure_token):
        with pytest.raises(TokenError, match=r"token holds no token; delete it"):
            use(path)


def test_a_link_is_not_followed(path: Path, tmp_path: Path):
    other = tmp_path / "elsewhere"
    ensure_token(other)
    path.symlink_to(other)
    for use in (read_token, ensure_token):
        with pytest.raises(TokenError, match="cannot be read"):
            use(path)


def test_neither_a_folder_nor_a_pipe_is_a_token(path: Path):
    path.mkdir()
    with pytest.raises(TokenError, match="is no file"):
        read_token(path)
    path.rmdir()
    os.mkfifo(path, 0o600)
    with pytest.raises(TokenError, match="is no file"):
        read_token(path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path):
    with pytest.raises(TokenError, match=r"cannot be written: No such file"):
        ensure_token(tmp_path / "gone" / "orchestrator.token")


def test_a_token_that_somebody_else_put_there_is_not_trusted(path: Path, monkeypatch):
    ensure_token(path)
    somebody = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: somebody + 1)
    for use in (read_token, ensure_token):
        with pytest.raises(TokenError, match="another user"):
            use(path)


def test_the_administrator_steers_another_users_daemon_but_starts_none_with_it(
    path: Path, monkeypatch
):
    planted = ensure_token(path)
    if path.stat().st_uid == 0:
        os.chown(path, 65534, 65534)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert read_token(path) == planted
    with pytest.raises(TokenError, match="another user"):
        ensure_token(path)
