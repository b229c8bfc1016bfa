//! Convolutions that ONNX Runtime computes on tensor cores though it is told not to.
//!
//! Where cuDNN has no other engine for one, ONNX Runtime says so in its log alone and takes one with them: of the 23 bits
//! of numbers in float32, these keep 10.

use std::sync::atomic::{AtomicBool, Ordering};

/// What the log says then.
const SAID: &str = "No execution plans support the graph";

static TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes note of an error in ONNX Runtime's log.
pub(super) fn note(message: &str) {
    if message.contains(SAID) {
        TAKEN.store(true, Ordering::Relaxed);
    }
}

/// Returns whether they were taken since this was asked last. A log is written by the thread that computes.
pub(super) fn were_taken() -> bool {
    TAKEN.swap(false, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensor_cores_are_noticed_once_by_what_the_log_says_of_them() {
        note("[cudnn_frontend] Error: Failed to read a version.");
        assert!(!were_taken());
        note("[cudnn_frontend] Error: No execution plans support the graph.");
        assert!(were_taken());
        assert!(!were_taken());
    }
}
