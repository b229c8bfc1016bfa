//! The classes of SYNTHIA-RAND-CITYSCAPES.
//!
//! **Source:** the README of the dataset (Ros et al. 2016), for ids; DAFormer (Hoyer et al. 2022, arXiv:2111.14887), which
//! takes the 19 classes and ignores `void`, `Parking-slot`, `Road-work` and `Lanemarking`.

use shared::dataset::classes::UNKNOWN;

/// The train id of each class, in the order of their ids.
const TRAIN_IDS: [u8; 23] = [
    UNKNOWN, // void
    10,      // sky
    2,       // building
    0,       // road
    1,       // sidewalk
    4,       // fence
    8,       // vegetation
    5,       // pole
    13,      // car
    7,       // traffic sign
    11,      // pedestrian
    18,      // bicycle
    17,      // motorcycle
    UNKNOWN, // parking slot
    UNKNOWN, // road work
    6,       // traffic light
    9,       // terrain
    12,      // rider
    14,      // truck
    15,      // bus
    16,      // train
    3,       // wall
    UNKNOWN, // lane marking
];

/// Returns the train id of a class, [`UNKNOWN`] if it is none of the 19; none if SYNTHIA has no such class.
pub(super) fn train_id(id: u8) -> Option<u8> {
    TRAIN_IDS.get(usize::from(id)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::dataset::classes::NUM_CLASSES;

    #[test]
    fn every_class_of_cityscapes_is_one_of_synthia() {
        for train_id in 0..NUM_CLASSES as u8 {
            let found = TRAIN_IDS.iter().filter(|&&of| of == train_id);
            assert_eq!(found.count(), 1, "{train_id}");
        }
        assert_eq!(super::train_id(22), Some(UNKNOWN));
        assert_eq!(super::train_id(23), None);
    }
}
