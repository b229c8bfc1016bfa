//! A disk as a file system that any program can use, and whose power can be cut after any step: served over FUSE.
//!
//! Programs see what they wrote at once, as on any disk; the kernel keeps nothing that it was not given (it writes through).
//! Any user may do anything, and times are those of the question.
//!
//! - `machine`: the disk, with the steps that it has power for
//! - `served`: what the kernel asks, as questions to the disk
//! - `filesystem`: each call of the kernel, and its answer

mod filesystem;
mod machine;
mod served;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use fuser::{BackgroundSession, Config};

use self::machine::{Machine, lock};
use self::served::Served;

/// A disk that is mounted until this is dropped.
#[derive(Debug)]
pub struct MountedDisk {
    machine: Arc<Mutex<Machine>>,
    _session: BackgroundSession,
}

impl MountedDisk {
    /// Mounts an empty disk on a folder; see [`mounts`](crate::mounts).
    ///
    /// # Errors
    ///
    /// If that is not permitted.
    pub fn mount(folder: &Path) -> io::Result<Self> {
        let machine = Arc::default();
        let served = Served(Arc::clone(&machine));
        Ok(Self {
            machine,
            _session: fuser::spawn_mount(served, folder, &Config::default())?,
        })
    }

    /// Returns how many steps have changed or synced something.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.machine().steps
    }

    /// Stops after so many steps more: whatever is asked then fails.
    pub fn stop_after(&self, steps: usize) {
        let mut machine = self.machine();
        machine.stops_at = Some(machine.steps + steps);
    }

    /// Returns whether it has stopped.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.machine().has_stopped
    }

    /// Goes on with all that was written: a program was killed, and the power stayed.
    pub fn go_on(&self) {
        let mut machine = self.machine();
        machine.stops_at = None;
        machine.has_stopped = false;
    }

    /// Goes on with what survives a cut of the power; [`Disk::after_cut`](super::Disk::after_cut) says what is chosen. Only while no program uses it.
    pub fn cut_power(&self, choose: &mut dyn FnMut(usize) -> usize) {
        let mut machine = self.machine();
        machine.disk = machine.disk.after_cut(choose);
        drop(machine);
        self.go_on();
    }

    /// Goes on with an empty disk. Only while no program uses it.
    pub fn erase(&self) {
        let mut machine = self.machine();
        machine.disk = machine.disk.erased();
        drop(machine);
        self.go_on();
    }

    /// Returns the bytes of each file by its path, as programs see them.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.machine().disk.files()
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        lock(&self.machine)
    }
}
