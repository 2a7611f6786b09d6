"""containers/anomaly/prepare.py: from the raw series to channels, and what wrong files get."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from sagedock.errors import UserError

SHA256 = "d8fa6f7f0734bf5c8be12c52a94e20a82664c397d9dec4449156bd453d32856d"
HEADER = "timestamp,value\n"
ROWS = [
    f"2014-07-{1 + half // 48:02} {half % 48 // 2:02}:{30 * (half % 2):02}:00,{100 + half}\n" for half in range(100)
]


@pytest.fixture(scope="module")
def channels(anomaly: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory: Path = tmp_path_factory.mktemp("anomaly")
    anomaly.prepare(anomaly.RAW_DATA, anomaly.WINDOWS, directory)
    return directory


def numbers(file: Path) -> np.ndarray:
    return np.loadtxt(file, delimiter=",", dtype=int, ndmin=2)


def test_the_shipped_series_is_the_one_that_its_note_describes(anomaly: ModuleType) -> None:
    """Issue 4 item 6: the real data, unchanged."""
    assert hashlib.sha256(anomaly.RAW_DATA.read_bytes()).hexdigest() == SHA256
    assert SHA256 in anomaly.RAW_DATA.with_name("PROVENANCE.md").read_text()


def test_the_shipped_windows_are_those_of_the_benchmark(anomaly: ModuleType, shared: Path) -> None:
    windows = json.loads((shared / "nab" / "labels" / "combined_windows.json").read_text())
    found = anomaly.read_windows(anomaly.WINDOWS)
    expected = [[text[:19] for text in window] for window in windows["realKnownCause/nyc_taxi.csv"]]
    assert [[str(window.begin), str(window.end)] for window in found] == expected


def test_the_series_is_written_point_by_point(channels: Path, anomaly: ModuleType) -> None:
    series = anomaly.read(anomaly.RAW_DATA)
    counts = numbers(channels / "series" / "train" / "taxi.csv")
    test = numbers(channels / "series" / "test" / "taxi.csv")
    times = (channels / "series" / "timestamps" / "timestamps.txt").read_text().splitlines()
    assert counts.shape == (10_320, 1)
    assert len(times) == 10_320
    np.testing.assert_array_equal(counts[:, 0], series.counts)
    np.testing.assert_array_equal(test[:, 1], series.counts)
    np.testing.assert_array_equal(numbers(channels / "series" / "request.csv"), counts[-336:])
    assert (times[0], times[-1]) == ("2014-07-01 00:00:00", "2015-01-31 23:30:00")
    labelled = [time for time, label in zip(times, test[:, 0], strict=True) if label]
    assert (labelled[0], labelled[-1]) == ("2014-10-30 15:30:00", "2015-01-29 03:30:00")


def test_a_stream_is_the_series_in_three(channels: Path) -> None:
    """Issue 4 item 3: what is known, what is followed, and what a server is asked."""
    whole = numbers(channels / "series" / "test" / "taxi.csv")
    stream = channels / "stream"
    known, asked = numbers(stream / "train" / "taxi.csv"), numbers(stream / "request.csv")
    followed = numbers(stream / "test" / "taxi.csv")
    times = (stream / "timestamps" / "timestamps.txt").read_text().splitlines()
    np.testing.assert_array_equal(np.concatenate([known[:, 0], followed[:, 1], asked[:, 0]]), whole[:, 1])
    np.testing.assert_array_equal(followed[:, 0], whole[len(known) : -len(asked), 0])
    assert (len(known), len(followed), len(asked)) == (62 * 48, len(times), 7 * 48)
    assert (times[0], times[-1]) == ("2014-09-01 00:00:00", "2015-01-24 23:30:00")


def test_a_short_series_is_still_three(anomaly: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "series.csv").write_text(HEADER + "".join(ROWS))
    anomaly.prepare(tmp_path / "series.csv", anomaly.WINDOWS, tmp_path)
    lengths = [len(numbers(tmp_path / "stream" / name)) for name in ("train/taxi.csv", "request.csv")]
    assert lengths == [33, 67]


def test_the_shingles_are_the_workshops_and_the_last_window_is_among_them(channels: Path) -> None:
    """rcf 6.7: row n is x[n : n + 48]; the notebook's loop loses the last of them."""
    counts = numbers(channels / "series" / "train" / "taxi.csv")[:, 0]
    rows = numbers(channels / "train" / "taxi.csv")
    assert rows.shape == (10_320 - 48 + 1, 48)
    for row in (0, 1, 5954, 10_272):
        np.testing.assert_array_equal(rows[row], counts[row : row + 48])
    test = numbers(channels / "test" / "taxi.csv")
    labels = numbers(channels / "series" / "test" / "taxi.csv")[:, 0]
    np.testing.assert_array_equal(test[:, 1:], rows)
    assert [test[row, 0] for row in (5850, 5900)] == [labels[row : row + 48].sum() >= 24 for row in (5850, 5900)]
    assert 0 < test[:, 0].sum() < len(test) / 5
    np.testing.assert_array_equal(numbers(channels / "request.csv"), rows[-336:])


