//! Paths as people write them, and where they really are.
//!
//! `~` and `~/...` are the home folder, `${NAME}` is a variable of the environment, `$$` is a dollar sign, and `./~` is
//! a file of that name. Nothing is guessed: what cannot be expanded is refused, and so is every other dollar sign.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// A path that cannot be expanded, or that no one means.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The home folder of another user.
    #[error(
        "must be written out: only ~ and ~/ are expanded, to your own home folder; {0} in this folder is ./{0}"
    )]
    OtherHome(String),
    /// Nothing says where the home folder is.
    #[error("cannot be expanded: HOME does not name a home folder")]
    NoHome,
    /// A variable that is not set, or is empty.
    #[error("cannot be expanded: the variable {0} is not set")]
    Unset(String),
    /// A variable whose value is no text.
    #[error("cannot be expanded: the variable {0} is no UTF-8 text")]
    NoText(String),
    /// A variable without braces.
    #[error("must have ${{{0}}} for the variable {0}, or $$ for a dollar sign")]
    WithoutBraces(String),
    /// A dollar sign with neither braces nor a name behind it.
    #[error("must have $$ for a dollar sign: alone, it stands for no variable")]
    LoneDollar,
    /// Braces that hold no name of a variable.
    #[error("must have the name of a variable between ${{ and }}: letters, digits and underscores")]
    NoName,
    /// Line breaks and the like.
    #[error("must not hold line breaks or other control characters")]
    Control,
    /// Blanks about it.
    #[error("must not begin or end with a blank")]
    Blank,
}

/// Returns what a text means: `~` and `${NAME}` are replaced, `$$` is a dollar sign.
///
/// # Errors
///
/// [`PathError`] saying what cannot be replaced and what to write.
pub fn expand(text: &str) -> Result<String, PathError> {
    let text = expand_variables(text, &variable)?;
    expand_home(text, std::env::home_dir())
}

/// Returns a path of the command line as it is meant: expanded as by [`expand`], in its folder's real place.
///
/// A name that is no UTF-8 is taken as it is.
///
/// # Errors
///
/// As [`expand`].
pub fn given(path: impl AsRef<Path>) -> Result<PathBuf, PathError> {
    match path.as_ref().to_str() {
        Some(text) => Ok(place(expand(text)?.as_ref())),
        None => Ok(place(path.as_ref())),
    }
}

/// Returns where a path really is: absolute, without links as far as it exists.
#[must_use]
pub fn real(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for ancestor in whole.ancestors() {
        let (Ok(there), Ok(rest)) = (fs::canonicalize(ancestor), whole.strip_prefix(ancestor))
        else {
            continue;
        };
        return below(there, rest);
    }
    whole
}

/// Returns where a file really is, under its own name: its folder as by [`real`], a link to a file is not followed.
#[must_use]
pub fn place(path: &Path) -> PathBuf {
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) if folder.as_os_str().is_empty() => {
            real(Path::new(".")).join(name)
        }
        (Some(folder), Some(name)) => real(folder).join(name),
        _ => real(path),
    }
}

