//! The tags and colours of CARLA's semantic camera.
//!
//! Marks of lanes are road, as in Cityscapes. Up to 0.9.13 there is one tag for all vehicles, which is taken as cars.
//!
//! **Source:** CARLA's `ObjectLabel.h` and `CityScapesPalette.h`, and its reference of sensors, for 0.9.13 and from 0.9.14
//! on.

use shared::dataset::classes::{NUM_CLASSES, UNKNOWN, train_id_of_colour as of_cityscapes};

/// The tag of marks on a road from 0.9.14 on.
const ROAD_LINES: u8 = 24;
/// The last tag, of rocks.
const LAST_TAG: u8 = 29;
const ROAD: u8 = 0;

/// The train id of each tag up to 0.9.13, in the order of the tags.
const OLD_TRAIN_IDS: [u8; 23] = [
    UNKNOWN, // unlabelled
    2,       // building
    4,       // fence
    UNKNOWN, // other
    11,      // pedestrian
    5,       // pole
    ROAD,    // road line
    ROAD,    // road
    1,       // sidewalk
    8,       // vegetation
    13,      // vehicles
    3,       // wall
    7,       // traffic sign
    10,      // sky
    UNKNOWN, // ground
    UNKNOWN, // bridge
    UNKNOWN, // rail track
    UNKNOWN, // guard rail
    6,       // traffic light
    UNKNOWN, // static
    UNKNOWN, // dynamic
    UNKNOWN, // water
    9,       // terrain
];

/// Colours of the palette, of any version, that are none of Cityscapes' classes, with their train ids.
const OTHER_COLOURS: [([u8; 3], u8); 14] = [
    ([157, 234, 50], ROAD),     // road line
    ([100, 40, 40], 4),         // fence, up to 0.9.13
    ([145, 170, 100], 9),       // terrain, up to 0.9.13
    ([0, 0, 0], UNKNOWN),       // unlabelled
    ([110, 190, 160], UNKNOWN), // static
    ([170, 120, 50], UNKNOWN),  // dynamic
    ([55, 90, 80], UNKNOWN),    // other
    ([250, 170, 160], UNKNOWN), // other, in old versions
    ([45, 60, 150], UNKNOWN),   // water
    ([81, 0, 81], UNKNOWN),     // ground
    ([150, 100, 100], UNKNOWN), // bridge
    ([230, 150, 140], UNKNOWN), // rail track
    ([180, 165, 180], UNKNOWN), // guard rail
    ([180, 130, 70], UNKNOWN),  // rock
];

/// Returns the train id of a tag from 0.9.14 on, [`UNKNOWN`] if it is none of the 19 classes; none if there is no such tag.
pub(super) fn train_id(tag: u8) -> Option<u8> {
    match tag {
        0 => Some(UNKNOWN),
        // The classes, in Cityscapes' order.
        tag if usize::from(tag) <= NUM_CLASSES => Some(tag - 1),
        ROAD_LINES => Some(ROAD),
        tag if tag <= LAST_TAG => Some(UNKNOWN),
        _ => None,
    }
}

/// Returns the train id of a tag up to 0.9.13, as [`train_id`].
pub(super) fn train_id_of_old(tag: u8) -> Option<u8> {
    OLD_TRAIN_IDS.get(usize::from(tag)).copied()
}

/// Returns the train id of a colour of the palette, [`UNKNOWN`] if it is none of the 19 classes; none if it has no such
/// colour.
pub(super) fn train_id_of_colour(colour: [u8; 3]) -> Option<u8> {
    let train_id = of_cityscapes(colour);
    if train_id != UNKNOWN {
        return Some(train_id);
    }
    let mut others = OTHER_COLOURS.iter();
    others.find_map(|(other, train_id)| (*other == colour).then_some(*train_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The colours from 0.9.14 on, in the order of the tags.
    const COLOURS: [[u8; 3]; 30] = [
        [0, 0, 0],
        [128, 64, 128],
        [244, 35, 232],
        [70, 70, 70],
        [102, 102, 156],
        [190, 153, 153],
        [153, 153, 153],
        [250, 170, 30],
        [220, 220, 0],
        [107, 142, 35],
        [152, 251, 152],
        [70, 130, 180],
        [220, 20, 60],
        [255, 0, 0],
        [0, 0, 142],
        [0, 0, 70],
        [0, 60, 100],
        [0, 80, 100],
        [0, 0, 230],
        [119, 11, 32],
        [110, 190, 160],
        [170, 120, 50],
        [55, 90, 80],
        [45, 60, 150],
        [157, 234, 50],
        [81, 0, 81],
        [150, 100, 100],
        [230, 150, 140],
        [180, 165, 180],
        [180, 130, 70],
    ];

    #[test]
    fn each_tag_has_a_colour_that_shows_the_same() {
        for (tag, colour) in (0..).zip(COLOURS) {
            assert_eq!(train_id_of_colour(colour), train_id(tag), "tag {tag}");
        }
    }

    #[test]
    fn tags_and_colours_of_a_class_agree_between_versions() {
        let road = [Some(ROAD); 2];
        assert_eq!([1, 24].map(train_id), road);
        assert_eq!([7, 6].map(train_id_of_old), road);
        assert_eq!(
            [[128, 64, 128], [157, 234, 50]].map(train_id_of_colour),
            road
        );
        // Sky, pedestrian, car and traffic light.
        let expected = [10, 11, 13, 6].map(Some);
        assert_eq!([11, 12, 14, 7].map(train_id), expected);
        assert_eq!([13, 4, 10, 18].map(train_id_of_old), expected);
        assert_eq!(
            [19, 20, 28, 29].map(train_id),
            [18, UNKNOWN, UNKNOWN, UNKNOWN].map(Some)
        );
        assert_eq!(train_id(30), None);
        assert_eq!(train_id_of_old(23), None);
        assert_eq!(train_id_of_colour([81, 0, 81]), Some(UNKNOWN));
        assert_eq!(train_id_of_colour([1, 0, 0]), None);
    }
}
