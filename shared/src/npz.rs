//! Arrays out of `.npz` and `.npy` files that may hold anything: what a file claims is compared with what it holds
//! before memory is taken for it.
//!
//! The reader of arrays believes their headers: one that claims 2^60 numbers ends the process, and so does one whose
//! brackets are nested without end.

use std::io::{Read, Seek};

use crate::guarded::{self, Panicked};
use ndarray::{Array, Dimension};
use ndarray_npy::{ReadNpyError, ReadNpyExt, ReadableElement};
use zip::ZipArchive;
use zip::result::ZipError;

/// The longest header: what NumPy itself accepts.
const MAX_HEADER_BYTES: usize = 10_000;
/// The deepest nesting of brackets in a header: a dictionary with the tuple of a shape, and one of a type to be named.
const MAX_NESTING: usize = 4;

/// Why an array cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum NpzError {
    /// It is no archive of arrays.
    #[error("no archive of arrays")]
    Archive(#[source] ZipError),
    /// One over which its decoder panics.
    #[error("no archive of arrays that can be read")]
    Contradiction(#[from] Panicked),
    /// There is no array of the name.
    #[error("no array {0}")]
    Missing(String),
    /// An array that is packed in a way that is not read, or damaged.
    #[error("array {name} cannot be unpacked")]
    Unpack {
        /// The array.
        name: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// An array that would take too much memory.
    #[error("array {name} has more than {max_bytes} bytes")]
    TooLarge {
        /// The array.
        name: String,
        /// The most that is accepted.
        max_bytes: u64,
    },
    /// An array that is not what its header says.
    #[error("array {name} {reason}")]
    Header {
        /// The array.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An array of another type or number of dimensions.
    #[error("array {name} cannot be read as {expected}")]
    Array {
        /// The array.
        name: String,
        /// What it should be.
        expected: String,
        /// Why not.
        #[source]
        source: ReadNpyError,
    },
}

/// An archive of arrays, each of at most a number of bytes.
pub struct NpzFile<R> {
    archive: ZipArchive<R>,
    max_bytes: u64,
}

impl<R: Read + Seek> NpzFile<R> {
    /// Opens an archive whose arrays have at most `max_bytes`.
    ///
    /// # Errors
    ///
    /// [`NpzError::Archive`] if it is none.
    pub fn open(file: R, max_bytes: u64) -> Result<Self, NpzError> {
        let archive = guarded::decode(|| ZipArchive::new(file))?;
        let archive = archive.map_err(NpzError::Archive)?;
        Ok(Self { archive, max_bytes })
    }

    /// Returns the names of the arrays, without `.npy`.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let names = self.archive.file_names();
        let without_ending = |name: &str| name.strip_suffix(".npy").unwrap_or(name).to_owned();
        names.map(without_ending).collect()
    }

    /// Returns an array by its name, with or without `.npy`.
    ///
    /// # Errors
    ///
    /// [`NpzError`] if there is none, or it is not what it says or not what is asked for.
    pub fn by_name<T: ReadableElement, D: Dimension>(
        &mut self,
        name: &str,
    ) -> Result<Array<T, D>, NpzError> {
        let bytes = guarded::decode(|| self.unpacked(name))??;
        guarded::decode(|| array(name, &bytes))?
    }

    /// Returns what is packed under the name of an array.
    fn unpacked(&mut self, name: &str) -> Result<Vec<u8>, NpzError> {
        let with_ending = format!("{name}.npy");
        let is_there = |archive: &ZipArchive<R>, name: &str| archive.index_for_name(name);
        let index = is_there(&self.archive, name).or_else(|| is_there(&self.archive, &with_ending));
        let index = index.ok_or_else(|| NpzError::Missing(name.to_owned()))?;
        let unpack = |source: std::io::Error| NpzError::Unpack {
            name: name.to_owned(),
            source,
        };
        let packed = self.archive.by_index(index);
        let packed = packed.map_err(|error| unpack(error.into()))?;
        // What the archive says of the size is not believed either: a bomb unpacks to more.
        let mut bytes = Vec::new();
        let mut some = packed.take(self.max_bytes.saturating_add(1));
        some.read_to_end(&mut bytes).map_err(unpack)?;
        if bytes.len() as u64 > self.max_bytes {
            return Err(NpzError::TooLarge {
                name: name.to_owned(),
                max_bytes: self.max_bytes,
            });
        }
        Ok(bytes)
    }
}

/// Returns the array that the bytes of a `.npy` file hold.
///
/// # Errors
///
/// [`NpzError::Header`] or [`NpzError::Array`] if it is not what it says or not what is asked for.
pub fn array<T: ReadableElement, D: Dimension>(
    name: &str,
    bytes: &[u8],
) -> Result<Array<T, D>, NpzError> {
    let refuse = |reason: String| NpzError::Header {
        name: name.to_owned(),
        reason,
    };
    let (header, data) = split(bytes).map_err(refuse)?;
    let claimed = claimed(header).map_err(refuse)?;
    if claimed.is_none_or(|bytes| bytes > data.len()) {
        let (header, held) = (header.trim(), data.len());
        return Err(refuse(format!(
            "holds {held} bytes, too few for its header {header}"
        )));
    }
    Array::read_npy(bytes).map_err(|source| NpzError::Array {
        name: name.to_owned(),
        expected: expected::<T, D>(),
        source,
    })
}

fn expected<T, D: Dimension>() -> String {
    let of = std::any::type_name::<T>();
    match D::NDIM {
        Some(dimensions) => format!("numbers of type {of} in {dimensions} dimensions"),
        None => format!("numbers of type {of}"),
    }
}

/// Returns the header and what follows it.
fn split(bytes: &[u8]) -> Result<(&str, &[u8]), String> {
    let no_npy = || "is no .npy file".to_owned();
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or_else(no_npy)?;
    let (version, rest) = rest.split_at_checked(2).ok_or_else(no_npy)?;
    let (length, rest) = match version[0] {
        1 => {
            let (length, rest) = rest.split_first_chunk().ok_or_else(no_npy)?;
            (usize::from(u16::from_le_bytes(*length)), rest)
        }
        2 | 3 => {
            let (length, rest) = rest.split_first_chunk().ok_or_else(no_npy)?;
            (u32::from_le_bytes(*length) as usize, rest)
        }
        version => {
            return Err(format!(
                "is a .npy file of version {version}, which is not read"
            ));
        }
    };
    if length > MAX_HEADER_BYTES {
        return Err(format!(
            "has a header of {length} bytes, more than {MAX_HEADER_BYTES}"
        ));
    }
    let cut = || format!("ends within its header of {length} bytes");
    let (header, data) = rest.split_at_checked(length).ok_or_else(cut)?;
    let header = std::str::from_utf8(header).map_err(|_| "has a header that is no text")?;
    let mut depth = 0_usize;
    for byte in header.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_NESTING {
            return Err("has a header that is nested too deeply".to_owned());
        }
    }
    Ok((header, data))
}

/// Returns the number of bytes that a header claims; none if it is beyond counting.
fn claimed(header: &str) -> Result<Option<usize>, String> {
    // The reader takes the last of two keys and undoes escapes: what is compared here must be what it believes.
    let says_once = |key: &str| header.matches(key).count() == 1;
    if header.contains('\\') || !says_once("descr") || !says_once("shape") {
        return Err(format!(
            "has a header that does not say descr and shape once each: {}",
            header.trim()
        ));
    }
    let no_shape = || format!("has a header without a shape: {}", header.trim());
    let (_, rest) = header.split_once("shape").ok_or_else(no_shape)?;
    let (_, rest) = rest.split_once('(').ok_or_else(no_shape)?;
    let (shape, _) = rest.split_once(')').ok_or_else(no_shape)?;
    let lengths = shape
        .split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty());
    let mut bytes = Some(bytes_of_element(header));
    for length in lengths {
        let length: Option<usize> = length.parse().ok();
        bytes = bytes.and_then(|bytes| bytes.checked_mul(length?));
    }
    Ok(bytes)
}

