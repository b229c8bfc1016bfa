//! Seeded damage to files, and repairs of the checksums that would catch it before anything else does.

use std::io::{Cursor, Read, Write};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::files::pngs::{Chunks, SIGNATURE, deflated, inflated};

/// The most that a part of a file is unpacked to.
const MAX_PART_BYTES: usize = 1 << 20;
/// The most parts that are looked at.
const MAX_PARTS: usize = 64;

/// A source of damage: the same seed gives the same.
pub struct Damage(ChaCha8Rng);

impl Damage {
    /// Returns the damage of a seed.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Returns a number below `limit`, 0 if that is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.0.next_u64() % (limit as u64).max(1)) as usize
    }

    /// Returns a file with one to four things done to it; `other` is what parts of another file are taken from.
    #[must_use]
    pub fn of(&mut self, file: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = file.to_vec();
        for _ in 0..=self.below(4) {
            self.once(&mut bytes, other);
        }
        bytes
    }

    fn once(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let at = self.place(bytes.len());
        match self.below(10) {
            0 => bytes.truncate(at),
            1 | 2 => self.with_byte(bytes, at, |byte, random| byte ^ (1 << (random % 8))),
            3 => self.with_byte(bytes, at, |_, random| random),
            4 => self.number(bytes, at),
            5 => {
                let end = at + self.below(64).min(bytes.len() - at);
                bytes.drain(at..end);
            }
            6 => {
                let end = at + self.below(64).min(bytes.len() - at);
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            7 => {
                let from = self.place(other.len());
                let to = from + self.below(256).min(other.len() - from);
                let end = at + (to - from).min(bytes.len() - at);
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            8 => {
                let from = self.place(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => self.digits(bytes),
        }
    }

    /// Returns a place in a file: half of all are in its beginning, a quarter in its end.
    fn place(&mut self, length: usize) -> usize {
        let near = length.min(128);
        match self.below(4) {
            0 | 1 => self.below(near),
            2 => length - near + self.below(near),
            _ => self.below(length),
        }
    }

    fn with_byte(&mut self, bytes: &mut [u8], at: usize, change: impl Fn(u8, u8) -> u8) {
        let random = self.0.next_u32() as u8;
        if let Some(byte) = bytes.get_mut(at) {
            *byte = change(*byte, random);
        }
    }

    /// Overwrites four or eight bytes by a number at a limit.
    fn number(&mut self, bytes: &mut [u8], at: usize) {
        const LIMITS: [u64; 8] = [
            0,
            1,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            1 << 60,
            i64::MAX as u64,
            u64::MAX,
        ];
        let limit = LIMITS[self.below(LIMITS.len())];
        let wide = if self.below(2) == 0 {
            limit.to_be_bytes()
        } else {
            limit.to_le_bytes()
        };
        let length = if self.below(2) == 0 { 4 } else { 8 };
        let part = if wide[0] == 0 {
            &wide[8 - length..]
        } else {
            &wide[..length]
        };
        for (byte, new) in bytes.iter_mut().skip(at).zip(part) {
            *byte = *new;
        }
    }

    /// Replaces a number that is written in digits.
    fn digits(&mut self, bytes: &mut Vec<u8>) {
        const NUMBERS: [&str; 9] = [
            "0",
            "-1",
            "1e400",
            "0.1",
            "4294967295",
            "4294967296",
            "9223372036854775807",
            "18446744073709551615",
            "99999999999999999999999999",
        ];
        let starts: Vec<usize> = (0..bytes.len())
            .filter(|&at| {
                bytes[at].is_ascii_digit() && (at == 0 || !bytes[at - 1].is_ascii_digit())
            })
            .collect();
        if let Some(&start) = starts.get(self.below(starts.len())) {
            let length = bytes[start..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit());
            let end = start + length.count();
            let number = NUMBERS[self.below(NUMBERS.len())];
            bytes.splice(start..end, number.bytes());
        }
    }

    /// Returns a file with damage done to one of the parts that it packs, and its checksums made right again; none if it
    /// is no file of such parts.
    #[must_use]
    pub fn within(&mut self, file: &[u8], other: &[u8]) -> Option<Vec<u8>> {
        if file.starts_with(&SIGNATURE) {
            return Some(self.within_png(file, other));
        }
        file.starts_with(b"PK")
            .then(|| self.within_zip(file, other))?
    }

    fn within_png(&mut self, file: &[u8], other: &[u8]) -> Vec<u8> {
        let mut chunks = Chunks::of(file);
        let others = Chunks::of(other).0;
        let at = self.below(chunks.0.len());
        match (self.below(6), chunks.0.get_mut(at)) {
            (0, Some(_)) => drop(chunks.0.remove(at)),
            (1, Some(chunk)) => {
                let chunk = chunk.clone();
                chunks.0.insert(at, chunk);
            }
            (2, _) if !others.is_empty() => {
                let chunk = others[self.below(others.len())].clone();
                chunks.0.insert(at, chunk);
            }
            // The pixels below the compression.
            (3, Some((kind, data))) if kind == b"IDAT" => {
                let pixels = inflated(data, MAX_PART_BYTES);
                *data = deflated(&self.of(&pixels, &[]));
            }
            (_, Some((_, data))) => *data = self.of(data, other),
            (_, None) => {}
        }
        chunks.file()
    }

    fn within_zip(&mut self, file: &[u8], other: &[u8]) -> Option<Vec<u8>> {
        let mut archive = ZipArchive::new(Cursor::new(file)).ok()?;
        let mut members = Vec::new();
        for index in 0..archive.len().min(MAX_PARTS) {
            let Ok(member) = archive.by_index(index) else {
                continue;
            };
            let name = member.name().to_owned();
            let mut bytes = Vec::new();
            let _ = member.take(MAX_PART_BYTES as u64).read_to_end(&mut bytes);
            members.push((name, bytes));
        }
        let at = self.below(members.len());
        let (_, bytes) = members.get_mut(at)?;
        *bytes = self.of(bytes, other);
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        for (name, bytes) in members {
            zip.start_file(name, options).ok()?;
            zip.write_all(&bytes).ok()?;
        }
        zip.finish().ok().map(Cursor::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{arrays, scene};

    #[test]
    fn a_seed_does_the_same_damage_again() {
        let file = scene::photograph_png();
        let damaged = |seed| Damage::of_seed(seed).of(&file, b"other");
        assert_eq!(damaged(7), damaged(7));
        assert_ne!(damaged(7), damaged(8));
    }

    #[test]
    fn damage_within_a_file_leaves_its_checksums_right() {
        let png = scene::photograph_png();
        let npz = arrays::npz(&[("mu.npy", arrays::f64s("2,", &[0.0, 1.0]))]);
        let mut decoded = 0;
        for seed in 0..50 {
            let mut damage = Damage::of_seed(seed);
            let damaged = damage.within(&png, &[]).unwrap();
            let chunks = Chunks::of(&damaged);
            assert_eq!(chunks.file(), damaged, "seed {seed}");
            decoded += usize::from(image::load_from_memory(&damaged).is_ok());
            let damaged = damage.within(&npz, &[]).unwrap();
            let mut archive = ZipArchive::new(Cursor::new(damaged)).unwrap();
            let mut bytes = Vec::new();
            archive
                .by_index(0)
                .unwrap()
                .read_to_end(&mut bytes)
                .unwrap();
        }
        assert!(
            decoded > 5,
            "hardly anything gets past the header: {decoded}"
        );
        assert!(Damage::of_seed(0).within(b"{}", &[]).is_none());
    }
}
