//! Cores and memory of this machine, which bound what a process on it may be told to use.

use std::fs;
use std::path::Path;

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
        let container = limit_of_container(Path::new("/sys/fs/cgroup/memory.max"));
        let whole = fs::read_to_string("/proc/meminfo").ok();
        let whole = whole.as_deref().and_then(total_memory);
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: [container, whole].into_iter().flatten().min(),
        }
    }
}

fn limit_of_container(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// Returns the bytes of `MemTotal:  16384 kB`.
fn total_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
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
        assert_eq!(total_memory(text), Some(16384 * 1024));
        assert_eq!(total_memory("MemFree: 1 kB"), None);
    }
}
