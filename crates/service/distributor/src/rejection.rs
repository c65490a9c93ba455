//! What a push is refused for: the reason label of the metrics and the text for the client.

use std::fmt::Write;

/// The `reason` label of `loki_discarded_samples_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Reason {
    MissingLabels,
    InvalidLabels,
    MaxLabelNames,
    LabelNameTooLong,
    LabelValueTooLong,
    DuplicateLabelNames,
    MissingEnforcedLabels,
    LineTooLong,
    TooOld,
    TooFarInFuture,
    MetadataDisallowed,
    MetadataTooLarge,
    MetadataTooMany,
    RateLimited,
    PerStreamRateLimit,
    Blocked,
    BodyTooLarge,
}

impl Reason {
    /// Loki's text for the label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::MissingLabels => "missing_labels",
            Self::InvalidLabels => "invalid_labels",
            Self::MaxLabelNames => "max_label_names_per_series",
            Self::LabelNameTooLong => "label_name_too_long",
            Self::LabelValueTooLong => "label_value_too_long",
            Self::DuplicateLabelNames => "duplicate_label_names",
            Self::MissingEnforcedLabels => "missing_enforced_labels",
            Self::LineTooLong => "line_too_long",
            Self::TooOld => "greater_than_max_sample_age",
            Self::TooFarInFuture => "too_far_in_future",
            Self::MetadataDisallowed => "disallowed_structured_metadata",
            Self::MetadataTooLarge => "structured_metadata_too_large",
            Self::MetadataTooMany => "structured_metadata_too_many",
            Self::RateLimited => "rate_limited",
            Self::PerStreamRateLimit => "per_stream_rate_limit",
            Self::Blocked => "blocked_ingestion",
            Self::BodyTooLarge => "request_body_too_large",
        }
    }
}

/// Why a stream or an entry was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    reason: Reason,
    text: String,
}

impl Rejection {
    pub(crate) fn new(reason: Reason, text: String) -> Self {
        Self { reason, text }
    }

    /// The text for the client.
    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// Texts of different problems that an answer lists; the rest is counted.
const TEXTS_MAX: usize = 10;

/// Everything that was refused in one push.
#[derive(Debug, Default)]
pub(crate) struct Rejections {
    texts: Vec<(String, usize)>,
    /// Reason, entries, bytes.
    counts: Vec<(Reason, u64, u64)>,
    more: usize,
}

impl Rejections {
    /// Notes that `entries` with `bytes` were refused for one reason.
    pub(crate) fn add(&mut self, rejection: Rejection, entries: u64, bytes: u64) {
        match self.counts.iter_mut().find(|(reason, ..)| *reason == rejection.reason) {
            Some(count) => {
                count.1 += entries;
                count.2 += bytes;
            }
            None => self.counts.push((rejection.reason, entries, bytes)),
        }
        if let Some((_, count)) = self.texts.iter_mut().find(|(text, _)| *text == rejection.text) {
            *count += 1;
        } else if self.texts.len() < TEXTS_MAX {
            self.texts.push((rejection.text, 1));
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Reason, entries and bytes refused for it.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (Reason, u64, u64)> {
        self.counts.iter().copied()
    }

    /// One text for the client.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        for (text, count) in &self.texts {
            if !out.is_empty() {
                out.push('\n');
            }
            let _ = match count {
                1 => write!(out, "{text}"),
                _ => write!(out, "{count} errors like: {text}"),
            };
        }
        if self.more > 0 {
            let _ = write!(out, "\nand {} more errors", self.more);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_counted_and_many_are_cut() {
        let mut all = Rejections::default();
        all.add(Rejection::new(Reason::LineTooLong, "a".into()), 1, 10);
        all.add(Rejection::new(Reason::LineTooLong, "a".into()), 1, 5);
        for i in 0..11 {
            all.add(Rejection::new(Reason::TooOld, format!("old {i}")), 1, 1);
        }
        assert!(all.text().starts_with("2 errors like: a\nold 0\n"));
        assert!(all.text().ends_with("\nold 8\nand 2 more errors"));
        assert_eq!(all.counts().collect::<Vec<_>>(), [(Reason::LineTooLong, 2, 15), (Reason::TooOld, 11, 11)]);
    }
}
