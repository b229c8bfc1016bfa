//! What ONNX Runtime logs of a failure of cuDNN, and leaves out of the error that it returns.
//!
//! A convolution that fails says that cuDNN failed. Why, such as a lack of memory, stands in the log alone, in lines of the
//! thread that runs it.

use std::cell::RefCell;

/// Where the frontend of cuDNN failed, and no more, as errors have it.
const UNEXPLAINED: &str = "CUDNN_BACKEND_API_FAILED";

thread_local! {
    /// The status of cuDNN in the first complaint of a run that has one.
    static STATUS: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Takes note of a complaint of this thread's run.
pub(super) fn note(message: &str) {
    let Some(status) = status_in(message) else {
        return;
    };
    STATUS.with_borrow_mut(|first| {
        first.get_or_insert_with(|| status.to_owned());
    });
}

/// Runs something; its error has the status of cuDNN that was logged on the way.
pub(super) fn explain<T>(run: impl FnOnce() -> ort::Result<T>) -> ort::Result<T> {
    STATUS.set(None);
    run().map_err(|error| match STATUS.take() {
        Some(status) => with_status(&error, &status),
        None => error,
    })
}

fn with_status(error: &ort::Error, status: &str) -> ort::Error {
    let explained = format!("{UNEXPLAINED} ({status})");
    let message = error.message().replacen(UNEXPLAINED, &explained, 1);
    ort::Error::new_with_code(error.code(), message)
}

/// Returns the status of cuDNN that a complaint of its frontend names: `... and code: CUDNN_STATUS_...`.
fn status_in(message: &str) -> Option<&str> {
    let (_, status) = message.rsplit_once("code: ")?;
    let end = status.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let status = &status[..end.unwrap_or(status.len())];
    status.starts_with("CUDNN_STATUS_").then_some(status)
}

#[cfg(test)]
mod tests {
    use shared::failure::FailureClass;

    use super::*;
    use crate::EngineError;

    const COMPLAINT: &str = "execute(handle, plan->get_raw_desc(), variant_pack_descriptor.get_ptr()) failed with message: , \
                             and code: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED";

    fn failed() -> ort::Error {
        ort::Error::new(
            "Non-zero status code returned while running Conv node. Name:'' Status Message: CUDNN_FE failure 11: \
             CUDNN_BACKEND_API_FAILED ; GPU=0 ; hostname=vm",
        )
    }

    fn class(source: ort::Error) -> FailureClass {
        let part = "segment_0.onnx".to_owned();
        EngineError::Run { part, source }.class()
    }

    #[test]
    fn a_convolution_without_memory_is_told_with_what_cudnn_says() {
        let error = explain(|| -> ort::Result<()> {
            note("something else");
            note(COMPLAINT);
            note("Non-zero status code returned while running Conv node");
            Err(failed())
        });
        let error = error.unwrap_err();
        let told = "CUDNN_FE failure 11: CUDNN_BACKEND_API_FAILED \
                    (CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED)";
        assert_eq!(crate::cause(error.message()), told);
        assert_eq!(class(error), FailureClass::Resources);
    }

    #[test]
    fn what_an_earlier_run_complained_of_explains_no_other() {
        let _ = explain(|| {
            note(COMPLAINT);
            Ok(())
        });
        let error = explain(|| -> ort::Result<()> { Err(failed()) });
        assert_eq!(class(error.unwrap_err()), FailureClass::Fatal);
    }
}
