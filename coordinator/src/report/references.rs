//! The references of a run's styles, as its settings or somebody who asks for a report names them.

use std::sync::Arc;

use shared::failure::chain;
use shared::location::Location;
use shared::run_record::RunRecord;
use shared::settings::ReferenceFiles;
use shared::source;
use shared::wording::first_names;

use crate::quality::fid::Gaussian;
use crate::quality::reference::ReferenceStatistics;

/// A reference, read and decomposed.
pub(super) struct Opened {
    pub(super) file: ReferenceStatistics,
    pub(super) gaussian: Gaussian,
}

/// The reference that was opened last: styles often share one, decomposing one takes seconds, and holding all of them
/// may take gigabytes.
#[derive(Default)]
pub(super) struct References(Option<(Location, Result<Arc<Opened>, String>)>);

impl References {
    /// Returns the reference at a location, or why it cannot be compared with features of a network.
    pub(super) async fn get(
        &mut self,
        at: &Location,
        network_sha256: &str,
    ) -> Result<Arc<Opened>, String> {
        match &self.0 {
            Some((known, opened)) if known == at => opened.clone(),
            Some(_) | None => {
                self.0 = None;
                let opened = open(at, network_sha256).await.map(Arc::new);
                self.0 = Some((at.clone(), opened.clone()));
                opened
            }
        }
    }
}

async fn open(at: &Location, network_sha256: &str) -> Result<Opened, String> {
    let file = read(at, network_sha256).await?;
    let work = move || match Gaussian::of(&file.statistics) {
        Ok(gaussian) => Ok(Opened { file, gaussian }),
        Err(error) => Err(chain(&error)),
    };
    shared::blocking::run(work).await
}

async fn read(at: &Location, network_sha256: &str) -> Result<ReferenceStatistics, String> {
    let bytes = source::read_file(at).await;
    let bytes = bytes.map_err(|error| format!("cannot be used: {}", chain(&error)))?;
    let network_sha256 = network_sha256.to_owned();
    let work = move || {
        let file = ReferenceStatistics::read(&bytes).map_err(|error| chain(&error))?;
        match &file.extractor_sha256 {
            Some(sha256) if *sha256 != network_sha256 => Err(
                "was made with another feature network than the run: make it again with reference-stats"
                    .to_owned(),
            ),
            Some(_) | None => Ok(file),
        }
    };
    shared::blocking::run(work).await
}

/// What follows from a reference that cannot be compared with.
const UNTIL_MENDED: &str = "; until that is mended, reports have no FID of them";

/// Returns what stands in the way of comparing a run's styles with the references that its settings name: a line for
/// each reference, and what follows from it.
pub async fn problems(record: &RunRecord) -> Vec<String> {
    let (Some(files), Some(network)) = (&record.quality.reference, &record.frozen.judges.features)
    else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (at, styles) in by_reference(files, record.frozen.styles.keys().map(String::as_str)) {
        let Some(at) = at else {
            let styles = first_names(styles);
            found.push(format!(
                "quality.reference names no file for {styles}{UNTIL_MENDED}"
            ));
            continue;
        };
        if let Err(reason) = read(&at, network).await {
            let styles = first_names(styles);
            found.push(format!("reference {at} of {styles} {reason}{UNTIL_MENDED}"));
        }
    }
    found
}

/// Returns the references of styles, each once, with its styles; none for styles that no file is named for.
pub(super) fn by_reference<'a>(
    files: &ReferenceFiles,
    styles: impl Iterator<Item = &'a str>,
) -> Vec<(Option<Location>, Vec<&'a str>)> {
    let mut groups: Vec<(Option<Location>, Vec<&str>)> = Vec::new();
    for style in styles {
        let at = files.of_style(style);
        match groups.iter_mut().find(|(known, _)| *known == at) {
            Some((_, styles)) => styles.push(style),
            None => groups.push((at, vec![style])),
        }
    }
    groups
}
