//! Globs over the pictures of a dataset: one rule for `[content]`, `[style]` and `reference-stats`.
//!
//! A pattern with a `/` is about the path below the dataset's root, with or without the file's ending; it also takes
//! everything below a folder that it names. There `*` stays within a folder and `**` does not. A pattern without a `/`
//! is about the item's name, or the file's name with or without its ending, in whatever folder it lies.

use std::ffi::OsStr;
use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use unicode_normalization::UnicodeNormalization;

use crate::settings::SettingsError;

/// Patterns, any of which may match.
#[derive(Debug, Clone, Default)]
pub struct Globs {
    patterns: Vec<String>,
    of_names: Indexed,
    of_paths: Indexed,
}

/// Some of the patterns.
#[derive(Debug, Clone, Default)]
struct Indexed {
    set: GlobSet,
    /// Which patterns they are.
    positions: Vec<usize>,
}

impl Globs {
    /// Returns the patterns of a setting or an option.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Value`] naming the field and the pattern that is none.
    pub fn new(field: &'static str, patterns: &[String]) -> Result<Self, SettingsError> {
        let (mut names, mut paths) = (Vec::new(), Vec::new());
        for (position, pattern) in patterns.iter().enumerate() {
            if pattern.trim_matches(['.', '/']).is_empty() {
                let value = format!("{pattern:?}");
                return Err(SettingsError::value(
                    field,
                    value,
                    "must not hold empty globs",
                ));
            }
            if pattern.contains('/') {
                paths.push((position, of_path(pattern)));
            } else {
                names.push((position, pattern.clone()));
            }
        }
        Ok(Self {
            patterns: patterns.to_vec(),
            of_names: Indexed::new(field, &names, false)?,
            of_paths: Indexed::new(field, &paths, true)?,
        })
    }

    /// Returns whether there are no patterns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Returns the patterns as they were given.
    #[must_use]
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// Returns whether a pattern matches a picture of this name, or any file, at a path below the root.
    #[must_use]
    pub fn matches(&self, name: Option<&str>, path: &Path) -> bool {
        !self.matching(name, path).is_empty()
    }

    /// Returns the positions of the patterns that match every file below a folder.
    #[must_use]
    pub fn taking_folder(&self, folder: &Path) -> Vec<usize> {
        let itself = self.of_paths_above(folder);
        let below = self.of_paths_above(&folder.join("*"));
        let everything = |position: &usize| self.patterns[*position].ends_with("**");
        let below = below.into_iter().filter(everything);
        itself.into_iter().chain(below).collect()
    }

    fn of_paths_above(&self, path: &Path) -> Vec<usize> {
        let mut found = Vec::new();
        for path in path.ancestors() {
            self.of_paths
                .add(&normal(&path.to_string_lossy()), &mut found);
        }
        found
    }

