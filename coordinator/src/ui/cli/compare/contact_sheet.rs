//! `synth2real compare CONFIG --contact-sheet`: the contact sheet of the run of these settings, with what was compared
//! beneath its own outputs.

use std::sync::Arc;

use shared::run_record::RunInputs;
use shared::settings::{Setting, SettingsText, Variation, VariedKey};
use shared::storage::Storage;

use crate::output::comparison::Column;
use crate::output::contact_sheet::{self, Beside, MAX_BESIDE};
use crate::output::report;
use crate::run::freeze::FrozenRun;
use crate::run::inventory::Listings;
use crate::ui::cli::setup::{self, Existing};
use crate::ui::cli::{CliError, Outcome};

/// The run that the settings make without any variation.
pub(super) struct OwnRun {
    storage: Arc<dyn Storage>,
    /// Its plan has taken its changed inputs.
    run: FrozenRun,
}

impl OwnRun {
    /// Opens the run, which is made before with these settings, of these inputs.
    pub(super) async fn open(
        settings: &SettingsText,
        listings: &mut Listings,
    ) -> Result<Self, CliError> {
        let config = settings.config(&Variation::default());
        let config = config.map_err(CliError::usage)?;
        let storage = setup::at(&config.root).await?;
        // What was made with other settings, or of other inputs, is not to stand beside what these settings make.
        let inventory = setup::inventory_of(&config, listings).await?;
        let existing = setup::existing(storage.as_ref(), &config, &inventory).await?;
        let Some(Existing {
            mut run,
            ledger,
            accepted,
        }) = existing
        else {
            return Err(CliError::Usage(format!(
                "--contact-sheet: there is no run {} in {} yet: `synth2real run CONFIG` goes before",
                config.run, config.root
            )));
        };
        let (committed, planned) = (ledger.committed.len(), run.plan.shards.len());
        if committed == 0 {
            return Err(CliError::Usage(format!(
                "--contact-sheet: run {} has no image yet: `synth2real run CONFIG` goes before",
                config.run
            )));
        }
        if committed < planned {
            tracing::warn!(
                "run {} is not complete: {committed} of {planned} shards are there, and the contact sheet shows theirs alone",
                config.run
            );
        }
        // They may have been elsewhere when it was made.
        run.record.inputs = RunInputs::of(&config);
        let changed = ledger.decisions.changed_inputs.with(&accepted.changed);
        run.plan.take_changes(&changed);
        Ok(Self { storage, run })
    }

    /// Draws its contact sheet anew with what was compared, and has its report tell of that; returns where it is, or none if
    /// it is as it was, which a warning says. That of a comparison which was interrupted would be of some of its runs.
    pub(super) async fn draw(
        &self,
        compared: &dyn Storage,
        columns: &[Column<'_>],
        ended: Outcome,
    ) -> Result<Option<String>, CliError> {
        let storage = self.storage.as_ref();
        let run = &self.run.record.run;
        match ended {
            Outcome::Interrupted => {
                tracing::warn!(
                    "the comparison was interrupted, and the contact sheet of run {run} stays as it is: the same command \
                     goes on and draws it"
                );
                return Ok(None);
            }
            Outcome::Done | Outcome::WithFailures => {}
        }
        let begun = columns.iter().filter_map(|column| {
            let run = column.run.as_ref()?;
            Some(Beside {
                label: label(run, &column.combination.settings),
                storage: compared,
                run,
            })
        });
        let begun: Vec<Beside<'_>> = begun.collect();
        if begun.len() > MAX_BESIDE {
            let all = begun.len();
            tracing::warn!("the contact sheet shows the first {MAX_BESIDE} of {all} combinations");
        }
        let sheet = contact_sheet::make_beside(storage, &self.run, &begun).await;
        let Some(sheet) = sheet.map_err(CliError::environment)? else {
            tracing::warn!(%run, "no contact sheet, as none of its images is there");
            return Ok(None);
        };
        let told = report::tell_contact_sheet(storage, &self.run).await;
        told.map_err(CliError::environment)?;
        Ok(Some(sheet))
    }
}

/// Returns what a run is called in the picture: its method, and what else was varied.
fn label(run: &FrozenRun, settings: &[Setting]) -> String {
    let method = run.record.frozen.method.method().to_string();
    let others = settings.iter();
    let others = others.filter(|setting| setting.key != VariedKey::Method);
    let parts = others.map(Setting::to_string);
    let parts: Vec<String> = [method].into_iter().chain(parts).collect();
    parts.join(", ")
}
