//! File extensions of images.

/// The endings of images, without their dot.
pub(super) const IMAGE_EXTENSIONS: [&str; 7] = ["png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp"];

/// The endings of images of formats that are not read, without their dot.
pub const UNREAD_EXTENSIONS: [&str; 22] = [
    "arw", "avif", "cr2", "cr3", "dng", "exr", "gif", "hdr", "heic", "heif", "ico", "j2k", "jfif",
    "jp2", "jpe", "jxl", "nef", "pgm", "pnm", "ppm", "psd", "tga",
];
