"""The sample that a forest is made of: which rows are in it, and how it is cut into trees."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.algorithms.randomcutforest.sampling import (
    HostSample,
    Reservoir,
    drawn,
    for_trees,
    merged,
    numbers,
    overlapping,
    shares,
)
from sagedock.formats.table import Floats


def numbered(count: int) -> Floats:
    """Rows that are told apart by their number."""
    return np.arange(count, dtype=np.float32)[:, None]


def sampled(count: int, capacity: int, seed: int, block: int = 1000) -> Floats:
    reservoir = Reservoir(capacity, 1, seed)
    for begin in range(0, count, block):
        reservoir.add(numbered(count)[begin : begin + block])
    return reservoir.rows[:, 0]


def test_every_row_is_as_likely_as_any_other() -> None:
    """rcf 25: ten times the capacity, 200 seeds; every row within 5 sigma, the first and the last among them."""
    rows, capacity, seeds = 500, 50, 200
    counts = np.zeros(rows)
    for seed in range(seeds):
        found = sampled(rows, capacity, seed).astype(int)
        assert len(np.unique(found)) == capacity, "without replacement"
        counts[found] += 1
    share = capacity / rows
    sigma = np.sqrt(seeds * share * (1 - share))
    assert np.abs(counts - seeds * share).max() < 5 * sigma


@given(
    count=st.integers(0, 300),
    capacity=st.integers(1, 40),
    seed=st.integers(0, 2**31),
    blocks=st.lists(st.integers(1, 80), min_size=1, max_size=6),
)
def test_blocks_make_no_difference(count: int, capacity: int, seed: int, blocks: list[int]) -> None:
    """rcf 24's other half: the rule goes by the number of a row, one row at a time as well as many."""
    one_by_one, begin = Reservoir(capacity, 1, seed), 0
    in_blocks = Reservoir(capacity, 1, seed)
    rows = numbered(count)
    for row in rows:
        one_by_one.add(row[None])
    while begin < count:
        size = blocks[begin % len(blocks)]
        in_blocks.add(rows[begin : begin + size])
        begin += size
    assert np.array_equal(in_blocks.rows, one_by_one.rows)
    assert in_blocks.seen == count
    assert len(in_blocks.rows) == min(count, capacity)


def test_rows_that_all_fit_stay_in_order() -> None:
    """rcf 6.1: the trees get runs of the file, and what is left over is dropped."""
    trees = for_trees(numbered(4032), 50, 512)
    assert trees.shape == (50, 80, 1)
    assert np.array_equal(trees[:, :, 0].ravel(), np.arange(4000))
    assert for_trees(numbered(100), 50, 1).shape == (50, 1, 1)


def test_a_reservoir_goes_on_from_its_state() -> None:
    whole, first, second = (Reservoir(20, 1, 7) for _ in range(3))
    rows = numbered(200)
    whole.add(rows)
    first.add(rows[:90])
    second.restore(first.rows, first.state())
    second.add(rows[90:])
    assert np.array_equal(second.rows, whole.rows)


def joined(seen: list[int], capacity: int, seed: int) -> Floats:
    """The sample of several hosts, host h holding rows h * 1000 and on."""
    samples = []
    for host, count in enumerate(seen):
        reservoir = Reservoir(capacity, 1, [seed, host])
        reservoir.add(numbered(count) + 1000 * host)
        samples.append(HostSample(reservoir.rows, count))
    counts = shares(seen, capacity, seed)
    parts = [drawn(sample, count, seed, host) for host, (sample, count) in enumerate(zip(samples, counts, strict=True))]
    return merged(parts, sum(seen), seed)[:, 0]


def test_hosts_have_a_share_in_proportion_to_their_rows() -> None:
    """rcf 26 and 6.1: one sample of unequal shards, each row as likely as any other."""
    seen, capacity, seeds = [600, 150, 50], 80, 400
    counts = np.zeros(3000)
    for seed in range(seeds):
        found = joined(seen, capacity, seed).astype(int)
        assert len(np.unique(found)) == capacity
        counts[found] += 1
    given = np.concatenate([np.arange(1000 * host, 1000 * host + count) for host, count in enumerate(seen)])
    share = capacity / sum(seen)
    assert counts.sum() == counts[given].sum()
    assert np.abs(counts[given] - seeds * share).max() < 5 * np.sqrt(seeds * share * (1 - share))
    by_host = counts.reshape(3, 1000).sum(axis=1) / (seeds * capacity)
    assert np.abs(by_host - np.array(seen) / sum(seen)).max() < 0.01


def test_hosts_mix_in_every_part_of_the_sample() -> None:
    """Each tree gets a run of the sample, which should not be one host's."""
    found = joined([500, 500], 400, 3) // 1000
    runs = found.reshape(8, 50).mean(axis=1)
    assert ((runs > 0.2) & (runs < 0.8)).all()


@pytest.mark.parametrize("seen", [[10, 5, 0], [0, 0, 3], [7]])
def test_hosts_whose_rows_all_fit_follow_one_another(seen: list[int]) -> None:
    expected = np.concatenate([numbered(count)[:, 0] + 1000 * host for host, count in enumerate(seen)])
    assert np.array_equal(joined(seen, 50, 1), expected)


def test_shares_are_exact_for_any_number_of_rows() -> None:
    """More rows than a hypergeometric generator takes; the mean share is the proportion."""
    found = [shares([3 * 10**12, 10**12], 1000, seed)[0] for seed in range(200)]
    assert abs(np.mean(found) - 750) < 5 * np.sqrt(1000 * 0.75 * 0.25 / 200)


@pytest.mark.parametrize(("seen", "capacity"), [([300], 40), ([30], 40), ([40], 40), ([0], 40), ([250, 80, 3], 60)])
def test_the_numbers_of_the_rows_of_a_sample_are_found_again(seen: list[int], capacity: int) -> None:
    held = numbers(seen, capacity, 3)
    rows = 1000 * (held >> 40) + (held & ((1 << 40) - 1))
    assert rows.tolist() == joined(seen, capacity, 3).tolist()


def test_overlapping_samples_are_drawn_from_all_rows_and_without_replacement() -> None:
    """Each row in a tree with the same probability, whatever the other trees hold."""
    trees, most, rows = 4000, 8, 40
    found = overlapping(numbered(rows), trees, most, 1)[:, :, 0].astype(int)
    assert found.shape == (trees, most)
    assert all(len(set(tree)) == most for tree in found.tolist())
    share = most / rows
    deviation = np.sqrt(trees * share * (1 - share))
    assert np.abs(np.bincount(found.ravel(), minlength=rows) - trees * share).max() < 5 * deviation
    together = np.array([[0 in tree and 1 in tree] for tree in found.tolist()]).mean()
    expected = share * (most - 1) / (rows - 1)
    assert abs(together - expected) < 5 * np.sqrt(expected * (1 - expected) / trees)
    first, second = (set(found[tree].tolist()) for tree in range(2))
    assert first != second


def test_few_rows_are_in_every_tree() -> None:
    found = overlapping(numbered(5), 3, 8, 1)[:, :, 0]
    assert np.sort(found, axis=1).tolist() == [[0, 1, 2, 3, 4]] * 3
    assert overlapping(numbered(5), 3, 8, 1).tolist() == overlapping(numbered(5), 3, 8, 1).tolist()
