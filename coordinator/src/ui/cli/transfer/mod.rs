//! `synth2real transfer`: one image in the style of another.
//!
//! - `trace`: what `--trace` writes; `prior`: the class map of a photograph without a label; `baseline`: without a model;
//!   `translator`: with an image-to-image network

mod baseline;
mod prior;
mod trace;
mod translator;

use std::fmt::Display;
use std::path::{Path, PathBuf};

use clap::Args;
use engine::Engine;
use engine::conversion::{ConversionInput, Converter, GivenNoise};
use imaging::tones;
use imaging::{LabelFile, NamedBytes, Prepared, encode_png, label_kind_of_file, prepare};
use method::denoise::NoiseSource;
use ndarray::Array4;
use shared::dataset::ClassTable;
use shared::dataset::entry::LabelReading;
use shared::dataset::labels::LabelSetting;
use shared::failure::chain;
use shared::model::ImageSize;
use shared::npz::NpzFile;
use shared::read_file::{self, max_bytes};
use shared::settings::{ClassKeys, Device, DiffusionConfig, EngineConfig, MethodConfig};
use shared::storage::scratch;

use self::trace::Trace;
use super::files::Named;
use super::{CliError, Outcome, files, path, setup};

#[derive(Debug, Args)]
pub(super) struct TransferArgs {
    /// Folder of the exported model; not for methods without one: reinhard, histogram, fda and identity
    #[arg(long, value_name = "DIR", value_parser = path())]
    model: Option<PathBuf>,
    /// The synthetic image
    #[arg(long, value_name = "IMG", value_parser = path())]
    content: PathBuf,
    /// Its label map: a palette of Cityscapes label ids, *_labelIds, *_labelTrainIds, or Cityscapes colours; not needed
    /// by a method without class-wise AdaIN, such as adain and cross-image, nor by a translator that takes none
    #[arg(long, value_name = "PNG", value_parser = path())]
    content_label: Option<PathBuf>,
    /// What the content's label map is, if the file alone does not tell: palette-ids, label-ids, train-ids, colour,
    /// synthia-ids, carla-tags or carla-0.9.13-tags
    #[arg(long, value_name = "KIND", default_value_t)]
    content_labels: LabelSetting,
    /// A .csv or .json file that says which class each id or colour of the content's label map is
    #[arg(long, value_name = "FILE", requires = "content_label", value_parser = path())]
    content_classes: Option<PathBuf>,
    /// The real photograph
    #[arg(long, value_name = "IMG", value_parser = path())]
    style: PathBuf,
    /// Its label map; not needed where the content's is not, nor with --prior
    #[arg(long, value_name = "PNG", value_parser = path())]
    style_label: Option<PathBuf>,
    /// Folder of the network that makes the photograph's label map: it learns from the prototypes what classes look like
    #[arg(long, value_name = "DIR", value_parser = path(), requires = "prototype", conflicts_with = "style_label")]
    prior: Option<PathBuf>,
    /// A labelled synthetic image that the prior learns from; may be given several times
    #[arg(long, value_name = "IMG", value_parser = path(), requires = "prior")]
    prototype: Vec<PathBuf>,
    /// The label map of each prototype, in their order, of the same kind as the content's
    #[arg(long, value_name = "PNG", value_parser = path(), requires = "prior")]
    prototype_label: Vec<PathBuf>,
    /// What the style's label map is, as for the content
    #[arg(long, value_name = "KIND", default_value_t)]
    style_labels: LabelSetting,
    /// The same of the style's label map
    #[arg(long, value_name = "FILE", requires = "style_label", value_parser = path())]
    style_classes: Option<PathBuf>,
    /// Where the converted image goes
    #[arg(long, value_name = "PNG", value_parser = path())]
    out: PathBuf,
    /// A settings file whose [method] table is used
    #[arg(long, value_name = "FILE", value_parser = path())]
    config: Option<PathBuf>,
    /// One method setting, for example preset=paper or injected_steps=0,2..; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Where to compute: cpu, or cuda:N for an NVIDIA GPU
    #[arg(long, default_value_t)]
    device: Device,
    /// Noise instead of the seed's: arrays `content` and `style`, (steps, 4, height / 8, width / 8) of float32
    #[arg(long, value_name = "NPZ", value_parser = path())]
    noise: Option<PathBuf>,
    /// Write latents, labels and every step here, to check them against PyTorch
    #[arg(long, value_name = "NPZ", value_parser = path())]
    trace: Option<PathBuf>,
}

