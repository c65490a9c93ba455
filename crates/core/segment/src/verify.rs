//! A whole object checked: every checksum, every table, every page decoded.

use bytes::Bytes;
use skald_model::Timestamp;

use crate::{
    directory::{Directory, Located},
    error::{Fault, SegmentError},
    format::HEADER,
    index::SectionIndex,
    plan::{Columns, plan_read},
};

/// What a check of an object found.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    /// Everything that is damaged or unknown, in the order of the object's sections.
    pub faults: Vec<SegmentError>,
    /// Rows that can be read.
    pub rows: u64,
    /// Pages that can be read.
    pub pages: u64,
}

/// Reads all of `object`. A damaged page, index or header is reported and costs no more than itself;
/// without a directory nothing else can be found. Takes any bytes.
pub fn verify(object: &Bytes) -> Verification {
    let mut found = Verification::default();
    if !object.starts_with(&HEADER) {
        found.faults.push(Fault::NotASegment.at("header", 0));
    }
    let directory = match Directory::locate(object, object.len() as u64) {
        Ok(Located::Directory(directory)) => directory,
        Ok(Located::NeedMore(range)) => {
            found.faults.push(Fault::Malformed("directory outside the object").at("trailer", range.start));
            return found;
        }
        Err(error) => {
            found.faults.push(error);
            return found;
        }
    };
    let cut = |range: &std::ops::Range<u64>| object.slice(range.start as usize..range.end as usize);
    for entry in &directory.sections {
        let index = match SectionIndex::decode(entry, &cut(&entry.index)) {
            Ok(index) => index,
            Err(error) => {
                found.faults.push(error);
                continue;
            }
        };
        for page in plan_read(&index, &|_| true, Timestamp::MIN, Timestamp::MAX, &Columns::ALL).pages {
            let fetched: Vec<Bytes> = page.ranges.iter().map(cut).collect();
            match page.decode(&fetched) {
                Ok(rows) => {
                    found.rows += rows.len() as u64;
                    found.pages += 1;
                }
                Err(error) => found.faults.push(error),
            }
        }
    }
    found
}
