//! Output: what comes of a run, whether it is right, and what it is like.
//!
//! - [`collect`]: the manifest, made of the shards
//! - [`audit`]: proves that every item is accounted for and every byte as it was stored
//! - [`quality`], [`report`]: FID, KID and the figures of a run, for people and programs
//! - [`contact_sheet`]: what contents became in each style, as one picture; `class_maps`: what classes photographs without
//!   labels were taken to show
//! - [`comparison`]: small runs of one settings file side by side; `lettering`: texts in pictures
//! - [`export`]: the items as a set that trains as it is, in a layout that other tools read

pub mod audit;
pub(crate) mod class_maps;
pub mod collect;
pub mod comparison;
pub mod contact_sheet;
pub mod export;
pub(crate) mod lettering;
pub mod quality;
pub mod report;
