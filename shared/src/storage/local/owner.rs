//! Whose an unfinished file is: its name says which process writes it, so that what a process left that is gone can be told
//! from what another one is writing.

use std::fs;
use std::sync::LazyLock;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::digest;

/// Digits of a digest that stand for a machine.
const MACHINE_DIGITS: usize = 12;

/// This process; none where the system does not say who it is.
static OWN: LazyLock<Option<Owner>> = LazyLock::new(|| Owner::running(std::process::id()));

/// A process among those of all machines that write into a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    /// The machine since it was started, and which of its numberings of processes this is: containers have their own.
    machine: String,
    pid: u32,
    /// When the process was started, in the machine's ticks: another one may get its number.
    started: u64,
}

/// Returns what the names of this process's unfinished files begin with.
pub(super) fn prefix() -> String {
    let own = OWN.as_ref();
    own.map_or_else(|| ".tmp".to_owned(), Owner::prefix)
}

/// What is known of the process that writes a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    /// It is gone for certain.
    Gone,
    /// It runs on this machine.
    Running,
    /// It may run on another machine, or its name or the system does not tell.
    Unknown,
}

impl Writer {
    /// Returns what is known of the process that wrote the file of a name.
    pub(super) fn of_file(name: &str) -> Self {
        let (Some(own), Some(owner)) = (OWN.as_ref(), Owner::of_file(name)) else {
            return Self::Unknown;
        };
        if owner.machine == own.machine {
            owner.state()
        } else {
            Self::Unknown
        }
    }
}

impl Owner {
    /// Returns a process of this machine; none if it cannot be told from others.
    pub(super) fn running(pid: u32) -> Option<Self> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let numbering = fs::read_link("/proc/self/ns/pid").ok()?;
        let machine =
            digest::sha256(format!("{}\n{}", boot.trim(), numbering.display()).as_bytes());
        Some(Self {
            machine: machine.get(..MACHINE_DIGITS)?.to_owned(),
            pid,
            started: started(pid)?,
        })
    }

    pub(super) fn prefix(&self) -> String {
        format!(".{}-{}-{}-", self.machine, self.pid, self.started)
    }

    /// Returns the process that a file's name tells.
    fn of_file(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix('.')?.splitn(4, '-');
        let owner = Self {
            machine: parts.next()?.to_owned(),
            pid: parts.next()?.parse().ok()?,
            started: parts.next()?.parse().ok()?,
        };
        parts.next().map(|_| owner)
    }

    /// Returns what is known of a process of this machine.
    fn state(&self) -> Writer {
        let Some(pid) = i32::try_from(self.pid).ok().filter(|pid| *pid > 0) else {
            return Writer::Gone;
        };
        if Pid::from_raw(pid).map(test_kill_process) == Some(Err(Errno::SRCH)) {
            return Writer::Gone;
        }
        match started(self.pid) {
            Some(started) if started == self.started => Writer::Running,
            // Another process has its number.
            Some(_) => Writer::Gone,
            // Of the process of another user the system may not tell when it was started.
            None => Writer::Unknown,
        }
    }
}

/// Returns when a process was started.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, which may have anything in it, is in parentheses; the state comes after it, and is the third.
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// Returns a process that waits for its input.
    fn waiting() -> Child {
        let mut command = Command::new("cat");
        let command = command.stdin(Stdio::piped()).stdout(Stdio::null());
        command.spawn().unwrap()
    }

    #[test]
    fn a_process_is_gone_once_it_has_ended_or_another_one_has_its_number() {
        let mut other = waiting();
        let owner = Owner::running(other.id()).unwrap();
        let name = format!("{}a1B2c3", owner.prefix());
        assert_eq!(Owner::of_file(&name), Some(owner.clone()));
        assert_eq!(Writer::of_file(&name), Writer::Running, "{name}");
        let earlier = Owner {
            started: owner.started - 1,
            ..owner.clone()
        };
        let of_earlier = format!("{}a1B2c3", earlier.prefix());
        assert_eq!(Writer::of_file(&of_earlier), Writer::Gone, "{of_earlier}");
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(Writer::of_file(&name), Writer::Gone, "{name}");
        let own = format!("{}a1B2c3", prefix());
        assert_eq!(Writer::of_file(&own), Writer::Running, "{own}");
    }

    #[test]
    fn nothing_is_known_of_processes_of_other_machines_and_of_other_names() {
        let elsewhere = Owner {
            machine: "0123456789ab".to_owned(),
            pid: 1,
            started: 1,
        };
        let name = format!("{}a1B2c3", elsewhere.prefix());
        assert_eq!(Owner::of_file(&name), Some(elsewhere));
        for name in [
            name.as_str(),
            ".tmpa1B2c3",
            "",
            ".a-b-c-d",
            ".a-1-2",
            "a-1-2-3",
        ] {
            assert_eq!(Writer::of_file(name), Writer::Unknown, "{name}");
        }
    }
}
