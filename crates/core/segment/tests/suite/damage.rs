use bytes::Bytes;
use proptest::prelude::*;
use skald_model::{Labels, RowsBuilder, Timestamp};
use skald_segment::*;

use crate::support::*;

fn sample(codec: Codec) -> Bytes {
    let mut sections = Vec::new();
    for _ in 0..2 {
        let mut builder = RowsBuilder::new();
        for app in ["a", "b"] {
            let labels = Labels::from_pairs([("app", app), ("service_name", "s")]);
            for i in 0..60u64 {
                let line = format!("level=info request={i} path=/api/{app} took={}ms", i * 31 % 97);
                let trace = format!("{:032x}", u128::from(i) * 0x9e37_79b9_7f4a_7c15);
                let metadata = [("detected_level", &b"info"[..]), ("trace_id", trace.as_bytes())];
                builder.push(&labels, Timestamp(i as i64 * 1_000_007), i, line.as_bytes(), metadata);
            }
        }
        sections.push(builder.finish());
    }
    write_sections(
        &[("t1", &sections[..1]), ("t2", &sections[1..])],
        WriterOptions { page_bytes: 1000, codec, ..WriterOptions::default() },
    )
}

#[test]
fn every_flipped_byte_is_reported_and_costs_no_more_than_its_part() {
    let object = sample(Codec::default());
    let whole = verify(&object);
    assert!(whole.faults.is_empty() && whole.rows == 240, "{whole:?}");
    let directory = directory(&object);
    for at in 0..object.len() {
        let mut damaged = object.to_vec();
        damaged[at] ^= 0x20;
        let found = verify(&damaged.into());
        let at = at as u64;
        let [fault] = &found.faults[..] else { panic!("byte {at}: {:?}", found.faults) };
        match directory.sections.iter().find(|e| e.data.contains(&at) || e.index.contains(&at)) {
            Some(entry) if entry.data.contains(&at) => {
                assert_eq!((found.pages, fault.fault), (whole.pages - 1, Fault::Checksum), "byte {at}");
                assert_eq!(fault.place.section, entry.key.to_string(), "byte {at}");
                assert!(fault.place.offset <= at && at - fault.place.offset < 2000, "byte {at}: {fault}");
            }
            Some(entry) => {
                assert_eq!(found.rows, whole.rows - entry.rows, "byte {at}");
                assert_eq!(
                    (&fault.place.section, fault.place.offset),
                    (&entry.key.to_string(), entry.index.start),
                    "byte {at}"
                );
            }
            None if at < 8 => assert_eq!((found.rows, fault.place.part.as_str()), (whole.rows, "header")),
            None => assert_eq!(found.rows, 0, "byte {at}"),
        }
    }
}

#[test]
fn every_cut_is_refused() {
    let object = sample(Codec::default());
    for end in 0..object.len() {
        assert!(!verify(&object.slice(..end)).faults.is_empty(), "cut at {end}");
    }
}

#[test]
fn messages_name_section_column_and_offset() {
    let object = sample(Codec::default());
    let entry = &directory(&object).sections[0];
    let mut damaged = object.to_vec();
    damaged[entry.data.start as usize] ^= 1;
    let found = verify(&damaged.into());
    assert_eq!(
        found.faults[0].to_string(),
        format!("section {}, page 0 timestamps at byte 8: checksum differs", entry.key)
    );
}

#[test]
fn bytes_of_another_section_are_refused() {
    let object = sample(Codec::default());
    let sections = directory(&object).sections;
    let mut wrong = sections[0].clone();
    wrong.rows -= 1;
    let error = SectionIndex::decode(&wrong, &cut(&object, &sections[0].index)).unwrap_err();
    assert_eq!(error.fault, Fault::Malformed("tables and directory disagree"));
}

#[test]
fn fewer_bytes_than_planned_are_an_error() {
    let object = sample(Codec::default());
    let entry = &directory(&object).sections[0];
    let page =
        plan_read(&index(&object, entry), &|_| true, Timestamp::MIN, Timestamp::MAX, &Columns::ALL).pages.remove(0);
    for fetched in [vec![], vec![Bytes::new()], vec![cut(&object, &page.ranges[0]).slice(1..)]] {
        assert!(page.decode(&fetched).is_err());
    }
}

/// Sets a byte and makes every checksum over it right again, so that what is behind checksums is met.
fn resealed(object: &Bytes, at: usize, value: u8) -> Bytes {
    let mut bytes = object.to_vec();
    bytes[at] = value;
    let len = bytes.len();
    let offset = u64::from_le_bytes(object[len - 24..len - 16].try_into().unwrap()) as usize;
    let end = len - 24;
    if (offset..end - 4).contains(&at) {
        let crc = crc32(&bytes[offset..end - 4]);
        bytes[end - 4..end].copy_from_slice(&crc);
    }
    for entry in &directory(object).sections {
        let (start, end) = (entry.index.start as usize, entry.index.end as usize);
        if (start..end).contains(&at) {
            reseal_index(&mut bytes[start..end]);
        }
    }
    bytes.into()
}

fn crc32(bytes: &[u8]) -> [u8; 4] {
    crc32fast::hash(bytes).to_le_bytes()
}

/// The index region of uncompressed objects: version, two blocks of (tag, codec, stored length, raw length, crc), crc, contents.
fn reseal_index(region: &mut [u8]) {
    let mut reader = skald_model::varint::Reader::new(region);
    let mut heads = Vec::new();
    let head = (|| {
        reader.take(2)?;
        for _ in 0..2 {
            reader.take(2)?;
            let len = reader.usize()?;
            reader.u64()?;
            heads.push((reader.position(), len));
            reader.take(4)?;
        }
        Some(reader.position())
    })();
    let Some(head) = head.filter(|&h| h + 4 <= region.len()) else { return };
    let mut content = head + 4;
    for (crc_at, len) in heads {
        let Some(end) = content.checked_add(len).filter(|&end| end <= region.len()) else { return };
        let crc = crc32(&region[content..end]);
        region[crc_at..crc_at + 4].copy_from_slice(&crc);
        content = end;
    }
    let crc = crc32(&region[..head]);
    region[head..head + 4].copy_from_slice(&crc);
}

#[test]
fn hostile_tables_with_good_checksums_never_panic() {
    let object = sample(Codec::None);
    assert!(verify(&resealed(&object, 0, object[0])).faults.is_empty(), "resealing changes nothing by itself");
    let tables = directory(&object).sections[0].index.start as usize..object.len();
    for at in tables {
        for value in [0, 1, 2, 0x7f, 0x80, 0xff, object[at].wrapping_add(1)] {
            let _ = verify(&resealed(&object, at, value));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), mutations in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let _ = verify(&bytes.into());
        let mut object = sample(Codec::None);
        for (at, value) in mutations {
            let at = at.index(object.len());
            let mut next = object.to_vec();
            next[at] = value;
            object = next.into();
            let _ = verify(&object);
        }
    }
}
