//! One entry of a push: checked against the tenant's limits and given its metadata.

use std::borrow::Cow;

use skald_limits::Limits;
use skald_model::{Labels, Timestamp};
use skald_wire::push::{PushEntry, PushStream};

use crate::{
    labels::normalise_name,
    level::{DETECTED_LEVEL, LevelDetector},
    rejection::{Reason, Rejection},
};

/// What all entries of one stream are checked with.
pub(crate) struct EntryRules<'l> {
    limits: &'l Limits,
    oldest: Timestamp,
    newest: Timestamp,
    levels: Option<LevelDetector<'l>>,
    /// The level that the stream's own labels name; then no line is looked at.
    stream_level: Option<String>,
    labels: &'l Labels,
}

/// The metadata of the entry in hand; reused from entry to entry.
pub(crate) type Metadata<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

impl<'l> EntryRules<'l> {
    /// Rules for entries of the stream `labels` that arrive at `now`.
    pub(crate) fn new(limits: &'l Limits, labels: &'l Labels, now: Timestamp) -> Self {
        let oldest = match limits.reject_old_samples {
            true => now.saturating_sub(limits.reject_old_samples_max_age.as_nanos()),
            false => Timestamp::MIN,
        };
        let newest = now.saturating_add(limits.creation_grace_period.as_nanos());
        let wanted = limits.discover_log_levels && limits.allow_structured_metadata;
        let levels = wanted.then(|| LevelDetector::new(&limits.log_level_fields));
        let stream_level = levels.as_ref().and_then(|d| d.of_pairs(|name| labels.get(name))).map(str::to_owned);
        Self { limits, oldest, newest, levels, stream_level, labels }
    }

    /// Checks `entry` and fills `metadata` with its pairs and its level. The line that is returned is
    /// shorter than the entry's where the limits say that long lines are cut.
    ///
    /// # Errors
    /// The first rule that the entry breaks.
    pub(crate) fn admit<'a>(
        &self,
        stream: &PushStream<'a>,
        entry: &'a PushEntry<'a>,
        metadata: &mut Metadata<'a>,
    ) -> Result<&'a [u8], Rejection> {
        self.check_time(entry.timestamp)?;
        let line = self.check_line(&entry.line)?;
        metadata.clear();
        for (name, value) in stream.metadata_of(entry) {
            let name = match normalise_name(name) {
                Cow::Owned(normalised) => Cow::Owned(normalised),
                Cow::Borrowed(_) => name.clone(),
            };
            metadata.push((name, value.clone()));
        }
        self.check_metadata(metadata)?;
        if let Some(detector) = &self.levels
            && !metadata.iter().any(|(name, _)| name == DETECTED_LEVEL)
        {
            let level = match &self.stream_level {
                Some(level) => Cow::Owned(level.clone()),
                None => level_of(detector, metadata, line),
            };
            metadata.push((Cow::Borrowed(DETECTED_LEVEL), level));
        }
        Ok(line)
    }

    fn check_time(&self, timestamp: Timestamp) -> Result<(), Rejection> {
        let stream = self.labels;
        if timestamp < self.oldest {
            let (at, oldest) = (rfc3339(timestamp), rfc3339(self.oldest));
            let text = format!(
                "entry for stream '{stream}' has timestamp too old: {at}, oldest acceptable timestamp is: {oldest}"
            );
            return Err(Rejection::new(Reason::TooOld, text));
        }
        if timestamp > self.newest {
            let text = format!("entry for stream '{stream}' has timestamp too new: {}", rfc3339(timestamp));
            return Err(Rejection::new(Reason::TooFarInFuture, text));
        }
        Ok(())
    }

    fn check_line<'a>(&self, line: &'a [u8]) -> Result<&'a [u8], Rejection> {
        let max = self.limits.max_line_size.as_usize();
        if max == 0 || line.len() <= max {
            return Ok(line);
        }
        if self.limits.max_line_size_truncate {
            return Ok(cut_at_character(line, max));
        }
        let (stream, len) = (self.labels, line.len());
        let text = format!(
            "max entry size '{max}' bytes exceeded for stream '{stream}' while adding an entry with length '{len}' bytes"
        );
        Err(Rejection::new(Reason::LineTooLong, text))
    }

    fn check_metadata(&self, metadata: &Metadata<'_>) -> Result<(), Rejection> {
        if metadata.is_empty() {
            return Ok(());
        }
        let stream = self.labels;
        if !self.limits.allow_structured_metadata {
            let text = format!(
                "stream '{stream}' includes structured metadata, but this feature is disallowed. Please see `limits_config.allow_structured_metadata` or contact your Skald administrator to enable it."
            );
            return Err(Rejection::new(Reason::MetadataDisallowed, text));
        }
        let bytes: usize = metadata.iter().map(|(n, v)| n.len() + v.len()).sum();
        let bytes_max = self.limits.max_structured_metadata_size.as_usize();
        if bytes_max > 0 && bytes > bytes_max {
            let text = format!(
                "stream '{stream}' has structured metadata too large: '{bytes}' bytes, limit: '{bytes_max}' bytes. Please see `limits_config.max_structured_metadata_size` or contact your Skald administrator to increase it."
            );
            return Err(Rejection::new(Reason::MetadataTooLarge, text));
        }
        let (count, count_max) = (metadata.len(), self.limits.max_structured_metadata_entries_count as usize);
        if count_max > 0 && count > count_max {
            let text = format!(
                "stream '{stream}' has too many structured metadata labels: '{count}', limit: '{count_max}'. Please see `limits_config.max_structured_metadata_entries_count` or contact your Skald administrator to increase it."
            );
            return Err(Rejection::new(Reason::MetadataTooMany, text));
        }
        Ok(())
    }
}

