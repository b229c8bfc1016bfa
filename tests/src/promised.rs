//! What tests need beside the programs. `make test` promises that it is there: what is missing then fails the test, and
//! elsewhere leaves it out with a line that says so.

/// Set to `1` by `make test`.
pub const PROMISED: &str = "SYNTH2REAL_TESTS_PROMISED";

/// Returns what a test needs; none, after a printed line, if it is missing and nothing is promised.
///
/// `how` says how to get it.
///
/// # Panics
///
/// If it is missing though it is promised.
#[must_use]
pub fn or_left_out<T>(what: &str, how: &str, found: Option<T>) -> Option<T> {
    let promised = std::env::var(PROMISED).is_ok_and(|value| value == "1");
    if found.is_none() {
        left_out(promised, what, how);
    }
    found
}

#[expect(clippy::print_stdout, reason = "a test that is left out says so")]
fn left_out(promised: bool, what: &str, how: &str) {
    assert!(
        !promised,
        "{what} is missing, which this test needs: {how} ({PROMISED}=1 promises that it is there)"
    );
    println!("left out, for {what} is missing: {how}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_handed_on() {
        assert_eq!(or_left_out("a number", "count", Some(3)), Some(3));
    }

    #[test]
    fn what_is_missing_leaves_a_test_out_where_nothing_is_promised() {
        left_out(false, "a number", "count");
    }

    #[test]
    #[should_panic(expected = "a number is missing, which this test needs: count")]
    fn what_is_missing_fails_a_test_where_it_is_promised() {
        left_out(true, "a number", "count");
    }
}