pub(super) async fn main(args: TransferArgs) -> Result<Outcome, CliError> {
    let method = MethodConfig::given(args.config.as_deref(), &args.overrides);
    let method = method.map_err(CliError::usage)?;
    check_labels(&args, &method)?;
    prior::check(&args)?;
    check_files(&args)?;
    let labels = label_maps(&args)?;
    setup::warn_of_idle(&method);
    match &method {
        MethodConfig::Diffusion(method) => with_model(&args, method, labels),
        MethodConfig::Baseline(method) => baseline::transfer(&args, method, labels),
        MethodConfig::Translator(method) => translator::transfer(&args, method, labels),
    }
}

fn with_model(
    args: &TransferArgs,
    method: &DiffusionConfig,
    [of_content, of_style]: [Option<LabelMap<'_>>; 2],
) -> Result<Outcome, CliError> {
    let model = model_folder(args, method.method)?;
    let config = engine_config(args);
    scratch::check(&config.cache_dir).map_err(CliError::environment)?;
    let engine = Engine::load(model, &config).map_err(CliError::environment)?;
    let mut converter = Converter::new(engine, method, &config).map_err(CliError::environment)?;
    // A label that is given is read and traced, whether the method needs it or not.
    let content = load(converter.size(), &args.content, of_content.as_ref())?;
    let mut style = load(converter.size(), &args.style, of_style.as_ref())?;
    if let Some(folder) = &args.prior {
        let table = of_content.as_ref().and_then(|label| label.classes.as_ref());
        prior::label(&mut style, folder, (args, table), (&converter, &config))?;
    }
    let (content_noise, style_noise) = noise(&converter, args, method)?;

    let style_name = args.style.display().to_string();
    let style_source = ConversionInput {
        name: "style",
        file: &style_name,
        prepared: &style,
        noise: style_noise.as_ref(),
    };
    let style_latent = converter
        .record_style(&style_source, &mut ())
        .map_err(CliError::environment)?;
    let mut trace = Trace::new(args.trace.is_some());
    let content_name = args.content.display().to_string();
    let content_source = ConversionInput {
        name: "content",
        file: &content_name,
        prepared: &content,
        noise: content_noise.as_ref(),
    };
    let converted = converter
        .convert(&content_source, &["style"], &mut trace)
        .map_err(CliError::environment)?;
    let image = converted.images.into_iter().next();
    let image =
        image.ok_or_else(|| CliError::Environment("the model made no output".to_owned()))?;
    let image = image.map_err(CliError::environment)?;
    let mut warnings = converter.warnings(&content, "style");
    warnings.extend(tones::warnings(
        &content_name,
        content.image.view(),
        image.view(),
    ));
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    if let Some(path) = &args.trace {
        trace.constants(
            &converter,
            [&converted.content_latent, &style_latent],
            [&content, &style],
        );
        files::write(path, &trace.into_npz().map_err(CliError::environment)?)?;
    }
    let png = encode_png(image.view()).map_err(CliError::environment)?;
    files::write(&args.out, &png)?;
    Ok(Outcome::Done)
}

/// Returns the folder of the model that a method converts with.
fn model_folder(args: &TransferArgs, method: impl Display) -> Result<&Path, CliError> {
    args.model.as_deref().ok_or_else(|| {
        CliError::Usage(format!(
            "--model is missing: method {method} converts with one; reinhard, histogram, fda and identity do without"
        ))
    })
}

/// Returns how the engine computes.
fn engine_config(args: &TransferArgs) -> EngineConfig {
    EngineConfig {
        device: args.device,
        device_key: "--device",
        ..EngineConfig::default()
    }
}

/// Proves that a method that needs labels has them, or what makes that of the photograph.
fn check_labels(args: &TransferArgs, method: &MethodConfig) -> Result<(), CliError> {
    for (option, is_there) in [
        ("--content-label", args.content_label.is_some()),
        (
            "--style-label",
            args.style_label.is_some() || args.prior.is_some(),
        ),
    ] {
        if !is_there && method.uses_labels() {
            return Err(CliError::Usage(format!(
                "{option} is missing: method {} normalises by class, and adain and cross-image do without",
                method.method()
            )));
        }
    }
    Ok(())
}

/// Proves that what is to be written can be, and is nothing that is read.
fn check_files(args: &TransferArgs) -> Result<(), CliError> {
    let trace = args.trace.as_deref().map(|path| ("--trace", path));
    let outputs: Vec<Named<'_>> = [("--out", args.out.as_path())]
        .into_iter()
        .chain(trace)
        .collect();
    let given = [
        ("--model", args.model.as_deref()),
        ("--content", Some(args.content.as_path())),
        ("--content-label", args.content_label.as_deref()),
        ("--content-classes", args.content_classes.as_deref()),
        ("--style", Some(args.style.as_path())),
        ("--style-label", args.style_label.as_deref()),
        ("--style-classes", args.style_classes.as_deref()),
        ("--prior", args.prior.as_deref()),
        ("--config", args.config.as_deref()),
        ("--noise", args.noise.as_deref()),
    ];
    let of_prototypes = [
        ("--prototype", &args.prototype),
        ("--prototype-label", &args.prototype_label),
    ];
    let of_prototypes = of_prototypes.into_iter().flat_map(|(option, paths)| {
        let paths = paths.iter();
        paths.map(move |path| (option, path.as_path()))
    });
    let inputs = given.into_iter();
    let inputs: Vec<Named<'_>> = inputs
        .filter_map(|(option, path)| Some((option, path?)))
        .chain(of_prototypes)
        .collect();
    files::check(&outputs, &inputs)?;
    files::check_ending(("--out", &args.out), "a PNG", &["png"])?;
    trace.map_or(Ok(()), |trace| {
        files::check_ending(trace, "an NPZ file", &["npz"])
    })
}

/// The label map of an image, and what is said of it.
struct LabelMap<'a> {
    path: &'a Path,
    setting: LabelSetting,
    classes: Option<ClassTable>,
}

