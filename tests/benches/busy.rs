//! Processor seconds of a conversion beside a busy process that takes half of the machine, over those of one that is left
//! alone: what threads spend that wait for others which are not running. `make bench-busy`.
//!
//! With one thread none waits for another, so what a neighbour costs there is the machine's: caches and, of two threads of a core,
//! half of it. With all threads, what is above that is spent in waiting.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark tells what it measured, and ends where it cannot measure"
)]

use std::process::{Child, Command, Stdio};
use std::thread::available_parallelism;

use tests::images::Picture;
use tests::project::{Project, STYLES};
use tests::repository;

/// Each is measured so often, one after the other, and the least counts.
const ROUNDS: usize = 5;
const CONTENTS: usize = 2;
/// The golden content is 480x264, the demo's model is for 512x256.
const ENLARGED: u32 = 2;

/// A process that computes until it is dropped.
struct Neighbour(Child);

impl Neighbour {
    fn start() -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "while :; do :; done"]);
        Self(command.spawn().unwrap())
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn main() {
    let cores = available_parallelism().unwrap().get();
    let num_neighbours = cores.div_ceil(2);
    println!("processor seconds alone, and beside {num_neighbours} busy of {cores} cores");
    println!(
        "{:>7} {:>8} {:>8} {:>6}",
        "threads", "alone", "beside", "ratio"
    );
    let mut ratios = Vec::new();
    for threads in [1, cores] {
        let (mut alone, mut beside) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..ROUNDS {
            alone = alone.min(convert(threads));
            let neighbours = (0..num_neighbours).map(|_| Neighbour::start());
            let neighbours: Vec<Neighbour> = neighbours.collect();
            beside = beside.min(convert(threads));
            drop(neighbours);
        }
        let ratio = beside / alone;
        println!("{threads:>7} {alone:>6.1} s {beside:>6.1} s {ratio:>6.2}");
        ratios.push(ratio);
    }
    println!(
        "spent in waiting beside a busy neighbour: {:.1} %",
        100.0 * (ratios[1] / ratios[0] - 1.0)
    );
}

/// Returns the processor seconds of a conversion with the demo's model.
fn convert(threads: usize) -> f64 {
    let mut project = Project::empty();
    let enlarged = |picture: Picture| picture.enlarged(ENLARGED);
    for content in 1..=CONTENTS {
        project.add_content(&format!("{content:05}"), enlarged, enlarged);
    }
    project.add_style(STYLES[0], STYLES[0]);
    project.set(
        "model.path",
        repository("infra/demo/model").display().to_string(),
    );
    for (key, value) in [("steps", 50_i64), ("skip", 40)] {
        project.set(&format!("method.{key}"), value);
    }
    project.set("method.class_adain_steps", "3..8");
    project.set("engine.threads", i64::try_from(threads).unwrap());
    let before = seconds_of_children();
    let mut command = project.run_command();
    let ended = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(ended.unwrap().success(), "{}", project.settings().display());
    seconds_of_children() - before
}

/// Returns the processor seconds of this process's children that have ended and were waited for.
fn seconds_of_children() -> f64 {
    // Linux counts in hundredths for programs.
    const TICKS_A_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // Behind the program's name in parentheses, where anything may stand: in user and kernel, the 14th and 15th field.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields = fields.split_whitespace().skip(13).take(2);
    let ticks = fields.map(|field| field.parse::<f64>().unwrap());
    ticks.sum::<f64>() / TICKS_A_SECOND
}
