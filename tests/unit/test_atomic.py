"""What is published under a name is on the disk before it bears the name, and the name before anybody goes on."""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_ISREG

import pytest

from prodromal import files
from prodromal.files import atomic_folder, write_text


@pytest.fixture
def told(monkeypatch):
    """Syncs, by inode and a file's size, and renames, by the new name, in their order."""
    steps, sync = [], os.fsync

    def synced(handle):
        steps.append(("sync", *facts(os.fstat(handle))))
        sync(handle)

    def noted(move):
        def moved(source, target):
            move(source, target)
            steps.append(("rename", Path(target).name))

        return moved

    monkeypatch.setattr(os, "fsync", synced)
    for name in ("rename", "replace"):
        monkeypatch.setattr(os, name, noted(getattr(os, name)))
    return steps


def facts(found):
    return found.st_ino, found.st_size if S_ISREG(found.st_mode) else None


def sync_of(path):
    """A file keeps inode and size when it is renamed."""
    return ("sync", *facts(path.stat()))


def guard_file(told, folder):
    """Synced, named, and the folder around it synced."""
    (folder / "a.txt").write_text("older")
    write_text(folder / "a.txt", "whole")
    assert told == [sync_of(folder / "a.txt"), ("rename", "a.txt"), sync_of(folder)]


def guard_folder(told, folder):
    """Synced with all that is in it, the older one retired, named, and the folder around it synced."""
    for text in ("first", "second time"):
        told.clear()
        with atomic_folder(folder / "out", replace=True) as partial:
            (partial / "deep").mkdir()
            for name in ("a", "deep/b"):
                (partial / name).write_text(text)
        named = told.index(("rename", "out"))
        retired = [step for step in told[:named] if step[0] == "rename"]
        assert len(retired) == (text != "first")
        out = folder / "out"
        assert set(told[:named]) - set(retired) == {sync_of(path) for path in (out, *out.rglob("*"))}
        assert told[named + 1 :] == [sync_of(folder)]
        assert not retired or told[named - 1] == retired[0]


GUARDS = (guard_file, guard_folder)


@pytest.mark.parametrize("guard", GUARDS)
def test_it_survives_a_power_cut(told, tmp_path, guard):
    guard(told, tmp_path)


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("spared", ["files", "folders", "the folder around"])
def test_sabotage_a_sync_left_out_is_seen(told, tmp_path, monkeypatch, guard, spared):
    right = files._sync
    left_out = {"files": lambda p: p.is_file(), "folders": lambda p: p.is_dir()}.get(spared, lambda p: p == tmp_path)
    monkeypatch.setattr(files, "_sync", lambda path: None if left_out(path) else right(path))
    with pytest.raises(AssertionError):
        guard(told, tmp_path)