/// Returns the label maps of content and style, as far as they are given, with the classes that are named for them.
fn label_maps(args: &TransferArgs) -> Result<[Option<LabelMap<'_>>; 2], CliError> {
    let of_content = args.content_classes.as_deref();
    let of_content = of_content.map(|file| classes(&CONTENT_CLASSES, file, args.content_labels));
    let of_style = args.style_classes.as_deref();
    let of_style = of_style.map(|file| classes(&STYLE_CLASSES, file, args.style_labels));
    let (content_classes, style_classes) = (of_content.transpose()?, of_style.transpose()?);
    let content = args.content_label.as_deref().map(|path| LabelMap {
        path,
        setting: args.content_labels,
        classes: content_classes,
    });
    let style = args.style_label.as_deref().map(|path| LabelMap {
        path,
        setting: args.style_labels,
        classes: style_classes,
    });
    Ok([content, style])
}

const CONTENT_CLASSES: ClassKeys = ClassKeys {
    labels: "--content-labels",
    classes: "--content-classes",
    file: "--content-classes",
};
const STYLE_CLASSES: ClassKeys = ClassKeys {
    labels: "--style-labels",
    classes: "--style-classes",
    file: "--style-classes",
};

/// Returns the classes in a file, which have to be of what labels are said to hold.
fn classes(keys: &ClassKeys, file: &Path, setting: LabelSetting) -> Result<ClassTable, CliError> {
    let shown = file.display().to_string();
    let table = keys.of_path(&shown, file).map_err(CliError::usage)?;
    keys.check(&table, setting).map_err(CliError::usage)?;
    Ok(table)
}

