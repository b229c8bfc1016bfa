//! What a label shows, in a few numbers for each class.

use imaging::LabelIds;
use shared::dataset::classes::NUM_CLASSES;

/// What is told of each class of a label, by its train id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::output::export) struct LabelFacts([ClassFacts; NUM_CLASSES]);

/// What is told of the pixels of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClassFacts {
    pub(super) pixels: u64,
    /// The outermost of them.
    left: u32,
    top: u32,
    right: u32,
    bottom: u32,
}

/// What holds of no pixels.
const NOTHING: ClassFacts = ClassFacts {
    pixels: 0,
    left: u32::MAX,
    top: u32::MAX,
    right: 0,
    bottom: 0,
};

impl ClassFacts {
    /// Returns left, top, width and height of the box around its pixels.
    pub(super) fn bounding_box(&self) -> [u32; 4] {
        let side = |from: u32, to: u32| to.saturating_sub(from).saturating_add(1);
        [
            self.left,
            self.top,
            side(self.left, self.right),
            side(self.top, self.bottom),
        ]
    }
}

impl LabelFacts {
    /// Returns what a label shows.
    pub(in crate::output::export) fn of(label: &LabelIds) -> Self {
        let mut classes = [NOTHING; NUM_CLASSES];
        for ((y, x), &train_id) in label.train_ids.indexed_iter() {
            let Some(class) = classes.get_mut(usize::from(train_id)) else {
                continue;
            };
            let (x, y) = (x as u32, y as u32);
            class.pixels += 1;
            class.left = class.left.min(x);
            class.top = class.top.min(y);
            class.right = class.right.max(x);
            class.bottom = class.bottom.max(y);
        }
        Self(classes)
    }

    /// Returns the classes that it shows, by their train ids.
    pub(super) fn shown(&self) -> impl Iterator<Item = (usize, &ClassFacts)> {
        let classes = self.0.iter().enumerate();
        classes.filter(|(_, class)| class.pixels > 0)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use ndarray::array;

    use super::*;

    /// Returns what a label of 4 x 2 pixels shows: road, and a car of two pixels.
    pub(in crate::output::export::format) fn facts() -> LabelFacts {
        let label = LabelIds {
            label_ids: array![[0, 26, 0, 0], [7, 26, 7, 7]],
            train_ids: array![[255, 13, 255, 255], [0, 13, 0, 0]],
        };
        LabelFacts::of(&label)
    }

    #[test]
    fn the_pixels_of_each_class_are_counted_and_boxed() {
        let facts = facts();
        let shown: Vec<_> = facts
            .shown()
            .map(|(train_id, class)| (train_id, class.pixels, class.bounding_box()))
            .collect();
        assert_eq!(shown, [(0, 3, [0, 1, 4, 1]), (13, 2, [1, 0, 1, 2])]);
    }
}
