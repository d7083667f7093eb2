"""Whose a run is: a token that is never written, a hash that is, and an administrator who may do everything."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from mnist_core import owners
from mnist_core.errors import NotOwnerError, RunError
from mnist_core.handwriting.corrections import list_corrections, save_correction
from mnist_core.owners import Visitor
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run

ANN, BEN = Visitor(owners.new_token()), Visitor(owners.new_token())


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> Visitor:
    """Somebody who has named the administrator's token."""
    monkeypatch.setenv("DIGITLAB_ADMIN_TOKEN", "Schlüssel ☃")
    token = owners.new_token()
    return Visitor(token, owners.admin_proof(token, " Schlüssel ☃ "))


def test_tokens_are_long_and_no_two_are_equal() -> None:
    made = {owners.new_token() for _ in range(100)}
    assert len(made) == 100 and all(owners.is_token(token) for token in made)


@pytest.mark.parametrize("text", ["", "x", "x" * 42, "x" * 44, "é" * 43, "x" * 42 + "\n", "x" * 42 + '"', None, 7])
def test_malformed_tokens_are_refused(text: object) -> None:
    assert not owners.is_token(text)


def test_only_the_hash_of_a_token_is_written() -> None:
    run = create_run(make_spec("fast", {}, "sample"), owner=ANN.owner)
    expected = hashlib.sha256(ANN.token.encode()).hexdigest()
    assert json.loads((run.path / "owner.json").read_text()) == {"owner": expected}
    assert not any(ANN.token.encode() in path.read_bytes() for path in run.path.iterdir())
    assert ANN.token not in repr(ANN)


def test_a_token_in_the_place_of_an_owner_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="SHA-256"):
        owners.write_owner(tmp_path, ANN.token)
    assert list(tmp_path.iterdir()) == []


def test_only_the_owner_may_change_a_run() -> None:
    run = create_run(make_spec("fast", {}, "sample"), owner=ANN.owner)
    owner = owners.read_owner(run.path)
    assert owners.may_change(owner, ANN) and not owners.may_change(owner, BEN)
    owners.check_may_change(owner, ANN)
    with pytest.raises(NotOwnerError, match="^The run x "):
        owners.check_may_change(owner, BEN, "The run x")


def test_everybody_may_change_unowned_runs_until_there_is_an_administrator(monkeypatch: pytest.MonkeyPatch) -> None:
    run = create_run(make_spec("fast", {}, "sample"))
    assert not (run.path / "owner.json").exists()
    assert owners.may_change(owners.read_owner(run.path), ANN) and owners.may_change(owners.read_owner(run.path), BEN)
    monkeypatch.setenv("DIGITLAB_ADMIN_TOKEN", "secret")
    with pytest.raises(NotOwnerError, match="only the administrator"):
        owners.check_may_change(owners.read_owner(run.path), ANN)
    assert owners.may_change(ANN.owner, ANN), "their own is theirs still"


def test_the_administrator_changes_everything(admin: Visitor) -> None:
    assert admin.is_admin
    assert all(owners.may_change(owner, admin) for owner in (ANN.owner, owners.NOBODY, owners.UNKNOWN))


def test_an_administrators_token_may_be_any_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLAB_ADMIN_TOKEN", "caf\udce9")
    assert not Visitor(owners.new_token(), "proof").is_admin


def test_a_proof_is_of_one_browser_and_one_token_of_the_administrator(
    admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Schlüssel" not in admin.proof
    assert not Visitor(ANN.token, admin.proof).is_admin, "another browser"
    assert not Visitor(admin.token, "").is_admin and not Visitor(admin.token, "é" * 64).is_admin
    monkeypatch.setenv("DIGITLAB_ADMIN_TOKEN", "another")
    assert not admin.is_admin, "the token was changed"
    for nothing in ("", "  "):
        monkeypatch.setenv("DIGITLAB_ADMIN_TOKEN", nothing)
        assert not admin.is_admin, "there is no administrator any more"


@pytest.mark.parametrize("given", ["", "secre", "secret2", "sécret"])
def test_a_wrong_token_of_the_administrator_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLAB_ADMIN_TOKEN", "secret")
    with pytest.raises(NotOwnerError, match="not the administrator's token"):
        owners.admin_proof(ANN.token, given)


def test_without_an_administrator_nobody_becomes_one() -> None:
    with pytest.raises(NotOwnerError, match="has no administrator"):
        owners.admin_proof(ANN.token, "")


NONSENSE = [
    "",
    "{",
    "[]",
    "7",
    '{"owner": 7}',
    '{"owner": [1]}',
    '{"owner": "x"}',
    '{"owner": null}',
    '{"owner": ""}',
    "\0",
    '{"owner": "' + "A" * 64 + '"}',
]


@pytest.mark.parametrize("content", NONSENSE)
def test_an_owner_changed_by_hand_is_unknown(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "owner.json").write_text(content)
    assert owners.read_owner(tmp_path) == owners.UNKNOWN
    with pytest.raises(NotOwnerError, match="file with its owner was changed by hand"):
        owners.check_may_change(owners.read_owner(tmp_path), ANN)
    monkeypatch.setenv("DIGITLAB_ADMIN_TOKEN", "secret")
    assert owners.may_change(owners.read_owner(tmp_path), Visitor(ANN.token, owners.admin_proof(ANN.token, "secret")))


def test_a_kept_drawing_remembers_its_owner(runs_root: Path) -> None:
    import numpy as np

    image = np.full((28, 28), 9, np.uint8)
    name = save_correction(image, 7, 1, owner=ANN.owner).name
    assert list_corrections()[0].owner == ANN.owner
    path = runs_root / "drawings" / f"{name}.json"
    written = json.loads(path.read_text())
    for owner, expected in ((None, owners.NOBODY), (7, owners.UNKNOWN), ("x", owners.UNKNOWN)):
        path.write_text(json.dumps({**written, "owner": owner}))
        assert list_corrections()[0].owner == expected
    del written["owner"]  # as drawings were kept before there were owners
    path.write_text(json.dumps(written))
    assert list_corrections()[0].owner == owners.NOBODY
