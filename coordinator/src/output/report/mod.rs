//! What came out of a run: how close each style is to real photographs, what it cost, and what was not converted.
//!
//! `report.json` holds a [`RunReport`]; it is written beside the manifest and can be made again at any time.
//!
//! - `document`, [`agreement`]: its fields; `stored`: whether a stored one still holds; `publish`: stored at the end of a run
//! - [`make`], [`references`], `networks`: from committed shards, compared with real photographs
//! - [`live`]: of a run under way; [`compare`]: a stored one, with one that is made again
//! - [`text`], [`html`], [`plot`]: for people, with `doubtful` and `pictures` for the page; `metrics`: figures of metrics as
//!   JSON

pub mod agreement;
pub mod compare;
mod document;
mod doubtful;
pub mod html;
pub mod live;
pub mod make;
mod metrics;
mod networks;
pub(crate) mod pictures;
pub mod plot;
mod publish;
pub mod references;
mod stored;
pub mod text;

pub use self::agreement::{AgreementReport, LabelReport};
pub use self::document::{ClassReport, Cost, NetworkReport, Reference, RunReport, StyleReport};
pub use self::publish::{ReportError, publish, tell_contact_sheet};

#[cfg(test)]
mod tests;
