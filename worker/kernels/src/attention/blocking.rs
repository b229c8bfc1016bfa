//! Block sizes of the two matrix products of attention, named as in BLIS.
//!
//! In a product of `(M, K)` by `(K, N)`, `MR` rows by a few vectors of columns are summed in registers. Operands are
//! packed into panels of `MR` rows or `NR` columns, and `KC` of the `K` terms are summed before the next rows' turn.
//!
//! | product | M | N | K |
//! |---|---|---|---|
//! | scores | queries | keys, in panels of [`NR`] | columns of a head, [`SCORES_KC`] at a time |
//! | weighted sums | queries | columns of a head | keys and their values, [`KC`] at a time |
//!
//! **Source:** Van Zee and van de Geijn 2015, BLIS (doi:10.1145/2764454).
//! **Differs:** a panel of [`NR`] columns fills the registers of AVX-512; with AVX2 it is done in quarters.

use crate::vectorised::MAX_LANES;

/// MR: queries whose sums are kept in registers.
pub(super) const MR: usize = 6;

/// NR: keys of a packed panel.
pub(super) const NR: usize = 64;

/// KC: keys and values of a block. Weights and values of one fit in L2, and loading and storing sums is amortised.
pub(super) const KC: usize = 8 * NR;

/// KC of the scores: columns of a head that are summed at a time. Those of a panel of keys fit in L1.
pub(super) const SCORES_KC: usize = 128;

/// Returns `width` rounded up to whole vectors of the widest kind.
pub(super) fn padded(width: usize) -> usize {
    width.next_multiple_of(MAX_LANES)
}

/// Returns whether a row of `width` ends in half of the widest vector or less.
pub(super) fn has_half(width: usize) -> bool {
    (1..=MAX_LANES / 2).contains(&(width % MAX_LANES))
}
