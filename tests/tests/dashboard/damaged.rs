//! A run with a shard that cannot be read: everything else about it is shown, and the shard with what helps.

use std::fs;

use tests::project::Project;
use tests::service::Service;

use super::{HTML, get, wait_for_run};

#[test]
fn one_damaged_shard_closes_no_page_of_its_run() {
    let mut project = Project::new(3, 1);
    project.set("shards.contents", 1);
    let _ = project.run().exits(0);
    let shard = project.stored("shards/000001.parquet");
    let whole = fs::read(&shard).unwrap();
    // Cut, and with one flipped bit, which leaves it as long as it was.
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [&whole[..100], &flipped] {
        fs::write(&shard, damaged).unwrap();
        let service = Service::serve(&project.path("out"), &[]);
        wait_for_run(&service, "small", &[]);
        for page in ["", "/resume", "/cancel", "/losses", "/report"] {
            let answer = get(&service, &format!("/runs/small{page}"), &[HTML]);
            assert!(answer.status < 500, "{page}: {answer:?}");
        }
        for number in 0..3 {
            let page = format!("/runs/small/shards/{number:06}");
            let answer = get(&service, &page, &[HTML]);
            assert_eq!(answer.status, 200, "{page}: {answer:?}");
            let told = answer.body.contains("shards/000001.parquet is damaged");
            assert_eq!(told, number == 1, "{page}: {answer:?}");
        }
        if damaged.len() < whole.len() {
            let answer = get(&service, "/runs/small", &[HTML]);
            assert!(answer.body.contains("Damaged"), "{answer:?}");
        }
    }
}
