//! shared

pub mod layout;
