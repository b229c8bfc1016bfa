//! Counts what does not scale with threads in an evaluation of Stable Diffusion 1.5's UNet, and prints tables of it.
//!
//! `cargo bench --workspace --bench scaling`. Nothing is timed: regions, their parts and bytes are those that kernels cut
//! work into ([`kernels::regions`]), and the times of any number of threads are computed from the assumptions below.

use kernels::attention::Heads;
use kernels::bf16::Operands;
use kernels::convolution::Convolution;
use kernels::regions::{Call, Region, Work};
use shared::console;

/// Height and width of latents, with the size of their image.
const SIZES: [(&str, [usize; 2]); 2] = [("512x256", [32, 64]), ("1024x512", [64, 128])];
/// Numbers of threads.
const THREADS: [usize; 5] = [1, 2, 4, 8, 16];
/// The number of threads that kinds of operators are compared for.
const MANY: usize = 16;
/// Channels of the levels of the UNet.
const CHANNELS: [usize; 4] = [320, 640, 1280, 1280];
/// Layers of a level on the way down; on the way up there is one more.
const LAYERS: usize = 2;
/// Groups of a normalisation.
const GROUPS: usize = 32;
/// Tokens of a prompt, and their width.
const PROMPT: [usize; 2] = [77, 768];

/// Operations a second of one thread: what products reach with AVX-512.
const OPERATIONS: f64 = 100e9;
/// Bytes a second from outside of a core, of one thread and of all together.
const BYTES: f64 = 20e9;
const BYTES_OF_ALL: f64 = 200e9;
/// Seconds for which threads are woken and waited for in a region.
const BARRIER: f64 = 20e-6;

