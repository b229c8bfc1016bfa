//! Labelled driving datasets by their names: layouts, what is found in a folder, and which label belongs to which image.
//!
//! Nothing here opens a picture.
//!
//! - [`layout`], [`labels`]: how datasets are laid out, and what settings say of labels
//! - [`classes`]: the 19 classes of Cityscapes; [`class_table`]: which of them other ids and colours are
//! - [`selection`]: which images are used
//! - `naming`, `picture_kind`, `extensions`: how published datasets name images, labels and everything else
//! - `list`, `selected`, `left_out`: images with their labels, and why others are not used; `find`: the same below a
//!   location
//! - [`entry`]: an image with its label, as a run stores it
//! - `photographs`: images without labels, for statistics

pub mod class_table;
pub mod classes;
pub mod entry;
mod extensions;
mod find;
pub mod labels;
pub mod layout;
mod left_out;
mod list;
mod list_error;
mod naming;
mod photographs;
mod picture_kind;
mod selected;
pub mod selection;

pub use class_table::{ClassTable, ClassTableError, TableOf};
pub use entry::{DatasetEntry, DatasetFile, DatasetLabel, IdKind, LabelKind, LabelReading};
pub use extensions::UNREAD_EXTENSIONS;
pub use find::{FindError, find};
pub use left_out::{LeftOut, LeftOutReason};
pub use list::{FoundDataset, Labels, Request, Role, list};
pub use list_error::{DatasetError, OfOneName};
pub use naming::WantedLabels;
pub use photographs::{FoundPhotographs, photographs};
pub use picture_kind::PictureKind;
