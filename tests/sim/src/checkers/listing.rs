//! NoListInSteadyState: only starting processes list.

use super::Violation;

/// LISTs of one start: the newest root, and the writers.
const LISTS_PER_START: u64 = 2;

/// `lists` requests were made by `starts` processes.
pub(super) fn check(lists: u64, starts: u64) -> Result<(), Violation> {
    // A start whose listing the bucket refused tries again within the same process.
    let most = starts * LISTS_PER_START * 2;
    if lists <= most {
        return Ok(());
    }
    Err(Violation { invariant: "NoListInSteadyState", detail: format!("{lists} LISTs by {starts} starts") })
}
