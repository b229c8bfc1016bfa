//! A transfer by a method without a model.

use imaging::{encode_png, tones};
use method::baseline::StyleStatistics;
use shared::settings::{BaselineConfig, Device};

use super::{LabelMap, TransferArgs, load};
use crate::ui::cli::{CliError, Outcome, files};

/// Converts the content and writes it.
pub(super) fn transfer(
    args: &TransferArgs,
    method: &BaselineConfig,
    [of_content, of_style]: [Option<LabelMap<'_>>; 2],
) -> Result<Outcome, CliError> {
    check(args, method)?;
    let content = load(method.size(), &args.content, of_content.as_ref())?;
    let style = load(method.size(), &args.style, of_style.as_ref())?;
    let (before, style) = (content.image.view(), style.image.view());
    let after = StyleStatistics::of(style, method).lent_to(before);
    let (content_name, style_name) = (args.content.display(), args.style.display());
    let of_style = tones::style_warning(&style_name.to_string(), style);
    let of_output = tones::warnings(&content_name.to_string(), before, after.view());
    for warning in of_style.into_iter().chain(of_output) {
        tracing::warn!("{warning}");
    }
    let png = encode_png(after.view()).map_err(CliError::environment)?;
    files::write(&args.out, &png)?;
    Ok(Outcome::Done)
}

/// Refuses what only methods with a model have.
fn check(args: &TransferArgs, method: &BaselineConfig) -> Result<(), CliError> {
    for (option, is_given) in [
        ("--model", args.model.is_some()),
        ("--prior", args.prior.is_some()),
        ("--noise", args.noise.is_some()),
        ("--trace", args.trace.is_some()),
        ("--device", args.device != Device::Cpu),
    ] {
        if is_given {
            return Err(CliError::Usage(format!(
                "{option} is of methods with a model, and method {} has none: leave it out",
                method.method
            )));
        }
    }
    Ok(())
}