    /// Returns the positions of the patterns that match.
    #[must_use]
    pub fn matching(&self, name: Option<&str>, path: &Path) -> Vec<usize> {
        let text = |part: Option<&OsStr>| part.map(|part| normal(&part.to_string_lossy()));
        let mut found = Vec::new();
        if !self.of_names.positions.is_empty() {
            let names = [
                name.map(normal),
                text(path.file_name()),
                text(path.file_stem()),
            ];
            for name in names.iter().flatten() {
                self.of_names.add(name, &mut found);
            }
        }
        if !self.of_paths.positions.is_empty() {
            found.extend(self.of_paths_above(path));
            let without_ending = path.with_extension("");
            self.of_paths
                .add(&normal(&without_ending.to_string_lossy()), &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Returns a pattern as paths below a root are written: `./night/` takes what is below `night`.
fn of_path(pattern: &str) -> String {
    let below = pattern.strip_prefix("./").unwrap_or(pattern);
    below.trim_matches('/').to_owned()
}

/// Returns a text in the one normal form in which names are compared.
fn normal(text: &str) -> String {
    text.nfc().collect()
}

impl Indexed {
    fn new(
        field: &'static str,
        patterns: &[(usize, String)],
        within_folders: bool,
    ) -> Result<Self, SettingsError> {
        let mut set = GlobSetBuilder::new();
        for (_, pattern) in patterns {
            let normal = normal(pattern);
            let glob = GlobBuilder::new(&normal)
                .literal_separator(within_folders)
                .build();
            let refuse = |error: globset::Error| {
                let reason = error.kind().to_string();
                SettingsError::value(
                    field,
                    format!("{pattern:?}"),
                    format!("is no glob: {reason}"),
                )
            };
            set.add(glob.map_err(refuse)?);
        }
        let refuse = |error: globset::Error| {
            SettingsError::value(field, patterns.len(), format!("cannot be used: {error}"))
        };
        Ok(Self {
            set: set.build().map_err(refuse)?,
            positions: patterns.iter().map(|(position, _)| *position).collect(),
        })
    }

    fn add(&self, text: &str, found: &mut Vec<usize>) {
        let matches = self.set.matches(text);
        found.extend(matches.into_iter().map(|index| self.positions[index]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(patterns: &[&str]) -> Globs {
        let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        Globs::new("style.include", &patterns).unwrap()
    }

    #[test]
    fn a_pattern_without_a_slash_is_about_names_at_any_depth() {
        let path = Path::new("rgb_anon/night/train/GP01/GP01_frame_1_rgb_anon.png");
        for pattern in [
            "GP01_*",
            "GP01_frame_1",
            "*_rgb_anon",
            "*_rgb_anon.png",
            "{a,GP01_frame_?}",
        ] {
            assert!(
                globs(&[pattern]).matches(Some("GP01_frame_1"), path),
                "{pattern}"
            );
        }
        for pattern in ["GP02_*", "night", "*.jpg", "frame"] {
            assert!(
                !globs(&[pattern]).matches(Some("GP01_frame_1"), path),
                "{pattern}"
            );
        }
    }

    #[test]
    fn a_pattern_with_a_slash_is_about_the_path_below_the_root() {
        let path = Path::new("rgb_anon/night/train/GP01/GP01_frame_1_rgb_anon.png");
        for pattern in [
            "rgb_anon/night/**",
            "**/night/**",
            "rgb_anon/night",
            "rgb_anon/*/train/",
            "./rgb_anon/night/train/GP01/GP01_frame_1_rgb_anon",
            "rgb_anon/night/train/*/*.png",
            "**/GP01_*",
        ] {
            assert!(globs(&[pattern]).matches(None, path), "{pattern}");
        }
        for pattern in [
            "night/**",
            "rgb_anon/*.png",
            "rgb_anon/*/val/",
            "rgb_anon/day/**",
        ] {
            assert!(!globs(&[pattern]).matches(None, path), "{pattern}");
        }
    }

    #[test]
    fn patterns_that_match_are_told_apart() {
        let globs = globs(&["a*", "x/**", "*b"]);
        assert_eq!(globs.matching(Some("ab"), Path::new("x/ab.png")), [0, 1, 2]);
        assert_eq!(globs.matching(Some("c"), Path::new("x/c.png")), [1]);
    }

    #[test]
    fn a_folder_is_taken_by_what_matches_all_that_is_below() {
        let folder = Path::new("night/private");
        for (pattern, takes) in [
            ("night/private", true),
            ("night/private/", true),
            ("night/**", true),
            ("**/private/**", true),
            ("night/private/*", false),
            ("night/*.png", false),
            ("private", false),
        ] {
            assert_eq!(
                !globs(&[pattern]).taking_folder(folder).is_empty(),
                takes,
                "{pattern}"
            );
        }
    }

    #[test]
    fn a_pattern_in_another_unicode_normal_form_matches() {
        assert!(globs(&["mu\u{308}nchen*"]).matches(None, Path::new("images/münchen_1.png")));
        assert!(globs(&["images/mü*"]).matches(None, Path::new("images/mu\u{308}nchen_1.png")));
    }

    #[test]
    fn what_is_no_glob_is_refused_with_its_setting() {
        for (pattern, words) in [
            ("[", "is no glob"),
            ("", "empty"),
            ("/", "empty"),
            ("a/[", "is no glob"),
        ] {
            let error = Globs::new("content.include", &[pattern.to_owned()]).unwrap_err();
            let message = error.to_string();
            assert!(message.starts_with("content.include"), "{message}");
            assert!(message.contains(words), "{message}");
        }
    }
}
