//! Writes the corpus as files, for `cargo fuzz` to begin with: a folder for each target.

use std::fs;
use std::path::PathBuf;

use corpus::table::rows;
use shared::digest;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or_else(|| std::io::Error::other("usage: seeds FOLDER"))?;
    for row in rows() {
        let folder = folder.join(row.reads.target().name());
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(digest::sha256(&row.bytes)), &row.bytes)?;
    }
    Ok(())
}
