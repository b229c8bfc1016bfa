//! Labelled driving datasets: which files belong together, and what the method needs of them.
//!
//! Listing looks at names alone. Preparing works on bytes, wherever they came from, and never trusts
//! them: a damaged file is an [`InputError`] that says what to do about it.

mod cityscapes;
mod classes;
mod encode;
mod encoding;
mod error;
mod formats;
mod jpeg;
mod label_file;
mod list;
mod load;
mod naming;
mod orientation;
mod picture;
mod prepare;
mod stored;

pub use classes::count_classes;
pub use encode::encode_png;
pub use error::InputError;
pub use formats::UNREAD_EXTENSIONS;
pub use list::{DatasetError, Role, list};
pub use load::{LabelNeed, LoadError, Loaded, load};
pub use naming::{is_photograph, label_kind_of_file};
pub use picture::decode_image;
pub use prepare::{ImageSize, LabelFile, NamedBytes, Prepared, as_labelled, prepare};
pub use shared::listing::{LabelKind, LabelReading, ListedFile, ListedLabel, Listing};
