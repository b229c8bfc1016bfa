//! What follows from the measurements: ratios as JSON, tables for the README beside it, a plot.

use std::fmt::Write as _;

use plotters::prelude::*;
use serde_json::json;
use tests::repository;

use super::attention::Attention;
use super::baseline::{Baseline, Limit};
use super::ours::Converted;
use super::rival::Rival;
use super::{EXECUTED, LARGE, Size, folder};

const GIB: f64 = (1u64 << 30) as f64;

/// What was measured at one image size.
pub(super) struct OfSize {
    pub(super) size: Size,
    pub(super) one: Converted,
    pub(super) three: Converted,
    pub(super) rival: Rival,
    pub(super) baseline: Baseline,
}

/// Everything that was measured.
pub(super) struct Figures {
    pub(super) limit: Limit,
    pub(super) attention: Vec<Attention>,
    pub(super) sizes: Vec<OfSize>,
}

impl OfSize {
    /// Returns processor seconds of an evaluation: ours over OpenVINO's, both in float32.
    fn over_openvino(&self) -> f64 {
        self.one.cpu_of_evaluation / self.rival.single
    }

    /// Returns processor seconds of an evaluation, each with whose they are and in which precision.
    fn cpu_of_evaluation(&self) -> [(&'static str, Option<f64>); 3] {
        [
            ("f32", Some(self.one.cpu_of_evaluation)),
            ("openvino_f32", Some(self.rival.single)),
            ("openvino_bf16", self.rival.half),
        ]
    }

    fn speedups(&self) -> [(usize, f64); 2] {
        [&self.one, &self.three].map(|ours| (ours.outputs, self.baseline.seconds / ours.seconds()))
    }
}

impl Figures {
    fn large(&self) -> &OfSize {
        let is_large = |of: &&OfSize| of.size == LARGE;
        self.sizes.iter().find(is_large).expect("it is measured")
    }

    /// Returns the fastest product of matrices: operations a second, and whose.
    fn fastest(&self) -> (&str, f64) {
        let fastest = self.limit.sgemm.iter().max_by(|a, b| a.1.total_cmp(b.1));
        let (library, rate) = fastest.expect("libraries are measured");
        (library, *rate)
    }

    /// Returns which part of the machine's limit is reached in UNet and injection.
    fn flop_share(&self, of: &OfSize) -> f64 {
        let operations = self.limit.operations_of_unet[&of.size.to_string()];
        let seconds = of.one.in_unet / of.one.evaluations;
        operations / seconds / self.fastest().1
    }

    /// Returns filtered injection over plain attention of the same shape.
    fn filtered_over_sdpa(&self, attention: &Attention) -> f64 {
        attention.filtered / self.limit.attention_seconds[&attention.shape()]
    }

    /// Writes `bench.json` and the plot.
    pub(super) fn write(&self) {
        let mut report = serde_json::Map::new();
        for of in &self.sizes {
            let width = of.size.width;
            for (outputs, speedup) in of.speedups() {
                report.insert(format!("speedup_{width}_n{outputs}"), json!(speedup));
            }
            for ours in [&of.one, &of.three] {
                let name = format!("seconds_{width}_n{}", ours.outputs);
                report.insert(name, json!(ours.seconds()));
                let name = format!("overhead_share_{width}_n{}", ours.outputs);
                report.insert(name, json!(ours.overhead() / ours.seconds()));
            }
            report.insert(
                format!("baseline_seconds_{width}"),
                json!(of.baseline.seconds),
            );
            // There is no bf16 of ours: keys that compare it come with it.
            report.insert(
                format!("f32_over_openvino_f32_{width}"),
                json!(of.over_openvino()),
            );
            for (whose, seconds) in of.cpu_of_evaluation() {
                let name = format!("evaluation_cpu_seconds_{width}_{whose}");
                report.insert(name, json!(seconds));
            }
            report.insert(format!("flop_share_{width}"), json!(self.flop_share(of)));
            report.insert(format!("spread_of_passes_{width}"), json!(of.one.spread()));
        }
        let large = self.large();
        report.insert("flop_share".to_owned(), json!(self.flop_share(large)));
        let over_sdpa = self
            .attention
            .iter()
            .map(|one| self.filtered_over_sdpa(one));
        report.insert(
            "filtered_over_sdpa".to_owned(),
            json!(over_sdpa.fold(0.0, f64::max)),
        );
        report.insert("peak_bytes_1024_n1".to_owned(), json!(large.one.peak_bytes));
        report.insert(
            "overhead_share".to_owned(),
            json!(large.one.overhead() / large.one.seconds()),
        );
        report.insert("sgemm".to_owned(), json!(self.limit.sgemm));
        report.insert("versions".to_owned(), json!(self.limit.versions));
        let json = serde_json::to_string_pretty(&report).expect("figures are numbers");
        std::fs::write(folder().join("bench.json"), json).expect("a writable folder");
        let svg = self.plot().expect("a plot can be drawn");
        std::fs::write(repository("infra/speed.svg"), svg).expect("a writable folder");
    }

