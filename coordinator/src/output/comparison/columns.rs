//! What storage holds of the runs of a comparison.

use shared::storage::Storage;

use super::{Combination, Comparison, ComparisonError, Figures};
use crate::output::report::RunReport;
use crate::output::report::text::notes;
use crate::run::freeze::{self, FreezeError, FrozenRun};
use crate::run::ledger::Ledger;
use crate::run::tally::Tally;

/// A run of a comparison, with what is stored of it.
#[derive(Debug)]
pub struct Column<'a> {
    /// What it is made with.
    pub combination: &'a Combination,
    /// The run; none if it has not begun.
    pub run: Option<FrozenRun>,
    /// What came out so far.
    pub figures: Figures,
    /// Whether all of its items have ended, and all that was made is there.
    pub is_complete: bool,
    /// What a reader of its figures must know.
    pub notes: Vec<String>,
}

/// Returns the runs of a comparison with what is stored of them.
///
/// # Errors
///
/// [`ComparisonError`] if one cannot be read.
pub async fn columns<'a>(
    storage: &dyn Storage,
    comparison: &'a Comparison,
) -> Result<Vec<Column<'a>>, ComparisonError> {
    let mut columns = Vec::with_capacity(comparison.combinations.len());
    for combination in &comparison.combinations {
        columns.push(column(storage, comparison, combination).await?);
    }
    Ok(columns)
}

async fn column<'a>(
    storage: &dyn Storage,
    comparison: &Comparison,
    combination: &'a Combination,
) -> Result<Column<'a>, ComparisonError> {
    let run = match freeze::open(storage, &combination.run).await {
        Ok(run) => run,
        Err(FreezeError::Missing { .. }) => {
            return Ok(Column {
                combination,
                run: None,
                figures: Figures::of_nothing(comparison),
                is_complete: false,
                notes: Vec::new(),
            });
        }
        Err(error) => return Err(error.into()),
    };
    let ledger = Ledger::read(storage, &run).await?;
    let tally = Tally::up_to_date(storage, &run, &ledger).await?;
    let counts = tally.total_with_failed(storage, &run, &ledger).await?;
    let report = RunReport::stored(storage, &combination.run).await?;
    let report = report.filter(|report| report.is_of(&run.record.plan_hash));
    let figures = Figures::of(&run, &counts, report.as_ref(), combination.whole);
    let notes = report.iter().flat_map(notes).map(|(_, note)| note);
    let is_made = ledger.open_shards(&run).next().is_none();
    Ok(Column {
        combination,
        figures,
        is_complete: is_made && report.as_ref().is_some_and(|report| report.complete),
        notes: notes.collect(),
        run: Some(run),
    })
}
