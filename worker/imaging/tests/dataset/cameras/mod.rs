//! Pictures as cameras and viewers leave them: turned, cut short, with a video behind them, in other formats.
//!
//! - `scene`: the picture and the label of all tests
//! - `orientation`: turned pictures
//! - `formats`: which are read, and what is said of the others
//! - `scans`: JPEGs that were cut short or go on
//! - `pixels`: colours, numbers and sizes that no driving frame has

mod formats;
mod orientation;
mod pixels;
mod scans;
mod scene;
