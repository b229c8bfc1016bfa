//! Seconds and memory of an image at the full width of Stable Diffusion 1.5, beside the same work in plain PyTorch,
//! the same UNet in OpenVINO and what the machine could do at best. `make bench`; 40 minutes.
//!
//! - [`model`]: the model, made from seeded random numbers and exported for each image size
//! - [`ours`]: `synth2real run`
//! - [`baseline`]: the released code's work in PyTorch, and the machine's limits as Python's libraries see them
//! - [`rival`]: the UNet in OpenVINO, in float32 and bfloat16
//! - [`attention`], [`products`]: one call of injected attention; products of matrices in Rust
//! - [`figures`]: what follows from them, as JSON, table and plot
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark tells what it measured, and ends where it cannot measure"
)]

mod attention;
mod baseline;
mod figures;
mod model;
mod ours;
mod products;
mod rival;

use std::path::PathBuf;

use tests::repository;

/// Width and height of an image in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Size {
    width: usize,
    height: usize,
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

const SMALL: Size = Size {
    width: 512,
    height: 256,
};
const LARGE: Size = Size {
    width: 1024,
    height: 512,
};

/// Steps that a conversion executes by default.
const EXECUTED: usize = 20;

/// Returns the folder of the benchmark's models and results.
fn folder() -> PathBuf {
    repository("target/bench")
}

fn main() {
    model::make();
    let mut limit = baseline::limit();
    let faer = products::operations_a_second();
    limit.sgemm.insert("faer".to_owned(), faer);
    let attention = attention::measure();
    let mut sizes = Vec::new();
    for size in [SMALL, LARGE] {
        // One whole conversion at the large size shows that steps cost the same and what memory it takes in the end.
        // Others are of few steps and of more contents: what the first of a run does for all would weigh too much.
        let (contents, steps) = if size == LARGE { (1, EXECUTED) } else { (4, 4) };
        let contents_of_three = if size == LARGE { 2 } else { 4 };
        sizes.push(figures::OfSize {
            size,
            // In this order, so that what is compared is measured close together: machines have good and bad minutes.
            one: ours::convert(size, contents, 1, steps),
            rival: rival::evaluate(size),
            baseline: baseline::convert(size),
            three: ours::convert(size, contents_of_three, 3, 3),
        });
    }
    let versions = sizes.iter().map(|of| of.rival.version.clone());
    let versions = versions.map(|version| ("openvino".to_owned(), version));
    limit.versions.extend(versions);
    let figures = figures::Figures {
        limit,
        attention,
        sizes,
    };
    figures.write();
    println!("\n{}", figures.table());
}
