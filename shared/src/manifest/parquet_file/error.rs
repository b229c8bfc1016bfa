//! Why a manifest cannot be written or read.

use crate::guarded::Panicked;
use crate::ids::ItemId;
use crate::manifest::claims::ClaimError;

/// A manifest that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It claims what cannot be.
    #[error("the manifest is damaged or no Parquet file")]
    Claim(#[from] ClaimError),
    /// It has more rows, or larger ones, than are read.
    #[error("the manifest takes {found} {what}, more than {most}")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// What it takes.
        found: usize,
        /// The most that is accepted.
        most: usize,
    },
    /// It carries the digest of other bytes.
    #[error(
        "the manifest says that its SHA-256 is {stated}, expected {found}: something in it was altered"
    )]
    Altered {
        /// What it says.
        stated: String,
        /// What its bytes give.
        found: String,
    },
    /// It carries no digest, and was written with one.
    #[error("the manifest has lost its SHA-256: something in it was altered")]
    DigestLost,
    /// What it is written to fails.
    #[error("the manifest cannot be written")]
    Write(#[from] std::io::Error),
    /// Parquet refused.
    #[error("the manifest is damaged or no Parquet file")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// The decoder panicked: over a page that claims no values and has some, it divides by zero.
    #[error("the manifest is damaged or no Parquet file")]
    Contradiction(#[from] Panicked),
    /// Arrow refused.
    #[error("the manifest's columns do not fit together")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A column is missing or holds what it should not.
    #[error(
        "the manifest's column {0} is missing or holds an unexpected value; was it written by another version?"
    )]
    Column(&'static str),
    /// A figure of labels is not the one that the pixels of its row give.
    #[error(
        "the manifest's column {column} of item {item} is not what the counted pixels of its row give: something in it was \
         altered"
    )]
    OtherFigure {
        /// The column.
        column: &'static str,
        /// The item.
        item: ItemId,
    },
    /// A figure is NaN or infinite, or no amount of work.
    #[error(
        "column {column} of item {item} holds a number that is no figure: NaN, infinite or no amount of work"
    )]
    NoFigure {
        /// The column.
        column: &'static str,
        /// The item.
        item: ItemId,
    },
}
