"""The ledger in cells: it equals its plain twin, balances in coins, holds no ghosts, scales, mirrors, can be cut."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqlab.engine.grid import STEP, cell_of, price_of
from liqlab.engine.ledger import grow, make_workspace, run_ledger, run_steps
from liqlab.engine.records import Columns, Ladder, Record, State, Steps
from tests import reference
from tests.markets import ladders, steps_and_ladders

GRID = 0.01  # one cell is a percent: jumps through many levels stay cheap for the twin
FLOWS = reference.FLOWS
Case = tuple[Steps, Ladder]


def every_step(steps: Steps, *, by_leverage: bool = False, alive: Any = None, per_bin: int = 1) -> Columns:
    """A column after every step, on bins of `per_bin` cells that hold every level."""
    low, high = int(steps.entry_low.min()) - 60, int(steps.entry_high.max()) + 60
    n = len(steps)
    edges = np.exp(np.arange(low, high + per_bin + 1, per_bin) * GRID)
    return Columns(np.arange(n), np.zeros(n, np.int64) if alive is None else alive, edges, by_leverage)


def play(case: Case, *, settle_every: int = 3, by_level: bool = True, **options: Any) -> Record:
    """Settled often, so that short histories are settled as well."""
    return run_ledger(*case, flows=True, by_level=by_level, step=GRID, settle_every=settle_every, **options)


def part(steps: Steps, rows: slice) -> Steps:
    return each(steps, lambda values: values[..., rows])


def each(steps: Steps, change: Any, only: Any = None) -> Steps:
    """The steps with every array changed (or only some), those that are not given left out."""
    names = [f.name for f in fields(Steps) if getattr(steps, f.name) is not None]
    return replace(steps, **{name: change(getattr(steps, name)) for name in names if only is None or only(name)})


def close(found: Any, expected: Any, scale: float = 1.0) -> None:
    """Equal to nine digits; a difference of large amounts may leave the rounding of these."""
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * scale)


def amount(steps: Steps) -> float:
    """The largest amount that a ledger of these steps holds: rounding is relative to it."""
    return float(steps.opened.sum() + np.nan_to_num(steps.open_interest).max())


def by_hand(rows: list[tuple[Any, ...]], cells: Any = ((10,), (10,)), share: Any = None) -> Case:
    """Steps from (touch and entry low, high, longs, shorts, open interest); leverage levels of one tier version."""
    low, high, longs, shorts, interest = (np.array(column) for column in zip(*rows, strict=True))
    cells = np.array(cells)
    share = np.full(cells.shape, 1 / cells.shape[1]) if share is None else np.array(share, float)
    n, m = len(rows), cells.shape[1]
    steps = Steps(low, high, low, high, np.array([longs, shorts], float), interest.astype(float), np.zeros(n, np.int64))
    return steps, Ladder(np.arange(1.0, m + 1), cells, share, np.zeros(m, np.int64))


NAN = np.nan

# --- the grid -------------------------------------------------------------------------------------------------------


@given(st.integers(-300_000, 300_000))
def test_the_price_of_a_cell_lies_in_it(cell: int) -> None:
    assert cell_of(price_of(cell)) == cell
    assert price_of(cell + 1) / price_of(cell) == pytest.approx(np.exp(STEP), rel=1e-12)


def test_a_cell_begins_at_its_lower_edge() -> None:
    assert cell_of(1.0) == 0 and cell_of(np.exp(0.999 * STEP)) == 0 and cell_of(np.exp(-0.001 * STEP)) == -1
    assert price_of(0) == pytest.approx(1.000025, abs=1e-9)  # half a basis point wide: its middle is a quarter above 1


# --- a level is touched, once, closed ------------------------------------------------------------------------------


@pytest.mark.parametrize(("touch", "gone"), [(91, 0.0), (90, 8.0), (89, 8.0), (40, 8.0)])
def test_a_long_is_touched_at_its_cell_and_below_not_above(touch: int, gone: float) -> None:
    """A long of 8 coins from cell 100 stands at 90."""
    ledger = play(by_hand([(100, 100, 8, 0, NAN), (touch, 100, 0, 0, NAN)]))
    assert ledger.liquidated[:, 0].tolist() == [0.0, gone] and ledger.attributed_oi[1, 0] == 8.0 - gone


@pytest.mark.parametrize(("touch", "gone"), [(109, 0.0), (110, 8.0), (111, 8.0), (160, 8.0)])
def test_a_short_is_touched_at_its_cell_and_above_not_below(touch: int, gone: float) -> None:
    ledger = play(by_hand([(100, 100, 0, 8, NAN), (100, touch, 0, 0, NAN)]))
    assert ledger.liquidated[:, 1].tolist() == [0.0, gone] and ledger.attributed_oi[1, 1] == 8.0 - gone


def test_a_swept_level_does_not_come_back() -> None:
    """Three touches of the same level liquidate it once; a new position at the same entry stands anew."""
    rows = [(100, 100, 8, 0, NAN), (90, 95, 0, 0, NAN), (90, 95, 0, 0, NAN), (100, 100, 3, 0, NAN), (90, 95, 0, 0, NAN)]
    ledger = play(by_hand(rows))
    assert ledger.liquidated[:, 0].tolist() == [0, 8, 0, 0, 3]
    assert ledger.attributed_oi[:, 0].tolist() == [8, 0, 0, 3, 0]


@pytest.mark.parametrize("same_bar_share", [0.0, 0.25, 0.5, 1.0])
def test_what_its_own_step_reaches_never_stands(same_bar_share: float) -> None:
    """12 coins over the cells 95 … 106, levels at 85 … 96: the low of 95 reaches two of twelve, on both sides alike."""
    ledger = play(by_hand([(95, 106, 12, 12, NAN)]), same_bar_share=same_bar_share)
    close(ledger.attributed_oi[0], [10, 10])
    close(ledger.liquidated[0], [2 * same_bar_share] * 2)
    close(ledger.closed[0], [2 - 2 * same_bar_share] * 2)


# --- the twin -------------------------------------------------------------------------------------------------------


SETTLE = st.sampled_from([1, 2, 5, 1024])


@given(steps_and_ladders(), st.sampled_from([0.0, 0.5, 1.0]), SETTLE)
def test_flows_equal_the_plain_twin(case: Case, same_bar_share: float, settle_every: int) -> None:
    """Attributed, unattributed, closed, liquidated, notional, survival, by side; the first four by leverage level."""
    steps, _ = case
    ledger, twin = (
        play(case, same_bar_share=same_bar_share, settle_every=settle_every),
        reference.play(*case, grid=GRID, same_bar_share=same_bar_share),
    )
    together = play(case, same_bar_share=same_bar_share, settle_every=settle_every, by_level=False)
    for name in FLOWS:
        close(getattr(ledger, name), twin.flows[name], amount(steps) * 10)
        close(getattr(together, name), twin.flows[name], amount(steps) * 10)
    # what is left of nothing has no meaning; with a share of 1 nothing but what stood is closed
    coins = play(case, same_bar_share=1.0, settle_every=settle_every).by_level
    stood = coins[..., 0] + coins[..., 2] > 1e-9 * amount(steps)
    survival = ledger.survival[:, :, case[1].rate_groups[0]]
    np.testing.assert_allclose(survival[stood], np.array(twin.survival)[stood], rtol=1e-9, atol=1e-9)
    for k, name in enumerate(("standing_by_level", "liquidated_by_level", "closed_by_level")):
        close(ledger.by_level[..., k], getattr(twin, name), amount(steps))


@given(steps_and_ladders(longest=12), st.integers(1, 7), st.booleans(), st.integers(0, 4), SETTLE)
def test_columns_equal_the_plain_twin(case: Case, per_bin: int, by_level: bool, span: int, settle_every: int) -> None:
    """Every column, on bins of one cell or several, by leverage level or together, with and without lookback."""
    steps, ladder = case
    alive = np.maximum(np.arange(len(steps)) - span, 0) if span else np.zeros(len(steps), np.int64)
    columns = every_step(steps, by_leverage=by_level, alive=alive, per_bin=per_bin)
    ledger = play(case, columns=columns, by_level=by_level, settle_every=settle_every)
    twin = reference.play(*case, grid=GRID, at=tuple(columns.last))
    edges = columns.edges.tolist()
    for c, t in enumerate(columns.last):
        close(
            ledger.balance[:, :, c],
            np.transpose([twin.flows["attributed_oi"][t], twin.flows["unattributed_oi"][t]]),
            amount(steps),
        )
        for s in (0, 1):
            layers = range(len(ladder.leverage)) if by_level else [None]
            expected = [
                reference.column(twin.lots[t][s], edges, grid=GRID, alive=alive[c], leverage_level=j) for j in layers
            ]
            found = ledger.notional[s][:, c] if by_level else ledger.notional[s][c][None]
            # nine digits of what was opened on this very cell in this step's own coins
            close(found, expected, 10 * amount(steps))


@given(steps_and_ladders(), st.data(), st.booleans())
def test_columns_do_not_depend_on_which_others_are_taken(case: Case, data: Any, by_level: bool) -> None:
    """A sparse choice of columns shows what the full choice shows, bit for bit."""
    columns = every_step(case[0], per_bin=3)
    some = np.array(sorted(data.draw(st.sets(st.sampled_from(columns.last.tolist()), min_size=1))))
    few = replace(columns, last=some, alive=0 * some)
    full, sparse = (play(case, columns=choice, by_level=by_level) for choice in (columns, few))
    assert np.array_equal(full.notional[:, some], sparse.notional)
    assert np.array_equal(full.balance[:, :, some], sparse.balance)


def test_a_dead_market_loses_no_digit_of_what_opens_after_it() -> None:
    """Half of all is closed 60 times, then all; a coin opened afterwards on the same cell is one coin."""
    rows = [(100, 100, 1e6, 0, 1e6)] + [(100, 100, 5e5, 0, 5e5)] * 60 + [(100, 100, 0, 0, 0), (100, 100, 1, 0, 1)]
    case = by_hand(rows)
    ledger = play(case, columns=every_step(case[0]))
    assert ledger.attributed_oi[-1, 0] == 1.0
    assert ledger.notional[0, -1].sum() == pytest.approx(float(price_of(90, step=GRID)), rel=1e-9)


def test_open_interest_that_is_unknown_for_a_while_closes_nothing() -> None:
    """100 coins, half of them unattributed; one step without a figure; then 80: a fifth of *all* was closed."""
    rows = [(100, 100, 50, 0, 100), (100, 100, 0, 0, NAN), (100, 100, 0, 0, 80)]
    ledger = play(by_hand(rows))
    close(ledger.unattributed_oi[:, 0], [50, 0, 40])  # nothing is said of it while it is unknown
    close(ledger.attributed_oi[:, 0], [50, 50, 40])


# --- invariants -----------------------------------------------------------------------------------------------------


@given(steps_and_ladders())
def test_coins_are_conserved_by_step_side_and_class(case: Case) -> None:
    """opened = standing + liquidated + closed, also by leverage level; attributed + unattributed = open interest."""
    steps, ladder = case
    ledger, scale = play(case), amount(case[0])
    opened = steps.opened.T
    before = np.vstack([np.zeros(2), ledger.attributed_oi[:-1]])
    close(before + opened, ledger.attributed_oi + ledger.liquidated + ledger.closed, scale)
    leverage_levels = np.where(
        steps.tier_version[:, None, None] == ladder.tier_version, opened[:, :, None] * ladder.share, 0.0
    )
    stood = np.concatenate([np.zeros_like(leverage_levels[:1]), ledger.by_level[:-1, ..., 0]])
    close(stood + leverage_levels, ledger.by_level.sum(axis=-1), scale)
    close(ledger.by_level.sum(axis=2)[..., 0], ledger.attributed_oi, scale)
    known = ~np.isnan(steps.open_interest)
    both = (ledger.attributed_oi + ledger.unattributed_oi)[known]
    close(both, np.repeat(steps.open_interest[known, None], 2, axis=1), 1e-3 * scale)
    for name in ("attributed_oi", "unattributed_oi", "closed", "liquidated", "liquidated_notional"):
        assert (getattr(ledger, name) >= -1e-12 * scale).all(), name


@given(steps_and_ladders(), st.booleans(), SETTLE)
def test_no_ghost_stands_where_the_step_has_been(case: Case, by_level: bool, settle_every: int) -> None:
    """After every step the cells from its low to its high are empty, exactly 0.0, on both sides."""
    steps, _ = case
    columns = every_step(steps)
    first = round(float(np.log(columns.edges[0])) / GRID)
    ledger = play(case, columns=columns, by_level=by_level, settle_every=settle_every)
    for t in range(len(steps)):
        low, high = int(steps.touch_low[t]) - first, int(steps.touch_high[t]) - first
        assert (ledger.notional[0, t, max(low, 0) :] == 0.0).all(), "longs stand below the low only"
        assert (ledger.notional[1, t, : high + 1] == 0.0).all(), "shorts stand above the high only"


@given(steps_and_ladders(), st.integers(-1000, 1000))
def test_prices_shifted_by_cells_shift_the_map(case: Case, cells: int) -> None:
    """Prices × exp(n·step): the same flows bit for bit, the same map n cells on, dearer by exp(n·step)."""
    steps, ladder = case
    moved = each(steps, lambda cell: cell + cells, only=lambda name: name.endswith(("_low", "_high")))
    columns = every_step(steps)
    there = replace(columns, edges=columns.edges * np.exp(cells * GRID))
    one, other = play(case, columns=columns), play((moved, ladder), columns=there)
    for name in ("attributed_oi", "unattributed_oi", "closed", "liquidated", "survival", "balance", "by_level"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    moved_map, column_max = one.notional * np.exp(cells * GRID), other.notional.max(axis=2, keepdims=True)
    assert (np.abs(other.notional - moved_map) <= 1e-9 * moved_map + 1e-12 * column_max).all()
    assert np.array_equal(other.notional == 0.0, one.notional == 0.0)


@given(steps_and_ladders(), st.sampled_from([4.0, 10.0]))
def test_coins_in_another_unit_change_the_unit_only(case: Case, unit: float) -> None:
    steps, ladder = case
    more = replace(steps, opened=steps.opened * unit, open_interest=steps.open_interest * unit)
    columns = every_step(steps)
    one, other = play(case, columns=columns), play((more, ladder), columns=columns)
    for name in ("attributed_oi", "unattributed_oi", "closed", "liquidated", "notional"):
        close(getattr(other, name), getattr(one, name) * unit, unit * amount(steps) * 10)


@given(steps_and_ladders())
def test_the_mirror_world_swaps_longs_and_shorts(case: Case) -> None:
    """In 1/price a cell c is −1 − c: longs become shorts, flows stay, and coins stand at the mirrored cells."""
    steps, ladder = case
    mirrored = Steps(-1 - steps.touch_high, -1 - steps.touch_low, -1 - steps.entry_high, -1 - steps.entry_low,
                     steps.opened[::-1], steps.open_interest, steps.tier_version, steps.fade)  # fmt: skip
    twin = replace(ladder, cells=ladder.cells[::-1], share=ladder.share[::-1])
    columns = every_step(steps)
    there = replace(columns, edges=1 / columns.edges[::-1])
    one, other = play(case, columns=columns), play((mirrored, twin), columns=there)
    for name in ("attributed_oi", "unattributed_oi", "closed", "liquidated", "survival"):
        close(getattr(other, name)[:, ::-1], getattr(one, name), amount(steps))
    price = np.sqrt(columns.edges[1:] * columns.edges[:-1])
    close(other.notional[::-1, :, ::-1] * price, one.notional / price, amount(steps))


# --- chunks ---------------------------------------------------------------------------------------------------------


def same_state(one: State, other: State) -> None:
    """The same ledger: what is stored equals bit for bit (storage grown in pieces may be no smaller nor larger)."""
    assert one.origin == other.origin
    for name in ("entries", "settled", "swept", "marks", "amounts", "total"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


@given(steps_and_ladders(), st.data(), st.booleans())
def test_a_run_in_chunks_is_one_run_bit_for_bit(case: Case, data: Any, by_level: bool) -> None:
    """Cut anywhere, any number of times: the grid grows both ways and tier versions appear between chunks."""
    steps, ladder = case
    n = len(steps)
    cuts = sorted(data.draw(st.sets(st.integers(1, max(n - 1, 1)), max_size=4))) if n > 1 else []
    columns = every_step(steps, per_bin=2)
    whole = play(case, columns=columns, by_level=by_level)
    state, pieces = None, []
    for a, b in zip([0, *cuts], [*cuts, n], strict=True):
        some = replace(columns, last=np.arange(b - a), alive=np.zeros(b - a, np.int64))
        pieces.append(play((part(steps, slice(a, b)), ladder), columns=some, state=state, by_level=by_level))
        state = pieces[-1].state
    for name in (*FLOWS, "survival"):
        assert np.array_equal(np.concatenate([getattr(p, name) for p in pieces]), getattr(whole, name)), name
    assert np.array_equal(np.concatenate([p.notional for p in pieces], axis=1), whole.notional)
    assert np.array_equal(np.concatenate([p.balance for p in pieces], axis=2), whole.balance)
    same_state(pieces[-1].state, whole.state)


@given(steps_and_ladders(), st.integers(1, 24))
def test_classes_in_chunks_are_those_of_one_run_bit_for_bit(case: Case, cut: int) -> None:
    """Standing, liquidated and closed coins of every class do not depend on where the history was cut."""
    steps, ladder = case
    cut = min(cut, len(steps) - 1)
    if cut:
        head = play((part(steps, slice(0, cut)), ladder))
        tail = play((part(steps, slice(cut, None)), ladder), state=head.state)
        assert np.array_equal(np.concatenate([head.by_level, tail.by_level]), play(case).by_level)


@given(steps_and_ladders())
def test_two_threads_are_one_bit_for_bit(case: Case) -> None:
    steps, ladder = case
    columns = every_step(steps)
    records = []
    for threads in (1, 2):
        state = grow(None, steps, ladder)
        workspace = make_workspace(state, ladder, columns.edges, step=GRID)
        records.append(run_steps(workspace, steps, columns, flows=True, settle_every=3, threads=threads))
    for name in (*FLOWS, "survival", "notional", "balance"):
        assert np.array_equal(*(getattr(record, name) for record in records)), name
    same_state(*(record.state for record in records))


def test_a_ledger_carried_together_cannot_be_taken_apart() -> None:
    steps, ladder = by_hand([(100, 101, 8, 8, 20), (60, 140, 1, 1, 5)], cells=((10, 20), (10, 20)))
    state = run_ledger(part(steps, slice(0, 1)), ladder, step=GRID).state
    with pytest.raises(ValueError, match="by_level"):
        run_ledger(part(steps, slice(1, 2)), ladder, step=GRID, state=state, by_level=True)


@given(ladders())
def test_a_carried_state_is_not_changed_by_the_run(ladder: Ladder) -> None:
    rows = [(100, 101, 8, 8, 20), (60, 140, 1, 1, 5), (100, 101, 3, 4, NAN)]
    steps, _ = by_hand(rows)
    before = run_ledger(part(steps, slice(0, 1)), ladder, step=GRID).state
    copy = State(before.origin, *(getattr(before, f.name).copy() for f in fields(State)[1:]))
    run_ledger(part(steps, slice(1, 3)), ladder, step=GRID, state=before)
    same_state(before, copy)


def test_leverage_levels_that_appear_later_continue_the_same_ledger() -> None:
    """The first chunk knows one tier version, the second brings another: as if both had been known from the start."""
    rows = [(100, 101, 8, 8, NAN), (97, 104, 2, 1, NAN), (85, 101, 3, 4, NAN), (92, 112, 1, 1, NAN)]
    steps, _ = by_hand(rows)
    steps = replace(steps, tier_version=np.array([0, 0, 1, 1]))
    both = Ladder(np.array([5.0, 5.0]), np.array([[10, 7], [9, 6]]), np.ones((2, 2)), np.array([0, 1]))
    one = Ladder(both.leverage[:1], both.cells[:, :1], both.share[:, :1], both.tier_version[:1])
    whole = run_ledger(steps, both, flows=True)
    head = run_ledger(part(steps, slice(0, 2)), one, flows=True)
    tail = run_ledger(part(steps, slice(2, 4)), both, flows=True, state=head.state)
    for name in FLOWS:
        assert np.array_equal(np.concatenate([getattr(head, name), getattr(tail, name)]), getattr(whole, name)), name
    same_state(tail.state, whole.state)
