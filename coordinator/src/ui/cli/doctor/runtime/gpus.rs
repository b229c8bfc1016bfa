//! The GPUs that NVIDIA's driver shows.

use std::fs;
use std::path::Path;

/// Where the driver has a folder for each GPU.
const FOLDER: &str = "/proc/driver/nvidia/gpus";

/// Returns their names, in the order of their places on the bus; none without the driver.
pub(super) fn of_driver() -> Vec<String> {
    below(Path::new(FOLDER))
}

fn below(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<_> = entries.map(|entry| entry.path()).collect();
    folders.sort();
    let model = |folder: &std::path::PathBuf| {
        let text = fs::read_to_string(folder.join("information")).ok()?;
        let model = text.lines().find_map(|line| line.strip_prefix("Model:"))?;
        Some(model.trim().to_owned())
    };
    folders.iter().filter_map(model).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_gpu_of_the_driver_is_named_in_the_order_of_the_bus() {
        let folder = tempfile::tempdir().unwrap();
        for (place, text) in [
            ("0000:b1:00.0", "Model: \t\t NVIDIA L4\nIRQ: 3\n"),
            ("0000:1b:00.0", "Model: \t\t NVIDIA H200\n"),
            ("0000:ff:00.0", "no model\n"),
        ] {
            let gpu = folder.path().join(place);
            fs::create_dir(&gpu).unwrap();
            fs::write(gpu.join("information"), text).unwrap();
        }
        assert_eq!(below(folder.path()), ["NVIDIA H200", "NVIDIA L4"]);
        assert_eq!(below(&folder.path().join("none")), [""; 0]);
    }
}
