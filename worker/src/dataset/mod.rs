//! Labelled driving datasets: which files belong together, and what the method needs of them.
//!
//! Listing looks at names alone. Preparing works on bytes, wherever they came from, and never trusts
//! them: a damaged file is an [`InputError`] that says what to do about it.

mod classes;
mod decode;
mod encode;
mod error;
mod list;
mod load;
mod naming;
mod prepare;

pub use classes::count_classes;
pub use decode::decode_image;
pub use encode::encode_png;
pub use error::InputError;
pub use list::{DatasetError, Role, list};
pub use load::{LoadError, Loaded, load};
pub use naming::{is_photograph, label_kind_of_file};
pub use prepare::{ImageSize, NamedBytes, Prepared, prepare};
pub use shared::listing::{LabelKind, ListedFile, ListedLabel, Listing};
