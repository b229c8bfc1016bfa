//! JPEG files of blocks with a level and a little texture each: baseline or progressive, of any number of components.
//!
//! **Source:** ITU-T T.81.
//! **Differs:** every Huffman code has one length, so that tables need no statistics.

/// Quantises every coefficient; a level of a block is then its mean less 128.
const QUANTISER: u8 = 8;
const BLOCK: u32 = 8;
/// Bits of the code of a category of DC differences.
const DC_BITS: u8 = 4;
/// Bits of the code of a run and category of AC coefficients.
const AC_BITS: u8 = 8;
const END_OF_BLOCK: u8 = 0;

/// What is unusual about a JPEG.
#[derive(Debug, Clone, Copy)]
pub struct Jpeg {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// 1 grey, 3 colour, 4 CMYK.
    pub components: u8,
    /// Whether it comes in several scans, coarse first.
    pub progressive: bool,
    /// Whether colour has half the resolution.
    pub subsampled: bool,
    /// MCUs between restart markers; 0 for none.
    pub restart_every: u16,
    /// The transformation that an Adobe segment names, if there is one.
    pub adobe: Option<u8>,
    /// The level of every block but those of the first row, which have no texture either; none for a picture that is
    /// different everywhere.
    pub plain: Option<i32>,
}

impl Jpeg {
    /// Returns a baseline JPEG in colour.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Self {
        Self {
            width,
            height,
            components: 3,
            progressive: false,
            subsampled: false,
            restart_every: 0,
            adobe: None,
            plain: None,
        }
    }

    /// Returns the file.
    #[must_use]
    pub fn file(&self) -> Vec<u8> {
        let mut file = vec![0xff, 0xd8];
        if let Some(transform) = self.adobe {
            segment(
                &mut file,
                0xee,
                &[b"Adobe\0\x64\0\0\0\0", &[transform][..]].concat(),
            );
        }
        segment(&mut file, 0xdb, &[&[0][..], &[QUANTISER; 64]].concat());
        segment(
            &mut file,
            if self.progressive { 0xc2 } else { 0xc0 },
            &self.frame(),
        );
        segment(&mut file, 0xc4, &table(0x00, DC_BITS, &dc_symbols()));
        segment(&mut file, 0xc4, &table(0x10, AC_BITS, &ac_symbols()));
        if self.restart_every > 0 {
            segment(&mut file, 0xdd, &self.restart_every.to_be_bytes());
        }
        let all: Vec<u8> = (0..self.components).collect();
        if self.progressive {
            self.scan(&mut file, &all, 0..=0);
            all.iter()
                .for_each(|&one| self.scan(&mut file, &[one], 1..=63));
        } else {
            self.scan(&mut file, &all, 0..=63);
        }
        file.extend_from_slice(&[0xff, 0xd9]);
        file
    }

    fn frame(&self) -> Vec<u8> {
        let side = |pixels: u32| u16::try_from(pixels).unwrap().to_be_bytes();
        let mut frame = vec![8];
        frame.extend_from_slice(&side(self.height));
        frame.extend_from_slice(&side(self.width));
        frame.push(self.components);
        for component in 0..self.components {
            let factor = self.factor(component);
            frame.extend_from_slice(&[component + 1, (factor << 4 | factor) as u8, 0]);
        }
        frame
    }

    /// Returns how many blocks of a component lie side by side in an MCU.
    fn factor(&self, component: u8) -> u32 {
        if self.subsampled && component == 0 {
            2
        } else {
            1
        }
    }

    fn largest_factor(&self) -> u32 {
        if self.subsampled { 2 } else { 1 }
    }

    fn scan(&self, file: &mut Vec<u8>, components: &[u8], band: std::ops::RangeInclusive<u8>) {
        let mut head = vec![u8::try_from(components.len()).unwrap()];
        components
            .iter()
            .for_each(|&component| head.extend([component + 1, 0]));
        head.extend([*band.start(), *band.end(), 0]);
        segment(file, 0xda, &head);

        let mut bits = Bits::default();
        let mut levels = [0_i32; 4];
        let units = self.units(components);
        for (position, unit) in units.iter().enumerate() {
            let restarts = usize::from(self.restart_every);
            if restarts > 0 && position > 0 && position % restarts == 0 {
                bits.pad();
                bits.bytes
                    .extend([0xff, 0xd0 + (position / restarts - 1) as u8 % 8]);
                levels = [0; 4];
            }
            for &(component, x, y) in unit {
                let plain = self.plain.filter(|_| y >= self.factor(component));
                if *band.start() == 0 {
                    let level = plain.unwrap_or_else(|| level(component, x, y));
                    let last = &mut levels[usize::from(component)];
                    bits.difference(level - std::mem::replace(last, level));
                }
                if *band.end() > 0 {
                    bits.texture(plain.map_or((x + y) as i32 % 3 - 1, |_| 0));
                }
            }
        }
        bits.pad();
        file.extend(bits.bytes);
    }

    /// Returns the blocks of each MCU of a scan: component, column and row.
    fn units(&self, components: &[u8]) -> Vec<Vec<(u8, u32, u32)>> {
        if let [one] = components {
            let of = |pixels: u32| {
                let samples = (pixels * self.factor(*one)).div_ceil(self.largest_factor());
                samples.div_ceil(BLOCK)
            };
            let columns = of(self.width);
            let blocks = (0..of(self.height)).flat_map(|y| (0..columns).map(move |x| (x, y)));
            return blocks.map(|(x, y)| vec![(*one, x, y)]).collect();
        }
        let side = BLOCK * self.largest_factor();
        let columns = self.width.div_ceil(side);
        let mcus = (0..self.height.div_ceil(side)).flat_map(|y| (0..columns).map(move |x| (x, y)));
        let blocks = |(x, y): (u32, u32)| {
            let of = |&component: &u8| {
                let factor = self.factor(component);
                let inner = (0..factor).flat_map(move |dy| (0..factor).map(move |dx| (dx, dy)));
                inner.map(move |(dx, dy)| (component, factor * x + dx, factor * y + dy))
            };
            components.iter().flat_map(of).collect()
        };
        mcus.map(blocks).collect()
    }
}

