//! The machine: memory, threads, open files, and room on its disks.

use std::path::Path;

use indicatif::BinaryBytes;
use shared::blocking;
use shared::descriptors::Limit;
use shared::disk_space::{DiskSpace, in_the_way, nearest_folder};
use shared::failure::chain;
use shared::location::Location;
use shared::settings::{EngineConfig, Machine, free_memory};
use shared::storage::scratch;
use shared::wording::{Thousands, counted};

use super::finding::Finding;
use super::{Asked, no_folder, runtime};

/// Stable Diffusion at 512x256 needs twice as much, the demo half of it.
const LITTLE_MEMORY: u64 = 2 << 30;
/// A server with many visitors, and a bucket with many requests at once, have more open.
const FEW_FILES: u64 = 1024;
const FILES_HELP: &str = "ulimit -n 65536, or LimitNOFILE=65536 in a systemd unit";
const CACHE_HELPS: &str =
    "name another folder in engine.cache_dir (cache_dir of a worker), or in TMPDIR";
const LITTLE_ROOM: u64 = 1 << 30;
const FEW_INODES: u64 = 10_000;

/// Returns what is found of the machine.
pub(super) async fn check(asked: &Asked) -> Vec<Finding> {
    let (engine, fits) = (asked.engine.clone(), asked.config.is_some());
    let folders = asked.roots.iter().filter_map(|root| match root {
        Location::Folder(folder) => Some(folder.clone()),
        Location::Bucket(_) => None,
    });
    let mut folders: Vec<_> = folders.collect();
    if asked.roots.is_empty() {
        // Where the folder `out` is made, if nothing else is said.
        folders.push(".".into());
    }
    blocking::run(move || {
        let machine = Machine::this();
        let mut found = vec![memory(&machine), threads(&machine), files(Limit::this())];
        if fits && let Err(error) = engine.fits(&machine) {
            let helps = "change it in the settings file: `run` refuses it here";
            found.push(Finding::missing("settings", error.to_string(), helps));
        }
        let disks = folders.iter().map(|folder| disk("disk", folder));
        found.extend(disks);
        found.push(cache(&engine));
        found
    })
    .await
}

fn memory(machine: &Machine) -> Finding {
    let Some(bytes) = machine.memory_bytes else {
        return Finding::warning(
            "memory",
            "this machine does not say how much it has",
            "see that conversions find room: Stable Diffusion takes 4 GiB at 512x256 and 7 GiB at 1024x512",
        );
    };
    let free = free_memory().map(|free| free.min(bytes));
    let free_of_it = free.map_or_else(String::new, |free| {
        format!(", {} of it free", BinaryBytes(free))
    });
    let found = format!("{}{free_of_it}", BinaryBytes(bytes));
    let finding = if bytes < LITTLE_MEMORY {
        Finding::warning(
            "memory",
            found,
            "enough for the demo: Stable Diffusion takes 4 GiB at 512x256 and 7 GiB at 1024x512",
        )
    } else {
        Finding::ok("memory", found)
    };
    finding.with("bytes", bytes).with("free_bytes", free)
}

/// Cores are those that affinity and control groups leave to this process.
fn threads(machine: &Machine) -> Finding {
    let cores = machine.cores;
    let found = counted(cores, "core may be used", "cores may be used");
    let finding = match runtime::vectors() {
        None => Finding::ok("threads", found),
        Some(Err(told)) => Finding::missing("threads", told, runtime::VECTORS_HELPS),
        Some(Ok((lanes, pairs, pinned))) => {
            let of_half = if pairs {
                " and fast products of bfloat16"
            } else {
                ""
            };
            let finding = match pinned {
                None => {
                    let found = format!("{found}, with vectors of {lanes} numbers{of_half}");
                    Finding::ok("threads", found)
                }
                Some(pinned) => {
                    let found = format!(
                        "{found}, with vectors of {lanes} numbers ({pinned}) as SYNTH2REAL_VECTORS says"
                    );
                    let helps = "unset SYNTH2REAL_VECTORS for the widest there are";
                    Finding::warning("threads", found, helps)
                }
            };
            finding
                .with("vector_lanes", lanes)
                .with("bf16_pairs", pairs)
        }
    };
    finding.with("cores", cores)
}

fn files(limit: Limit) -> Finding {
    let shown = |limit: Option<u64>| {
        limit.map_or_else(|| "any number of".to_owned(), |limit| limit.to_string())
    };
    // Programs of ours raise theirs as far as they may.
    let may = limit.maximum;
    let found = format!(
        "{} files may be open at once, {} once that is asked for",
        shown(limit.current),
        shown(may)
    );
    let finding = if may.is_some_and(|may| may < FEW_FILES) {
        Finding::warning("open-files", found, FILES_HELP)
    } else {
        Finding::ok("open-files", found)
    };
    finding
        .with("current", limit.current)
        .with("maximum", limit.maximum)
}

