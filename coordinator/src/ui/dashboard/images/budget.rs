//! A limit on memory: how many images are decoded at once for visitors.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Most images that are decoded at once, on pages and in reports. A decoder takes half a gigabyte at most, and refuses what
/// would take more.
const MAX_IMAGES: usize = 3;
/// Most reports that are made at once; the other places are left to pages.
const MAX_REPORTS: usize = 1;

/// Places for images and reports; a request that finds none waits.
#[derive(Debug)]
pub(crate) struct Budget {
    images: Semaphore,
    reports: Semaphore,
}

/// The place of a report, whose images are decoded one after the other.
#[derive(Debug)]
pub(crate) struct ReportRoom<'a> {
    _report: Option<SemaphorePermit<'a>>,
    _image: Option<SemaphorePermit<'a>>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            images: Semaphore::new(MAX_IMAGES),
            reports: Semaphore::new(MAX_REPORTS),
        }
    }
}

impl Budget {
    /// Waits for a place to decode an image.
    pub(crate) async fn image(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed, so there is always a permit.
        self.images.acquire().await.ok()
    }

    /// Waits for a place to make a report.
    pub(crate) async fn report(&self) -> ReportRoom<'_> {
        ReportRoom {
            _report: self.reports.acquire().await.ok(),
            _image: self.image().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn reports_leave_room_for_images_and_all_together_have_a_limit() {
        let budget = Budget::default();
        let report = budget.report().await;
        assert!(budget.report().now_or_never().is_none());
        let mut images = Vec::new();
        while let Some(image) = budget.image().now_or_never() {
            images.push(image);
        }
        assert_eq!(images.len(), MAX_IMAGES - MAX_REPORTS);
        drop(report);
        assert!(budget.image().now_or_never().is_some());
    }
}
