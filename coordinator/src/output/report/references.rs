//! The references of a run's styles, as its settings or the arguments of `report` name them.

use std::sync::Arc;

use shared::failure::chain;
use shared::location::Location;
use shared::run_record::RunRecord;
use shared::settings::ReferenceFiles;
use shared::source;
use shared::wording::first_names;

use crate::output::quality::fid::Gaussian;
use crate::output::quality::reference::ReferenceStatistics;

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
    let file = read(at, network_sha256)
        .await
        .map_err(|unusable| unusable.reason)?;
    let work = move || match Gaussian::of(&file.statistics) {
        Ok(gaussian) => Ok(Opened { file, gaussian }),
        Err(error) => Err(chain(&error)),
    };
    shared::blocking::run(work).await
}

/// Why a reference cannot be compared with.
struct Unusable {
    reason: String,
    /// Whether the file is there and holds no statistics.
    is_broken: bool,
}

async fn read(at: &Location, network_sha256: &str) -> Result<ReferenceStatistics, Unusable> {
    let unusable = |reason| Unusable {
        reason,
        is_broken: false,
    };
    let bytes = source::read_file(at).await;
    let bytes = bytes.map_err(|error| unusable(format!("cannot be used: {}", chain(&error))))?;
    let network_sha256 = network_sha256.to_owned();
    let work = move || {
        let file = ReferenceStatistics::read(&bytes);
        let file = file.and_then(|file| file.check_spread().map(|()| file));
        let file = file.map_err(|error| Unusable {
            reason: chain(&error),
            is_broken: true,
        })?;
        match &file.extractor_sha256 {
            Some(sha256) if *sha256 != network_sha256 => Err(unusable(
                "was made with another feature network than the run: make it again with reference-stats"
                    .to_owned(),
            )),
            Some(_) | None => Ok(file),
        }
    };
    shared::blocking::run(work).await
}

/// What stands in the way of comparing with a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferenceProblem {
    /// It is not there, or not the run's: the run may begin, and its reports have no FID until it is.
    Away(String),
    /// It is there and holds no statistics: figures of it would be wrong.
    Broken(String),
}

/// Returns what stands in the way of comparing a run's styles with the references that its settings name, for each
/// reference.
pub async fn problems(record: &RunRecord) -> Vec<ReferenceProblem> {
    let (Some(files), Some(network)) = (
        &record.quality.reference,
        &record.frozen.evaluators.features,
    ) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (at, styles) in by_reference(files, record.frozen.styles.keys().map(String::as_str)) {
        let styles = first_names(styles);
        let Some(at) = at else {
            let text = format!("quality.reference names no file for {styles}{UNTIL_MENDED}");
            found.push(ReferenceProblem::Away(text));
            continue;
        };
        found.extend(match read(&at, network).await {
            Ok(_) => None,
            Err(Unusable {
                reason,
                is_broken: true,
            }) => Some(ReferenceProblem::Broken(format!(
                "reference {at} of {styles} {reason}"
            ))),
            Err(Unusable {
                reason,
                is_broken: false,
            }) => Some(ReferenceProblem::Away(format!(
                "reference {at} of {styles} {reason}{UNTIL_MENDED}"
            ))),
        });
    }
    found
}

/// What follows from a reference that cannot be compared with.
const UNTIL_MENDED: &str = "; until that is mended, reports have no FID of them";

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
