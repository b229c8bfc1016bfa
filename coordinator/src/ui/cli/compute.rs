//! What a command needs that computes runs in this process, beside what [`setup`](super::setup) proves.

use shared::location::Location;
use shared::settings::RunConfig;
use shared::storage::scratch;

use super::CliError;
use crate::run::inventory::Inventory;

/// Proves that a run's results, and what does not fit into memory, have room on the disk.
pub(super) fn check(config: &RunConfig, inventory: &Inventory) -> Result<(), CliError> {
    check_space(&config.root, inventory)?;
    scratch::check(&config.engine.cache_dir).map_err(CliError::environment)
}

/// Refuses a run that a full disk would stop. A photographic PNG takes up to three bytes a pixel.
fn check_space(root: &Location, inventory: &Inventory) -> Result<(), CliError> {
    let Location::Folder(root) = root else {
        return Ok(());
    };
    let model = &inventory.contract.model;
    let Ok(available) = fs4::available_space(root) else {
        return Ok(());
    };
    let per_item = (model.width * model.height * 3) as u64;
    let needed = per_item.saturating_mul(inventory.plan.num_items() as u64) / 2;
    if available < per_item {
        return Err(CliError::Environment(format!(
            "{} has {available} bytes left and an image takes up to {per_item}: free some space",
            root.display()
        )));
    }
    if available < needed {
        tracing::warn!(root = %root.display(), available, needed, "the run may not fit on the disk");
    }
    Ok(())
}
