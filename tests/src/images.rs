//! Files of a small dataset, made from the golden inputs.

use std::fs;
use std::io::Cursor;

use png::{BitDepth, ColorType};

use crate::golden;

/// Returns a golden input's bytes.
///
/// # Panics
///
/// If there is no such file.
#[must_use]
pub fn input(name: &str) -> Vec<u8> {
    let path = golden("inputs").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A PNG as its file has it, 8 bits a channel.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// What the bytes are.
    pub colour: ColorType,
    /// Bits of a channel, 8 or 16.
    pub depth: BitDepth,
    /// Colours of palette indices.
    pub palette: Option<Vec<u8>>,
    /// Rows from top to bottom.
    pub bytes: Vec<u8>,
}

impl Picture {
    /// Returns a golden input.
    ///
    /// # Panics
    ///
    /// If it cannot be decoded.
    #[must_use]
    pub fn input(name: &str) -> Self {
        Self::decode(&input(name))
    }

    /// Returns a PNG's pixels, unconverted.
    ///
    /// # Panics
    ///
    /// If the bytes are no PNG.
    #[must_use]
    pub fn decode(file: &[u8]) -> Self {
        let decoder = png::Decoder::new(Cursor::new(file));
        let mut reader = decoder.read_info().expect("a PNG");
        let mut bytes = vec![0; reader.output_buffer_size().expect("a small PNG")];
        let info = reader.next_frame(&mut bytes).expect("a whole PNG");
        bytes.truncate(info.buffer_size());
        let palette = reader.info().palette.as_ref();
        Self {
            width: info.width,
            height: info.height,
            colour: info.color_type,
            depth: info.bit_depth,
            palette: palette.map(|palette| palette.to_vec()),
            bytes,
        }
    }

    /// Returns the picture as a PNG file.
    ///
    /// # Panics
    ///
    /// If its fields do not fit together.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.encode_with("")
    }

    /// Returns the picture as a PNG file of a given size, filled up with a comment.
    ///
    /// # Panics
    ///
    /// If it takes more bytes, or its fields do not fit together.
    #[must_use]
    pub fn encode_in(&self, num_bytes: usize) -> Vec<u8> {
        let least = self.encode_with(" ").len();
        let more = num_bytes.checked_sub(least).expect("enough bytes");
        self.encode_with(&" ".repeat(1 + more))
    }

    fn encode_with(&self, comment: &str) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.width, self.height);
        encoder.set_color(self.colour);
        encoder.set_depth(self.depth);
        if let Some(palette) = &self.palette {
            encoder.set_palette(palette.as_slice());
        }
        if !comment.is_empty() {
            let added = encoder.add_text_chunk("Comment".to_owned(), comment.to_owned());
            added.expect("a comment");
        }
        let mut writer = encoder.write_header().expect("a PNG header");
        writer.write_image_data(&self.bytes).expect("its pixels");
        writer.finish().expect("its end");
        file
    }

    /// Returns the picture moved to the left by some columns; those that leave come back on the right.
    #[must_use]
    pub fn shifted(mut self, columns: u32) -> Self {
        let line = self.bytes.len() / self.height as usize;
        let pixel = line / self.width as usize;
        for row in self.bytes.chunks_exact_mut(line) {
            row.rotate_left(pixel * (columns % self.width) as usize);
        }
        self
    }

    /// Returns the picture so many times as wide and as high, each pixel a square.
    #[must_use]
    pub fn enlarged(mut self, factor: u32) -> Self {
        let line = self.bytes.len() / self.height as usize;
        let pixel = line / self.width as usize;
        let times = factor as usize;
        self.bytes = self
            .bytes
            .chunks_exact(line)
            .flat_map(|row| {
                let wide: Vec<u8> = row
                    .chunks_exact(pixel)
                    .flat_map(|pixel| pixel.repeat(times))
                    .collect();
                wide.repeat(times)
            })
            .collect();
        (self.width, self.height) = (factor * self.width, factor * self.height);
        self
    }

    /// Returns its upper left part.
    #[must_use]
    pub fn cropped(mut self, width: u32, height: u32) -> Self {
        let pixel = self.bytes.len() / (self.width * self.height) as usize;
        let row = self.width as usize * pixel;
        let rows = self.bytes.chunks(row).take(height as usize);
        self.bytes = rows
            .flat_map(|row| &row[..width as usize * pixel])
            .copied()
            .collect();
        (self.width, self.height) = (width, height);
        self
    }

    /// Returns the picture with every byte (palette index, grey level) replaced.
    #[must_use]
    pub fn mapped(mut self, map: impl Fn(u8) -> u8) -> Self {
        self.bytes.iter_mut().for_each(|byte| *byte = map(*byte));
        self
    }

    /// Returns the indices of a palette image as grey levels.
    #[must_use]
    pub fn without_palette(mut self) -> Self {
        self.colour = ColorType::Grayscale;
        self.palette = None;
        self
    }

    /// Returns the picture with 16 bits a channel.
    #[must_use]
    pub fn with_16_bits(mut self) -> Self {
        self.depth = BitDepth::Sixteen;
        self.bytes = self.bytes.iter().flat_map(|&byte| [byte, byte]).collect();
        self
    }

    /// Returns a palette image as an RGB picture of its colours.
    ///
    /// # Panics
    ///
    /// If it has no palette, or one that is too short.
    #[must_use]
    pub fn in_colours(mut self) -> Self {
        let palette = self.palette.take().expect("a palette image");
        let colour = |&index: &u8| palette[3 * usize::from(index)..][..3].to_vec();
        self.bytes = self.bytes.iter().flat_map(colour).collect();
        self.colour = ColorType::Rgb;
        self
    }

    /// Returns an RGB picture with a channel of half transparency.
    #[must_use]
    pub fn with_alpha(mut self) -> Self {
        self.colour = ColorType::Rgba;
        let pixels = self.bytes.chunks_exact(3);
        self.bytes = pixels.flat_map(|p| [p[0], p[1], p[2], 128]).collect();
        self
    }

    /// Returns the green channel of an RGB picture in grey.
    #[must_use]
    pub fn greyscale(mut self) -> Self {
        self.colour = ColorType::Grayscale;
        self.bytes = self.bytes.chunks_exact(3).map(|pixel| pixel[1]).collect();
        self
    }
}
