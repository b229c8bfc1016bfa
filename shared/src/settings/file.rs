//! Settings files: read, and what is wrong in them said in a sentence.

use std::io::Read;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::SettingsError;
use super::explain::{Mistake, explain};
use crate::paths;
use crate::read_file::{self, max_bytes};

/// What is larger is another file, given by mistake.
const MAX_BYTES: u64 = max_bytes::SETTINGS;

/// Returns what a settings file says.
///
/// # Errors
///
/// [`SettingsError::Unreadable`] or [`SettingsError::Malformed`], naming the file, the line and the key.
pub(super) fn parse<T: DeserializeOwned>(path: &Path) -> Result<T, SettingsError> {
    parse_with_text(path).map(|(value, _)| value)
}

/// Returns what a settings file says, and its text.
///
/// # Errors
///
/// As [`parse`].
pub(super) fn parse_with_text<T: DeserializeOwned>(
    path: &Path,
) -> Result<(T, String), SettingsError> {
    let malformed = |reason| SettingsError::Malformed {
        path: paths::place(path),
        reason,
    };
    let bytes = read(path).map_err(|source| SettingsError::Unreadable {
        path: paths::place(path),
        source,
    })?;
    let text = text(bytes).map_err(malformed)?;
    let value = parse_text(&text).map_err(malformed)?;
    Ok((value, text))
}

/// Returns what a text says, or what is wrong with it.
fn parse_text<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let failed = |keys: Option<String>, error: &toml::de::Error| {
        let line = error.span().map(|span| line_of(text, span.start));
        let told = explain(&Mistake {
            keys: keys.as_deref(),
            message: error.message(),
            found: error.span().and_then(|span| text.get(span)),
        });
        match line {
            Some(line) => format!(", line {line}: {told}"),
            None => format!(": {told}"),
        }
    };
    let document = toml::Deserializer::parse(text).map_err(|error| failed(None, &error))?;
    serde_path_to_error::deserialize(document)
        .map_err(|error| failed(Some(error.path().to_string()), error.inner()))
}

fn line_of(text: &str, position: usize) -> usize {
    let before = text.as_bytes().iter().take(position);
    before.filter(|&&byte| byte == b'\n').count() + 1
}

