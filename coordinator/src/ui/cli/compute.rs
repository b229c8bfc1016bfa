//! What a command needs that computes runs in this process, beside what [`setup`](super::setup) proves.

use shared::location::Location;
use shared::settings::RunConfig;
use shared::storage::scratch;

use super::CliError;
use crate::run::inventory::Inventory;

/// Images that a run is still to store.
#[derive(Debug, Clone, Copy)]
pub(super) struct Images {
    pub(super) num: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Images {
    /// Returns all that are planned.
    pub(super) fn of(inventory: &Inventory) -> Self {
        let model = &inventory.frozen.model;
        Self {
            num: inventory.plan.num_items(),
            width: model.width,
            height: model.height,
        }
    }

    /// Returns the most bytes that one of them takes: three a pixel in a PNG of a photograph.
    fn max_bytes(self) -> u64 {
        (self.width * self.height * 3) as u64
    }

    /// Returns how many bytes all of them take, as pictures mostly are.
    fn usual_bytes(self) -> u64 {
        self.max_bytes().saturating_mul(self.num as u64) / 2
    }
}

/// Proves that a run's results, and what does not fit into memory, have room on the disk.
pub(super) fn check(config: &RunConfig, inventory: &Inventory) -> Result<(), CliError> {
    check_all(config, &[Images::of(inventory)])
}

/// Proves the same of several runs on one device with one storage root, which keeps the images of all.
pub(super) fn check_all(config: &RunConfig, images: &[Images]) -> Result<(), CliError> {
    check_space(&config.root, images)?;
    scratch::check(&config.engine.cache_dir).map_err(CliError::environment)
}

/// Refuses runs that a full disk would stop at once, and warns of one that may become full.
fn check_space(root: &Location, images: &[Images]) -> Result<(), CliError> {
    let Location::Folder(root) = root else {
        return Ok(());
    };
    let Ok(available) = fs4::available_space(root) else {
        return Ok(());
    };
    let (largest, needed) = room(images);
    if available < largest {
        return Err(CliError::Environment(format!(
            "{} has {available} bytes left and an image takes up to {largest}: free some space",
            root.display()
        )));
    }
    if available < needed {
        tracing::warn!(root = %root.display(), available, needed, "the run may not fit on the disk");
    }
    Ok(())
}

/// Returns how many bytes the largest image takes at most, and how many all of them take.
fn room(images: &[Images]) -> (u64, u64) {
    let images = images.iter().filter(|images| images.num > 0);
    let largest = images.clone().map(|images| images.max_bytes()).max();
    let all = images.map(|images| images.usual_bytes());
    (largest.unwrap_or(0), all.fold(0, u64::saturating_add))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_asked_for_the_images_of_all_runs_that_are_not_there_yet() {
        let images = |num, width| Images {
            num,
            width,
            height: 100,
        };
        assert_eq!(room(&[images(10, 200)]), (60_000, 300_000));
        let several = [images(10, 200), images(4, 100), images(0, 1_000)];
        assert_eq!(room(&several), (60_000, 300_000 + 60_000));
        assert_eq!(room(&[images(0, 200)]), (0, 0));
        assert_eq!(room(&[images(usize::MAX, 200); 3]).1, u64::MAX);
    }
}
