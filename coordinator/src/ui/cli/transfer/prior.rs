//! The label map of a photograph that has none, made by a network that learns from labelled images.

use std::path::Path;

use engine::InputSize;
use engine::conversion::Converter;
use engine::prior_network::{PriorNetwork, Priors};
use imaging::{ClassShares, Prepared};
use shared::dataset::ClassTable;
use shared::settings::EngineConfig;

use super::{CliError, LabelMap, TransferArgs, load};

/// Proves that each prototype has a label.
pub(super) fn check(args: &TransferArgs) -> Result<(), CliError> {
    let (images, labels) = (args.prototype.len(), args.prototype_label.len());
    if images == labels {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "--prototype is given {images} times and --prototype-label {labels} times: each prototype needs its label"
    )))
}

/// Gives a photograph the label map that a network in `folder` makes. Prototypes have labels of the content's kind, and a
/// table of its classes is one of theirs.
pub(super) fn label(
    style: &mut Prepared,
    folder: &Path,
    (args, table): (&TransferArgs, Option<&ClassTable>),
    (converter, config): (&Converter, &EngineConfig),
) -> Result<(), CliError> {
    let of_model = converter.size();
    let input = InputSize {
        width: of_model.width,
        height: of_model.height,
    };
    let network = PriorNetwork::load(folder, config, Some(input));
    let mut priors = Priors::new(network.map_err(CliError::environment)?);
    // Features are of the network's size, labels of the model's.
    let size = priors.image_size();
    for (image, label) in args.prototype.iter().zip(&args.prototype_label) {
        let label = LabelMap {
            path: label,
            setting: args.content_labels,
            classes: table.cloned(),
        };
        let labelled = load(of_model, image, Some(&label))?;
        let image = load(size, image, None)?;
        let learned = priors.learn(image.image.view(), labelled.label.view());
        learned.map_err(CliError::environment)?;
    }
    let image = load(size, &args.style, None)?;
    let map = priors.map(image.image.view(), style.label.dim());
    style.take_class_map(map.map_err(CliError::environment)?);
    let shares = ClassShares::of(style.label.view());
    if let Some(warning) = shares.warning(&args.style.display().to_string()) {
        tracing::warn!("{warning}");
    }
    Ok(())
}