/// Returns the level of a block: no two neighbours look alike.
fn level(component: u8, x: u32, y: u32) -> i32 {
    ((x * 37 + y * 61 + u32::from(component) * 83) % 200) as i32 - 100
}

fn segment(file: &mut Vec<u8>, marker: u8, data: &[u8]) {
    file.extend([0xff, marker]);
    let length = u16::try_from(data.len() + 2).unwrap();
    file.extend_from_slice(&length.to_be_bytes());
    file.extend_from_slice(data);
}

fn table(id: u8, bits: u8, symbols: &[u8]) -> Vec<u8> {
    let mut counts = [0; 16];
    counts[usize::from(bits) - 1] = u8::try_from(symbols.len()).unwrap();
    [&[id][..], &counts, symbols].concat()
}

fn dc_symbols() -> Vec<u8> {
    (0..12).collect()
}

fn ac_symbols() -> Vec<u8> {
    let pairs = (0..16_u8).flat_map(|run| (1..=10).map(move |size| run << 4 | size));
    [END_OF_BLOCK, 0xf0].into_iter().chain(pairs).collect()
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: u32,
    count: u8,
}

impl Bits {
    fn push(&mut self, value: u32, bits: u8) {
        for bit in (0..bits).rev() {
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

    fn pad(&mut self) {
        while self.count != 0 {
            self.push(1, 1);
        }
    }

    /// Writes a value of a category: negative ones as one less.
    fn value(&mut self, value: i32, size: u8) {
        let low = if value < 0 { value - 1 } else { value };
        self.push(low as u32 & ((1 << size) - 1), size);
    }

    fn difference(&mut self, difference: i32) {
        let size = size_of_value(difference);
        self.push(u32::from(size), DC_BITS);
        self.value(difference, size);
    }

    /// Writes the first AC coefficient of a block, and that there are no others.
    fn texture(&mut self, value: i32) {
        let code = |symbol: u8| {
            ac_symbols()
                .iter()
                .position(|&found| found == symbol)
                .unwrap()
        };
        if value != 0 {
            let size = size_of_value(value);
            self.push(code(size) as u32, AC_BITS);
            self.value(value, size);
        }
        self.push(code(END_OF_BLOCK) as u32, AC_BITS);
    }
}

fn size_of_value(value: i32) -> u8 {
    (32 - value.unsigned_abs().leading_zeros()) as u8
}

/// Returns where the data of a JPEG's last scan begins.
#[must_use]
pub fn last_scan(jpeg: &[u8]) -> usize {
    let marker = jpeg
        .windows(2)
        .rposition(|pair| pair == [0xff, 0xda])
        .unwrap();
    let length = u16::from_be_bytes([jpeg[marker + 2], jpeg[marker + 3]]);
    marker + 2 + usize::from(length)
}

/// Returns a JPEG whose last scan is cut to a share of its data, closed as if it were whole.
#[must_use]
pub fn cut_and_closed(jpeg: &[u8], share: f64) -> Vec<u8> {
    let start = last_scan(jpeg);
    let kept = ((jpeg.len() - 2 - start) as f64 * share) as usize;
    [&jpeg[..start + kept], &[0xff, 0xd9]].concat()
}

/// Returns a JPEG whose last scan is cut to a share of its data and goes on with zeros, without an end marker.
#[must_use]
pub fn cut_and_zeroed(jpeg: &[u8], share: f64, zeros: usize) -> Vec<u8> {
    let mut cut = cut_and_closed(jpeg, share);
    cut.truncate(cut.len() - 2);
    cut.resize(cut.len() + zeros, 0);
    cut
}

/// Returns a JPEG that is of one colour below its first blocks, where its bits are zeros to the last of them.
#[must_use]
pub fn ending_in_zeros(jpeg: Jpeg) -> Vec<u8> {
    let of_level = |level| Jpeg {
        plain: Some(level),
        ..jpeg
    };
    let mut files = (-100..100).map(|level| of_level(level).file());
    // Of most levels the last byte is filled up with ones.
    files
        .find(|file| file.ends_with(&[0, 0, 0, 0, 0xff, 0xd9]))
        .unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(jpeg: Jpeg) -> image::DynamicImage {
        let file = jpeg.file();
        image::load_from_memory_with_format(&file, image::ImageFormat::Jpeg).unwrap()
    }

    #[test]
    fn a_picture_is_the_same_in_one_scan_and_in_several() {
        let jpeg = Jpeg::new(40, 24);
        let baseline = pixels(jpeg).into_rgb8();
        assert_eq!(baseline.dimensions(), (40, 24));
        let progressive = Jpeg {
            progressive: true,
            ..jpeg
        };
        assert_eq!(pixels(progressive).into_rgb8(), baseline);
        let restarted = Jpeg {
            restart_every: 4,
            ..jpeg
        };
        assert_eq!(pixels(restarted).into_rgb8(), baseline);
    }

    #[test]
    fn a_picture_that_ends_in_zeros_is_one_and_has_many_of_them() {
        let jpeg = Jpeg::new(64, 32);
        let file = ending_in_zeros(jpeg);
        let zeros = file[..file.len() - 2].iter().rev();
        assert!(zeros.take_while(|&&byte| byte == 0).count() >= 96);
        let picture = image::load_from_memory_with_format(&file, image::ImageFormat::Jpeg).unwrap();
        assert_eq!(picture.into_rgb8().dimensions(), (64, 32));
    }

    #[test]
    fn grey_cmyk_and_halved_colour_are_jpegs_as_well() {
        for (components, subsampled, adobe) in
            [(1, false, None), (4, false, Some(0)), (3, true, None)]
        {
            let jpeg = Jpeg {
                components,
                subsampled,
                adobe,
                ..Jpeg::new(48, 32)
            };
            assert_eq!(pixels(jpeg).into_rgb8().dimensions(), (48, 32));
        }
    }
}
