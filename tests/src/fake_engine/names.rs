//! What becomes of contents and styles, by how their names begin.

/// Contents whose names begin so are quarantined, until they are mended.
pub const BAD: &str = "bad";

/// Contents whose names begin so are quarantined as missing, until they are mended.
pub const GONE: &str = "gone";

/// Contents whose names begin so cannot be read while they are away.
pub const AWAY: &str = "away";

/// Contents whose names begin so fail at every attempt.
pub const CURSED: &str = "cursed";

/// Contents whose names begin so are never finished.
pub const HANGING: &str = "hanging";

/// Contents whose names begin so show that nothing works here.
pub const FATAL: &str = "fatal";

/// Contents whose names begin so may not be stored, as other objects may.
pub const DENIED: &str = "denied";

/// Contents and styles whose names begin so give numbers that are not finite, and their items are quarantined.
pub const BROKEN: &str = "broken";

/// Outputs in styles whose names begin so have numbers that are not finite, and are quarantined.
pub const OVERFLOWING: &str = "overflowing";

/// Outputs of contents whose names begin so are given no figures by networks.
pub const UNJUDGED: &str = "unjudged";

/// Outputs of contents whose names begin so are judged by a segmenter, which takes an eighth of them for another class.
pub const SEGMENTED: &str = "segmented";

/// Outputs of contents whose names begin so have no similarity that is a number.
pub const UNCERTAIN: &str = "uncertain";
