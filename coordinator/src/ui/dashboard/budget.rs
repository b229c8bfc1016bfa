//! Memory for what is decoded on behalf of visitors.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Pictures that are decoded at once, on pages and in reports. A decoder takes half a gigabyte at most, and refuses what
/// would take more.
const AT_ONCE: usize = 3;
/// Reports that are made at once: the other places are left to pages.
const REPORTS_AT_ONCE: usize = 1;

/// Room for pictures and reports; whoever finds none waits.
#[derive(Debug)]
pub(super) struct Budget {
    pictures: Semaphore,
    reports: Semaphore,
}

/// Room for the pictures of a report, which are decoded one after the other.
#[derive(Debug)]
pub(super) struct ReportRoom<'a> {
    _report: Option<SemaphorePermit<'a>>,
    _picture: Option<SemaphorePermit<'a>>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            pictures: Semaphore::new(AT_ONCE),
            reports: Semaphore::new(REPORTS_AT_ONCE),
        }
    }
}

impl Budget {
    /// Returns room to decode a picture, once there is some.
    pub(super) async fn picture(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.pictures.acquire().await.ok()
    }

    /// Returns room to make a report, once there is some.
    pub(super) async fn report(&self) -> ReportRoom<'_> {
        ReportRoom {
            _report: self.reports.acquire().await.ok(),
            _picture: self.picture().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn reports_leave_room_for_pictures_and_all_together_have_a_limit() {
        let budget = Budget::default();
        let report = budget.report().await;
        assert!(budget.report().now_or_never().is_none());
        let mut pictures = Vec::new();
        while let Some(picture) = budget.picture().now_or_never() {
            pictures.push(picture);
        }
        assert_eq!(pictures.len(), AT_ONCE - REPORTS_AT_ONCE);
        drop(report);
        assert!(budget.picture().now_or_never().is_some());
    }
}
