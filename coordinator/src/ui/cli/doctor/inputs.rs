//! What a settings file names beside a storage root and a broker: datasets and model.

use shared::failure::chain;
use shared::settings::RunConfig;
use shared::wording::{counted, first_of};

use super::finding::Finding;
use super::{answer, no_answer};
use crate::run::inventory::Inventory;

const INPUTS: &str = "inputs";
const HELPS: &str = "put it right in the settings file, or mount what is away";

/// Returns what is found of datasets and model, as a run is planned with them; nothing without a settings file.
pub(super) async fn check(config: Option<&RunConfig>) -> Vec<Finding> {
    let Some(config) = config else {
        return Vec::new();
    };
    let found = match answer(Inventory::take(config)).await {
        None => no_answer(INPUTS, "where they lie", HELPS),
        Some(Err(error)) => Finding::missing(INPUTS, chain(&error), HELPS),
        Some(Ok(inventory)) => told(&inventory),
    };
    vec![found]
}

fn told(inventory: &Inventory) -> Finding {
    let (plan, frozen) = (&inventory.plan, &inventory.frozen);
    let maker = match &inventory.contract {
        Some(contract) => contract.name().to_owned(),
        None => frozen.method.method().to_string(),
    };
    let [contents, styles, items] = [plan.contents.len(), plan.styles.len(), plan.num_items()];
    let left_out = match inventory.left_out.as_slice() {
        [] => String::new(),
        lines => format!("; {}", first_of(lines, "; ")),
    };
    let found = format!(
        "{}, {}, {}; {maker} at {}x{}{left_out}",
        counted(contents, "content", "contents"),
        counted(styles, "style", "styles"),
        counted(items, "item", "items"),
        frozen.model.width,
        frozen.model.height
    );
    Finding::ok(INPUTS, found)
        .with("contents", contents)
        .with("styles", styles)
        .with("items", items)
}