/// Returns the bytes of a file, one more than may be at most.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = read_file::open(path)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the text in a file's bytes, or why they are none.
fn text(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!(
            " is larger than {MAX_BYTES} bytes, which no settings are; is it another file?"
        ));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(" is UTF-16 text; save it as UTF-8".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let position = error.utf8_error().valid_up_to();
        let before = &error.as_bytes()[..position];
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        format!(", line {line}: is no UTF-8 text; save it as UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if text.trim().is_empty() {
        return Err(" is empty".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::chain;
    use crate::settings::raw::{RawConfig, RawWorkerConfig};

    const WHOLE: &str = "[run]\nname = 'r'\nroot = 'o'\n[content]\nroot = 'c'\nlayout = 'gta5'\n\
                         [style]\nroot = 's'\n[model]\npath = 'm'\n";

    /// Returns what a person is told about a file with these bytes.
    fn told<T: DeserializeOwned>(bytes: impl AsRef<[u8]>) -> Result<T, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        std::fs::write(&path, bytes).unwrap();
        let place = paths::place(&path).display().to_string();
        parse(&path).map_err(|error| chain(&error).replace(&place, "FILE"))
    }

    fn run_told(bytes: impl AsRef<[u8]>) -> String {
        told::<RawConfig>(bytes).expect_err("it is wrong")
    }

    #[test]
    fn what_is_wrong_in_a_file_is_said_once_with_line_key_value_and_what_is_expected() {
        for (more, expected) in [
            (
                "[method]\nsteps = \"50\"\n",
                "settings file FILE, line 12: method.steps (\"50\") must be a whole number",
            ),
            (
                "[method]\nsteps = 50.5\n",
                "settings file FILE, line 12: method.steps (50.5) must be a whole number",
            ),
            (
                "[method]\nseed = -1\n",
                "settings file FILE, line 12: method.seed (-1) must be a whole number from 0",
            ),
            (
                "[method]\nfilter_fraction = true\n",
                "settings file FILE, line 12: method.filter_fraction (true) must be a number",
            ),
            (
                "[style.more]\n",
                "settings file FILE, line 11: unknown key style.more: [style] has ",
            ),
            (
                "[method]\nstepz = 3\n",
                "settings file FILE, line 12: unknown key method.stepz: did you mean steps? [method] has",
            ),
            (
                "[metod]\nsteps = 3\n",
                "settings file FILE, line 11: unknown key metod: did you mean method?",
            ),
            (
                "[method]\nmethod = 'cactiv'\n",
                "settings file FILE, line 12: method.method (\"cactiv\") must be one of adain,",
            ),
            (
                "[method]\nsteps = 3\nsteps = 4\n",
                "settings file FILE, line 13: key steps is there twice",
            ),
            (
                "[method]\nsteps 3\n",
                "settings file FILE, line 12: key with no value, expected `=`",
            ),
            (
                "[method]\ninjected_steps = '5..3'\n",
                "settings file FILE, line 12: method.injected_steps: step set \"5..3\" must be",
            ),
            (
                "[limits]\nmax_attempts = 5000000000\n",
                "settings file FILE, line 12: limits.max_attempts (5000000000) must be a whole number, 0 to 4294967295",
            ),
            (
                "[style.classes]\n7 = true\n",
                "settings file FILE, line 12: style.classes.7 (true) must be the name of a class, a train id of 0 to 18, or",
            ),
            (
                "[style.classes]\n7 = 'road'\n7 = 'car'\n",
                "settings file FILE, line 13: key 7 is there twice",
            ),
            (
                "[quality]\nreference = 3\n",
                "settings file FILE, line 12: quality.reference must be a file, or a table of files",
            ),
        ] {
            let told = run_told(format!("{WHOLE}{more}"));
            assert!(told.starts_with(expected), "{more}: {told}");
            assert!(!told.contains("TOML parse error"), "{told}");
        }
    }

    #[test]
    fn a_value_of_another_kind_is_shown_as_it_stands_in_the_file() {
        let told = run_told(format!("{WHOLE}[method]\nseed = 18446744073709551616\n"));
        let expected = "method.seed (18446744073709551616) must be a whole number from 0";
        assert!(told.ends_with(expected), "{told}");
        let labels = "layout = 'gta5'\nlabels = 3\n";
        let told = run_told(WHOLE.replace("layout = 'gta5'\n", labels));
        let expected = "content.labels (3) must be a name in quotes";
        assert!(told.ends_with(expected), "{told}");
        let told = run_told(WHOLE.replace("name = 'r'", "name = 2024-01-01"));
        let expected = "run.name (2024-01-01, a date or time) must be text in quotes";
        assert!(told.ends_with(expected), "{told}");
    }

    #[test]
    fn classes_that_are_no_table_are_told_with_what_a_table_looks_like() {
        let classes = "layout = 'gta5'\nclasses = 'classes.csv'\n";
        let told = run_told(WHOLE.replace("layout = 'gta5'\n", classes));
        let expected = "content.classes (\"classes.csv\") must be a table of labels and their classes, such as \
                        { \"7\" = \"road\" }, or { file = \"classes.csv\" }";
        assert!(told.ends_with(expected), "{told}");
    }

    #[test]
    fn what_is_long_is_not_repeated_whole() {
        let long = "k".repeat(100_000);
        for more in [
            format!("[method]\n{long} = 3\n"),
            format!("[{long}]\n"),
            format!("[method.{long}]\n"),
            format!("[method]\nmethod = '{long}'\n"),
            format!("[method]\nsteps = '{long}'\n"),
            format!("[method]\ninjected_steps = '{long}'\n"),
            format!("[method]\n{long} = 3\n{long} = 4\n"),
        ] {
            let told = run_told(format!("{WHOLE}{more}"));
            assert!(told.len() < 1000, "{} bytes", told.len());
            assert!(told.contains("..."), "{told}");
        }
    }

    #[test]
    fn a_number_of_many_digits_is_shown_with_an_exponent() {
        let raw = told::<RawConfig>(format!("{WHOLE}[method]\ncontrast_strength = 1e-300\n"));
        let checked = crate::settings::RunConfig::check(raw.unwrap(), Path::new("/"));
        let told = checked.unwrap_err().to_string();
        let expected = "method.contrast_strength (1e-300) must be 0.01 to 100";
        assert!(told.starts_with(expected), "{told}");
    }

    #[test]
    fn a_run_name_that_is_none_is_told_once() {
        let raw = told::<RawConfig>(WHOLE.replace("'r'", "'a b'"));
        let checked = crate::settings::RunConfig::check(raw.unwrap(), Path::new("/"));
        let told = checked.unwrap_err().to_string();
        assert!(
            told.starts_with("run.name (\"a b\") must be 1 to 64"),
            "{told}"
        );
    }

    #[test]
    fn a_key_that_is_missing_is_named_with_its_table() {
        let told = run_told(WHOLE.replace("layout = 'gta5'\n", ""));
        assert!(told.ends_with("key content.layout is missing"), "{told}");
        let told = run_told("[run]\nname = 'r'\nroot = 'o'\n");
        assert!(told.ends_with("content is missing"), "{told}");
        let told = super::tests::told::<RawWorkerConfig>("threads = 1\n").unwrap_err();
        assert!(told.ends_with("key root is missing"), "{told}");
    }

    #[test]
    fn what_is_no_settings_file_is_a_sentence() {
        for (bytes, words) in [
            (&b""[..], "FILE is empty"),
            (b" \r\n\t\n", "FILE is empty"),
            (b"\xef\xbb\xbf", "FILE is empty"),
            (b"\xff\xfe[\0r\0u\0n\0]\0", "FILE is UTF-16 text"),
            (
                b"# caf\xe9\n[run]\n",
                "FILE, line 1: is no UTF-8 text; save it as UTF-8",
            ),
            (b"[run]\n# caf\xe9\n", "FILE, line 2: is no UTF-8 text"),
        ] {
            let told = run_told(bytes);
            assert!(told.contains(words), "{told}");
        }
        let told = run_told(vec![b'#'; MAX_BYTES as usize + 1]);
        assert!(told.contains("is larger than 1048576 bytes"), "{told}");
        let folder = tempfile::tempdir().unwrap();
        let told = chain(&parse::<RawConfig>(folder.path()).unwrap_err());
        assert!(told.contains("Is a directory"), "{told}");
        let endless = chain(&parse::<RawConfig>(Path::new("/dev/zero")).unwrap_err());
        assert!(endless.contains("no file"), "{endless}");
    }

    #[test]
    fn a_byte_order_mark_and_line_ends_of_windows_are_no_mistake() {
        let text = format!("\u{feff}{}", WHOLE.replace('\n', "\r\n"));
        assert_eq!(told::<RawConfig>(text).unwrap().run.name, "r");
        let wrong = format!("{WHOLE}[method]\nsteps = 'x'\n").replace('\n', "\r\n");
        let told = run_told(wrong);
        assert!(told.contains("line 12: method.steps"), "{told}");
    }

    #[test]
    fn a_mistake_about_the_broker_shows_no_password() {
        for more in [
            "broker = 'amqp://user:s3cret@host'\n",
            "[broker]\nurl = ['amqp://user:s3cret@host']\n",
            "[broker]\nurl = 'amqp://user:s3cret@host\n",
            "[broker]\nurl 'amqp://user:s3cret@host'\n",
            "[broker]\nurl = amqp://user:s3cret@host\n",
            "[broker]\nurl = 'a'\nurl = 'amqp://user:s3cret@host'\n",
            "broker.url = 'amqp://user:s3cret@host'\nbroker = 'amqp://user:s3cret@host'\n",
        ] {
            let told = run_told(format!("{more}{WHOLE}"));
            assert!(!told.contains("s3cret"), "{told}");
        }
    }
}