fn level_of<'a>(detector: &LevelDetector<'_>, metadata: &Metadata<'_>, line: &[u8]) -> Cow<'a, str> {
    let get = |name: &str| metadata.iter().find(|(n, _)| n == name).map(|(_, v)| &**v);
    match detector.of_pairs(get) {
        Some(level) => Cow::Owned(level.to_owned()),
        None => Cow::Borrowed(detector.of_line(line)),
    }
}

/// The first `max` bytes of `line`, less where that would cut a UTF-8 character in two.
fn cut_at_character(line: &[u8], max: usize) -> &[u8] {
    let mut end = max;
    while end > 0 && max - end < 3 && line[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    &line[..end]
}

/// RFC 3339 in UTC, to the second.
fn rfc3339(timestamp: Timestamp) -> String {
    let seconds = timestamp.as_nanos().div_euclid(1_000_000_000);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| timestamp.to_string(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use skald_limits::{ByteSize, Period};

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000_000_000);

    fn limits() -> Limits {
        Limits {
            max_line_size: ByteSize(8),
            max_structured_metadata_size: ByteSize(20),
            max_structured_metadata_entries_count: 2,
            reject_old_samples_max_age: Period::hours(1),
            creation_grace_period: Period::minutes(10),
            ..Limits::default()
        }
    }

    fn outcome(limits: &Limits, at: i64, line: &str, pairs: &[(&str, &str)]) -> String {
        let labels = Labels::from_pairs([("app", "x")]);
        let entry = PushEntry {
            timestamp: NOW.saturating_add(at * 1_000_000_000),
            line: Cow::Borrowed(line.as_bytes()),
            metadata: 0..pairs.len() as u32,
        };
        let metadata = pairs.iter().map(|&(n, v)| (Cow::Borrowed(n), Cow::Borrowed(v))).collect();
        let stream = PushStream { metadata, ..PushStream::default() };
        let mut out = Vec::new();
        match EntryRules::new(limits, &labels, NOW).admit(&stream, &entry, &mut out) {
            Ok(line) => {
                let pairs: Vec<_> = out.iter().map(|(n, v)| format!("{n}={v}")).collect();
                format!("{} {}", String::from_utf8_lossy(line), pairs.join(","))
            }
            Err(rejection) => rejection.text().to_owned(),
        }
    }

    #[test]
    fn entries() {
        let base = limits();
        let cut = Limits { max_line_size_truncate: true, ..limits() };
        let plain = Limits { allow_structured_metadata: false, ..limits() };
        type Case<'a> = (&'a Limits, i64, &'a str, &'a [(&'a str, &'a str)], &'a str);
        let cases: &[Case<'_>] = &[
            (&base, 0, "ok", &[], "ok detected_level=unknown"),
            (&base, 0, "ok", &[("a.b", "c"), ("Level", "ERR")], "ok a_b=c,Level=ERR,detected_level=error"),
            (
                &base,
                0,
                "123456789",
                &[],
                r#"max entry size '8' bytes exceeded for stream '{app="x"}' while adding an entry with length '9' bytes"#,
            ),
            (&cut, 0, "123456789", &[], "12345678 detected_level=unknown"),
            (&cut, 0, "1234567é", &[], "1234567 detected_level=unknown"),
            (
                &base,
                -3601,
                "x",
                &[],
                r#"entry for stream '{app="x"}' has timestamp too old: 2023-11-14T21:13:19Z, oldest acceptable timestamp is: 2023-11-14T21:13:20Z"#,
            ),
            (&base, 601, "x", &[], r#"entry for stream '{app="x"}' has timestamp too new: 2023-11-14T22:23:21Z"#),
            (&plain, 0, "x", &[], "x "),
        ];
        for (limits, at, line, pairs, expect) in cases {
            assert_eq!(outcome(limits, *at, line, pairs), *expect);
        }
        for (limits, pairs, part) in [
            (&plain, &[("a", "b")][..], "includes structured metadata, but this feature is disallowed"),
            (
                &base,
                &[("a", "12345678901234567890")],
                "has structured metadata too large: '21' bytes, limit: '20' bytes",
            ),
            (&base, &[("a", "1"), ("b", "2"), ("c", "3")], "has too many structured metadata labels: '3', limit: '2'"),
        ] {
            let text = outcome(limits, 0, "x", pairs);
            assert!(text.contains(part), "{text}");
        }
    }
}
