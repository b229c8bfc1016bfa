//! Files that commands write where they are told to.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::NamedTempFile;

use super::Problem;

/// Proves before any work that a file can be written where an option says: an unfinished one is made beside it, as
/// [`write`] does, and removed.
pub(super) fn check(option: &str, path: &Path) -> Result<(), Problem> {
    let refuse = |reason: String| {
        Err(Problem::Usage(format!(
            "{option} {}: {reason}",
            path.display()
        )))
    };
    let folder = folder_of(path);
    if path.is_dir() {
        return refuse("it is a folder; name a file in it".to_owned());
    }
    if !folder.is_dir() {
        return refuse(format!("there is no folder {}", folder.display()));
    }
    match unfinished(folder, b"synth2real") {
        Ok(_) => Ok(()),
        Err(error) => Err(Problem::Environment(format!(
            "{option} {}: no file can be written in {}: {error}",
            path.display(),
            folder.display()
        ))),
    }
}

/// Writes beside the target and renames, so that a half-written file never has the target's name.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    let written = unfinished(folder_of(path), bytes)
        .and_then(|file| file.persist(path).map_err(|error| error.error));
    written
        .map(drop)
        .map_err(|error| Problem::Environment(format!("cannot write {}: {error}", path.display())))
}

/// Returns a file with these bytes, safe from a crash, which is removed when it is dropped.
fn unfinished(folder: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    // Temporary files are private by default; a result is as readable as the umask lets it be.
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| *folder != Path::new(""))
        .unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_could_not_be_written_is_refused_before_any_work_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let told = |path: &Path| check("--out", path).unwrap_err().to_string();
        let told_of_folder = told(folder.path());
        assert!(
            told_of_folder.contains("it is a folder"),
            "{told_of_folder}"
        );
        let nowhere = told(&folder.path().join("not/yet.png"));
        assert!(nowhere.contains("there is no folder"), "{nowhere}");
        let system = told(Path::new("/proc/out.png"));
        assert!(
            system.contains("no file can be written in /proc"),
            "{system}"
        );

        let out = folder.path().join("out.png");
        check("--out", &out).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        for bytes in [b"old", b"new"] {
            write(&out, bytes).unwrap();
            assert_eq!(std::fs::read(&out).unwrap(), bytes);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