fn load(size: ImageSize, image: &Path, label: Option<&LabelMap<'_>>) -> Result<Prepared, CliError> {
    let (image_name, image_bytes) = (image.display().to_string(), read(image)?);
    let image = NamedBytes {
        name: &image_name,
        bytes: &image_bytes,
    };
    let label = match label {
        Some(label) => {
            let bytes = read(label.path)?;
            let promised = LabelReading::promised(label_kind_of_file(label.path, &bytes));
            let reading = promised
                .under(label.setting)
                .by_table(label.classes.as_ref().map(ClassTable::of));
            let name = label.path.display().to_string();
            Some((name, bytes, reading, label.classes.as_ref()))
        }
        None => None,
    };
    let label = label.as_ref().map(|(name, bytes, reading, classes)| {
        LabelFile::new(NamedBytes { name, bytes }, *reading).with_classes(*classes)
    });
    let prepared = prepare(image, label, size).map_err(CliError::usage)?;
    for warning in &prepared.warnings {
        tracing::warn!("{warning}");
    }
    Ok(prepared)
}

/// Returns the name by which noise of an image is drawn.
fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

type Noises = (Box<dyn NoiseSource>, Box<dyn NoiseSource>);

fn noise(
    converter: &Converter,
    args: &TransferArgs,
    method: &DiffusionConfig,
) -> Result<Noises, CliError> {
    let Some(path) = &args.noise else {
        let content = converter.content_noise(&stem(&args.content));
        return Ok((
            Box::new(content),
            Box::new(converter.style_noise(&stem(&args.style))),
        ));
    };
    let refuse = |reason: String| CliError::Usage(format!("--noise {}: {reason}", path.display()));
    let (size, channels) = (converter.size(), converter.latent_channels());
    // In 64 bits at most: what has another type is told as such.
    let values = method.steps * channels * size.latent_height * size.latent_width;
    let array_bytes = (values * size_of::<f64>()) as u64 + MAX_HEADER_BYTES;
    // Two such arrays, and little beside them: the list of what an archive holds takes memory too.
    let file = read_file::open_within(path, 4 * array_bytes).map_err(|e| refuse(e.to_string()))?;
    let npz = NpzFile::open(file, array_bytes);
    let mut npz = npz.map_err(|error| refuse(format!("is no NPZ file: {}", chain(&error))))?;
    let mut array = |name: &str| -> Result<GivenNoise, CliError> {
        let array: Array4<f32> = npz.by_name(name).map_err(|error| refuse(chain(&error)))?;
        let expected = (
            method.steps,
            channels,
            size.latent_height,
            size.latent_width,
        );
        if array.dim() != expected {
            return Err(refuse(format!(
                "array {name} has shape {:?}, expected {expected:?}",
                array.dim()
            )));
        }
        let num_bad = array.iter().filter(|value| !value.is_finite()).count();
        if num_bad > 0 {
            return Err(refuse(format!(
                "array {name} has {num_bad} of {} values that are not finite, expected noise: draws of a standard normal \
                 distribution",
                array.len()
            )));
        }
        Ok(GivenNoise(array))
    };
    Ok((Box::new(array("content")?), Box::new(array("style")?)))
}

/// More than the header of an array.
const MAX_HEADER_BYTES: u64 = 1 << 16;

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    read_file::read(path, max_bytes::DATA)
        .map_err(|e| CliError::Usage(format!("cannot read {}: {e}", path.display())))
}
