//! What a network of priors takes and gives: an image cut into patches, and features of each.

use super::NetworkContract;
use crate::model::{ContractError, Dimension};

/// What a graph of a network of priors takes.
pub const PRIOR_IMAGE: &str = "image";
/// What it gives.
pub const PRIOR_FEATURES: &str = "features";

/// The sizes of what a network of priors takes and gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatchShapes {
    /// Height and width of an image.
    pub image: (usize, usize),
    /// Height and width in patches.
    pub patches: (usize, usize),
    /// The side of a patch.
    pub patch: usize,
    /// Numbers that tell what a patch shows.
    pub num_features: usize,
}

impl PatchShapes {
    /// Returns those of a contract.
    ///
    /// # Errors
    ///
    /// [`ContractError`] if it has other tensors, or patches that do not divide its images.
    pub fn of(contract: &NetworkContract) -> Result<Self, ContractError> {
        contract.expect(&[PRIOR_IMAGE], PRIOR_FEATURES)?;
        let shapes = Self::read(contract);
        shapes.map_err(|reason| contract.refuse(format!("{reason}; export the network again")))
    }

    /// Returns those of a contract, or what is wrong with it.
    fn read(contract: &NetworkContract) -> Result<Self, String> {
        let graph = &contract.network.graph;
        let (Some(image), Some(features)) = (graph.inputs.first(), graph.outputs.first()) else {
            return Err("has no input or no output".to_owned());
        };
        let ([1, 3, height, width], [1, num_patches, num_features]) = (
            fixed::<4>(&image.shape, PRIOR_IMAGE)?,
            fixed::<3>(&features.shape, PRIOR_FEATURES)?,
        ) else {
            return Err(format!(
                "must take {PRIOR_IMAGE} as (1, 3, height, width) and give {PRIOR_FEATURES} as (1, patches, numbers)"
            ));
        };
        let side = (height * width)
            .checked_div(num_patches)
            .unwrap_or(0)
            .isqrt();
        let patches = (
            height.checked_div(side).unwrap_or(0),
            width.checked_div(side).unwrap_or(0),
        );
        let are_whole = (patches.0 * side, patches.1 * side) == (height, width);
        if !are_whole || patches.0 * patches.1 != num_patches || num_features == 0 {
            return Err(format!(
                "gives {num_features} {PRIOR_FEATURES} of {num_patches} patches, which do not divide an image of \
                 {width}x{height}"
            ));
        }
        Ok(Self {
            image: (height, width),
            patches,
            patch: side,
            num_features,
        })
    }

    /// Refuses a network that was exported for images of another shape than a model's, of some width and height: what it says
    /// of an image would be laid over other places of the label.
    ///
    /// # Errors
    ///
    /// [`ContractError`] naming both sizes.
    pub fn check(
        &self,
        contract: &NetworkContract,
        (width, height): (usize, usize),
    ) -> Result<(), ContractError> {
        let found = (self.image.1, self.image.0);
        if found == covering((width, height), self.patch) {
            return Ok(());
        }
        Err(contract.refuse(format!(
            "takes images of {}x{}, which do not have the shape of the model's {width}x{height}; export it again with \
             --height {height} --width {width}",
            found.0, found.1
        )))
    }
}

/// Returns the lengths of a shape that has no free dimension.
fn fixed<const N: usize>(shape: &[Dimension], name: &str) -> Result<[usize; N], String> {
    let lengths = shape.iter().map(|dimension| match dimension {
        Dimension::Fixed(length) => usize::try_from(*length).ok(),
        Dimension::Free(_) => None,
    });
    let lengths = lengths.collect::<Option<Vec<_>>>();
    let lengths = lengths.and_then(|lengths| <[usize; N]>::try_from(lengths).ok());
    lengths.ok_or_else(|| format!("must have {N} lengths of {name}, all of them numbers"))
}

/// Returns the width and height of as many patches as cover the height of an image, in its proportions.
fn covering((width, height): (usize, usize), patch: usize) -> (usize, usize) {
    let rows = height.div_ceil(patch);
    let columns = (rows * width).div_ceil(height.max(1));
    (columns * patch, rows * patch)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::network::PRIOR_FILE;

    /// Returns a contract of images of a width and height in so many patches.
    fn contract((width, height): (usize, usize), num_patches: usize) -> NetworkContract {
        let contract = json!({
            "format_version": 1,
            "producer": "a test",
            "name": "patches",
            "source": {"name": "patches", "sha256": "0"},
            "file": "prior.onnx",
            "sha256": "0",
            "inputs": [{"name": "image", "dtype": "float32", "shape": [1, 3, height, width]}],
            "outputs": [{"name": "features", "dtype": "float32", "shape": [1, num_patches, 96]}],
        });
        let bytes = serde_json::to_vec(&contract).unwrap();
        NetworkContract::from_json(&bytes, Path::new("network").join(PRIOR_FILE)).unwrap()
    }

    #[test]
    fn patches_cover_an_image_in_its_proportions() {
        assert_eq!(covering((1024, 512), 14), (1036, 518));
        assert_eq!(covering((256, 128), 14), (280, 140));
        assert_eq!(covering((512, 512), 14), (518, 518));
    }

    #[test]
    fn a_network_for_images_of_another_shape_is_refused_with_both_sizes() {
        let contract = contract((280, 140), 200);
        let shapes = PatchShapes::of(&contract).unwrap();
        let expected = PatchShapes {
            image: (140, 280),
            patches: (10, 20),
            patch: 14,
            num_features: 96,
        };
        assert_eq!(shapes, expected);
        shapes.check(&contract, (256, 128)).unwrap();
        for other in [(512, 512), (1024, 512), (128, 256)] {
            let told = shapes.check(&contract, other).unwrap_err().to_string();
            let (width, height) = other;
            for words in [
                "takes images of 280x140".to_owned(),
                format!("the model's {width}x{height}"),
                format!("--height {height} --width {width}"),
            ] {
                assert!(told.contains(&words), "no {words:?}: {told}");
            }
        }
    }

    #[test]
    fn patches_that_do_not_divide_an_image_are_refused() {
        for (size, num_patches) in [((280, 140), 199), ((14, 14), 1000)] {
            let contract = contract(size, num_patches);
            let told = PatchShapes::of(&contract).unwrap_err().to_string();
            assert!(told.contains(&format!("{num_patches} patches")), "{told}");
        }
    }
}
