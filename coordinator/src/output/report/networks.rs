//! The networks that judged a run's outputs, as its report names them.

use shared::item_metric::{ItemMetric, PerMetric};
use shared::location::Location;
use shared::network::{FEATURES_FILE, NetworkContract, SEGMENTER_FILE};
use shared::run_record::RunRecord;

use super::NetworkReport;
use super::stored::UNKNOWN;

/// The networks of a run, each none if the run has none of the kind.
pub(super) struct Networks {
    /// Whose features FID and KID compare.
    pub(super) extractor: Option<NetworkReport>,
    /// Those that give metrics.
    pub(super) of_metrics: PerMetric<Option<NetworkReport>>,
    /// What predicts classes.
    pub(super) segmenter: Option<NetworkReport>,
}

impl Networks {
    /// Returns the networks of a run, from their contracts.
    pub(super) async fn of(record: &RunRecord) -> Self {
        let (quality, evaluators) = (&record.quality, &record.frozen.evaluators);
        let extractor = Planned {
            at: quality.features.as_ref(),
            contract: FEATURES_FILE,
            sha256: evaluators.features.as_deref(),
        };
        let segmenter = Planned {
            at: quality.segmenter.as_ref(),
            contract: SEGMENTER_FILE,
            sha256: evaluators.segmenter.as_deref(),
        };
        let mut of_metrics = PerMetric::default();
        for metric in ItemMetric::ALL {
            let Some(network) = metric.network() else {
                continue;
            };
            let network = Planned {
                at: quality.network_of(metric),
                contract: network.contract,
                sha256: evaluators.of_metric(metric),
            };
            of_metrics[metric] = network.found().await;
        }
        Self {
            extractor: extractor.found().await,
            of_metrics,
            segmenter: segmenter.found().await,
        }
    }
}

/// A network as a run speaks of it.
struct Planned<'a> {
    at: Option<&'a Location>,
    /// The name of its contract's file.
    contract: &'static str,
    /// SHA-256 of its contract when the run was planned.
    sha256: Option<&'a str>,
}

impl Planned<'_> {
    /// Returns what it is, from its contract; the digest that the run was planned with goes before what lies there.
    async fn found(self) -> Option<NetworkReport> {
        let planned = self.sha256?.to_owned();
        match NetworkContract::open(self.at?, self.contract).await {
            Ok(contract) if contract.sha256 == planned => Some(NetworkReport {
                published: contract.network.is_published(self.contract),
                name: contract.network.name,
                sha256: planned,
                resize: contract.network.resize.map(|resize| resize.to_string()),
            }),
            Ok(_) | Err(_) => Some(NetworkReport {
                name: UNKNOWN.to_owned(),
                sha256: planned,
                resize: None,
                published: false,
            }),
        }
    }
}
