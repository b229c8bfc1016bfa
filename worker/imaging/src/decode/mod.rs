//! Decoders of image files of each format, which also prove that a file is whole.
//!
//! - `formats`: what a file is by its first bytes
//! - `label_file`: indices, levels or colours of a label; `raw_pixels`: the same as its file stores them
//! - `picture`: a file as an image, turned as its camera says (`exif`, `orientation`)
//! - `png_file`, `jpeg`, `webp`, `tiff`, `tiff_pixels`, `bmp`, `uncompressed`, `zeros`: whether a file of each format is
//!   whole

mod bmp;
mod exif;
pub(crate) mod formats;
mod jpeg;
pub(crate) mod label_file;
pub(crate) mod orientation;
pub(crate) mod picture;
pub(crate) mod png_file;
pub(crate) mod raw_pixels;
mod tiff;
mod tiff_pixels;
mod uncompressed;
mod webp;
mod zeros;

pub use label_file::label_kind_of_file;
pub use picture::decode_image;
