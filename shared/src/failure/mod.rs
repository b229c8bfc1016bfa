//! The classes of failure, and what each leads to.
//!
//! - [`FailureClass`]: what a failure leads to; [`StorageUse`]: what storage was used for, which decides the
//!   class of its error
//! - [`FailedAttempt`]: one attempt that failed, as it is stored; `attempts`: the numbers of attempts
//! - [`chain`]: an error and its causes on one line

mod attempts;
mod class;
mod error_chain;
mod failed_attempt;
mod storage_use;

pub use attempts::{MAX_ATTEMPT, attempt_after, next_attempt};
pub(crate) use attempts::{attempt_number, check_attempt};
pub use class::FailureClass;
pub use error_chain::chain;
pub use failed_attempt::FailedAttempt;
pub use storage_use::StorageUse;
