//! Files that commands write where they are told to.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

#[cfg(feature = "embedded")]
use shared::read_file;
use tempfile::NamedTempFile;

use super::CliError;

/// A file or folder, with the option that names it.
pub(super) type Named<'a> = (&'static str, &'a Path);

/// Links that lead from one to the next, at most; the system follows as many.
const MAX_LINKS: usize = 40;

/// Proves before any work that files can be written where options say: an unfinished one is made beside each, as [`write`]
/// does, and removed. What a command reads, a file or all below a folder, is not written over, and neither is what is no
/// file.
pub(super) fn check(outputs: &[Named<'_>], inputs: &[Named<'_>]) -> Result<(), CliError> {
    let mut places: Vec<(Named<'_>, PathBuf)> = Vec::new();
    for &output in outputs {
        let place = place_of(output, inputs)?;
        if let Some((other, _)) = places.iter().find(|(_, taken)| *taken == place) {
            return Err(CliError::Usage(format!(
                "{} {} and {} {} are one file: name two",
                other.0,
                other.1.display(),
                output.0,
                output.1.display()
            )));
        }
        places.push((output, place));
    }
    Ok(())
}

/// Returns where a file is to be written in the end, without links.
fn place_of((option, path): Named<'_>, inputs: &[Named<'_>]) -> Result<PathBuf, CliError> {
    let refuse = |reason: String| CliError::Usage(format!("{option} {}: {reason}", path.display()));
    let target = resolved(path).map_err(|error| refuse(error.to_string()))?;
    let folder = folder_of(&target);
    if target.is_dir() {
        return Err(refuse("it is a folder; name a file in it".to_owned()));
    }
    if !folder.is_dir() {
        return Err(refuse(format!("there is no folder {}", folder.display())));
    }
    if let Ok(there) = fs::metadata(&target) {
        if !there.is_file() || is_of_system(path) {
            return Err(refuse(
                "it is no file, but a pipe, socket or device; name a file".to_owned(),
            ));
        }
        let is_read = |&&(_, input): &&Named<'_>| reads(input, &target, &there);
        if let Some((read, input)) = inputs.iter().find(is_read) {
            return Err(refuse(format!(
                "it is what {read} {} reads; name another file",
                input.display()
            )));
        }
    }
    match unfinished(folder, b"synth2real") {
        Ok(_) => {}
        Err(error) => {
            return Err(CliError::Environment(format!(
                "{option} {}: no file can be written in {}: {error}",
                path.display(),
                folder.display()
            )));
        }
    }
    Ok(target_of(path))
}

/// Returns the file that is written in the end, where links lead, in its folder's real place.
pub(super) fn target_of(path: &Path) -> PathBuf {
    let target = resolved(path).unwrap_or_else(|_| path.to_owned());
    let folder = folder_of(&target);
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    folder.join(target.file_name().unwrap_or_default())
}

/// Proves that a file has an ending of what is written into it, or none.
pub(super) fn check_ending(
    (option, path): Named<'_>,
    what: &str,
    endings: &[&str],
) -> Result<(), CliError> {
    let target = resolved(path).unwrap_or_else(|_| path.to_owned());
    let Some(found) = target.extension() else {
        return Ok(());
    };
    if endings
        .iter()
        .any(|ending| found.eq_ignore_ascii_case(ending))
    {
        return Ok(());
    }
    let leads = match target.file_name() == path.file_name() {
        true => String::new(),
        false => format!(", which leads to {}", target.display()),
    };
    Err(CliError::Usage(format!(
        "{option} {}{leads}: {what} is written, so name a file that ends in .{}",
        path.display(),
        endings.join(" or .")
    )))
}

/// Returns whether the file that is written in the end, where links lead, has an ending such as `html`.
pub(super) fn has_ending(path: &Path, ending: &str) -> bool {
    let target = resolved(path).unwrap_or_else(|_| path.to_owned());
    target.extension().is_some_and(|found| found == ending)
}

