//! The report of a run under watch: made while it goes on, read again once it has ended.

use std::time::Duration;

use tokio::time::Instant;

use super::poll_error::PollError;
use super::watched_run::WatchedRun;
use super::{Collector, Mode};
use crate::output::report::RunReport;
use crate::output::report::live::LiveReport;
use crate::run::ledger::Ledger;

/// Between two times that the report of a run under way is read.
const READ_REPORT_EVERY: Duration = Duration::from_secs(30);

impl Collector {
    /// Reports what came out so far, now and then.
    pub(super) async fn report_so_far(
        &self,
        watched: &mut WatchedRun,
        ledger: &Ledger,
    ) -> Result<(), PollError> {
        let storage = self.storage.as_ref();
        let run = &watched.run;
        let live = watched
            .live_report
            .get_or_insert_with(|| LiveReport::new(run));
        let Some(report) = live.refresh(storage, ledger, &watched.counts).await? else {
            return Ok(());
        };
        watched.report_is_new = true;
        // A manifest and a contact sheet that were written stay written.
        let earlier = watched.report.take();
        let mark = earlier.as_ref().and_then(|earlier| earlier.mark);
        let contact_sheet_sha256 = earlier.and_then(|earlier| earlier.contact_sheet_sha256);
        let report = watched.report.insert(RunReport {
            mark,
            contact_sheet_sha256,
            ..report
        });
        match self.mode {
            Mode::Manage => report.store(storage).await?,
            Mode::Observe => {}
        }
        Ok(())
    }

    /// Reads the report of a run that has ended every now and then: another process may have made another one.
    pub(super) async fn read_report(&self, watched: &mut WatchedRun) -> Result<(), PollError> {
        if watched.report_read.elapsed() < READ_REPORT_EVERY {
            return Ok(());
        }
        let run = &watched.run.record.run;
        let report = RunReport::stored(self.storage.as_ref(), run).await?;
        watched.report_read = Instant::now();
        if report != watched.report {
            watched.report = report;
            watched.report_is_new = true;
        }
        Ok(())
    }
}
