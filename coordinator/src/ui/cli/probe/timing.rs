//! How long the parts of a conversion take: of the first pair that can be read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use shared::dataset::entry::DatasetEntry;
use shared::location::Location;
use shared::settings::{Device, Evaluations, MethodConfig, RunConfig};
use shared::warning::ItemWarning;
use worker::attempt::{InputKind, LoadedInput, Progress, RunContext, Unusable};

use crate::run::cost::UnitCosts;
use crate::run::inventory::Inventory;
use crate::ui::cli::{CliError, attempt_error};

/// Returns the steps that are timed of each branch: UNet evaluations, or of a method without a UNet all at once, in which a
/// content takes nothing that its outputs share.
pub(super) fn steps(method: &MethodConfig) -> Evaluations {
    match method {
        MethodConfig::Diffusion(method) => method.evaluations(),
        MethodConfig::Baseline(_) | MethodConfig::Translator(_) => Evaluations {
            style: 1,
            content: 0,
            output: 1,
        },
    }
}

/// How long the parts of a conversion take.
pub(super) struct Timing {
    /// One step of each branch.
    style_step: Duration,
    content_step: Duration,
    output_step: Duration,
    share_in_unet: f64,
    /// What a content takes beside its steps.
    load: Duration,
    encode: Duration,
    /// What an output takes beside its steps.
    decode: Duration,
    pub(super) judging: Duration,
    /// What a person should know about the output.
    pub(super) warnings: Vec<ItemWarning>,
}

impl Timing {
    /// Returns how long the device takes.
    pub(super) fn told(&self, config: &RunConfig) -> String {
        let (content, output) = (
            self.content_step.as_secs_f64(),
            self.output_step.as_secs_f64(),
        );
        match &config.method {
            MethodConfig::Diffusion(_) => format!(
                "{}: a UNet evaluation takes {content:.3} s of a content, {output:.3} s of an output; {:.1} % of \
                 denoising is in the UNet",
                config.engine.device,
                100.0 * self.share_in_unet
            ),
            MethodConfig::Baseline(_) => format!("{}: an output takes {output:.3} s", Device::Cpu),
            MethodConfig::Translator(_) => {
                let device = config.engine.device;
                format!("{device}: an output takes {output:.3} s")
            }
        }
    }

    /// Returns what a style, a content and an output take, each with so many steps.
    pub(super) fn costs(&self, each: Evaluations) -> UnitCosts {
        let ms = |time: Duration| 1000.0 * time.as_secs_f64();
        let steps = |num: usize, step: Duration| num as f64 * ms(step);
        let of_content = steps(each.content, self.content_step);
        let of_output = steps(each.output, self.output_step);
        UnitCosts {
            style_ms: ms(self.encode) + steps(each.style, self.style_step),
            content_ms: ms(self.load) + ms(self.encode) + of_content,
            output_ms: of_output + ms(self.decode) + ms(self.judging),
        }
    }
}

/// Converts the first pair that can be read, each part of which has so many steps.
pub(super) async fn time(
    config: &RunConfig,
    inventory: &Inventory,
    context: &RunContext,
    probed: Evaluations,
) -> Result<Timing, CliError> {
    let plan = &inventory.plan;
    let contents = (InputKind::Content, plan.contents.as_slice());
    let content = Arc::new(first_usable(&config.content.root, contents, context).await?);
    let styles = (InputKind::Style, plan.styles.as_slice());
    let mut style = first_usable(&config.style.root, styles, context).await?;
    if style.prepared.stored_label.is_none() && context.class_maps.is_some() {
        // Making its map may take minutes; with the content's classes as much is computed.
        let stand_in = content.prepared.label.clone();
        style.prepared.take_class_map(stand_in);
    }
    let (style_name, progress) = (style.name.clone(), Arc::new(()) as Arc<dyn Progress>);
    let started = Instant::now();
    let recorded = context
        .backend
        .record_style(style, Arc::clone(&progress))
        .await;
    let recorded_in = recorded.map_err(attempt_error)?;
    let recording = started.elapsed();
    let converted = context
        .backend
        .convert(Arc::clone(&content), vec![style_name], progress)
        .await
        .map_err(attempt_error)?;
    let Some(output) = converted.outputs.into_iter().next() else {
        return Err(CliError::Environment(
            "the model made no output for a style".to_owned(),
        ));
    };
    let output = output.map_err(|quarantine| CliError::Environment(quarantine.reason))?;
    let (load, started) = (content.elapsed, Instant::now());
    let judged = context
        .evaluator
        .evaluate(content, Bytes::from(output.png))
        .await;
    let judged = judged.map_err(CliError::environment)?;
    // The style was encoded as the content was.
    let walked = recording.saturating_sub(converted.encode);
    let of_output = converted.denoise.saturating_sub(converted.in_content);
    Ok(Timing {
        judging: started.elapsed(),
        warnings: judged.warnings,
        style_step: walked.div_f64(recorded_in.max(1) as f64),
        content_step: converted.in_content.div_f64(probed.content.max(1) as f64),
        output_step: of_output.div_f64(probed.output.max(1) as f64),
        share_in_unet: converted.in_unet.as_secs_f64() / converted.denoise.as_secs_f64(),
        load,
        encode: converted.encode,
        decode: converted.decode,
    })
}

async fn first_usable(
    root: &Location,
    (kind, listings): (InputKind, &[DatasetEntry]),
    context: &RunContext,
) -> Result<LoadedInput, CliError> {
    let mut reason = "there is none".to_owned();
    for listing in listings {
        match context.inputs.load(kind, listing, context.size).await {
            Ok(loaded) => return Ok(loaded),
            Err(Unusable::Quarantine(quarantine)) => reason = quarantine.reason,
            Err(Unusable::Away(why)) => {
                return Err(CliError::Environment(format!(
                    "an image below {root} cannot be read just now: {why}"
                )));
            }
        }
    }
    Err(CliError::Usage(format!(
        "no image below {root} can be used: {reason}"
    )))
}
