import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrograd.data import DataLoader, DropoutLoader, pairs, split

TEN = list(range(10))


def epoch(loader):
    return [sample for batch in loader for sample in batch]


@pytest.fixture(autouse=True)
def _global_random_is_left_alone(request):
    before = random.getstate()
    yield
    if "without_a_seed" in request.node.name:
        random.setstate(before)
    assert random.getstate() == before


class Squares:
    """A data set of one's own: a length and an index, nothing else, and no IndexError at its end."""

    def __len__(self):
        return 5

    def __getitem__(self, i):
        return i, i * i


# ---- DataLoader ------------------------------------------------------------------------------------------------------


@given(st.integers(1, 40), st.one_of(st.none(), st.integers(1, 45)), st.booleans(), st.integers())
def test_every_sample_once_an_epoch(size, batch_size, shuffle, seed):
    loader = DataLoader(range(size), batch_size, shuffle, seed=seed)
    for _ in range(2):
        batches = list(loader)
        assert sorted(k for batch in batches for k in batch) == list(range(size))
        assert len(batches) == len(loader)
        assert {len(batch) for batch in batches[:-1]} <= {batch_size}
        assert 1 <= len(batches[-1]) <= (batch_size or size)


def test_without_shuffle_the_order_is_the_samples():
    assert list(DataLoader(TEN, batch_size=4)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert list(DataLoader(TEN, batch_size=None)) == [TEN]
    assert list(DataLoader(("a", "b", "c"))) == [["a"], ["b"], ["c"]]


def test_drop_last_leaves_out_only_a_batch_that_is_not_full():
    assert list(DataLoader(TEN, batch_size=4, drop_last=True)) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert len(DataLoader(TEN, batch_size=4, drop_last=True)) == 2
    assert epoch(DataLoader(TEN, batch_size=5, drop_last=True)) == TEN
    assert epoch(DataLoader(TEN, batch_size=None, drop_last=True)) == TEN


def test_a_new_order_each_epoch_fixed_by_the_seed():
    orders = []
    for global_seed in (1, 2):
        state = random.getstate()
        random.seed(global_seed)
        loader = DataLoader(TEN, batch_size=3, shuffle=True, seed=0)
        orders.append([epoch(loader) for _ in range(5)])
        random.setstate(state)
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders[0]}) == 5
    assert epoch(DataLoader(TEN, shuffle=True, seed=1)) != orders[0][0]


def test_without_a_seed_loaders_differ():
    assert len({tuple(epoch(DataLoader(range(1000), shuffle=True))) for _ in range(3)}) == 3


def test_without_a_seed_the_global_random_fixes_the_orders():
    random.seed(0)
    first = list(DataLoader(range(50), 5, shuffle=True))
    state = random.getstate()
    DataLoader(range(50), 5)
    DataLoader(range(50), 5, shuffle=True, seed=1)
    assert random.getstate() == state
    random.seed(0)
    assert list(DataLoader(range(50), 5, shuffle=True)) == first


def test_samples_are_neither_copied_nor_reordered():
    samples = [([0.5], 1), ([1.5], -1)]
    batches = list(DataLoader(samples, batch_size=2, shuffle=True, seed=3))
    assert samples == [([0.5], 1), ([1.5], -1)]
    assert sorted(map(id, batches[0])) == sorted(map(id, samples))


def test_a_loader_can_be_left_midway_and_walked_twice_at_once():
    loader = DataLoader(TEN, batch_size=3, shuffle=True, seed=0)
    next(iter(loader))
    both = list(zip(loader, loader))
    for walk in zip(*both):
        assert sorted(k for batch in walk for k in batch) == TEN


def test_data_sets_of_ones_own():
    assert list(DataLoader(Squares(), batch_size=3)) == [[(0, 0), (1, 1), (2, 4)], [(3, 9), (4, 16)]]


def test_arrays():
    np = pytest.importorskip("numpy")
    rows = np.arange(6.0).reshape(3, 2)
    assert [[row.tolist() for row in batch] for batch in DataLoader(rows, batch_size=2)] == [
        [[0.0, 1.0], [2.0, 3.0]],
        [[4.0, 5.0]],
    ]


