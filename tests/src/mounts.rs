//! Mounts of a test's own: a process that has them ends with them, however it ends.

use std::process::Command;

use crate::program::Outcome;
use crate::promised;

/// How to be permitted to mount.
pub const HOW: &str = "infra/setup/mounts.sh says what this machine lacks";

/// Set where a test runs in such a process.
const IS_WITHIN: &str = "SYNTH2REAL_TEST_HAS_OWN_MOUNTS";

/// Mounts what a process would serve, and serves nothing.
const TRIAL: &str =
    "exec 3<>/dev/fuse && mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 trial /tmp";

/// Runs the body of the test of this name in a process that may mount what it serves itself.
///
/// # Panics
///
/// If the body does, or if such mounts are promised and not permitted.
pub fn served(test: &str, body: impl FnOnce()) {
    if std::env::var_os(IS_WITHIN).is_some() {
        return body();
    }
    let permitted = own(Command::new("sh").args(["-c", TRIAL])).output();
    let permitted = permitted.is_ok_and(|output| output.status.success());
    let what = "permission to mount what a process serves (/dev/fuse)";
    if promised::or_left_out(what, HOW, permitted.then_some(())).is_some() {
        run_again(test);
    }
}

/// Runs a test of this program by its name, with mounts of its own.
#[expect(
    clippy::print_stdout,
    reason = "what the test says belongs to this one"
)]
fn run_again(test: &str) {
    let program = std::env::current_exe().expect("a test knows where it is");
    let mut again = own(Command::new(program).args([test, "--exact", "--nocapture"]));
    let outcome = Outcome::of(again.env(IS_WITHIN, "1"));
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert!(
        outcome.stdout.contains("1 passed"),
        "no such test: {outcome}"
    );
    println!("{}", outcome.stdout);
}

/// Returns a command that runs another one with mounts of its own.
fn own(command: &Command) -> Command {
    let mut own = Command::new("unshare");
    own.args(["--mount", "--map-root-user"]);
    own.arg(command.get_program()).args(command.get_args());
    own
}
