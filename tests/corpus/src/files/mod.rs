//! Code that makes the files.

pub mod arrays;
pub mod bmp;
pub mod exif;
pub mod jpeg;
pub mod parquet;
pub mod pngs;
pub mod scene;
pub mod tiff;
pub mod webp;
