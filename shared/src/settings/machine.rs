//! Cores and memory of this machine, which bound what a process on it may be told to use.

use std::fs;
use std::path::{Path, PathBuf};

/// What this machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Cores that this process may use.
    pub cores: usize,
    /// Memory that this process may use; none if the machine does not say.
    pub memory_bytes: Option<u64>,
}

impl Machine {
    /// Returns what this machine has, or what a container leaves of it.
    #[must_use]
    pub fn this() -> Self {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let container = limit_of_groups(&groups, Path::new("/sys/fs/cgroup"));
        let whole = fs::read_to_string("/proc/meminfo").ok();
        let whole = whole.as_deref().and_then(|text| memory(text, "MemTotal:"));
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: [container, whole].into_iter().flatten().min(),
        }
    }
}

/// Returns the memory that nothing uses just now; none if the machine does not say.
#[must_use]
pub fn free_memory() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    memory(&meminfo, "MemAvailable:")
}

/// Returns the least limit of the control groups that a process is in, as `/proc/self/cgroup` lists them, and of those above
/// them: a container's, or a batch job's.
fn limit_of_groups(groups: &str, root: &Path) -> Option<u64> {
    let of_line = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let (root, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            some if some.split(',').any(|name| name == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let own = root.join(path.trim_start_matches('/'));
        let folders = own
            .ancestors()
            .take_while(|folder| folder.starts_with(&root));
        folders
            .filter_map(|folder| limit_in(folder.join(file)))
            .min()
    };
    // Where nothing is listed there may be one all the same.
    let listed = groups.lines().filter_map(of_line).min();
    listed.or_else(|| limit_in(root.join("memory.max")))
}

/// Returns the number in a file; none if it says that there is no limit.
fn limit_in(file: PathBuf) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// Returns the bytes of a line such as `MemTotal:  16384 kB`.
fn memory(meminfo: &str, name: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_cores_and_memory() {
        let machine = Machine::this();
        assert!(machine.cores >= 1, "{machine:?}");
        assert!(
            machine.memory_bytes.is_some_and(|bytes| bytes > 1 << 24),
            "{machine:?}"
        );
        let text = "MemFree: 1 kB\nMemTotal:       16384 kB\n";
        assert_eq!(memory(text, "MemTotal:"), Some(16384 * 1024));
        assert_eq!(memory("MemFree: 1 kB", "MemTotal:"), None);
        assert!(free_memory().is_some_and(|bytes| bytes > 0));
    }
    #[test]
    fn the_least_limit_of_all_groups_on_the_way_holds() {
        let root = tempfile::tempdir().unwrap();
        let limit = |file: &str, limit: &str| {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, limit).unwrap();
        };
        let found = |groups: &str| limit_of_groups(groups, root.path());
        assert_eq!(found("0::/"), None);
        limit("memory.max", "max\n");
        limit("slurm/job_7/memory.max", "4096\n");
        limit("slurm/job_7/step_0/memory.max", "max\n");
        assert_eq!(found("0::/slurm/job_7/step_0\n"), Some(4096));
        assert_eq!(found("0::/slurm\n"), None);
        // A container sees a path that is not there, and its own limit at the root.
        limit("memory.max", "1024\n");
        assert_eq!(found("0::/docker/0123\n"), Some(1024));
        assert_eq!(found(""), Some(1024));
        limit("memory/job/memory.limit_in_bytes", "512\n");
        assert_eq!(found("4:cpu,memory:/job\n3:cpuset:/job\n"), Some(512));
    }
}