    /// Returns the tables of `tests/benches/README.md`.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        let (library, rate) = self.fastest();
        let processor = processor();
        let versions: Vec<String> = self
            .limit
            .versions
            .iter()
            .map(|(name, version)| format!("{name} {version}"))
            .collect();
        let today = jiff::Zoned::now().date();
        let _ = writeln!(
            text,
            "{processor}, {} threads, {}, {today}; product of matrices: {:.0} GFLOP/s ({library})\n",
            std::thread::available_parallelism().map_or(1, usize::from),
            versions.join(", "),
            rate / 1e9
        );
        let _ = writeln!(
            text,
            "| image | styles of a content | seconds an image | PyTorch | faster | a pass | of the limit | around the UNet \
             | memory | PyTorch |\n|---|---|---|---|---|---|---|---|---|---|"
        );
        for of in &self.sizes {
            for ours in [&of.one, &of.three] {
                let _ = writeln!(
                    text,
                    "| {} | {} | {:.1} | {:.0} | {:.1}x | {:.2} s ± {:.1} % | {:.0} % | {:.1} % | {:.1} GiB{} | {:.1} GiB |",
                    of.size,
                    ours.outputs,
                    ours.seconds(),
                    of.baseline.seconds,
                    of.baseline.seconds / ours.seconds(),
                    ours.injected_pass(),
                    100.0 * ours.spread(),
                    100.0 * self.flop_share(of),
                    100.0 * ours.overhead() / ours.seconds(),
                    ours.peak_bytes as f64 / GIB,
                    if ours.passes.len() == EXECUTED {
                        ""
                    } else {
                        " (few steps)"
                    },
                    of.baseline.peak_bytes as f64 / GIB,
                );
            }
        }
        text += &self.beside_openvino();
        let _ = writeln!(
            text,
            "\n| seconds of an image | segments | injected layers | around the UNet{} |",
            self.large()
                .one
                .stages
                .iter()
                .map(|(name, _)| format!(" | {name}"))
                .collect::<String>()
        );
        let columns = 4 + self.large().one.stages.len();
        let _ = writeln!(text, "{}|", "|---".repeat(columns));
        for of in &self.sizes {
            for ours in [&of.one, &of.three] {
                let share = ours.in_attention / ours.in_unet;
                let unet = ours.passes_of_an_image();
                let _ = write!(
                    text,
                    "| {}, {} | {:.1} | {:.1} | {:.2}",
                    of.size,
                    ours.outputs,
                    unet * (1.0 - share),
                    unet * share,
                    ours.overhead() - ours.stages.iter().map(|(_, took)| took).sum::<f64>(),
                );
                for (_, took) in &ours.stages {
                    let _ = write!(text, " | {took:.2}");
                }
                let _ = writeln!(text, " |");
            }
        }
        let _ = writeln!(
            text,
            "\n| tokens, heads, width | cross-image | filtered | PyTorch's plain SDPA | filtered over SDPA |\n|---|---|---|---|---|"
        );
        for one in &self.attention {
            let _ = writeln!(
                text,
                "| {}, {}, {} | {:.0} ms | {:.0} ms | {:.0} ms | {:.2} |",
                one.tokens,
                one.heads.num,
                one.heads.width,
                1e3 * one.cross_image,
                1e3 * one.filtered,
                1e3 * self.limit.attention_seconds[&one.shape()],
                self.filtered_over_sdpa(one)
            );
        }
        text
    }

