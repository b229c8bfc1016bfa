//! What `synth2real run` takes for a content and some styles.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tests::pictures::Picture;
use tests::project::{Project, STYLES};

use super::{EXECUTED, Size, model};

/// GTA5's frames are 1914x1052, the golden content 480x264.
const ENLARGED: u32 = 4;

/// A conversion of one content into some styles.
pub(super) struct Converted {
    pub(super) outputs: usize,
    /// Seconds of each pass over content and outputs: the first injects nothing, the others do.
    pub(super) passes: Vec<f64>,
    /// Seconds of an output, each with its share of what they have in common, by stage; denoising is left out.
    pub(super) stages: Vec<(&'static str, f64)>,
    /// Seconds of denoising that were not in UNet or injected attention, of all executed steps.
    pub(super) around_unet: f64,
    /// Seconds in UNet and attention, and of these in attention alone.
    pub(super) in_unet: f64,
    pub(super) in_attention: f64,
    pub(super) evaluations: f64,
    /// Most memory that the program held.
    pub(super) peak_bytes: u64,
}

impl Converted {
    /// Returns the seconds of an injected pass: the mean of all but the first.
    pub(super) fn injected_pass(&self) -> f64 {
        let injected = &self.passes[1..];
        injected.iter().sum::<f64>() / injected.len() as f64
    }

    /// Returns by how much injected passes differ from their mean at most, as a part of it.
    pub(super) fn spread(&self) -> f64 {
        let mean = self.injected_pass();
        let off = self.passes[1..]
            .iter()
            .map(|pass| (pass / mean - 1.0).abs());
        off.fold(0.0, f64::max)
    }

    /// Returns the seconds of an output's share of the passes of a whole conversion.
    pub(super) fn passes_of_an_image(&self) -> f64 {
        let injected = (EXECUTED - 1) as f64 * self.injected_pass();
        (self.passes[0] + injected) / self.outputs as f64
    }

    /// Returns the seconds of an output outside of UNet and injection.
    pub(super) fn overhead(&self) -> f64 {
        let steps = EXECUTED as f64 / self.passes.len() as f64;
        let around = steps * self.around_unet / self.outputs as f64;
        around + self.stages.iter().map(|(_, took)| took).sum::<f64>()
    }

    /// Returns the seconds of an output of a whole conversion; its style was recorded before.
    pub(super) fn seconds(&self) -> f64 {
        self.passes_of_an_image() + self.overhead()
    }
}

/// Converts with some executed steps, in a process of its own.
pub(super) fn convert(size: Size, styles: usize, steps: usize) -> Converted {
    let mut project = Project::empty();
    let enlarged = |picture: Picture| picture.enlarged(ENLARGED);
    project.add_content("00001", enlarged, enlarged);
    for style in &STYLES[..styles] {
        project.add_style(style, &style.replace("night_000002", "night_000001"));
    }
    for (key, value) in [("steps", 50), ("skip", 50 - steps)] {
        project.set(&format!("method.{key}"), value as i64);
    }
    project.set("method.class_adain_steps", "5..15");
    project.set("model.path", model::exported(size).display().to_string());
    project.set("engine.threads", 0);
    println!("$ synth2real run: {size}, {styles} styles, {steps} steps");

    let mut command = project.run_command();
    command.env("RUST_LOG", "warn,worker=debug");
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut program = command.spawn().unwrap();
    let log = BufReader::new(program.stderr.take().unwrap());
    let reading = std::thread::spawn(move || log.lines().map_while(Result::ok).collect::<Vec<_>>());
    let mut peak_bytes = 0;
    let ended = loop {
        peak_bytes = peak_bytes.max(high_water(program.id()));
        match program.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    let log = reading.join().unwrap();
    assert!(ended.success(), "{}", log.join("\n"));

    let events: Vec<Value> = log
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let number = |event: &Value, field: &str| event["fields"][field].as_f64();
    let said = |message: &str| -> Vec<&Value> {
        let named = |event: &&Value| event["fields"]["message"] == message;
        events.iter().filter(named).collect()
    };
    let pass = |event: &&Value| number(event, "elapsed_ms").unwrap() / 1000.0;
    let passes: Vec<f64> = said("evaluated pass").iter().map(pass).collect();
    assert_eq!(passes.len(), steps, "{}", log.join("\n"));
    let told = said("converted content")[0];
    let rows = project.rows();
    assert_eq!(rows.len(), styles);
    let work: Vec<_> = rows.iter().map(|row| row.work.unwrap()).collect();
    let mean = |stage: usize| {
        let sum: f64 = work.iter().map(|work| work.stages()[stage].1).sum();
        sum / 1000.0 / styles as f64
    };
    let stages = work[0].stages().map(|(name, _)| name);
    let in_unet = number(told, "in_unet_ms").unwrap() / 1000.0;
    let denoise: f64 = work.iter().map(|work| work.denoise_ms / 1000.0).sum();
    let converted = Converted {
        outputs: styles,
        passes,
        stages: stages
            .into_iter()
            .enumerate()
            .filter(|(_, name)| *name != "denoise")
            .map(|(stage, name)| (name, mean(stage)))
            .collect(),
        around_unet: denoise - in_unet,
        in_unet,
        in_attention: number(told, "in_attention_ms").unwrap() / 1000.0,
        evaluations: number(told, "evaluations").unwrap(),
        peak_bytes,
    };
    println!("{:.1} s an image", converted.seconds());
    converted
}

/// Returns the most memory that a process has held; 0 if it has ended.
fn high_water(process: u32) -> u64 {
    let Ok(status) = File::open(format!("/proc/{process}/status")) else {
        return 0;
    };
    let lines = BufReader::new(status).lines().map_while(Result::ok);
    let held = lines
        .filter_map(|line| line.strip_prefix("VmHWM:").map(ToOwned::to_owned))
        .find_map(|held| held.trim().trim_end_matches(" kB").parse::<u64>().ok());
    held.unwrap_or(0) * 1024
}
