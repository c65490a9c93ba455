//! The sample object in `docs/format/segment.md`, byte for byte.

use bytes::Bytes;
use skald_model::{Labels, Rows, RowsBuilder, Timestamp};
use skald_segment::*;

use crate::support::*;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/format/segment.md");

fn sample_rows() -> Rows {
    let mut builder = RowsBuilder::new();
    let api = Labels::from_pairs([("service_name", "api"), ("pod", "a-1")]);
    let web = Labels::from_pairs([("service_name", "web"), ("pod", "w-1")]);
    builder.push(&api, Timestamp(1_000_000), 41, b"GET /", [("detected_level", &b"info"[..])]);
    builder.push(&api, Timestamp(1_000_000), 42, b"GET /a", [("detected_level", &b"info"[..])]);
    builder.push(&web, Timestamp(3_000_000), 40, b"started", []);
    builder.finish()
}

fn sample_object() -> Vec<u8> {
    let options = WriterOptions { codec: Codec::None, ..WriterOptions::default() };
    let mut writer = ObjectWriter::new(Vec::new(), options).unwrap();
    let key = SectionKey { window_start: Timestamp(0), window_len: 7_200_000_000_000, ..key("fake") };
    writer.begin_section(key, Level::FLUSHED, 5, sources()).unwrap();
    writer.push(&sample_rows()).unwrap();
    writer.finish(Some(commit())).unwrap().0
}

/// The bytes of the code block after `heading`: hexadecimal digits, a bar, what they are.
fn documented(heading: &str) -> Vec<u8> {
    let text = std::fs::read_to_string(DOCUMENT).unwrap();
    let block = text.split_once(heading).unwrap().1.split("```").nth(1).unwrap();
    let digits: String =
        block.lines().skip(1).flat_map(|line| line.split('|').next().unwrap_or("").split_whitespace()).collect();
    (0..digits.len() / 2).map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn dump(bytes: &[u8]) -> String {
    bytes
        .chunks(16)
        .map(|line| line.iter().map(|b| format!("{b:02x} ")).collect::<String>().trim_end().to_owned() + "\n")
        .collect()
}

#[test]
fn the_documented_object_is_what_the_writer_makes() {
    let object = sample_object();
    assert!(documented("## Sample object") == object, "the sample in {DOCUMENT} should be\n{}", dump(&object));
}

#[test]
fn the_documented_object_can_be_read() {
    let object = Bytes::from(documented("## Sample object"));
    assert!(verify(&object).faults.is_empty());
    assert_eq!(read_all(&object), from_rows(&sample_rows()));
}