/// Calls of kernels, by the kinds that tables tell apart.
#[derive(Default)]
struct Evaluation {
    calls: Vec<(&'static str, Call)>,
    /// Operators that are left to ONNX Runtime: names and numbers of them.
    left: Vec<(&'static str, usize)>,
}

impl Evaluation {
    /// Returns what an evaluation of one latent calls, without injection.
    fn of([height, width]: [usize; 2]) -> Self {
        let mut all = Self::default();
        let size = |level: usize| [height >> level, width >> level];
        all.convolution(size(0), [4, CHANNELS[0]], None);
        let mut skipped = vec![CHANNELS[0]];
        let mut channels = CHANNELS[0];
        for (level, outputs) in CHANNELS.into_iter().enumerate() {
            for _ in 0..LAYERS {
                all.layer(size(level), [channels, outputs], level < 3);
                channels = outputs;
                skipped.push(channels);
            }
            if level < 3 {
                all.leave("convolution at stride 2", 1);
                skipped.push(channels);
            }
        }
        all.layer(size(3), [channels; 2], true);
        all.layer(size(3), [channels; 2], false);
        for (level, outputs) in CHANNELS.into_iter().enumerate().rev() {
            for _ in 0..=LAYERS {
                let inputs = channels + skipped.pop().unwrap_or(0);
                all.leave("concatenation", 1);
                all.layer(size(level), [inputs, outputs], level < 3);
                channels = outputs;
            }
            if level > 0 {
                all.convolution(size(level - 1), [channels; 2], None);
            }
        }
        all.convolution(size(0), [channels, 4], Some(GROUPS));
        all.leave("time embedding", 2);
        all
    }

    /// Adds a residual block, and a transformer if there is one.
    fn layer(&mut self, size: [usize; 2], [inputs, outputs]: [usize; 2], attends: bool) {
        self.convolution(size, [inputs, outputs], Some(GROUPS));
        self.convolution(size, [outputs; 2], Some(GROUPS));
        self.leave("time embedding", 2);
        let pixels = size[0] * size[1];
        if inputs != outputs {
            let call = Call::Pointwise {
                pixels,
                channels: [inputs, outputs],
                operands: Operands::Single,
            };
            self.call("pointwise", call);
        }
        if attends {
            self.transformer(pixels, outputs);
        }
    }

    fn transformer(&mut self, tokens: usize, channels: usize) {
        let heads = Heads::of(8, channels / 8);
        let linear = |tokens, inputs, outputs| Call::Linear {
            tokens,
            channels: [inputs, outputs],
        };
        let attention = |num_keys| Call::Attention {
            tokens: [tokens, num_keys],
            heads,
            summed: false,
        };
        let norm = Call::GroupNorm {
            pixels: tokens,
            channels,
            groups: GROUPS,
        };
        self.call("group norm", norm);
        self.leave("convolution of single pixels", 2);
        self.leave("transposition", 2);
        self.leave("layer norm", 3);
        for _ in 0..6 {
            self.call("linear", linear(tokens, channels, channels));
        }
        let [prompt, width] = PROMPT;
        for _ in 0..2 {
            self.call("linear", linear(prompt, width, channels));
            self.call("linear", linear(tokens, channels, 4 * channels));
        }
        self.call("linear", linear(tokens, 4 * channels, channels));
        let width = 4 * channels;
        self.call("gated GELU", Call::GatedGelu { tokens, width });
        self.call("attention", attention(tokens));
        self.call("attention", attention(prompt));
    }

    fn convolution(&mut self, size: [usize; 2], channels: [usize; 2], groups: Option<usize>) {
        if Convolution::pays(size[0], size[1]) {
            let call = Call::Convolution {
                size,
                channels,
                groups,
            };
            self.call("convolution", call);
        } else {
            self.leave("small convolution", 1);
            if groups.is_some() {
                let norm = Call::GroupNorm {
                    pixels: size[0] * size[1],
                    channels: channels[0],
                    groups: GROUPS,
                };
                self.call("group norm", norm);
            }
        }
    }

    fn call(&mut self, kind: &'static str, call: Call) {
        self.calls.push((kind, call));
    }

    fn leave(&mut self, kind: &'static str, num: usize) {
        match self.left.iter_mut().find(|(name, _)| *name == kind) {
            Some((_, all)) => *all += num,
            None => self.left.push((kind, num)),
        }
    }

    /// Returns the kinds of calls in the order of their operations, and the regions of each on some threads.
    fn by_kind(&self, num_threads: usize) -> Vec<(&'static str, Vec<Region>)> {
        let mut kinds: Vec<(&'static str, Vec<Region>)> = Vec::new();
        for (kind, call) in &self.calls {
            let regions = call.regions(num_threads);
            match kinds.iter_mut().find(|(name, _)| name == kind) {
                Some((_, all)) => all.extend(regions),
                None => kinds.push((kind, regions)),
            }
        }
        kinds.sort_by(|a, b| operations(&b.1).total_cmp(&operations(&a.1)));
        kinds
    }
}

fn operations(regions: &[Region]) -> f64 {
    regions.iter().map(Region::operations).sum()
}

/// Returns the seconds that some threads take for a region: each part computes, and reads and writes as fast as its share
/// of the memory is.
fn seconds(region: &Region, num_threads: usize) -> f64 {
    let bytes = BYTES.min(BYTES_OF_ALL / num_threads as f64);
    let time = |part: &Work| (part.operations / OPERATIONS).max(part.bytes / bytes);
    let barrier = if num_threads > 1 { BARRIER } else { 0.0 };
    region.time(num_threads, time) + barrier
}

fn main() {
    for (image, size) in SIZES {
        let evaluation = Evaluation::of(size);
        tell_kinds(image, &evaluation);
        tell_threads(&evaluation);
    }
    console::finish();
}

/// Prints what each kind of operator does on two threads.
fn tell_kinds(image: &str, evaluation: &Evaluation) {
    console::tell(format_args!(
        "{image}\n{:<14} {:>6} {:>8} {:>8} {:>12} {:>8} {:>12}",
        "operator", "calls", "regions", "GFLOP", "bytes/flop", "in few", "faster at 16"
    ));
    let (on_one, on_many) = (evaluation.by_kind(1), evaluation.by_kind(MANY));
    for (kind, regions) in evaluation.by_kind(2) {
        let calls = evaluation.calls.iter().filter(|(name, _)| *name == kind);
        let bytes: f64 = regions.iter().map(Region::bytes).sum();
        let all = operations(&regions);
        // What some of many threads have no part of.
        let of_kind = on_many.iter().filter(|(name, _)| *name == kind);
        let few: f64 = of_kind
            .flat_map(|(_, regions)| regions)
            .filter(|region| region.parts.len() < MANY)
            .map(Region::operations)
            .fold(0.0, |sum, of| sum + of);
        let took = |kinds: &[(&str, Vec<Region>)], num_threads: usize| -> f64 {
            let of_kind = kinds.iter().filter(|(name, _)| *name == kind);
            let regions = of_kind.flat_map(|(_, regions)| regions);
            regions.map(|region| seconds(region, num_threads)).sum()
        };
        console::tell(format_args!(
            "{kind:<14} {:>6} {:>8} {:>8.1} {:>12.3} {:>6.2} % {:>10.1} x",
            calls.count(),
            regions.len(),
            all / 1e9,
            bytes / all,
            100.0 * few / all,
            took(&on_one, 1) / took(&on_many, MANY)
        ));
    }
    let left: Vec<String> = evaluation
        .left
        .iter()
        .map(|(kind, num)| format!("{num} x {kind}"))
        .collect();
    console::tell(format_args!("left to ONNX Runtime: {}\n", left.join(", ")));
}

/// Prints what kernels take of an evaluation on some threads, computed and not measured.
fn tell_threads(evaluation: &Evaluation) {
    console::tell(format_args!(
        "{:>7} {:>8} {:>12} {:>12} {:>9}",
        "threads", "regions", "unevenness", "barriers", "faster"
    ));
    let took = |num_threads: usize| {
        let kinds = evaluation.by_kind(num_threads);
        let regions: Vec<Region> = kinds.into_iter().flat_map(|(_, regions)| regions).collect();
        let all: f64 = regions.iter().map(|one| seconds(one, num_threads)).sum();
        (regions, all)
    };
    let (_, alone) = took(1);
    for num_threads in THREADS {
        let (regions, all) = took(num_threads);
        let of_thread = |part: &Work| part.operations;
        let largest: f64 = regions
            .iter()
            .map(|region| region.time(num_threads, of_thread))
            .sum();
        let barriers = if num_threads > 1 {
            BARRIER * regions.len() as f64
        } else {
            0.0
        };
        console::tell(format_args!(
            "{num_threads:>7} {:>8} {:>12.3} {:>10.1} % {:>7.1} x",
            regions.len(),
            largest * num_threads as f64 / operations(&regions),
            100.0 * barriers / all,
            alone / all
        ));
    }
    console::tell(format_args!(""));
}
