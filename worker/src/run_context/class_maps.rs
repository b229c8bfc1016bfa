//! The network that makes class maps of a run's styles without labels, as an attempt uses it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use engine::InputSize;
use engine::prior_network::{PriorNetwork, Priors};
use engine::segmentation_network::SegmentationNetwork;
use ndarray::{Array2, Array3};
use shared::model::ImageSize;
use shared::network::{PRIOR_FILE, SEGMENTER_FILE};
use shared::run_record::RunRecord;
use shared::settings::{ClassMapSource, EngineConfig};

use super::RunContextError;
use super::networks::Wanted;
use crate::attempt::{AttemptError, ClassMapper};

/// Loads what makes class maps, and proves that it is what the run was planned with; nothing of a run that needs none. Images
/// and maps of the model are of `size`.
///
/// # Errors
///
/// [`RunContextError`] if it cannot be reached, cannot be used, or is another one.
pub async fn load(
    run: &RunRecord,
    size: ImageSize,
    config: &EngineConfig,
) -> Result<Option<Arc<dyn ClassMapper>>, RunContextError> {
    let Some(planned) = &run.frozen.class_maps else {
        return Ok(None);
    };
    let at = run.inputs.class_maps.as_ref();
    let at = Some(at.ok_or(RunContextError::NoClassMaps(planned.by.setting()))?);
    let input = InputSize {
        width: size.width,
        height: size.height,
    };
    let sha256 = Some(planned.sha256.as_str());
    let network = match planned.by {
        ClassMapSource::Prior => {
            let wanted = Wanted {
                at,
                planned: sha256,
                file: PRIOR_FILE,
                load: |folder, _, config, size| PriorNetwork::load(folder, config, size),
                contract: |network: &PriorNetwork| &network.contract,
            };
            let network = wanted.open(config, input).await?;
            network.map(|network| ClassMapNetwork {
                image_size: network.image_size(),
                network: Arc::new(Mutex::new(Network::Prior(Box::new(Priors::new(network))))),
                map_size: (size.height, size.width),
                num_learnt: Arc::default(),
            })
        }
        ClassMapSource::Segmenter => {
            let wanted = Wanted {
                at,
                planned: sha256,
                file: SEGMENTER_FILE,
                load: |folder, _, config, size| SegmentationNetwork::load(folder, config, size),
                contract: |network: &SegmentationNetwork| &network.contract,
            };
            let network = wanted.open(config, input).await?;
            network.map(|network| ClassMapNetwork {
                image_size: size,
                network: Arc::new(Mutex::new(Network::Segmenter(Box::new(network)))),
                map_size: (size.height, size.width),
                num_learnt: Arc::default(),
            })
        }
    };
    Ok(network.map(|network| Arc::new(network) as Arc<dyn ClassMapper>))
}

/// A network, whichever it is.
enum Network {
    Prior(Box<Priors>),
    Segmenter(Box<SegmentationNetwork>),
}

/// A network that maps classes one image at a time, away from the threads that wait for the network.
struct ClassMapNetwork {
    network: Arc<Mutex<Network>>,
    /// The size of the images that it takes.
    image_size: ImageSize,
    /// Height and width of maps.
    map_size: (usize, usize),
    num_learnt: Arc<AtomicUsize>,
}

impl ClassMapNetwork {
    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Network) -> T + Send + 'static,
    ) -> T {
        let (network, span) = (Arc::clone(&self.network), tracing::Span::current());
        shared::blocking::run(move || {
            let _in_span = span.entered();
            // Sums of a prototype are added once its features are there: what panicked before has added none.
            work(&mut network.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .await
    }
}

#[async_trait]
impl ClassMapper for ClassMapNetwork {
    fn image_size(&self) -> ImageSize {
        self.image_size
    }

    fn num_learnt(&self) -> usize {
        self.num_learnt.load(Ordering::Relaxed)
    }

    async fn learn(&self, image: Array3<u8>, labels: Array2<u8>) -> Result<(), AttemptError> {
        let num_learnt = Arc::clone(&self.num_learnt);
        let learn = move |network: &mut Network| -> Result<(), AttemptError> {
            match network {
                Network::Prior(priors) => {
                    priors.learn(image.view(), labels.view())?;
                    num_learnt.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                }
                // It knows what classes look like.
                Network::Segmenter(_) => Ok(()),
            }
        };
        self.call(learn).await
    }

    async fn map(&self, image: Array3<u8>) -> Result<Array2<u8>, AttemptError> {
        let size = self.map_size;
        let map = move |network: &mut Network| -> Result<Array2<u8>, AttemptError> {
            match network {
                Network::Prior(priors) => Ok(priors.map(image.view(), size)?),
                Network::Segmenter(segmenter) => {
                    let train_ids = segmenter.predict(image.view())?;
                    let train_ids = Array2::from_shape_vec(size, train_ids);
                    Ok(train_ids.expect("each pixel has a class"))
                }
            }
        };
        self.call(map).await
    }
}