    /// Returns the table of processor seconds of an evaluation.
    fn beside_openvino(&self) -> String {
        let mut text = "\n| processor seconds of an evaluation | synth2real, float32, filtered injection | OpenVINO, float32 \
                        | OpenVINO, bfloat16 | ours over float32 |\n|---|---|---|---|---|\n"
            .to_owned();
        for of in &self.sizes {
            let seconds = of.cpu_of_evaluation().map(|(_, seconds)| {
                seconds.map_or_else(|| "none here".to_owned(), |seconds| format!("{seconds:.1}"))
            });
            let [size, ratio] = [of.size.to_string(), format!("{:.2}", of.over_openvino())];
            let _ = writeln!(text, "| {size} | {} | {ratio} |", seconds.join(" | "));
        }
        text
    }

    /// Draws seconds an image, ours beside PyTorch's.
    fn plot(&self) -> Result<String, Box<dyn std::error::Error>> {
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, (760, 300)).into_drawing_area();
            area.fill(&WHITE)?;
            let mut bars = Vec::new();
            for of in &self.sizes {
                bars.push((format!("{} PyTorch", of.size), of.baseline.seconds, true));
                for ours in [&of.one, &of.three] {
                    let styles = if ours.outputs == 1 { "style" } else { "styles" };
                    let name = format!("{} {} {styles}", of.size, ours.outputs);
                    bars.push((name, ours.seconds(), false));
                }
            }
            let longest = bars.iter().map(|bar| bar.1).fold(1.0, f64::max);
            let mut chart = ChartBuilder::on(&area)
                .caption(
                    "Seconds an image, Stable Diffusion 1.5 on the CPU",
                    ("sans-serif", 16),
                )
                .margin(12)
                .x_label_area_size(38)
                .y_label_area_size(150)
                .build_cartesian_2d((1f64..3.0 * longest).log_scale(), 0f64..bars.len() as f64)?;
            chart
                .configure_mesh()
                .disable_y_mesh()
                .disable_y_axis()
                .light_line_style(TRANSPARENT)
                .x_desc("seconds, each mark ten times the one before")
                .x_label_formatter(&|seconds| format!("{seconds:.0}"))
                .label_style(("sans-serif", 13))
                .draw()?;
            for (place, (name, seconds, is_baseline)) in bars.iter().rev().enumerate() {
                let (low, high) = (place as f64 + 0.2, place as f64 + 0.8);
                let colour = if *is_baseline {
                    RGBColor(150, 150, 150)
                } else {
                    RGBColor(0, 114, 178)
                };
                let bar = Rectangle::new([(1.0, low), (*seconds, high)], colour.filled());
                chart.draw_series([bar])?;
                let middle = 0.5 * (low + high);
                let text = ("sans-serif", 13).into_font();
                let label = EmptyElement::at((*seconds, middle))
                    + Text::new(format!("{seconds:.1}"), (6, -6), text.clone());
                chart.draw_series([label])?;
                let name =
                    EmptyElement::at((1.0, middle)) + Text::new(name.clone(), (-146, -6), text);
                chart.draw_series([name])?;
            }
            area.present()?;
        }
        Ok(svg)
    }
}

/// Returns the processor's name.
fn processor() -> String {
    let about = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = about
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .and_then(|line| line.split_once(':'));
    name.map_or_else(
        || "unknown processor".to_owned(),
        |(_, name)| name.trim().to_owned(),
    )
}
