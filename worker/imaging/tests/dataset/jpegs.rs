//! JPEG files of several kinds, made bit by bit where no encoder makes them.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, GrayImage, ImageEncoder, Luma, RgbImage};

pub(crate) const WIDTH: u32 = 256;
pub(crate) const HEIGHT: u32 = 128;

/// Blocks of a component.
pub(crate) const BLOCKS: usize = (WIDTH * HEIGHT / 64) as usize;

/// Bits of a block beside its mean: its first coefficient, 1 or -1, and its end.
fn push_rest(bits: &mut Bits, block: usize) {
    bits.push(0b10, 2);
    bits.push((block % 2) as u32, 1);
    bits.push(0, 1);
}

/// Returns a JPEG of each kind, all of [`WIDTH`] and [`HEIGHT`].
pub(crate) fn kinds() -> Vec<(&'static str, Vec<u8>)> {
    let busy = RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let noise = x.wrapping_mul(2_654_435_761).wrapping_add(y * 40_503) >> 3;
        image::Rgb([(noise % 251) as u8, (x + y) as u8, (noise % 97) as u8])
    });
    let flat = RgbImage::from_pixel(WIDTH, HEIGHT, image::Rgb([90, 100, 110]));
    vec![
        ("baseline", baseline(&busy)),
        ("one colour", baseline(&flat)),
        ("grey", grey()),
        ("restarts", restarting()),
        ("progressive", progressive()),
    ]
}

/// Returns a baseline JPEG.
pub(crate) fn baseline(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (width, height) = image.dimensions();
    JpegEncoder::new_with_quality(&mut bytes, 90)
        .write_image(image.as_raw(), width, height, ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

fn grey() -> Vec<u8> {
    let image = GrayImage::from_fn(WIDTH, HEIGHT, |x, y| Luma([(x * 3 + y * y) as u8]));
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 90)
        .write_image(image.as_raw(), WIDTH, HEIGHT, ExtendedColorType::L8)
        .unwrap();
    bytes
}

/// Returns where each scan's segment begins.
pub(crate) fn starts_of_scans(jpeg: &[u8]) -> Vec<usize> {
    let pairs = jpeg.windows(2).enumerate();
    let scans = pairs.filter(|(_, pair)| *pair == [0xff, 0xda]);
    scans.map(|(at, _)| at).collect()
}

/// Returns where the bits of the first scan begin.
pub(crate) fn start_of_scan(jpeg: &[u8]) -> usize {
    let at = starts_of_scans(jpeg)[0] + 2;
    at + usize::from(u16::from_be_bytes([jpeg[at], jpeg[at + 1]]))
}

/// Bits of a scan, the first the highest of a byte.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: u32,
    count: u32,
}

impl Bits {
    fn push(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            self.pending = self.pending << 1 | (value >> bit & 1);
            self.count += 1;
            if self.count == 8 {
                let byte = self.pending as u8;
                self.bytes.push(byte);
                if byte == 0xff {
                    self.bytes.push(0);
                }
                (self.pending, self.count) = (0, 0);
            }
        }
    }

    /// Fills up a last byte with ones.
    fn fill_up(&mut self) {
        while self.count != 0 {
            self.push(1, 1);
        }
    }

    /// Writes the difference of a block's mean: four bits of category, then the bits of the difference.
    fn push_difference(&mut self, difference: i32) {
        let category = 32 - difference.unsigned_abs().leading_zeros();
        self.push(category, 4);
        let bits = if difference < 0 {
            difference - 1
        } else {
            difference
        };
        self.push(bits as u32, category);
    }
}

/// Returns the mean of a block.
fn mean(block: usize) -> i32 {
    (block as i32 * 37) % 201 - 100
}

fn segment(code: u8, data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u16 + 2).to_be_bytes();
    [&[0xff, code], &length[..], data].concat()
}

/// Returns everything before the first scan of a grey JPEG, with a code of four bits for each category of a mean, one of
/// one bit for the end of a block and one of two for a coefficient of one bit.
fn head(frame: u8) -> Vec<u8> {
    head_of(frame, HEIGHT)
}

