//! Shards and manifests that are damaged, or of another run: named by every command.

use std::fs;

use corpus::files::parquet::contradicting;
use shared::manifest::{self, ManifestRow};
use tests::project::Project;

use super::fixture::six_shards;

/// Proves that a damaged shard is shown beside everything else.
fn is_told(project: &Project, words: &[&str]) {
    for command in ["status", "report"] {
        let outcome = project.about_run(&[command]).exits(1);
        for words in words.iter().chain(&["damaged: "]) {
            assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
        }
    }
}

#[test]
fn a_shard_record_of_another_shard_is_damage_that_every_command_names() {
    let project = six_shards();
    let _ = project.run().exits(0);
    let shard = |number: usize| project.stored(&format!("shards/{number:06}.parquet"));
    fs::copy(shard(1), shard(2)).unwrap();
    let words = [
        "shards/000002.parquet holds other rows than it must",
        "rows of shard 000001",
        "remove it and run again",
    ];
    project.run().exits(3).complains_about(&words);
    // Of the same size it is read by whoever counts it for the first time.
    fs::remove_file(project.stored("tally.json")).unwrap();
    is_told(&project, &words);
    let audit = project.about_run(&["audit"]).exits(1);
    assert!(audit.stdout.contains(words[0]), "{audit}");
    fs::remove_file(shard(2)).unwrap();
    let again = project.run().exits(0);
    assert!(again.stdout.contains("6 of 6 images done"), "{again}");

    fs::copy(shard(1), shard(99)).unwrap();
    let status = project.about_run(&["status"]).exits(0);
    for words in ["6 of 6 items done", "6 of 6 shards committed"] {
        assert!(status.stdout.contains(words), "{status}");
    }
    let _ = project.about_run(&["report"]).exits(0);
    let audit = project.about_run(&["audit"]).exits(1);
    let stray = "shards/000099.parquet belongs to no shard that was planned";
    assert!(audit.stdout.contains(stray), "{audit}");
}

#[test]
fn a_shard_of_a_run_with_another_seed_is_damage_that_every_command_names() {
    let mut other = Project::new(2, 1);
    other.set("method.seed", 7);
    let _ = other.run().exits(0);
    let project = Project::new(2, 1);
    let _ = project.run().exits(0);
    let shard = project.stored("shards/000000.parquet");
    fs::copy(other.stored("shards/000000.parquet"), &shard).unwrap();
    fs::remove_file(project.stored("tally.json")).unwrap();
    let words = [
        "shards/000000.parquet holds other rows than it must",
        "rows of another run of this name, with seed \"7\", expected \"42\"",
        "remove it and run again",
    ];
    is_told(&project, &words);
    let json = project.about_run(&["status", "--json"]).exits(1).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["done"], 0);
    assert_eq!(json["complete"], false);
    let audit = project.about_run(&["audit"]).exits(1);
    assert!(audit.stdout.contains(words[0]), "{audit}");
    project.run().exits(3).complains_about(&words);
    fs::remove_file(&shard).unwrap();
    let again = project.run().exits(0);
    assert!(again.stdout.contains("2 of 2 images done"), "{again}");
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn an_audit_finds_a_manifest_that_is_gone_cut_or_of_other_rows() {
    let project = Project::new(2, 1);
    let _ = project.run().exits(0);
    let path = project.stored("manifest.parquet");
    let finds = |words: &str| {
        let audit = project.about_run(&["audit"]).exits(1);
        let words = format!("manifest.parquet {words}");
        assert!(audit.stdout.contains(&words), "no {words:?}: {audit}");
        assert!(audit.stdout.contains("run again"), "{audit}");
        assert!(audit.stdout.contains("; 1 finding\n"), "{audit}");
        let _ = project.run().exits(0);
        let _ = project.about_run(&["audit"]).exits(0);
    };
    fs::remove_file(&path).unwrap();
    finds("is missing");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    finds("cannot be read");
    let changes: [fn(&mut Vec<ManifestRow>); 2] =
        [|rows| rows.truncate(1), |rows| rows[0].attempt += 1];
    for change in changes {
        let mut rows = project.rows();
        change(&mut rows);
        fs::write(&path, manifest::write(rows).unwrap()).unwrap();
        finds("has other rows than the shards");
    }
}

#[test]
fn a_shard_that_is_cut_after_it_was_counted_is_named_and_no_figures_are_made_of_it() {
    let project = Project::new(2, 1);
    let _ = project.run().exits(0);
    let shard = project.stored("shards/000000.parquet");
    let bytes = fs::read(&shard).unwrap();
    fs::write(&shard, &bytes[..100]).unwrap();
    let words = [
        "shards/000000.parquet is damaged",
        "remove it and run again",
    ];
    is_told(&project, &words);
    let status = project.about_run(&["status", "--json"]).exits(1).stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["done"], 0);
    assert_eq!(status["shards_committed"], 0);
    assert_eq!(status["complete"], false);
    let told = status["damaged"]["0"].as_str().unwrap();
    assert!(told.contains(words[0]), "{told}");
    let resume = project.about_run(&["resume"]).exits(1);
    for words in words.iter().chain(&["nothing to do again"]) {
        assert!(resume.stdout.contains(words), "no {words:?}: {resume}");
    }
    assert!(shard.exists(), "nothing is removed");
    project.run().exits(3).complains_about(&words);
    let audit = project.about_run(&["audit"]).exits(1);
    assert!(audit.stdout.contains(words[0]), "{audit}");
    fs::remove_file(&shard).unwrap();
    let _ = project.run().exits(0);
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_damaged_shard_that_is_put_right_with_its_own_bytes_is_whole_again() {
    let project = six_shards();
    let _ = project.run().exits(0);
    let shard = project.stored("shards/000002.parquet");
    let whole = fs::read(&shard).unwrap();
    fs::write(&shard, &whole[..100]).unwrap();
    is_told(&project, &["shards/000002.parquet is damaged"]);
    fs::write(&shard, whole).unwrap();
    let status = project.about_run(&["status"]).exits(0);
    assert!(status.stdout.contains("small is complete"), "{status}");
    let report = project.about_run(&["report"]).exits(0);
    assert!(!report.stdout.contains("damaged: "), "{report}");
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_shard_over_which_its_decoder_panics_is_damaged_and_no_panic_is_told() {
    let project = Project::new(2, 1);
    let _ = project.run().exits(0);
    let shard = project.stored("shards/000000.parquet");
    fs::write(&shard, contradicting()).unwrap();
    let words = [
        "shards/000000.parquet is damaged",
        "it contradicts itself",
        "remove it and run again",
    ];
    for command in ["status", "audit", "resume"] {
        let outcome = project.about_run(&[command]).exits(1);
        assert_eq!(outcome.stderr, "", "{command}");
        for words in words {
            assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
        }
    }
    project.run().exits(3).complains_about(&words);
    fs::remove_file(&shard).unwrap();
    let _ = project.run().exits(0);
}
