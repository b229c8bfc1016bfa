//! Images and labels: decoded, checked, brought to the size of the model, encoded and compared.
//!
//! Preparing works on bytes, wherever they came from, and never trusts them: a damaged file is an [`InputError`] that says
//! what to do about it. Which files belong together is told by [`shared::dataset`], by their names.
//!
//! - `decode`: image files of each format, and whether they are whole
//! - `labels`: what a label file shows, as train ids and as it is stored again
//! - [`resize`]: crop and resize, as Pillow does
//! - `prepare`: an image and its label at the size of the model; `load`: the same from the files of a dataset
//! - `encode`: pixels as PNG files
//! - `figures`, [`ssim`], [`tones`]: an output compared with its content; [`ClassShares`], [`overlay()`]: what a class map shows

#![forbid(unsafe_code)]
#![forbid(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

mod class_shares;
mod decode;
mod encode;
mod error;
mod figures;
mod files;
mod labels;
mod load;
mod overlay;
mod prepare;
pub mod resize;
pub mod ssim;
pub mod tones;

pub use class_shares::ClassShares;
pub use decode::{decode_image, label_kind_of_file};
pub use encode::encode_png;
pub use error::InputError;
pub use figures::{FigureError, figures_of_pixels};
pub use files::{LabelFile, NamedBytes};
pub use labels::{
    IdEvidence, LabelIds, count_classes, decode_train_ids, encode_train_ids, id_evidence,
    is_prediction, label_ids,
};
pub use load::{LabelNeed, LabelUse, LoadError, Loaded, load};
pub use overlay::{class_map_of_whole, overlay};
pub use prepare::{Prepared, as_labelled, prepare};
