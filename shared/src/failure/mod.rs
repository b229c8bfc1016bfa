//! The classes of failure, and what each leads to.
//!
//! - [`FailureClass`]: what a failure leads to; [`StorageUse`]: what storage was used for, which decides the
//!   class of its error
//! - [`FailedAttempt`]: one attempt that failed, as it is stored; `attempts`: the numbers of attempts
//! - [`chain`]: an error and its causes on one line

mod attempts;
mod class;
mod failed_attempt;
mod storage_use;

pub use crate::error_chain::chain;
pub use crate::ids::MAX_ATTEMPT;
pub(crate) use attempts::check_attempt;
pub use attempts::{attempt_after, next_attempt};
pub use class::FailureClass;
pub use failed_attempt::FailedAttempt;
pub use storage_use::StorageUse;
