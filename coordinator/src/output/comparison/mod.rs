//! Small runs of one settings file, side by side before a large one is made: what they differ in, what came out of each, and
//! what all of the dataset would cost.
//!
//! - `document`: which runs they are, as it is stored; `columns`: what is stored of each of them
//! - `figures`: what came out of a run, and the same as rows of a table; `items`: which items are shown,
//!   `pictures`: and what they look like
//! - [`html`], [`sheet`]: a page and a picture

mod columns;
mod document;
mod figures;
pub mod html;
mod items;
mod pictures;
pub mod sheet;

pub use self::columns::{Column, columns};
pub use self::document::{Combination, Comparison, ComparisonError, MAX_COMBINATIONS};
pub use self::figures::{FigureRow, Figures, rows};
pub use self::items::{ShownItem, shown_items};
pub use self::pictures::Pictures;
