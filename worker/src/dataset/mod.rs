//! Labelled driving datasets: which files belong together, and what the method needs of them.
//!
//! Listing looks at names alone. Preparing works on bytes, wherever they came from, and never trusts
//! them: a damaged file is an [`InputError`] that says what to do about it.

mod bmp;
mod chosen;
mod cityscapes;
mod classes;
mod encode;
mod encoding;
mod error;
mod exif;
mod find;
mod formats;
mod jpeg;
mod known;
mod label_file;
mod left_out;
mod list;
mod list_error;
mod load;
mod naming;
mod orientation;
mod photographs;
mod picture;
mod png_file;
mod prepare;
mod stored;
mod tiff;
mod tiff_pixels;
mod uncompressed;
mod webp;
mod zeros;

pub use classes::count_classes;
pub use encode::encode_png;
pub use encoding::{IdEvidence, id_evidence};
pub use error::InputError;
pub use find::{FindError, find};
pub use formats::UNREAD_EXTENSIONS;
pub use known::PictureKind;
pub use left_out::{LeftOut, LeftOutReason};
pub use list::{Labels, Listed, Request, Role, list};
pub use list_error::{DatasetError, OfOneName};
pub use load::{LabelNeed, LoadError, Loaded, load};
pub use naming::label_kind_of_file;
pub use photographs::{Photographs, photographs};
pub use picture::decode_image;
pub use prepare::{ImageSize, LabelFile, NamedBytes, Prepared, as_labelled, prepare};
pub use shared::listing::{IdKind, LabelKind, LabelReading, ListedFile, ListedLabel, Listing};
