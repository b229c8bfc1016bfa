//! Errors of the files of an item: what is wrong with one, and what to do about it.

use std::error::Error as StdError;

use thiserror::Error;

/// A file that cannot be used, and what to do about it.
#[derive(Debug, Error)]
pub enum InputError {
    /// A file of no bytes.
    #[error("{name} is empty (0 bytes): copy or download it again")]
    Empty {
        /// The file.
        name: String,
    },
    /// A file that is damaged, cut short, or something else altogether.
    #[error("{name} cannot be decoded: expected a complete {expected}, copy or download it again")]
    Undecodable {
        /// The file.
        name: String,
        /// The formats that would do.
        expected: &'static str,
        /// What the decoder said.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A file that begins like no image.
    #[error("{name} is no image: expected a complete {expected}, copy or download it again")]
    NoImage {
        /// The file.
        name: String,
        /// The formats that would do.
        expected: &'static str,
    },
    /// An image of a format that is not read.
    #[error(
        "{name} is {found} file, which is not read: expected a PNG, JPEG, WebP, TIFF or BMP file, \
         convert it"
    )]
    UnreadFormat {
        /// The file.
        name: String,
        /// The format, with its article.
        found: &'static str,
    },
    /// A picture of a kind that is not read, of a format that is.
    #[error("{name} is {found}, which is not read: expected {expected}")]
    UnreadKind {
        /// The file.
        name: String,
        /// What it is, with its article.
        found: String,
        /// What would do, and how to make it.
        expected: &'static str,
    },
    /// A TIFF of a kind that is not read.
    #[error(
        "{name} is a TIFF of {found}, which is not read: expected 8 or 16 bits per channel, \
         save it as RGB of 8 bits"
    )]
    UnreadTiff {
        /// The file.
        name: String,
        /// What it holds.
        found: String,
    },
    /// An image whose range of values is not known.
    #[error(
        "{name} holds floating point numbers: expected 8 or 16 bits per channel, convert it to PNG"
    )]
    FloatingPoint {
        /// The file.
        name: String,
    },
    /// A file that is larger than any picture.
    #[error("{name} has {size_bytes} bytes, more than any picture: expected a driving frame")]
    TooManyBytes {
        /// The file.
        name: String,
        /// Its size.
        size_bytes: u64,
    },
    /// An image that would take too much memory.
    #[error("{name} is {width}x{height}, more than {max_pixels} pixels: expected a driving frame")]
    TooLarge {
        /// The file.
        name: String,
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
        /// The most that is accepted.
        max_pixels: u64,
    },
    /// An image that has less detail than the model's latent.
    #[error(
        "{name} is {width}x{height}: expected at least {min_width}x{min_height} after the centre crop, \
         use an image of a higher resolution"
    )]
    TooSmall {
        /// The file.
        name: String,
        /// Its width.
        width: usize,
        /// Its height.
        height: usize,
        /// The least width that is accepted.
        min_width: usize,
        /// The least height that is accepted.
        min_height: usize,
    },
    /// An image without a label, where one is needed.
    #[error("{name} has no label: put one beside it, named as its layout says")]
    NoLabel {
        /// The image.
        name: String,
    },
    /// A label that belongs to another image.
    #[error(
        "{label} is {}x{} but its image {image} is {}x{}{}: expected the same size, \
         check that they belong together",
        label_size.0, label_size.1, image_size.0, image_size.1, turned_to(*turned)
    )]
    LabelSize {
        /// The file of the label.
        label: String,
        /// Its width and height.
        label_size: (usize, usize),
        /// The file of the image.
        image: String,
        /// Its width and height as it is stored.
        image_size: (usize, usize),
        /// Its EXIF orientation if it is not 1, with the width and height that it gives.
        turned: Option<(u8, (usize, usize))>,
    },
    /// A label of a format that is not read.
    #[error(
        "{name} is {found} file: expected a PNG, since other formats may change ids and colours \
         or are not read as labels"
    )]
    LabelNotPng {
        /// The file.
        name: String,
        /// The format, with its article.
        found: &'static str,
    },
    /// A label whose pixels could mean one thing or another.
    #[error(
        "{name} is a PNG of {described} and it cannot be told what it shows: {found}; expected {expected}, \
         or {helps} if you know what it is"
    )]
    LabelUntold {
        /// The file.
        name: String,
        /// How its pixels are stored.
        described: String,
        /// What contradicts what.
        found: String,
        /// What the layout promises.
        expected: &'static str,
        /// What can say what it is.
        helps: &'static str,
    },
    /// A label whose pixels mean something else than its name says.
    #[error(
        "{name} is a PNG of {found}: expected {expected}, check the layout of the dataset \
         and its labels setting"
    )]
    LabelFormat {
        /// The file.
        name: String,
        /// What the layout promises.
        expected: &'static str,
        /// What the file holds.
        found: String,
    },
    /// A label that is read by a table which is not at hand.
    #[error(
        "{name} is read by a table of classes, and the run holds none: plan it again under another name"
    )]
    NoClassTable {
        /// The file.
        name: String,
    },
    /// A label in which nothing is one of the 19 classes.
    #[error(
        "{name} shows none of the 19 Cityscapes classes: expected {expected}, \
         check the layout of the dataset"
    )]
    NoKnownClass {
        /// The file.
        name: String,
        /// What the layout promises.
        expected: &'static str,
    },
    /// A size that no image can be resized to.
    #[error("{name} cannot be resized")]
    Resize {
        /// The file.
        name: String,
        /// Why not.
        source: crate::resize::ResizeError,
    },
    /// An output that cannot be written as a PNG.
    #[error("cannot encode a PNG")]
    Encode(#[source] png::EncodingError),
}

fn turned_to(turned: Option<(u8, (usize, usize))>) -> String {
    match turned {
        Some((orientation, (width, height))) => {
            format!(" ({width}x{height} by its EXIF orientation {orientation})")
        }
        None => String::new(),
    }
}
