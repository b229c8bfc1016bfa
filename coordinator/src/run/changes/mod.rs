//! Inputs that are others than a run was planned with: which they are, and whether the run may go on with them.
//!
//! A run goes on with a changed file if nothing was made of the old one, and without a file that is gone: what is left to be
//! made of it is quarantined as missing. Everything else is refused by name: an output and its input never come from two
//! versions of a file.
//!
//! - `of_run`, `difference`, `entry`: how the inputs of a run, of one dataset and one input differ
//! - `retried`, `sizes`: the same of some inputs, by the sizes that their files have now
//! - `judge`, `error`: whether the run may go on with that, and why not

mod difference;
mod entry;
mod error;
mod judge;
mod of_run;
mod retried;
mod sizes;

pub use self::difference::{Change, Difference};
pub use self::error::ChangeError;
pub use self::judge::{Accepted, judge};
pub use self::of_run::Changes;
pub use self::retried::of_retried;

#[cfg(test)]
mod tests;