/// Returns `rest` below a folder that exists, where the rest does not, so that `..` is the folder before it.
fn below(mut folder: PathBuf, rest: &Path) -> PathBuf {
    for component in rest.components() {
        match component {
            Component::Normal(name) => folder.push(name),
            Component::ParentDir => {
                folder.pop();
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    folder
}

/// Returns the value of a variable of the environment.
pub(crate) fn variable(name: &str) -> Result<String, PathError> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty());
    let value = value.ok_or_else(|| PathError::Unset(name.to_owned()))?;
    value
        .into_string()
        .map_err(|_| PathError::NoText(name.to_owned()))
}

fn expand_variables(
    text: &str,
    variable: &dyn Fn(&str) -> Result<String, PathError>,
) -> Result<String, PathError> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let name_end = after.find(|c: char| !is_of_name(c)).unwrap_or(after.len());
        if let Some(after) = after.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some(after) = after.strip_prefix('{') {
            let (name, after) = after.split_once('}').ok_or(PathError::NoName)?;
            if name.is_empty() || !name.chars().all(is_of_name) {
                return Err(PathError::NoName);
            }
            expanded.push_str(&variable(name)?);
            rest = after;
        } else if name_end > 0 {
            return Err(PathError::WithoutBraces(after[..name_end].to_owned()));
        } else {
            return Err(PathError::LoneDollar);
        }
    }
    expanded.push_str(rest);
    if expanded.chars().any(char::is_control) {
        Err(PathError::Control)
    } else if expanded.trim() != expanded {
        Err(PathError::Blank)
    } else {
        Ok(expanded)
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn expand_home(text: String, home: Option<PathBuf>) -> Result<String, PathError> {
    let Some(after) = text.strip_prefix('~') else {
        return Ok(text);
    };
    if !after.is_empty() && !after.starts_with('/') {
        let name = text.split('/').next().unwrap_or_default();
        return Err(PathError::OtherHome(name.to_owned()));
    }
    let home = home.filter(|home| home.is_absolute());
    let home = home.and_then(|home| home.into_os_string().into_string().ok());
    let home = home.ok_or(PathError::NoHome)?;
    Ok(format!("{}{after}", home.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, PathError> {
        let variable = |name: &str| match name {
            "DATA" => Ok("/data set".to_owned()),
            "TOKEN" => Ok("line\n".to_owned()),
            _ => Err(PathError::Unset(name.to_owned())),
        };
        expand_home(expand_variables(text, &variable)?, Some("/home/me".into()))
    }

    #[test]
    fn home_and_variables_are_expanded_and_a_dollar_sign_can_be_written() {
        for (text, meant) in [
            ("~", "/home/me"),
            ("~/out", "/home/me/out"),
            ("${DATA}/gta5", "/data set/gta5"),
            ("a/${DATA}", "a//data set"),
            ("s3://bucket/${DATA}", "s3://bucket//data set"),
            ("./~", "./~"),
            ("a~b/~", "a~b/~"),
            ("cost in $$", "cost in $"),
            ("100$$/a", "100$/a"),
            ("plain/path", "plain/path"),
        ] {
            assert_eq!(expanded(text).as_deref(), Ok(meant), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_expanded_is_refused_with_what_to_write() {
        for (text, words) in [
            ("$HOME/out", "${HOME} for the variable HOME, or $$"),
            (
                "${NOWHERE}/out",
                "cannot be expanded: the variable NOWHERE is not set",
            ),
            ("${}/out", "the name of a variable between ${ and }"),
            ("${DATA", "the name of a variable between ${ and }"),
            ("$(pwd)/out", "$$ for a dollar sign"),
            ("100$/a", "$$ for a dollar sign"),
            ("out$", "$$ for a dollar sign"),
            ("${DATA:-x}", "the name of a variable between ${ and }"),
            ("~you/out", "~you in this folder is ./~you"),
            ("out/${TOKEN}", "control characters"),
            ("a\0b", "control characters"),
            ("out ", "blank"),
        ] {
            let error = expanded(text).expect_err(text).to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
        let homeless = expand_home("~/out".to_owned(), None);
        assert_eq!(homeless, Err(PathError::NoHome));
        let relative = expand_home("~/out".to_owned(), Some("home".into()));
        assert_eq!(relative, Err(PathError::NoHome));
    }

    #[test]
    fn a_real_place_is_absolute_and_without_links_as_far_as_it_exists() {
        let folder = tempfile::tempdir().unwrap();
        let whole = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir(whole.join("there")).unwrap();
        std::os::unix::fs::symlink("there", whole.join("link")).unwrap();
        let real = |path: &str| super::real(&whole.join(path));
        assert_eq!(real("link/not/yet"), whole.join("there/not/yet"));
        assert_eq!(real("not/../there"), whole.join("there"));
        assert_eq!(real("link/.."), whole);
        assert!(super::real(Path::new("not/yet")).is_absolute());
        assert_eq!(place(&whole.join("there/../link")), whole.join("link"));
    }
}
