//! What crosses a process boundary, and the ports to the world.
//!
//! - [`ids`], [`artifact`]: names of things, and where each kind of object is stored
//! - [`settings`]: what a run may be told, checked once and passed on
//! - [`storage`]: objects on disk (the port through which everything durable goes)
//! - [`manifest`], [`run_record`]: the two formats that outlive a process
//! - [`failure`]: the four classes of failure and what each leads to
//! - [`digest`]: SHA-256 of bytes and files

pub mod artifact;
pub mod digest;
pub mod failure;
pub mod ids;
pub mod layout;
pub mod manifest;
pub mod run_record;
pub mod settings;
pub mod storage;
