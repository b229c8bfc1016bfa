//! Disks that lose what was not synced when their power is cut.
//!
//! - [`disk`]: what a disk holds, and what of it survives
//! - [`mounted`]: a disk as a file system that any program can use, with a cut after any step
//! - [`recorder`]: the steps of storage in this process, so that a cut after each can be looked at; needs no mount

pub mod disk;
pub mod mounted;
pub mod recorder;

pub use self::disk::Disk;
pub use self::mounted::MountedDisk;
pub use self::recorder::{RecordedStorage, Recorder};
