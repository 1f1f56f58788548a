"""Which of equal elements is the k-th smallest: the one that torch's quickselect leaves in that place.

Every choice depends on the order of the elements alone, so it works on their ranks, equal ones having equal ranks.
"""

from __future__ import annotations


def kth_place(rank: list[int], k: int) -> int:
    """The index of the k-th smallest of a row of ranks (k from 0): Hoare's quickselect with the median of three.

    Between `low` and `high` the middle element goes second; of it, the first and the last one the median becomes the
    first (the pivot), the smaller one second, the greater one last. Two fingers then run towards each other, each
    stopping at what equals the pivot, too, and exchange what they stop at until they cross; the pivot moves to where
    the right one stopped, and the side that holds place k goes on.
    """
    rank = list(rank)
    place = list(range(len(rank)))

    def swap(a: int, b: int) -> None:
        rank[a], rank[b] = rank[b], rank[a]
        place[a], place[b] = place[b], place[a]

    low, high = 0, len(rank) - 1
    while high > low + 1:
        swap((low + high) // 2, low + 1)
        for a, b in ((low + 1, high), (low, high), (low + 1, low)):
            if rank[a] > rank[b]:
                swap(a, b)
        pivot, i, j = rank[low], low + 1, high
        while True:
            i += 1
            while rank[i] < pivot:
                i += 1
            j -= 1
            while rank[j] > pivot:
                j -= 1
            if j < i:
                break
            swap(i, j)
        swap(low, j)
        if j <= k:
            low = i
        if j >= k:
            high = j - 1
    if high == low + 1 and rank[low] > rank[high]:
        swap(low, high)
    return place[k]
