//! `run.toml`, `worker.toml` and `--set`.

use super::Row;
use crate::read::Reads;

const RUN: &str = "[run]\nname = 'demo'\nroot = 'out'\n[content]\nroot = 'gta5'\nlayout = 'gta5'\n[style]\nroot = 'style'\n[model]\npath = 'model'\n";
const WORKER: &str = "root = 'out'\n[broker]\nurl = 'amqp://127.0.0.1'\n";

/// Returns the smallest settings with something put in place of a part of them.
fn but(settings: &str, part: &str, other: &str) -> Vec<u8> {
    assert!(settings.contains(part), "{part}");
    settings.replacen(part, other, 1).into_bytes()
}

fn and(settings: &str, more: &str) -> Vec<u8> {
    format!("{settings}{more}\n").into_bytes()
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = file_rows("run.toml", Reads::RunSettings, RUN);
    rows.extend(file_rows("worker.toml", Reads::WorkerSettings, WORKER));
    rows.extend(run_rows());
    rows.extend(range_rows());
    rows.extend(value_rows());
    rows.extend(worker_rows());
    rows.extend(override_rows());
    rows
}

/// What can be the matter with any settings file.
fn file_rows(name: &str, reads: Reads, settings: &str) -> Vec<Row> {
    let read = |what: &str, bytes| Row::read(format!("{name} {what}"), reads, bytes);
    let refused = |what: &str, bytes| {
        Row::refused(format!("{name} {what}"), reads, bytes).says(&["settings.toml"])
    };
    vec![
        read("at its smallest", settings.into()),
        read(
            "with the line ends of Windows",
            settings.replace('\n', "\r\n").into_bytes(),
        ),
        read(
            "with a byte order mark",
            [b"\xef\xbb\xbf", settings.as_bytes()].concat(),
        ),
        refused("of no bytes", Vec::new()),
        refused(
            "that is no UTF-8",
            [settings.as_bytes(), b"# \xff\n"].concat(),
        )
        .says(&["UTF-8"]),
        refused(
            "in UTF-16",
            settings.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ),
        refused("with an unknown key", and(settings, "[later]\nkey = 1")).says(&["later"]),
        refused(
            "with a table twice",
            [settings, settings].concat().into_bytes(),
        ),
        refused(
            "that is nested without end",
            and(settings, &format!("[x]\nx = {}", "[".repeat(100_000))),
        ),
        refused(
            "with tables that are nested without end",
            and(settings, &format!("[{}x]", "x.".repeat(100_000))),
        ),
        refused("that is JSON", b"{\"run\": {}}".to_vec()),
        refused(
            "with a number beyond all",
            and(settings, "[x]\nx = 99999999999999999999"),
        ),
    ]
}

fn refused_run(what: &str, bytes: Vec<u8>) -> Row {
    Row::refused(format!("run.toml with {what}"), Reads::RunSettings, bytes)
}

/// Names, roots, layouts and globs.
fn run_rows() -> Vec<Row> {
    vec![
        refused_run("a name that is a path", but(RUN, "'demo'", "'../demo'")).says(&["run.name"]),
        refused_run("a name in capitals", but(RUN, "'demo'", "'Demo'")).says(&["run.name", "Demo"]),
        refused_run("no name", but(RUN, "name = 'demo'", "")).says(&["name"]),
        refused_run(
            "a name of 65 letters",
            but(RUN, "'demo'", &format!("'{}'", "a".repeat(65))),
        )
        .says(&["run.name"]),
        refused_run(
            "a root in another cloud",
            but(RUN, "'out'", "'gs://bucket/x'"),
        )
        .says(&["run.root", "gs"]),
        refused_run("a root of no bucket", but(RUN, "'out'", "'s3://'"))
            .says(&["run.root", "bucket"]),
        refused_run("an empty root", but(RUN, "'out'", "''")).says(&["run.root"]),
        refused_run(
            "a root of another user",
            but(RUN, "'out'", "'~someone/out'"),
        )
        .says(&["run.root", "~someone"]),
        refused_run(
            "a root of a variable that is not set",
            but(RUN, "'out'", "'${NO_SUCH_VARIABLE_OF_SYNTH2REAL}/out'"),
        )
        .says(&["run.root", "NO_SUCH_VARIABLE_OF_SYNTH2REAL"]),
        refused_run(
            "an unknown layout",
            but(RUN, "layout = 'gta5'", "layout = 'kitti'"),
        )
        .says(&["kitti", "cityscapes"]),
        refused_run(
            "a glob that is none",
            but(RUN, "[model]", "include = ['[']\n[model]"),
        )
        .says(&["style.include"]),
        refused_run(
            "an empty glob",
            but(RUN, "[model]", "include = ['']\n[model]"),
        )
        .says(&["style.include"]),
        refused_run(
            "shards of a million items",
            and(RUN, "[shards]\ncontents = 10000\nstyles = 100"),
        )
        .says(&["shards.contents (10000)", "shards.styles (100)"]),
        refused_run(
            "a split of GTA5",
            but(RUN, "[style]", "split = 'val'\n[style]"),
        )
        .says(&["split"]),
        refused_run(
            "a password in the broker's scheme",
            and(RUN, "[broker]\nurl = 'http://user:s3cret@host'"),
        )
        .says(&["broker.url"]),
    ]
}