/// Returns the same of a JPEG of another height.
fn head_of(frame: u8, height: u32) -> Vec<u8> {
    let size = |side: u32| (side as u16).to_be_bytes();
    let frame_data = [&[8][..], &size(height), &size(WIDTH), &[1, 1, 0x11, 0]].concat();
    let means = [
        &[0x00, 0, 0, 0, 12][..],
        &[0; 12],
        &(0..12).collect::<Vec<u8>>(),
    ]
    .concat();
    let rest = [&[0x10, 1, 1][..], &[0; 14], &[0x00, 0x01]].concat();
    [
        &[0xff, 0xd8][..],
        &segment(0xdb, &[&[0][..], &[8; 64]].concat()),
        &segment(frame, &frame_data),
        &segment(0xc4, &means),
        &segment(0xc4, &rest),
    ]
    .concat()
}

/// Returns a grey JPEG with a scan of the means of blocks and a scan of all else.
pub(crate) fn progressive() -> Vec<u8> {
    let (mut means, mut rest) = (Bits::default(), Bits::default());
    let mut before = 0;
    for block in 0..BLOCKS {
        means.push_difference(mean(block) - before);
        before = mean(block);
        push_rest(&mut rest, block);
    }
    means.fill_up();
    rest.fill_up();
    [
        &head(0xc2)[..],
        &segment(0xda, &[1, 1, 0x00, 0, 0, 0]),
        &means.bytes,
        &segment(0xda, &[1, 1, 0x00, 1, 63, 0]),
        &rest.bytes,
        &[0xff, 0xd9],
    ]
    .concat()
}

/// The height of [`refined`].
pub(crate) const REFINED_HEIGHT: u32 = 8 * HEIGHT;

/// Returns a grey JPEG, as most encoders make progressive ones, whose last scan has the lowest bit of each mean: of a black
/// picture with something bright at its top and one bright block near its end.
pub(crate) fn refined() -> Vec<u8> {
    const ALL: usize = 8 * BLOCKS;
    // Far below black, so that the lowest bit shows nothing.
    let mean = |block: usize| match block {
        0..60 => 41,
        60..64 => 40,
        3900 => 41,
        _ => -400,
    };
    let (mut means, mut rest, mut lowest) = (Bits::default(), Bits::default(), Bits::default());
    let mut before = 0;
    for block in 0..ALL {
        means.push_difference((mean(block) >> 1) - before);
        before = mean(block) >> 1;
        rest.push(0, 1);
        lowest.push((mean(block) & 1) as u32, 1);
    }
    for bits in [&mut means, &mut rest, &mut lowest] {
        bits.fill_up();
    }
    [
        &head_of(0xc2, REFINED_HEIGHT)[..],
        &segment(0xda, &[1, 1, 0x00, 0, 0, 0x01]),
        &means.bytes,
        &segment(0xda, &[1, 1, 0x00, 1, 63, 0]),
        &rest.bytes,
        &segment(0xda, &[1, 1, 0x00, 0, 0, 0x10]),
        &lowest.bytes,
        &[0xff, 0xd9],
    ]
    .concat()
}

/// Returns a grey baseline JPEG of some blocks, then some that are as the one before them, whose bits are zeros, and then
/// others; [`BLOCKS`] in all if it is whole.
pub(crate) fn with_flat_middle(before: usize, flat: usize, after: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    let mut last = 0;
    for block in 0..before + flat + after {
        if (before..before + flat).contains(&block) {
            bits.push_difference(0);
            // The end of the block.
            bits.push(0, 1);
        } else {
            bits.push_difference(mean(block) - last);
            last = mean(block);
            push_rest(&mut bits, block);
        }
    }
    bits.fill_up();
    [
        &head(0xc0)[..],
        &segment(0xda, &[1, 1, 0x00, 0, 63, 0]),
        &bits.bytes,
        &[0xff, 0xd9],
    ]
    .concat()
}

/// Returns a grey baseline JPEG that starts anew after every eight blocks.
fn restarting() -> Vec<u8> {
    const INTERVAL: usize = 8;
    let mut bits = Bits::default();
    let mut before = 0;
    for block in 0..BLOCKS {
        if block > 0 && block % INTERVAL == 0 {
            bits.fill_up();
            let restart = 0xd0 + (block / INTERVAL - 1) % 8;
            bits.bytes.extend([0xff, restart as u8]);
            before = 0;
        }
        bits.push_difference(mean(block) - before);
        before = mean(block);
        push_rest(&mut bits, block);
    }
    bits.fill_up();
    [
        &head(0xc0)[..],
        &segment(0xdd, &[0, INTERVAL as u8]),
        &segment(0xda, &[1, 1, 0x00, 0, 63, 0]),
        &bits.bytes,
        &[0xff, 0xd9],
    ]
    .concat()
}
