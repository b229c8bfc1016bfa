//! Labels: what a file shows, ids or colours, as train ids for the method and as it is stored again.
//!
//! - `label_file`: its pixels; `encoding`: what they mean
//! - `cityscapes`: label ids outside the 19 classes (unlabelled, ego vehicle, ...), with their colours
//! - `label_map`: train ids at the size of the image and of the latent
//! - `stored`: the label of an output; `classes`: pixels of each class

mod cityscapes;
mod classes;
pub(crate) mod encoding;
pub(crate) mod label_file;
pub(crate) mod label_map;
pub(crate) mod stored;

pub use classes::count_classes;
pub use encoding::{IdEvidence, id_evidence};
pub use label_file::label_kind_of_file;
