//! PNG files, chunk by chunk.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

/// What every PNG begins with.
pub const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// The header of an image.
#[derive(Debug, Clone, Copy)]
pub struct Header {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bits of a sample.
    pub depth: u8,
    /// 0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGBA.
    pub colour: u8,
    /// Whether it is interlaced.
    pub interlaced: bool,
}

/// A PNG as a list of chunks.
#[derive(Debug, Clone, Default)]
pub struct Chunks(pub Vec<([u8; 4], Vec<u8>)>);

impl Chunks {
    /// Returns the chunks of a file as far as they are whole, whatever their checksums say.
    #[must_use]
    pub fn of(file: &[u8]) -> Self {
        let mut chunks = Vec::new();
        let mut rest = file.get(SIGNATURE.len()..).unwrap_or_default();
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            let Some((kind, after)) = after.split_first_chunk::<4>() else {
                break;
            };
            let Some((data, after)) = after.split_at_checked(length) else {
                break;
            };
            chunks.push((*kind, data.to_vec()));
            rest = after.get(4..).unwrap_or_default();
        }
        Self(chunks)
    }

    /// Returns the image of some rows, each without its filter.
    #[must_use]
    pub fn image(header: Header, rows: &[u8]) -> Self {
        let mut chunks = vec![(*b"IHDR", header.bytes())];
        let line = rows.len() / (header.height as usize).max(1);
        let filtered: Vec<u8> = rows
            .chunks(line.max(1))
            .flat_map(|row| [&[0], row].concat())
            .collect();
        chunks.push((*b"IDAT", deflated(&filtered)));
        chunks.push((*b"IEND", Vec::new()));
        Self(chunks)
    }

    /// Returns an interlaced image of pixels, each of some bytes.
    #[must_use]
    pub fn interlaced(header: Header, pixels: &[u8]) -> Self {
        // First column and row of each pass, and the steps between columns and rows.
        const PASSES: [(u32, u32, u32, u32); 7] = [
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        ];
        let header = Header {
            interlaced: true,
            ..header
        };
        let bytes = pixels.len() / (header.width * header.height) as usize;
        let mut filtered = Vec::new();
        for (left, top, across, down) in PASSES {
            for y in (top..header.height).step_by(down as usize) {
                filtered.push(0);
                for x in (left..header.width).step_by(across as usize) {
                    let at = (y * header.width + x) as usize * bytes;
                    filtered.extend_from_slice(&pixels[at..at + bytes]);
                }
            }
        }
        Self(vec![
            (*b"IHDR", header.bytes()),
            (*b"IDAT", deflated(&filtered)),
            (*b"IEND", Vec::new()),
        ])
    }

    /// Returns the chunks with another one put after the header.
    #[must_use]
    pub fn with(mut self, kind: &[u8; 4], data: &[u8]) -> Self {
        self.0.insert(1, (*kind, data.to_vec()));
        self
    }

    /// Returns the chunks without those of a kind.
    #[must_use]
    pub fn without(mut self, kind: &[u8; 4]) -> Self {
        self.0.retain(|(found, _)| found != kind);
        self
    }

    /// Returns the chunks with the data of one kind replaced.
    #[must_use]
    pub fn mapped(mut self, kind: &[u8; 4], map: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        for (found, data) in &mut self.0 {
            if found == kind {
                *data = map(data);
            }
        }
        self
    }

    /// Returns the file, its checksums right.
    #[must_use]
    pub fn file(&self) -> Vec<u8> {
        let mut file = SIGNATURE.to_vec();
        for (kind, data) in &self.0 {
            let mut crc = crc32fast::Hasher::new();
            crc.update(kind);
            crc.update(data);
            file.extend_from_slice(&u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
            file.extend_from_slice(kind);
            file.extend_from_slice(data);
            file.extend_from_slice(&crc.finalize().to_be_bytes());
        }
        file
    }
}

impl Header {
    /// Returns the bytes of the header's chunk.
    #[must_use]
    pub fn bytes(self) -> Vec<u8> {
        let mut bytes = self.width.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.height.to_be_bytes());
        bytes.extend_from_slice(&[self.depth, self.colour, 0, 0, u8::from(self.interlaced)]);
        bytes
    }
}

/// Returns bytes as a zlib stream.
#[must_use]
pub fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns the beginning of what a zlib stream holds, at most `most` bytes of it.
#[must_use]
pub fn inflated(stream: &[u8], most: usize) -> Vec<u8> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let mut decoder = flate2::read::ZlibDecoder::new(stream).take(most as u64);
    // What comes before the damage is as good as anything.
    let _ = decoder.read_to_end(&mut bytes);
    bytes
}