/// Returns whether an input is a file, or a folder with it.
fn reads(input: &Path, target: &Path, there: &fs::Metadata) -> bool {
    let identity = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
    match fs::metadata(input) {
        Ok(input_is) if input_is.is_dir() => {
            let whole = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
            let mut above = whole
                .ancestors()
                .filter_map(|above| fs::metadata(above).ok());
            above.any(|above| identity(&above) == identity(&input_is))
        }
        Ok(input_is) => identity(&input_is) == identity(there),
        Err(_) => false,
    }
}

/// Returns whether a path is one of the system's own links, such as `/dev/stdout`: they lead to what is open.
fn is_of_system(path: &Path) -> bool {
    let is_link = fs::symlink_metadata(path).is_ok_and(|itself| itself.is_symlink());
    let folder = fs::canonicalize(folder_of(path)).unwrap_or_default();
    is_link && (folder == Path::new("/dev") || folder.starts_with("/proc"))
}

/// Returns where links lead from a path; there may be nothing.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = folder_of(&path).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("it is a link that leads in a circle"))
}

/// Writes beside the target, where links lead, and renames, so that a half-written file never has the target's name.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let write = || -> io::Result<()> {
        let target = resolved(path)?;
        let file = unfinished(folder_of(&target), bytes)?;
        file.persist(&target).map_err(|error| error.error)?;
        Ok(())
    };
    write()
        .map_err(|error| CliError::Environment(format!("cannot write {}: {error}", path.display())))
}

/// What is where a file was to be created.
#[cfg(feature = "embedded")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Created {
    /// The file.
    New,
    /// One with the same bytes, from before.
    AlreadyThere,
    /// Something else, which is left as it is.
    Another,
}

/// Writes a file where nothing is, whole or not at all, with the permissions of another one if that is named. What is there
/// is left as it is, and compared, whatever its size.
#[cfg(feature = "embedded")]
pub(super) fn create(path: &Path, bytes: &[u8], like: Option<&Path>) -> Result<Created, CliError> {
    let failed = |what: &str, error: io::Error| {
        CliError::Environment(format!("cannot {what} {}: {error}", path.display()))
    };
    let is_there = fs::symlink_metadata(path).is_ok();
    if !is_there && create_new(path, bytes, like).map_err(|error| failed("write", error))? {
        return Ok(Created::New);
    }
    match read_file::read(path, bytes.len() as u64) {
        Ok(there) if there == bytes => Ok(Created::AlreadyThere),
        Ok(_) => Ok(Created::Another),
        // It is larger, or no file.
        Err(error)
            if read_file::is_refused(&error) || error.kind() == io::ErrorKind::IsADirectory =>
        {
            Ok(Created::Another)
        }
        Err(error) => Err(failed("read", error)),
    }
}

