"""The order of a vocabulary, ties included: the permutation that fastText's std::sort makes of it.

std::sort says nothing of elements that compare equal, yet ids follow from where they end. This is introsort (Musser,
Introspective Sorting and Selection Algorithms, 1997) with the choices of GNU's library, which fastText is built with:
the median of the second, middle and last element splits, and parts of sixteen are left to insertion at the end.
"""

from __future__ import annotations

from collections.abc import Sequence

_SMALL = 16


def by_key(keys: Sequence[int]) -> list[int]:
    """The indices of `keys` in ascending order of them, equal ones as std::sort leaves them."""
    order = list(range(len(keys)))
    _Sorter(keys, order).sort()
    return order


class _Sorter:
    def __init__(self, keys: Sequence[int], order: list[int]) -> None:
        self.keys = keys
        self.order = order

    def sort(self) -> None:
        count = len(self.order)
        if count < 2:
            return
        self._split(0, count, 2 * (count.bit_length() - 1))
        self._insert(0, min(count, _SMALL), guarded=True)
        self._insert(min(count, _SMALL), count, guarded=False)

    def _split(self, first: int, last: int, depth: int) -> None:
        while last - first > _SMALL:
            if depth == 0:
                self._heap_sort(first, last)
                return
            depth -= 1
            cut = self._partition(first, last)
            self._split(cut, last, depth)
            last = cut

    def _partition(self, first: int, last: int) -> int:
        """Split [first, last) by the median, which stands at `first` meanwhile."""
        keys, order = self.keys, self.order
        self._median_to(first, first + 1, first + (last - first) // 2, last - 1)
        pivot = keys[order[first]]
        low, high = first + 1, last
        while True:
            while keys[order[low]] < pivot:
                low += 1
            high -= 1
            while pivot < keys[order[high]]:
                high -= 1
            if low >= high:
                return low
            order[low], order[high] = order[high], order[low]
            low += 1

    def _median_to(self, place: int, a: int, b: int, c: int) -> None:
        keys, order = self.keys, self.order
        below, above = (a, b) if keys[order[a]] < keys[order[b]] else (b, a)
        key = keys[order[c]]
        median = above if keys[order[above]] < key else c if keys[order[below]] < key else below
        order[place], order[median] = order[median], order[place]

    def _insert(self, first: int, last: int, *, guarded: bool) -> None:
        """Move each of [first, last) to its place among those before it, from 0 on."""
        keys, order = self.keys, self.order
        for place in range(max(first, 1), last):
            moved = order[place]
            key, to = keys[moved], place
            if guarded and key < keys[order[0]]:
                order[1 : place + 1] = order[:place]
                order[0] = moved
                continue
            while key < keys[order[to - 1]]:
                order[to] = order[to - 1]
                to -= 1
            order[to] = moved

    def _heap_sort(self, first: int, last: int) -> None:
        count = last - first
        for parent in range((count - 2) // 2, -1, -1):
            self._sift(first, parent, count, self.order[first + parent])
        for end in range(last - 1, first, -1):
            moved, self.order[end] = self.order[end], self.order[first]
            self._sift(first, 0, end - first, moved)

    def _sift(self, first: int, hole: int, count: int, moved: int) -> None:
        """Let the hole sink along the greater children to the bottom, then `moved` rise from there."""
        keys, order = self.keys, self.order
        top, child = hole, hole
        while child < (count - 1) // 2:
            child = 2 * (child + 1)
            if keys[order[first + child]] < keys[order[first + child - 1]]:
                child -= 1
            order[first + hole] = order[first + child]
            hole = child
        if count % 2 == 0 and child == (count - 2) // 2:
            child = 2 * child + 1
            order[first + hole] = order[first + child]
            hole = child
        parent = (hole - 1) // 2
        while hole > top and keys[order[first + parent]] < keys[moved]:
            order[first + hole] = order[first + parent]
            hole, parent = parent, (parent - 1) // 2
        order[first + hole] = moved