fn disk(check: &'static str, folder: &Path) -> Finding {
    let nearest = nearest_folder(folder);
    let shown = folder.display();
    let space = match DiskSpace::of(nearest) {
        Ok(space) => space,
        Err(error) => {
            let helps = "is it mounted, and may it be read?";
            return Finding::missing(check, format!("{shown}: {error}"), helps);
        }
    };
    room(check, &shown.to_string(), space)
        .with("path", shown.to_string())
        .with("available_bytes", space.available_bytes)
        .with("available_files", space.available_files)
}

fn room(check: &'static str, shown: &str, space: DiskSpace) -> Finding {
    let bytes = space.available_bytes;
    let files = space.available_files;
    let of_files = files.map_or_else(String::new, |files| {
        let files = usize::try_from(files).unwrap_or(usize::MAX);
        format!(" and {} more files", Thousands(files))
    });
    let found = format!("{shown} has room for {}{of_files}", BinaryBytes(bytes));
    if bytes == 0 || files == Some(0) {
        Finding::missing(check, found, "free some space, or choose another folder")
    } else if bytes < LITTLE_ROOM || files.is_some_and(|files| files < FEW_INODES) {
        Finding::warning(
            check,
            found,
            "an image takes up to three bytes a pixel and is a file: free some space for a run",
        )
    } else {
        Finding::ok(check, found)
    }
}

/// Proves that what does not fit in memory can be put aside.
fn cache(engine: &EngineConfig) -> Finding {
    let folder = &engine.cache_dir;
    if let Some(path) = in_the_way(folder) {
        return Finding::missing("cache", no_folder(path), CACHE_HELPS);
    }
    match scratch::check(nearest_folder(folder)) {
        Ok(()) => disk("cache", folder),
        Err(error) => Finding::missing("cache", chain(&error), CACHE_HELPS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::cli::doctor::finding::State;

    #[test]
    fn a_disk_that_is_full_or_has_no_inodes_is_missing_and_a_small_one_is_warned_of() {
        for (available_bytes, available_files, state) in [
            (1 << 40, Some(1 << 20), State::Ok),
            (1 << 40, None, State::Ok),
            (1 << 20, None, State::Warning),
            (1 << 40, Some(100), State::Warning),
            (0, None, State::Missing),
            (1 << 40, Some(0), State::Missing),
        ] {
            let space = DiskSpace {
                available_bytes,
                available_files,
            };
            let found = room("disk", "/out", space);
            assert_eq!(found.state, state, "{space:?}");
            assert_eq!(found.helps.is_some(), state != State::Ok);
            assert!(found.found.starts_with("/out has room for "), "{found:?}");
        }
    }

    #[test]
    fn few_files_and_little_memory_are_warned_of() {
        let few = Limit {
            current: Some(256),
            maximum: Some(512),
        };
        assert_eq!(files(few).state, State::Warning);
        let raised = Limit {
            current: Some(256),
            maximum: None,
        };
        assert_eq!(files(raised).state, State::Ok);
        let machine = |memory_bytes| Machine {
            cores: 2,
            memory_bytes,
        };
        assert_eq!(memory(&machine(Some(1 << 30))).state, State::Warning);
        assert_eq!(memory(&machine(None)).state, State::Warning);
        let enough = memory(&machine(Some(1 << 34)));
        assert_eq!(
            (enough.state, enough.facts["bytes"].as_u64()),
            (State::Ok, Some(1 << 34))
        );
    }

    #[test]
    fn a_folder_that_is_not_there_yet_has_the_room_of_the_one_above_it() {
        let folder = tempfile::tempdir().unwrap();
        let found = disk("disk", &folder.path().join("not/yet"));
        assert_ne!(found.state, State::Missing, "{found:?}");
        assert!(!folder.path().join("not").exists());
    }

    #[test]
    fn a_cache_in_whose_way_is_a_file_or_a_link_to_nothing_is_missing_and_that_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let found = |cache_dir| {
            cache(&EngineConfig {
                cache_dir,
                ..EngineConfig::default()
            })
        };
        for cache_dir in [file.clone(), file.join("below")] {
            let found = found(cache_dir);
            assert_eq!(found.state, State::Missing, "{found:?}");
            assert_eq!(found.found, format!("{} is no folder", file.display()));
            assert_eq!(found.helps.as_deref(), Some(CACHE_HELPS));
        }
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("away", &link).unwrap();
        for cache_dir in [link.clone(), link.join("below")] {
            let found = found(cache_dir);
            assert_eq!(found.state, State::Missing, "{found:?}");
            let told = format!("{} is a link that leads to no folder", link.display());
            assert_eq!(found.found, told);
        }
        let free = found(folder.path().join("not/yet"));
        assert_ne!(free.state, State::Missing, "{free:?}");
    }
}