/// Returns whether a file was created; not if another process was faster.
#[cfg(feature = "embedded")]
fn create_new(path: &Path, bytes: &[u8], like: Option<&Path>) -> io::Result<bool> {
    let file = unfinished(folder_of(path), bytes)?;
    if let Some(like) = like {
        let permissions = fs::metadata(like)?.permissions();
        file.as_file().set_permissions(permissions)?;
    }
    match file.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
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

/// Returns the folder that a path is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| *folder != Path::new(""))
        .unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_would_be_another_than_its_name_says_is_refused() {
        let told = |name: &str| {
            let checked = check_ending(("--out", Path::new(name)), "a PNG", &["png"]);
            checked.map_err(|error| error.to_string())
        };
        for name in ["t.png", "t.PNG", "t", "a.jpg/t"] {
            assert_eq!(told(name), Ok(()), "{name}");
        }
        for name in ["t.jpg", "t.png.npz", "v1.5"] {
            let expected =
                format!("--out {name}: a PNG is written, so name a file that ends in .png");
            assert_eq!(told(name).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_file_that_could_not_be_written_is_refused_before_any_work_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let told = |path: &Path| check(&[("--out", path)], &[]).unwrap_err().to_string();
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
        check(&[("--out", &out)], &[]).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        for bytes in [b"old", b"new"] {
            write(&out, bytes).unwrap();
            assert_eq!(std::fs::read(&out).unwrap(), bytes);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(feature = "embedded")]
    #[test]
    fn a_file_is_created_once_and_what_is_there_is_compared_whatever_its_size_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("like"), "secret").unwrap();
        std::fs::set_permissions(at("like"), Permissions::from_mode(0o600)).unwrap();
        // More than settings may have.
        let bytes = vec![7_u8; 2 << 20];
        let create = |name: &str| create(&at(name), &bytes, Some(&at("like"))).unwrap();
        assert_eq!(create("new"), Created::New);
        assert_eq!(std::fs::metadata(at("new")).unwrap().mode() & 0o777, 0o600);
        assert_eq!(create("new"), Created::AlreadyThere);

        let larger = [bytes.as_slice(), b"more"].concat();
        let other = vec![8_u8; bytes.len()];
        for (name, there) in [
            ("larger", larger),
            ("smaller", Vec::new()),
            ("other", other),
        ] {
            std::fs::write(at(name), &there).unwrap();
            assert_eq!(create(name), Created::Another, "{name}");
            assert_eq!(std::fs::read(at(name)).unwrap(), there, "{name}");
        }
        std::fs::create_dir(at("folder")).unwrap();
        assert_eq!(create("folder"), Created::Another);
        std::os::unix::fs::symlink(at("nothing"), at("nowhere")).unwrap();
        let told = super::create(&at("nowhere"), &bytes, None).unwrap_err();
        assert!(told.to_string().starts_with("cannot read "), "{told}");
        assert!(!at("nothing").exists());
    }

    #[test]
    fn what_is_read_or_is_no_file_or_is_named_twice_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, at(name)).unwrap();
        std::fs::write(at("content.png"), "content").unwrap();
        std::fs::create_dir_all(at("model/below")).unwrap();
        std::fs::write(at("model/below/model.onnx"), "weights").unwrap();
        std::fs::hard_link(at("content.png"), at("hard.png")).unwrap();
        link(&at("content.png"), "soft.png");
        link(Path::new("circle.png"), "circle.png");
        link(Path::new("new.png"), "to-new.png");
        let made = std::process::Command::new("mkfifo")
            .arg(at("pipe"))
            .status();
        assert!(made.unwrap().success());
        link(&at("pipe"), "to-pipe");

        let (content, model) = (at("content.png"), at("model"));
        let inputs: [Named<'_>; 2] = [("--content", &content), ("--model", &model)];
        for (name, words) in [
            ("content.png", "what --content"),
            ("hard.png", "what --content"),
            ("soft.png", "what --content"),
            ("model/below/model.onnx", "what --model"),
            ("model", "it is a folder"),
            ("pipe", "it is no file"),
            ("to-pipe", "it is no file"),
            ("circle.png", "leads in a circle"),
        ] {
            let refused = check(&[("--out", &at(name))], &inputs).unwrap_err();
            assert!(matches!(refused, CliError::Usage(_)), "{refused}");
            let told = refused.to_string();
            assert!(told.contains(words) && told.contains(name), "{told}");
        }
        let new = at("new.png");
        for trace in ["new.png", "./new.png", "model/../new.png", "to-new.png"] {
            let trace = at(trace);
            let outputs: [Named<'_>; 2] = [("--out", &new), ("--trace", &trace)];
            let told = check(&outputs, &inputs).unwrap_err().to_string();
            assert!(
                told.contains("--trace") && told.contains("are one file"),
                "{told}"
            );
        }
        let other = at("other.png");
        check(&[("--out", &new), ("--trace", &other)], &inputs).unwrap();

        write(&at("to-new.png"), b"new").unwrap();
        assert_eq!(std::fs::read(&new).unwrap(), b"new");
        assert!(at("to-new.png").is_symlink(), "its target is written");
        assert_eq!(std::fs::read(at("content.png")).unwrap(), b"content");
    }
}
