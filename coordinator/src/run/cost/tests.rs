//! Costs of styles, contents and outputs are told apart, and hours and money come of them.

use super::*;

/// Outputs are contents at a step, and nothing reads styles at five.
const EACH: Evaluations = Evaluations {
    style: 15,
    content: 20,
    output: 19,
};

/// Two contents with three outputs each, whose three styles were recorded.
fn counts() -> Counts {
    Counts {
        done: 6,
        converted: 6,
        busy_ms: 2.0 * 1000.0 + 6.0 * 3000.0,
        content_ms: 2.0 * 1000.0,
        style_ms: 3.0 * 500.0,
        unet_evaluations: (2 * EACH.content + 6 * EACH.output + 3 * EACH.style) as f64,
        style_evaluations: (3 * EACH.style) as f64,
        ..Counts::default()
    }
}

fn shard(id: u32, contents: usize, styles: &[usize]) -> Shard {
    Shard {
        id: ShardId(id),
        contents: (0..contents).collect(),
        styles: styles.to_vec(),
    }
}

#[test]
fn a_style_a_content_and_an_output_have_each_the_time_that_they_took() {
    let costs = UnitCosts::of(&counts(), EACH).unwrap();
    assert_eq!(
        (costs.style_ms, costs.content_ms, costs.output_ms),
        (500.0, 1000.0, 3000.0)
    );
    // An image of one style costs more than one of three, which share their content.
    let one = costs.ms_of(Workload::of_shard(&shard(0, 1, &[0])));
    let three = costs.ms_of(Workload::of_shard(&shard(0, 1, &[0, 1, 2])));
    assert_eq!((one, three / 3.0), (4000.0, 10_000.0 / 3.0));
}

#[test]
fn of_counts_that_are_no_times_nothing_is_known() {
    assert_eq!(UnitCosts::of(&Counts::default(), EACH), None);
    for busy_ms in [-1.0, f64::NAN, f64::INFINITY] {
        let counts = Counts {
            busy_ms,
            ..counts()
        };
        assert_eq!(UnitCosts::of(&counts, EACH), None, "{busy_ms}");
    }
    let nothing = Evaluations { content: 0, ..EACH };
    assert_eq!(UnitCosts::of(&counts(), nothing), None);
}

#[test]
fn where_the_time_of_contents_was_not_measured_of_all_images_they_take_all_of_it() {
    let some = Counts {
        unmeasured: 1,
        ..counts()
    };
    let none = Counts {
        unmeasured: 6,
        content_ms: 0.0,
        style_ms: 0.0,
        ..counts()
    };
    for counts in [some, none] {
        let costs = UnitCosts::of(&counts, EACH).unwrap();
        assert_eq!((costs.style_ms, costs.content_ms), (0.0, 0.0));
        assert_eq!(costs.output_ms, counts.busy_ms / 6.0);
    }
}

#[test]
fn where_nothing_is_evaluated_all_images_take_the_mean() {
    let costs = UnitCosts::of(&counts(), Evaluations::default()).unwrap();
    assert_eq!((costs.style_ms, costs.content_ms), (0.0, 0.0));
    assert_eq!(costs.output_ms, counts().busy_ms / 6.0);
    assert_eq!(
        UnitCosts::of(&Counts::default(), Evaluations::default()),
        None
    );
}

#[test]
fn some_items_of_a_shard_are_a_part_of_its_contents() {
    let shard = shard(0, 4, &[0, 1]);
    let half = Workload::of_items(&shard, 4);
    assert_eq!((half.contents, half.outputs), (2.0, 4.0));
    assert_eq!(
        Workload::of_items(&shard, usize::MAX),
        Workload::of_shard(&shard)
    );
    let left = Workload::of_shard(&shard).without(half).without(half);
    assert_eq!(left, Workload::default());
    assert_eq!(left.without(half), Workload::default());
}

#[test]
fn hours_are_told_with_their_money_and_of_a_run_that_has_ended_without_those_to_come() {
    let hour = Counts {
        busy_ms: 12.0 * MS_PER_HOUR,
        style_ms: 0.3 * MS_PER_HOUR,
        ..counts()
    };
    let price = DevicePrice {
        per_device_hour: 2.5,
        currency: "EUR".to_owned(),
    };
    let ended = DeviceHours::of(&hour, Workload::default(), EACH);
    assert_eq!(ended.told(None), "12.3 device-hours");
    assert_eq!(ended.told(Some(&price)), "12.3 device-hours; 30.75 EUR");
    let under_way = DeviceHours {
        to_come: Some(4.5),
        ..ended
    };
    assert_eq!(
        under_way.told(Some(&price)),
        "12.3 device-hours so far, 4.50 to come; 30.75 EUR so far, 11.25 EUR to come"
    );
    let work = Workload::of_shard(&shard(0, 1, &[0]));
    let begun = DeviceHours::of(&Counts::default(), work, EACH);
    assert_eq!(begun.told(None), "0.00 device-hours so far");
}
