//! Labels are what their pixels say, in every layout and command.
//!
//! - `scene`: the scene of all tests, as files
//! - `encodings`: it in every encoding that labels come in
//! - `stated`, `levels`, `classes`: how each is read; `refused`: which are not
//! - `stored`: how they are stored again
//! - `mapped`: labels with ids or colours of other datasets; `left`: what is stored of them

mod classes;
mod encodings;
mod left;
mod levels;
mod mapped;
mod refused;
mod scene;
mod stated;
mod stored;