fn range_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for range in [
        "0..=3",
        "5..=4",
        "1..3",
        "1..=18446744073709551616",
        "-1..=3",
        "x",
        "",
    ] {
        let more = format!("range = '{range}'\n[style]");
        rows.push(
            refused_run(&format!("range {range:?}"), but(RUN, "[style]", &more))
                .says(&["content.range"]),
        );
    }
    rows
}

/// Tables, keys, and values that are beyond their bounds or of another type.
const VALUES: &[(&str, &str, &[&str])] = &[
    (
        "method",
        "steps",
        &[
            "0",
            "1001",
            "-1",
            "18446744073709551615",
            "'50'",
            "1.5",
            "nan",
        ],
    ),
    ("method", "skip", &["50", "-1", "18446744073709551615"]),
    ("method", "seed", &["-1", "'x'"]),
    (
        "method",
        "contrast_strength",
        &["0.0", "-1.0", "nan", "inf", "-inf", "1e300"],
    ),
    ("method", "filter_fraction", &["-0.1", "1.1", "nan", "inf"]),
    (
        "method",
        "threshold_lambda",
        &["-0.1", "1e300", "nan", "inf"],
    ),
    ("method", "confidence_threshold", &["-0.1", "1.1", "nan"]),
    ("method", "adain_scale", &["-0.1", "1e300", "nan"]),
    ("method", "width", &["0", "15", "8193", "-1"]),
    ("method", "height", &["0", "8193", "18446744073709551615"]),
    ("method", "beta", &["-0.1", "0.6", "nan", "inf"]),
    ("method", "use_voting", &["1", "'yes'"]),
    (
        "method",
        "injected_steps",
        &["''", "'5..3'", "'a'", "'18446744073709551615'", "'-1..'"],
    ),
    (
        "method",
        "class_adain_steps",
        &[
            "'1,,2'",
            "'..,'",
            "'18446744073709551615..18446744073709551615'",
        ],
    ),
    ("method", "method", &["'magic'", "1"]),
    ("method", "preset", &["'mine'"]),
    (
        "pairing",
        "contents_per_style",
        &["0", "-1", "18446744073709551615"],
    ),
    ("pairing", "mode", &["'best'"]),
    (
        "shards",
        "contents",
        &["0", "18446744073709551615", "4294967296", "-4"],
    ),
    (
        "shards",
        "styles",
        &["0", "18446744073709551615", "4294967296"],
    ),
    ("limits", "max_attempts", &["0", "11", "4294967296", "-1"]),
    ("limits", "max_failed", &["-0.1", "1.1", "nan", "inf"]),
    ("engine", "threads", &["2000", "18446744073709551615", "-1"]),
    (
        "engine",
        "device",
        &["'gpu'", "'cuda:-1'", "'cuda:4294967296'", "'cuda:99999'"],
    ),
    (
        "engine",
        "style_bank_max_bytes",
        &["-1", "9223372036854775807"],
    ),
    ("quality", "reference", &["'photographs'", "1"]),
    ("broker", "namespace", &["''", "'a b'"]),
    ("broker", "alarm_patience_seconds", &["-1", "604801"]),
];

