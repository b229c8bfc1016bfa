//! Labels: what a file shows, ids or colours, as train ids for the method and as it is stored again.
//!
//! - `encoding`: what the pixels of a label file mean, also in `encoding/mapped` those that a table maps to classes
//! - `cityscapes`: label ids outside the 19 classes (unlabelled, ego vehicle, ...), with their colours
//! - `label_map`: train ids at the size of the image and of the latent
//! - `stored`: the label of an output, and what was predicted for one; `read_back`: a stored label as ids again; `classes`:
//!   pixels of each class

mod cityscapes;
mod classes;
pub(crate) mod encoding;
pub(crate) mod label_map;
mod read_back;
pub(crate) mod stored;

pub use classes::count_classes;
pub use encoding::{IdEvidence, id_evidence};
pub use read_back::{LabelIds, label_ids};
pub use stored::{decode_train_ids, encode_train_ids, is_prediction};
