//! NumPy's files, with headers that may say anything.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Returns a `.npy` file of version 1 with a header and data.
#[must_use]
pub fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    let header = format!("{header}\n");
    bytes.extend_from_slice(&u16::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(data);
    bytes
}

/// Returns a `.npy` file of a type and shape as NumPy writes them, for example `<f8` and `3, 3`.
#[must_use]
pub fn array(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    npy(&header, data)
}

/// Returns a `.npy` file of float64.
#[must_use]
pub fn f64s(shape: &str, values: &[f64]) -> Vec<u8> {
    let data: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    array("<f8", shape, &data)
}

/// Returns a `.npy` file of float32.
#[must_use]
pub fn f32s(shape: &str, values: &[f32]) -> Vec<u8> {
    let data: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    array("<f4", shape, &data)
}

/// Returns an archive of files, packed.
#[must_use]
pub fn npz(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    archive(members, CompressionMethod::Deflated)
}

/// Returns an archive of files, as they are.
#[must_use]
pub fn stored_npz(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    archive(members, CompressionMethod::Stored)
}

fn archive(members: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in members {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Returns statistics whose `mu` unpacks to a quarter of a gigabyte, packed to a quarter of a megabyte.
#[must_use]
pub fn bomb() -> Vec<u8> {
    const BYTES: u64 = 1 << 28;
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    zip.start_file("sigma.npy", options).unwrap();
    zip.write_all(&f64s("1, 1", &[1.0])).unwrap();
    zip.start_file("mu.npy", options).unwrap();
    let head = array("<f8", &format!("{},", BYTES / 8), &[]);
    zip.write_all(&head).unwrap();
    std::io::copy(
        &mut std::io::Read::take(std::io::repeat(0), BYTES),
        &mut zip,
    )
    .unwrap();
    zip.finish().unwrap().into_inner()
}