fn value_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for &(table, key, values) in VALUES {
        for value in values {
            // Statistics are compared with features, and a namespace is one of a broker.
            let beside = match table {
                "quality" => "features = 'f'\n",
                "broker" => "url = 'amqp://h'\n",
                _ => "",
            };
            let more = format!("[{table}]\n{beside}{key} = {value}");
            rows.push(
                refused_run(&format!("{table}.{key} of {value}"), and(RUN, &more)).says(&[key]),
            );
        }
    }
    rows
}

fn worker_rows() -> Vec<Row> {
    let refused = |what: &str, bytes: Vec<u8>| {
        Row::refused(
            format!("worker.toml with {what}"),
            Reads::WorkerSettings,
            bytes,
        )
    };
    let mut rows = vec![
        refused("no broker", b"root = 'out'\n".to_vec()).says(&["broker.url"]),
        refused(
            "a device that is none",
            but(WORKER, "[broker]", "device = 'gpu'\n[broker]"),
        )
        .says(&["device (gpu)"]),
        refused(
            "2000 threads",
            but(WORKER, "[broker]", "threads = 2000\n[broker]"),
        )
        .says(&["threads (2000)"]),
        refused(
            "a name of 256 letters",
            but(
                WORKER,
                "[broker]",
                &format!("name = '{}'\n[broker]", "w".repeat(256)),
            ),
        )
        .says(&["name"]),
        refused(
            "an address that is none",
            but(WORKER, "[broker]", "metrics = '9464'\n[broker]"),
        )
        .says(&["metrics (9464)"]),
    ];
    for (key, values) in [
        ("times_usual", &["1", "nan", "inf", "-1", "1e300"][..]),
        ("min_seconds", &["0", "-1", "nan", "inf", "1e300"]),
        ("first_seconds", &["0", "-1", "nan", "inf", "1e19"]),
    ] {
        for value in values {
            let more = format!("[watchdog]\n{key} = {value}");
            rows.push(refused(&format!("{key} of {value}"), and(WORKER, &more)).says(&[key]));
        }
    }
    for (key, value) in [
        ("cache_max_bytes", "-1"),
        ("style_bank_max_bytes", "99999999999999999999"),
        ("style_bank_device_max_bytes", "'8 GiB'"),
        ("device_max_bytes", "0"),
        ("injection", "'triton'"),
        ("injection", "'fused'"),
    ] {
        let more = format!("{key} = {value}\n[broker]");
        rows.push(
            refused(&format!("{key} of {value}"), but(WORKER, "[broker]", &more)).says(&[key]),
        );
    }
    rows
}

fn override_rows() -> Vec<Row> {
    let read = |arguments: &str| {
        Row::read(
            format!("--set {}", arguments.escape_default()),
            Reads::Overrides,
            arguments.into(),
        )
    };
    let mut rows = vec![
        read("steps=4\nskip=2"),
        read("injected_steps=3"),
        read("injected_steps=0,2.."),
        read("contrast_strength=2"),
        read("method=fda\nbeta=0.05\nwidth=256\nheight=128"),
        read("method=identity"),
        read("method=translator\nseed=7"),
    ];
    for (arguments, word) in [
        ("steps", "steps"),
        ("=4", "=4"),
        ("steps=", "steps"),
        ("stepz=4", "stepz"),
        ("steps=0", "steps"),
        ("steps=18446744073709551616", "steps"),
        ("contrast_strength=nan", "contrast_strength"),
        ("contrast_strength=inf", "contrast_strength"),
        ("filter_fraction=1e400", "filter_fraction"),
        ("injected_steps=18446744073709551615", "injected_steps"),
        ("injected_steps=5..3", "5..3"),
        ("method=\u{0}", "method"),
    ] {
        let name = format!("--set {}", arguments.escape_default());
        rows.push(Row::refused(name, Reads::Overrides, arguments.into()).says(&[word]));
    }
    rows
}