def test_rows_and_columns_have_names_for_the_report(channels: Path) -> None:
    """A row is named by its last half hour."""
    times = (channels / "timestamps" / "timestamps.txt").read_text().splitlines()
    names = (channels / "feature-names" / "feature-names.txt").read_text().splitlines()
    assert len(times) == 10_273
    assert (times[0], times[-1]) == ("2014-07-01 23:30:00", "2015-01-31 23:30:00")
    assert (len(names), names[0], names[-1]) == (48, "47 half hours before", "0 half hours before")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: the header must be timestamp,value"),
        (HEADER, "has a header but no rows"),
        ("time,value\n" + ROWS[0], "got 'time,value'"),
        (HEADER + ROWS[0] + "noon,3\n", "line 3: 'noon' is no time"),
        (HEADER + "2014-07-01 00:00:00,many\n", "line 2: value is 'many', not a whole number"),
        (HEADER + "2014-07-01 00:00:00\n", "line 2: expected 2 cells, got 1"),
        (HEADER + ROWS[0] + ROWS[2], "line 3: 2014-07-01 01:00:00 does not follow 2014-07-01 00:00:00"),
        (HEADER + ROWS[0] + ROWS[0], "line 3: 2014-07-01 00:00:00 does not follow"),
        (HEADER + "".join(ROWS[:10]), "10 points are too few for windows of 48"),
    ],
)
def test_a_wrong_series_is_refused_by_line(anomaly: ModuleType, tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "series.csv"
    file.write_text(text)
    with pytest.raises(UserError, match=words):
        anomaly.prepare(file, anomaly.WINDOWS, tmp_path / "channels")
    assert not (tmp_path / "channels").exists()


def test_a_window_that_ends_before_it_begins_is_refused(anomaly: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "windows.csv"
    file.write_text("event,begin,end\nstorm,2015-01-02 00:00:00,2015-01-01 00:00:00\n")
    with pytest.raises(UserError, match="line 2: the window ends before it begins"):
        anomaly.read_windows(file)


def test_the_command_says_what_it_wrote_or_what_is_wrong(anomaly: ModuleType, tmp_path: Path) -> None:
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        script = anomaly.RAW_DATA.with_name("prepare.py")
        return subprocess.run(
            [sys.executable, script, *map(str, arguments)], capture_output=True, text=True, check=False
        )

    done = run(tmp_path / "channels")
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout.splitlines()[0] == "series     10,320 half hours from 2014-07-01 00:00:00, 1,035 of them labelled"
    )
    wrong = run(tmp_path / "channels", "--data", tmp_path / "absent.csv")
    assert wrong.returncode == 1
    assert wrong.stderr.startswith(f"prepare.py: cannot read {tmp_path / 'absent.csv'}")
    assert wrong.stderr.count("\n") == 1
