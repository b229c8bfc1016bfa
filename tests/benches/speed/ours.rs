//! What `synth2real run` takes for contents and some styles.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tests::images::Picture;
use tests::project::{Project, STYLES};

use super::{EXECUTED, Size, model};

/// GTA5's frames are 1914x1052, the golden content 480x264.
const ENLARGED: u32 = 4;

/// A conversion of contents into some styles.
pub(super) struct Converted {
    /// The number of outputs of a content.
    pub(super) outputs: usize,
    /// Seconds of each pass over a content and its outputs, the mean of all contents: the first injects nothing, the
    /// others do.
    pub(super) passes: Vec<f64>,
    /// Seconds of an output, each with its share of what they have in common, by stage; denoising is left out.
    pub(super) stages: Vec<(&'static str, f64)>,
    /// Seconds of denoising a content that were not in UNet or injected attention, of all executed steps.
    pub(super) around_unet: f64,
    /// Seconds in UNet and attention of a content, and of these in attention alone.
    pub(super) in_unet: f64,
    pub(super) in_attention: f64,
    pub(super) evaluations: f64,
    /// Processor seconds of an evaluation in a pass with injection, the content's own evaluation among them.
    pub(super) cpu_of_evaluation: f64,
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

/// Converts some contents with some executed steps, in a process of its own.
pub(super) fn convert(size: Size, contents: usize, styles: usize, steps: usize) -> Converted {
    let mut project = Project::empty();
    let enlarged = |picture: Picture| picture.enlarged(ENLARGED);
    for content in 1..=contents {
        project.add_content(&format!("{content:05}"), enlarged, enlarged);
    }
    for style in &STYLES[..styles] {
        project.add_style(style, &style.replace("night_000002", "night_000001"));
    }
    for (key, value) in [("steps", 50), ("skip", 50 - steps)] {
        project.set(&format!("method.{key}"), value as i64);
    }
    project.set("method.class_adain_steps", "5..15");
    project.set("model.path", model::exported(size).display().to_string());
    project.set("engine.threads", 0);
    println!("$ synth2real run: {size}, {contents} contents, {styles} styles, {steps} steps");

    let mut command = project.run_command();
    command.env("RUST_LOG", "warn,worker=debug,engine=debug");
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut program = command.spawn().unwrap();
    let log = BufReader::new(program.stderr.take().unwrap());
    let process = program.id();
    let reading = std::thread::spawn(move || {
        let lines = log.lines().map_while(Result::ok);
        let lines = lines.map(|line| (line, cpu_seconds(process)));
        lines.unzip::<_, _, Vec<String>, Vec<f64>>()
    });
    let mut peak_bytes = 0;
    let ended = loop {
        peak_bytes = peak_bytes.max(high_water(process));
        match program.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    let (log, spent) = reading.join().unwrap();
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
    let of_all = contents as f64;
    let sum = |events: &[&Value], field: &str| -> f64 {
        let numbers = events.iter().map(|event| number(event, field).unwrap());
        numbers.sum()
    };
    let evaluated = said("evaluated pass");
    assert_eq!(evaluated.len(), contents * steps, "{}", log.join("\n"));
    let pass = |step: usize| -> f64 {
        let of_contents: Vec<_> = evaluated
            .iter()
            .skip(step)
            .step_by(steps)
            .copied()
            .collect();
        sum(&of_contents, "elapsed_ms") / 1000.0 / of_all
    };
    let is_pass = |(line, _): &(&String, &f64)| line.contains("\"evaluated pass\"");
    let spent = log.iter().zip(&spent).filter(is_pass);
    let spent: Vec<f64> = spent.map(|(_, &spent)| spent).collect();
    let told = said("converted content");
    let rows = project.rows();
    assert_eq!(rows.len(), contents * styles);
    let work: Vec<_> = rows.iter().map(|row| row.work.unwrap()).collect();
    let mean = |stage: usize| {
        let sum: f64 = work.iter().map(|work| work.stages()[stage].1).sum();
        sum / 1000.0 / rows.len() as f64
    };
    let stages = work[0].stages().map(|(name, _)| name);
    let in_unet = sum(&told, "in_unet_ms") / 1000.0 / of_all;
    let denoise: f64 = work.iter().map(|work| work.denoise_ms / 1000.0).sum();
    let converted = Converted {
        outputs: styles,
        passes: (0..steps).map(pass).collect(),
        stages: stages
            .into_iter()
            .enumerate()
            .filter(|(_, name)| *name != "denoise")
            .map(|(stage, name)| (name, mean(stage)))
            .collect(),
        around_unet: denoise / of_all - in_unet,
        in_unet,
        in_attention: sum(&told, "in_attention_ms") / 1000.0 / of_all,
        evaluations: sum(&told, "evaluations") / of_all,
        cpu_of_evaluation: cpu_of_injected(&spent, steps) / (1 + styles) as f64,
        peak_bytes,
    };
    println!("{:.1} s an image", converted.seconds());
    converted
}

/// Returns the processor seconds of a pass with injection, which all but the first of a content are, from what had been spent
/// at the end of each pass.
fn cpu_of_injected(spent: &[f64], steps: usize) -> f64 {
    let contents = spent.chunks(steps);
    let num_injected = contents.len() * (steps - 1);
    let spent: f64 = contents.map(|passes| passes[steps - 1] - passes[0]).sum();
    assert!(spent > 0.0, "processor seconds are counted");
    spent / num_injected as f64
}

/// Returns the processor seconds that a process has taken, over all threads; NaN if it has ended.
fn cpu_seconds(process: u32) -> f64 {
    // Linux counts in hundredths for programs.
    const TICKS_A_SECOND: f64 = 100.0;
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{process}/stat")) else {
        return f64::NAN;
    };
    // Behind the program's name in parentheses, where anything may stand: the state, and in user and kernel the 12th and
    // 13th field.
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields);
    let fields = fields.into_iter().flat_map(str::split_whitespace);
    let ticks = fields.skip(11).take(2).map(|field| field.parse::<f64>());
    ticks.map(|ticks| ticks.unwrap_or(f64::NAN)).sum::<f64>() / TICKS_A_SECOND
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
