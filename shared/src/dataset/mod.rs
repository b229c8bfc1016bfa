//! Labelled driving datasets by their names: layouts, what is found in a folder, and which label belongs to which image.
//!
//! Nothing here opens a picture.
//!
//! - [`layout`], [`labels`]: how datasets are laid out, and what settings say of labels
//! - [`classes`]: the 19 classes of Cityscapes
//! - [`selection`]: which images are used
//! - `naming`, `known`, `extensions`: how published datasets name images, labels and everything else
//! - `list`, `chosen`, `left_out`: images with their labels, and why others are not used; `find`: the same below a
//!   location
//! - [`listing`]: what was found, as a run keeps it
//! - `photographs`: images without labels, for statistics

mod chosen;
pub mod classes;
mod extensions;
mod find;
mod known;
pub mod labels;
pub mod layout;
mod left_out;
mod list;
mod list_error;
pub mod listing;
mod naming;
mod photographs;
pub mod selection;

pub use extensions::UNREAD_EXTENSIONS;
pub use find::{FindError, find};
pub use known::PictureKind;
pub use left_out::{LeftOut, LeftOutReason};
pub use list::{Labels, Listed, Request, Role, list};
pub use list_error::{DatasetError, OfOneName};
pub use listing::{IdKind, LabelKind, LabelReading, ListedFile, ListedLabel, Listing};
pub use photographs::{Photographs, photographs};
