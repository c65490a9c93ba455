//! Which writers have been gone for so long that their logs should be sealed. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use skald_model::{LogPosition, Writer};

/// Remembers since when writers are missing from the ring and their logs have not moved.
#[derive(Debug, Default)]
pub struct Absence {
    missing: BTreeMap<Writer, (Duration, u64)>,
}

impl Absence {
    /// Nobody is missing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where SEALs are due at `now` (monotonic): one past the head of each log whose writer has been
    /// outside of `present` for `patience` while its head stood still.
    ///
    /// `heads` are the unended logs with what is known of them. A wrong suspicion costs the writer a
    /// new log and nothing else.
    pub fn due(
        &mut self,
        now: Duration,
        present: &BTreeSet<Writer>,
        heads: &[(Writer, u64)],
        patience: Duration,
    ) -> Vec<LogPosition> {
        let before = std::mem::take(&mut self.missing);
        let mut due = Vec::new();
        for (writer, head) in heads.iter().filter(|(writer, _)| !present.contains(writer)) {
            let since = match before.get(writer) {
                Some(&(since, same)) if same == *head => since,
                _ => now,
            };
            if now.saturating_sub(since) >= patience {
                due.push(LogPosition { writer: writer.clone(), seq: head + 1 });
            }
            self.missing.insert(writer.clone(), (since, *head));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seals_only_still_logs_of_absent_writers() {
        let writer = Writer::new("w").expect("valid id");
        let mut absence = Absence::new();
        // seconds, in the ring, head, seal expected at
        let steps = [
            (0, false, 3, None),
            (9, false, 3, None),
            (10, false, 3, Some(4)),
            (11, false, 4, None),
            (20, false, 4, None),
            (21, false, 4, Some(5)),
            (22, true, 4, None),
            (23, false, 4, None),
            (33, false, 4, Some(5)),
        ];
        for (at, there, head, expect) in steps {
            let present = there.then(|| writer.clone()).into_iter().collect();
            let due =
                absence.due(Duration::from_secs(at), &present, &[(writer.clone(), head)], Duration::from_secs(10));
            assert_eq!(due.first().map(|position| position.seq), expect, "at {at}");
        }
    }
}
