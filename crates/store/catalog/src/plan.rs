//! What to fold next: a pure function of the tail.
//!
//! Folding waits until the tail is old or large enough, and then takes the oldest objects first,
//! whoever wrote them: copies of a row reach the bucket at about the same time, so that they meet in
//! one fold and become one row there.

use std::{collections::HashMap, time::Duration};

use skald_model::{CommitVector, Writer};

/// When a fold begins, and how much it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldPolicy {
    /// Fold once the oldest object of the tail has been known this long. Shorter: copies go sooner and
    /// queries read fewer objects; longer: fewer, larger segments.
    pub fold_age: Duration,
    /// Fold at once when the tail holds more stored bytes than this.
    pub fold_bytes: u64,
    /// One fold takes objects of at most this many stored bytes (at least one object): it bounds the
    /// memory of the job.
    pub job_bytes_max: u64,
    /// One fold takes at most this many objects: it bounds how many inputs are merged at once.
    pub job_objects_max: usize,
}

impl Default for FoldPolicy {
    fn default() -> Self {
        Self { fold_age: Duration::from_secs(300), fold_bytes: 4 << 30, job_bytes_max: 512 << 20, job_objects_max: 64 }
    }
}

/// One object of a tail without gaps, or the SEAL at its end (0 bytes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TailItem {
    /// Whose log.
    pub writer: Writer,
    /// Its place there.
    pub seq: u64,
    /// Stored bytes.
    pub bytes: u64,
    /// How long the planner's owner has known it.
    pub age: Duration,
}

/// Up to where the next fold takes each log, or `None` when there is nothing to do yet.
///
/// `tail` holds each log's objects above `consumed`, ascending and without gaps. With `now` the
/// policy's age and size are not waited for.
pub fn plan(tail: &[TailItem], now: bool, policy: &FoldPolicy) -> Option<CommitVector> {
    let oldest = tail.iter().map(|item| item.age).max()?;
    let bytes: u64 = tail.iter().map(|item| item.bytes).sum();
    if !now && oldest < policy.fold_age && bytes < policy.fold_bytes {
        return None;
    }
    let mut order = by_age(tail);
    // The sequence number decides within a log, so that a prefix of the order takes a prefix of each log.
    order.sort_by(|(a_age, a), (b_age, b)| b_age.cmp(a_age).then_with(|| (a.seq, &a.writer).cmp(&(b.seq, &b.writer))));
    let mut upto = CommitVector::new();
    let mut taken = 0;
    for (count, (_, item)) in order.into_iter().enumerate() {
        let full = count >= policy.job_objects_max || taken + item.bytes > policy.job_bytes_max;
        if count > 0 && full {
            break;
        }
        taken += item.bytes;
        upto.raise(&item.writer, item.seq);
    }
    Some(upto)
}

/// The items with ages that never rise within a log: an object is at least as old as those after it,
/// even when it was heard of later.
fn by_age(tail: &[TailItem]) -> Vec<(Duration, &TailItem)> {
    let mut oldest_after: HashMap<&Writer, Duration> = HashMap::new();
    let aged = tail.iter().rev().map(|item| {
        let age = oldest_after.entry(&item.writer).or_default();
        *age = item.age.max(*age);
        (*age, item)
    });
    aged.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `writer seq bytes age` separated by commas.
    fn tail(text: &str) -> Vec<TailItem> {
        let item = |words: &str| {
            let words: Vec<&str> = words.split_whitespace().collect();
            TailItem {
                writer: Writer::new(words[0]).expect("valid id"),
                seq: words[1].parse().expect("number"),
                bytes: words[2].parse().expect("number"),
                age: Duration::from_secs(words[3].parse().expect("number")),
            }
        };
        text.split(',').filter(|words| !words.trim().is_empty()).map(item).collect()
    }

    #[test]
    fn folds_old_or_large_tails_oldest_first() {
        let policy =
            FoldPolicy { fold_age: Duration::from_secs(10), fold_bytes: 100, job_bytes_max: 50, job_objects_max: 3 };
        // tail | forced | expected positions, "-" for no fold
        let cases = [
            ("", true, "-"),
            ("a 1 5 9", false, "-"),
            ("a 1 5 9", true, "a1"),
            ("a 1 5 10", false, "a1"),
            ("a 1 60 1, b 1 60 0", false, "a1"),
            ("a 1 20 12, b 1 20 11, c 1 20 1", false, "a1 b1"),
            ("a 1 1 12, a 2 1 8, b 1 1 11, b 2 1 7", false, "a2 b1"),
            ("a 1 1 2, a 2 1 12, b 1 1 5", false, "a2 b1"),
            ("a 1 99 12, b 1 1 12", false, "a1"),
            ("a 7 0 30", false, "a7"),
        ];
        for (input, forced, expect) in cases {
            let got = plan(&tail(input), forced, &policy);
            let text = got.map_or("-".to_owned(), |v| {
                v.iter().map(|(writer, seq)| format!("{writer}{seq}")).collect::<Vec<_>>().join(" ")
            });
            assert_eq!(text, expect, "{input} forced={forced}");
        }
    }
}
