//! `synth2real compare CONFIG --pick N`: the settings file of a combination that was compared.

use std::path::{Path, PathBuf};

use shared::console;
use shared::settings::SettingsText;

use super::comparison_error;
use super::small::root_of;
use crate::output::comparison::{self, Comparison};
use crate::ui::cli::files::{self, Created};
use crate::ui::cli::{CliError, Outcome, setup};

pub(super) async fn main(
    settings: &SettingsText,
    path: &Path,
    number: usize,
) -> Result<Outcome, CliError> {
    let (run, root) = settings.run().map_err(CliError::usage)?;
    let root = root_of(&root);
    let storage = setup::at(&root).await?;
    let refuse = |why: String| CliError::Usage(format!("--pick {number}: {why}"));
    let stored = Comparison::stored(storage.as_ref(), &run).await;
    let comparison = stored.map_err(comparison_error)?.ok_or_else(|| {
        refuse(format!(
            "nothing was compared for run {run} in {root}: synth2real compare CONFIG --vary KEY=V1,V2 goes before"
        ))
    })?;
    if comparison.settings_sha256 != settings.sha256() {
        return Err(refuse(format!(
            "{} is not as it was compared: compare it again, which keeps what is made",
            path.display()
        )));
    }
    let combinations = &comparison.combinations;
    let place = number.checked_sub(1);
    let picked = place.and_then(|place| combinations.get(place));
    let picked = picked.ok_or_else(|| refuse(format!("it must be 1 to {}", combinations.len())))?;
    let columns = comparison::columns(storage.as_ref(), &comparison).await;
    let columns = columns.map_err(comparison_error)?;
    let num_complete = columns.iter().filter(|column| column.is_complete).count();
    if num_complete < columns.len() {
        return Err(refuse(format!(
            "{num_complete} of {} combinations are complete: compare again to go on",
            columns.len()
        )));
    }
    let text = settings.written(&picked.variation());
    let text = text.map_err(CliError::usage)?;
    let target = beside(path, picked.run.as_str());
    let created = files::create(&target, text.as_bytes(), Some(path))?;
    let (label, target) = (picked.label(), target.display());
    let told = match created {
        Created::New => "settings of",
        Created::AlreadyThere => "there already: settings of",
        Created::Another => {
            return Err(CliError::Usage(format!(
                "{target} is there and is another file than would be written: move it away"
            )));
        }
    };
    console::print(format_args!(
        "{told} combination {number} ({label}): {target}"
    ))?;
    Ok(Outcome::Done)
}

/// Returns the file that is written: beside the settings file, so that relative paths mean the same in both.
fn beside(path: &Path, run: &str) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{run}.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picked_file_is_beside_the_settings_and_named_by_its_run() {
        let target = beside(Path::new("/there/gta5.toml"), "fda-0123456789ab");
        assert_eq!(target, Path::new("/there/gta5-fda-0123456789ab.toml"));
    }
}
