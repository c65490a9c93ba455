//! An object in words, for people: what it holds and which column takes how many bytes.

use std::{collections::BTreeMap, fmt};

use skald_model::Timestamp;

use crate::{
    codec, column,
    directory::{CommitInfo, Directory},
    entry::{Level, SectionEntry},
    index::SectionIndex,
    page::Column,
};

/// What one column of a section, or its index region, takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnShare {
    /// The column, with the key of a metadata column.
    pub column: String,
    /// Bytes in the object.
    pub stored: u64,
    /// Encoded bytes before compression.
    pub encoded: u64,
    /// How its pages are encoded and compressed, the ways seen.
    pub ways: String,
}

/// An object in words; `Display` prints it.
#[derive(Clone, Debug)]
pub struct Description {
    /// The log position of a flushed object.
    pub commit: Option<CommitInfo>,
    /// Each section, with the shares of its columns where its index was at hand.
    pub sections: Vec<(SectionEntry, Option<Vec<ColumnShare>>)>,
}

/// Describes an object by its directory and those section indexes that are at hand.
pub fn describe(directory: &Directory, indexes: &[SectionIndex]) -> Description {
    let of = |entry: &SectionEntry| indexes.iter().find(|i| i.key == entry.key && i.data_offset == entry.data.start);
    let sections =
        directory.sections.iter().map(|entry| (entry.clone(), of(entry).map(|index| shares(entry, index)))).collect();
    Description { commit: directory.commit.clone(), sections }
}

fn shares(entry: &SectionEntry, index: &SectionIndex) -> Vec<ColumnShare> {
    let mut by_column: BTreeMap<String, (u64, u64, Vec<String>)> = BTreeMap::new();
    for chunk in index.pages.iter().flat_map(|page| &page.chunks) {
        let name = match chunk.column {
            Column::Metadata(key) => format!("metadata {}", index.keys[key as usize]),
            column => column.to_string(),
        };
        let (stored, encoded, ways) = by_column.entry(name).or_default();
        *stored += chunk.stored_len;
        *encoded += chunk.raw_len;
        let way = format!("{}/{}", column::name(chunk.encoding), codec::name(chunk.codec));
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    let region = entry.index.end - entry.index.start;
    by_column.insert("index".to_owned(), (region, region, Vec::new()));
    let share = |(column, (stored, encoded, ways)): (String, (u64, u64, Vec<String>))| ColumnShare {
        column,
        stored,
        encoded,
        ways: ways.join(" "),
    };
    let mut shares: Vec<_> = by_column.into_iter().map(share).collect();
    shares.sort_by_key(|share| std::cmp::Reverse(share.stored));
    shares
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(commit) = &self.commit {
            writeln!(
                f,
                "log object {}/{}, flush {:032x}, row hash {:016x}",
                commit.position.writer, commit.position.seq, commit.flush_id, commit.row_hash
            )?;
            for receipt in &commit.receipts {
                let batches: u64 = receipt.batches.iter().map(|r| (r.end() - r.start()).saturating_add(1)).sum();
                writeln!(f, "  covers {batches} batches of {}", receipt.distributor)?;
            }
        }
        writeln!(f, "{} sections", self.sections.len())?;
        for (entry, shares) in &self.sections {
            describe_section(f, entry)?;
            for share in shares.iter().flatten() {
                let of_raw = 100.0 * share.stored as f64 / entry.raw_bytes.max(1) as f64;
                let of_stored = 100.0 * share.stored as f64 / entry.stored_bytes.max(1) as f64;
                writeln!(
                    f,
                    "    {:<28} {:>12} B  {of_stored:>5.1} % of stored  {of_raw:>6.2} % of raw  {}",
                    share.column, share.stored, share.ways
                )?;
            }
        }
        Ok(())
    }
}

fn describe_section(f: &mut fmt::Formatter<'_>, entry: &SectionEntry) -> fmt::Result {
    let level = match entry.level {
        Level::FLUSHED => "flushed".to_owned(),
        Level::FOLDED => "folded".to_owned(),
        Level(other) => format!("level {other}"),
    };
    let ratio = entry.stored_bytes as f64 / entry.raw_bytes.max(1) as f64;
    writeln!(f, "section {} ({level}, run {:032x})", entry.key, entry.run_id)?;
    writeln!(f, "  {} rows in {} streams, {} to {}", entry.rows, entry.streams, Utc(entry.tmin), Utc(entry.tmax))?;
    writeln!(f, "  {} B raw, {} B stored ({ratio:.3} of raw)", entry.raw_bytes, entry.stored_bytes)?;
    writeln!(f, "  streams {} to {}", entry.first, entry.last)?;
    let sources: Vec<_> = entry.sources.iter().map(|(writer, seq)| format!("{writer}/{seq}")).collect();
    writeln!(f, "  pages at {:?}, index at {:?}, from {}", entry.data, entry.index, sources.join(" "))
}

/// An instant in RFC 3339 with milliseconds.
struct Utc(Timestamp);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let (days, ms) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
        // Days are counted from 0000-03-01, so that the leap day ends a year (Howard Hinnant's civil_from_days).
        let shifted = days + 719_468;
        let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{:03}Z", ms % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_read_as_dates() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
            (1_700_000_000_123_456_789, "2023-11-14T22:13:20.123Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ];
        for (nanos, text) in cases {
            assert_eq!(Utc(Timestamp(nanos)).to_string(), text);
        }
    }
}
