//! A transfer by a translator.

use engine::translator::{Translator, TranslatorStyle};
use imaging::{encode_png, tones};
use shared::settings::TranslatorConfig;
use shared::storage::scratch;

use super::{LabelMap, TransferArgs, engine_config, load, model_folder, stem};
use crate::ui::cli::{CliError, Outcome, files};

/// Converts the content and writes it.
pub(super) fn transfer(
    args: &TransferArgs,
    method: &TranslatorConfig,
    [of_content, of_style]: [Option<LabelMap<'_>>; 2],
) -> Result<Outcome, CliError> {
    check(args, method)?;
    let model = model_folder(args, method.method)?;
    let config = engine_config(args);
    scratch::check(&config.cache_dir).map_err(CliError::environment)?;
    let mut translator = Translator::load(model, &config).map_err(CliError::environment)?;
    if translator.takes_label() && of_content.is_none() {
        return Err(CliError::Usage(format!(
            "--content-label is missing: {} takes the content's label",
            translator.contract.network.name
        )));
    }
    let content = load(translator.size(), &args.content, of_content.as_ref())?;
    let style = load(translator.size(), &args.style, of_style.as_ref())?;
    let (content_name, style_name) = (stem(&args.content), stem(&args.style));
    let noise = translator.noise(method.seed, &content_name, &style_name);
    let taken = TranslatorStyle {
        name: &style_name,
        image: Some(style.image.view()),
        noise: noise.as_ref().map(|noise| noise.view()),
    };
    let given = translator.content(&content_name, &content);
    let mut given = given.map_err(CliError::environment)?;
    let image = translator.translate(&mut given, taken);
    let image = image.map_err(CliError::environment)?;
    let file = args.content.display().to_string();
    let mut warnings = tones::warnings(&file, content.image.view(), image.view());
    if translator.takes_style() {
        let file = args.style.display().to_string();
        warnings.extend(tones::style_warning(&file, style.image.view()));
    }
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let png = encode_png(image.view()).map_err(CliError::environment)?;
    files::write(&args.out, &png)?;
    Ok(Outcome::Done)
}

/// Refuses what only methods with a diffusion model have.
fn check(args: &TransferArgs, method: &TranslatorConfig) -> Result<(), CliError> {
    for (option, is_given) in [
        ("--prior", args.prior.is_some()),
        ("--noise", args.noise.is_some()),
        ("--trace", args.trace.is_some()),
    ] {
        if is_given {
            return Err(CliError::Usage(format!(
                "{option} is of methods with a diffusion model, and method {} has none: leave it out",
                method.method
            )));
        }
    }
    Ok(())
}
