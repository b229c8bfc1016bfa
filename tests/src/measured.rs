//! The time and memory of some work, for benchmarks.
#![expect(clippy::print_stdout, reason = "benchmarks print what they measure")]

use std::time::Instant;

/// Prints what the figures of [`measured`] are.
pub fn head() {
    println!("{:50} {:>10} {:>10}", "", "seconds", "peak MiB");
}

/// Does some work; prints its time and the most memory that the process held meanwhile.
///
/// # Panics
///
/// If the system has no `/proc`.
pub async fn measured<T>(what: &str, work: impl Future<Output = T>) -> T {
    // Writing 5 sets the kernel's record of the most memory back to what is held now.
    std::fs::write("/proc/self/clear_refs", "5").expect("a record that can be set back");
    let started = Instant::now();
    let outcome = work.await;
    let seconds = started.elapsed().as_secs_f64();
    println!("{what:50} {seconds:>10.1} {:>10.0}", peak_mib());
    outcome
}

fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let mut lines = status.lines();
    let peak = lines.find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.map(|peak| peak.trim().trim_end_matches(" kB").parse::<f64>());
    kib.expect("a record of the most memory")
        .expect("a number of KiB")
        / 1024.0
}