@pytest.mark.parametrize("size", [0, -1, 2.0, "2"])
def test_batch_size_is_a_whole_number(size):
    with pytest.raises(ValueError, match=f"batch_size .* got {size!r}"):
        DataLoader(TEN, batch_size=size)


def test_loaders_that_would_be_empty():
    with pytest.raises(ValueError, match="got none"):
        DataLoader([])
    with pytest.raises(ValueError, match="leaves no batch"):
        DataLoader(TEN, batch_size=11, drop_last=True)


def test_samples_need_a_length():
    with pytest.raises(TypeError, match="len"):
        DataLoader(iter(TEN))


# ---- pairs and split -------------------------------------------------------------------------------------------------


def test_pairs_of_arrays_hold_plain_numbers():
    np = pytest.importorskip("numpy")
    samples = pairs(np.array([[0.5, 1.5], [2.5, 3.5]], dtype=np.float32), np.array([0, 1]))
    assert samples == [([0.5, 1.5], 0), ([2.5, 3.5], 1)]
    assert {type(x) for sample in samples for x in (*sample[0], sample[1])} == {float, int}


def test_pairs_of_lists_and_iterators():
    assert pairs([[0.5], [1.5]], iter("ab")) == [([0.5], "a"), ([1.5], "b")]


def test_pairs_want_one_length():
    with pytest.raises(ValueError, match="got 2 inputs but 3 targets"):
        pairs([1, 2], [1, 2, 3])


@given(st.integers(2, 30), st.data(), st.integers(0, 10))
def test_split_holds_out_as_many_as_asked(size, data, seed):
    count = data.draw(st.integers(1, size - 1))
    train, held_out = split(range(size), count, seed)
    assert (len(held_out), sorted(train + held_out)) == (count, list(range(size)))
    assert split(range(size), count / size, seed) == (train, held_out)


def test_split_is_fixed_by_its_seed():
    assert split(TEN, 3, seed=1) == split(TEN, 3, seed=1) != split(TEN, 3, seed=2)
    assert split(Squares(), 0.4) == split(list(map(Squares().__getitem__, range(5))), 0.4)


def test_whole_numbers_of_any_type():
    np = pytest.importorskip("numpy")
    assert len(DataLoader(TEN, batch_size=np.int64(5))) == 2
    assert split(TEN, np.int64(3)) == split(TEN, 3)


@pytest.mark.parametrize("held_out", [0, 10, -1, 0.0, 1.0, 0.01, 2.0, float("nan")])
def test_split_leaves_samples_on_both_sides(held_out):
    with pytest.raises(ValueError, match=f"held_out must leave .*, got {held_out}"):
        split(TEN, held_out)


# ---- dropout ---------------------------------------------------------------------------------------------------------


def test_masks_are_part_of_samples_new_each_epoch_and_fixed_by_the_seed():
    samples = [([float(k)], k) for k in range(50)]

    def epochs(seed):
        loader = DropoutLoader(DataLoader(samples, 8), size=20, p=0.25, seed=seed)
        assert len(loader) == 7
        return [[sample for batch in loader for sample in batch] for _ in range(2)]

    first, second = epochs(3)
    assert [first, second] == epochs(3)
    assert [sample[:2] for sample in first] == samples
    assert first != second
    assert epochs(4)[0] != first
    masks = [x for *_, mask in first for x in mask]
    assert set(masks) == {0.0, 1 / 0.75}
    assert len(masks) == 1000
    assert len({tuple(mask) for *_, mask in first}) > 40  # each sample has one
    assert 0.2 < masks.count(0.0) / 1000 < 0.3


def test_the_global_random_fixes_masks_without_a_seed():
    def masks(seed):
        random.seed(seed)
        return list(DropoutLoader([[(1.0, 1)]], size=30))

    assert masks(1) == masks(1) != masks(2)


def test_a_loader_shows_what_it_gives():
    loader = DataLoader(TEN, 4, shuffle=True, seed=0)
    assert repr(loader) == "DataLoader(10 samples, batch_size=4, shuffle=True, drop_last=False): 3 batches"
    assert repr(DropoutLoader(loader, 5, 0.2, seed=0)) == f"DropoutLoader({loader!r}, size=5, p=0.2)"