/// Returns the size of an element by a type such as `<f8`. Of others every element has a byte at least: the reader takes up
/// to eight times what the file holds before it refuses them.
fn bytes_of_element(header: &str) -> usize {
    let size = || {
        let (_, rest) = header.split_once("descr")?;
        let (_, rest) = rest.split_once(':')?;
        let (kind, _) = rest.trim_start().get(1..)?.split_once(['\'', '"'])?;
        kind.trim_start_matches(|c: char| !c.is_ascii_digit())
            .parse()
            .ok()
    };
    size().unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use ndarray::{Array1, Array2, array};
    use ndarray_npy::{NpzWriter, WriteNpyExt};

    use super::*;

    const MAX_BYTES: u64 = 1 << 20;

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        let header = format!("{header}\n");
        bytes.extend_from_slice(&u16::try_from(header.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(data);
        bytes
    }

    fn refused(bytes: &[u8]) -> String {
        let read: Result<Array1<f64>, _> = super::array("mu", bytes);
        read.unwrap_err().to_string()
    }

    #[test]
    fn arrays_come_back_as_they_were_written() {
        let mut npz = NpzWriter::new_compressed(Cursor::new(Vec::new()));
        npz.add_array("mu", &array![1.0_f64, -2.0]).unwrap();
        npz.add_array("sigma", &Array2::<f32>::eye(2)).unwrap();
        let file = npz.finish().unwrap();
        let mut npz = NpzFile::open(file, MAX_BYTES).unwrap();
        assert_eq!(npz.by_name::<f64, _>("mu").unwrap(), array![1.0, -2.0]);
        assert_eq!(
            npz.by_name::<f32, _>("sigma").unwrap(),
            Array2::<f32>::eye(2)
        );
        let missing = npz.by_name::<f32, ndarray::Ix1>("n").unwrap_err();
        assert_eq!(missing.to_string(), "no array n");
    }

    #[test]
    fn a_header_that_claims_more_than_there_is_takes_no_memory() {
        for shape in [
            "1152921504606846976,",
            "18446744073709551615,",
            "4294967296, 4294967296",
            "99999999999999999999999,",
            "3,",
        ] {
            let header =
                format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({shape}), }}");
            let message = refused(&npy(&header, &[0; 16]));
            assert!(message.contains("holds 16 bytes, too few"), "{message}");
            assert!(message.contains(shape), "{message}");
        }
    }

    /// The reader takes the last of two keys, and undoes escapes.
    #[test]
    fn a_header_that_says_its_shape_twice_takes_no_memory() {
        let huge = "(1099511627776,)";
        for header in [
            format!("{{'descr': '<f8', 'fortran_order': False, 'shape': (0,), 'shape': {huge}, }}"),
            format!("{{'descr': 'shape (0)', 'fortran_order': False, 'shape': {huge}, }}"),
            format!(
                "{{'descr': '<f8', 'fortran_order': False, 'shape': (0,), 'sh\\x61pe': {huge}, }}"
            ),
            format!("{{'descr': '<f8', 'descr': '<f8', 'shape': {huge}, }}"),
        ] {
            let message = refused(&npy(&header, &[0; 16]));
            assert!(message.contains("descr and shape once each"), "{message}");
            assert!(message.contains(huge), "{message}");
        }
    }

    #[test]
    fn a_header_that_is_nested_without_end_is_refused() {
        let message = refused(&npy(&"(".repeat(9_000), &[]));
        assert!(message.contains("nested too deeply"), "{message}");
    }

    #[test]
    fn an_array_that_unpacks_to_more_than_is_accepted_is_refused() {
        let mut npz = NpzWriter::new_compressed(Cursor::new(Vec::new()));
        npz.add_array("mu", &Array1::<f64>::zeros(1 << 18)).unwrap();
        let mut npz = NpzFile::open(npz.finish().unwrap(), MAX_BYTES).unwrap();
        let error = npz.by_name::<f64, ndarray::Ix1>("mu").unwrap_err();
        assert_eq!(error.to_string(), "array mu has more than 1048576 bytes");
    }

    #[test]
    fn what_is_no_array_of_numbers_is_refused_and_never_panics() {
        let mut whole = Vec::new();
        array![0.5_f64, 2.0].write_npy(&mut whole).unwrap();
        for cut in 0..whole.len() {
            let read: Result<Array1<f64>, _> = super::array("mu", &whole[..cut]);
            assert!(read.is_err(), "{cut} bytes were accepted");
        }
        let read: Result<Array1<f64>, _> = super::array("mu", &whole);
        assert_eq!(read.unwrap(), array![0.5, 2.0]);
        let other: Result<Array2<i64>, _> = super::array("mu", &whole);
        let message = other.unwrap_err().to_string();
        assert!(message.contains("type i64 in 2 dimensions"), "{message}");
    }
}
