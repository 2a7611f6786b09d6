"""Checkpoints of arrays and values: the newest whole one of the same job, or none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sagedock.errors import UserError
from sagedock.formats.checkpoints import Checkpoint, Checkpoints


def one(number: int) -> Checkpoint:
    return Checkpoint(number, {"weights": np.full(3, number, np.float32)}, {"losses": [0.5] * number})


def numbers(directory: Path) -> list[str]:
    return sorted(file.name for file in directory.iterdir())


def test_what_was_saved_is_found_and_the_two_newest_are_kept(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path / "new", "job", {"rate": 0.1, "kind": Path("as text")})
    assert kept.latest(9) is None
    for number in (1, 2, 3):
        kept.save(one(number))
    assert numbers(tmp_path / "new") == ["job.2", "job.3"]
    found = Checkpoints(tmp_path / "new", "job", {"rate": 0.1, "kind": "as text"}).latest(9)
    assert found is not None
    assert (found.number, found.values) == (3, {"losses": [0.5] * 3})
    assert found.arrays["weights"].tolist() == [3.0] * 3


def test_those_beyond_the_end_and_damaged_ones_are_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A flipped byte anywhere, a file cut short, and a file under another's name."""
    kept = Checkpoints(tmp_path, "job")
    kept.save(one(4))
    whole = (tmp_path / "job.4").read_bytes()
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        (tmp_path / "job.4").write_bytes(damaged)
        found = kept.latest(4)
        assert found is None or found.arrays["weights"].tolist() == [4.0] * 3
    (tmp_path / "job.4").write_bytes(whole[:-1])
    assert kept.latest(4) is None
    assert "is damaged" in caplog.text
    (tmp_path / "job.3").write_bytes(whole)
    (tmp_path / "job.4").write_bytes(whole)
    assert kept.latest(3) is None
    assert "job.4 is of epoch 4, and the last is 3: passed over" in caplog.text
    found = kept.latest(4)
    assert found is not None
    assert found.number == 4


def test_one_of_another_job_is_refused(tmp_path: Path) -> None:
    Checkpoints(tmp_path, "job", {"rate": 0.1}).save(one(1))
    with pytest.raises(UserError, match=r"rate \(0.1, now 0.2\)"):
        Checkpoints(tmp_path, "job", {"rate": 0.2}).latest(1)


def test_without_a_directory_nothing_is_kept() -> None:
    kept = Checkpoints(None, "job")
    kept.save(one(1))
    assert kept.latest(1) is None
