//! A disk with power for so many steps.

use std::sync::{Mutex, MutexGuard, PoisonError};

use fuser::Errno;

use crate::power::disk::Disk;

/// A disk, and whether it has power.
#[derive(Debug, Default)]
pub(super) struct Machine {
    pub(super) disk: Disk,
    pub(super) steps: usize,
    pub(super) stops_at: Option<usize>,
    pub(super) has_stopped: bool,
}

impl Machine {
    /// Returns the disk for a look at it.
    pub(super) fn look(&self) -> Result<&Disk, Errno> {
        match self.has_stopped {
            true => Err(Errno::EIO),
            false => Ok(&self.disk),
        }
    }

    /// Returns the disk for a step that changes or syncs something.
    pub(super) fn step(&mut self) -> Result<&mut Disk, Errno> {
        self.has_stopped |= self.stops_at.is_some_and(|stop| self.steps >= stop);
        if self.has_stopped {
            return Err(Errno::EIO);
        }
        self.steps += 1;
        Ok(&mut self.disk)
    }
}

pub(super) fn lock(machine: &Mutex<Machine>) -> MutexGuard<'_, Machine> {
    machine.lock().unwrap_or_else(PoisonError::into_inner)
}
