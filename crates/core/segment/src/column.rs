//! Encodings of one column of a page, before compression. Each chunk names its encoding by a tag, so
//! that later ones (integers, hexadecimal, templates) are added beside these.

use bytes::Bytes;
use hashbrown::HashMap;
use skald_model::{
    LineColumn,
    varint::{self, Reader},
};

use crate::{
    append::Values,
    error::Fault,
    format::{EXPANDED_BYTES_MAX, VALUE_BYTES_MAX},
};

/// Line bytes side by side, nothing else.
pub(crate) const RAW: u8 = 0;
/// One number for all rows.
pub(crate) const CONSTANT: u8 = 1;
/// A scale, then each number as signed difference to the one before, divided by the scale.
pub(crate) const DELTAS: u8 = 2;
/// Each number as it is.
pub(crate) const VARINTS: u8 = 3;
/// Length of all value lengths, the lengths, the values.
pub(crate) const PLAIN: u8 = 4;
/// The distinct values, then one byte per row that names its value; no bytes where there is one value.
pub(crate) const DICTIONARY: u8 = 5;

/// The name of a stored encoding tag.
pub(crate) fn name(tag: u8) -> &'static str {
    match tag {
        RAW => "raw",
        CONSTANT => "constant",
        DELTAS => "deltas",
        VARINTS => "varints",
        PLAIN => "plain",
        DICTIONARY => "dictionary",
        _ => "unknown",
    }
}

const DICTIONARY_VALUES_MAX: usize = 256;
/// Clients send whole seconds, milliseconds or microseconds more often than nanoseconds.
const SCALE_MAX: i64 = 1_000_000_000;

const CUT: Fault = Fault::Malformed("column ends early");
const LONG: Fault = Fault::Malformed("bytes after the end of a column");

/// Encodes numbers of any sign whose differences are smaller than themselves.
pub(crate) fn put_numbers(out: &mut Vec<u8>, values: impl Iterator<Item = i64> + Clone) -> u8 {
    let mut rest = values.clone();
    let first = rest.next().unwrap_or(0);
    if rest.all(|v| v == first) {
        varint::put_i64(out, first);
        return CONSTANT;
    }
    let mut scale = SCALE_MAX;
    let mut last = first;
    for value in values.clone() {
        let delta = value.wrapping_sub(last);
        while scale > 1 && delta % scale != 0 {
            scale /= 1000;
        }
        if scale == 1 {
            break;
        }
        last = value;
    }
    varint::put_u64(out, scale as u64);
    varint::put_i64(out, first);
    let mut last = first;
    for value in values.skip(1) {
        let delta = value.wrapping_sub(last);
        varint::put_i64(out, if scale == 1 { delta } else { delta / scale });
        last = value;
    }
    DELTAS
}

/// Reads `rows` numbers.
pub(crate) fn take_numbers(encoding: u8, bytes: &[u8], rows: usize) -> Result<Vec<i64>, Fault> {
    let mut reader = Reader::new(bytes);
    let values = match encoding {
        CONSTANT => vec![reader.i64().ok_or(CUT)?; rows],
        DELTAS => {
            let scale = reader.u64().ok_or(CUT)? as i64;
            let mut last = reader.i64().ok_or(CUT)?;
            let mut values = Vec::with_capacity(rows);
            values.push(last);
            for _ in 1..rows {
                last = last.wrapping_add(reader.i64().ok_or(CUT)?.wrapping_mul(scale));
                values.push(last);
            }
            values
        }
        other => return Err(Fault::UnknownEncoding(other.into())),
    };
    if reader.remaining() == 0 { Ok(values) } else { Err(LONG) }
}

/// Encodes the lengths of values that end at `ends`.
pub(crate) fn put_lengths(out: &mut Vec<u8>, ends: &[u32]) -> u8 {
    let first = ends.first().copied().unwrap_or(0);
    if ends.windows(2).all(|w| w[1] - w[0] == first) {
        varint::put_u64(out, first.into());
        return CONSTANT;
    }
    put_differences(out, ends);
    VARINTS
}

fn put_differences(out: &mut Vec<u8>, ends: &[u32]) {
    let mut last = 0;
    for &end in ends {
        varint::put_u64(out, u64::from(end - last));
        last = end;
    }
}

/// Reads the lengths of `rows` values as the ends they lead to.
pub(crate) fn take_lengths(encoding: u8, bytes: &[u8], rows: usize) -> Result<Vec<u32>, Fault> {
    let mut reader = Reader::new(bytes);
    let constant = match encoding {
        CONSTANT => Some(reader.u32().ok_or(CUT)?),
        VARINTS => None,
        other => return Err(Fault::UnknownEncoding(other.into())),
    };
    let ends = take_ends(&mut reader, rows, constant)?;
    if reader.remaining() == 0 { Ok(ends) } else { Err(LONG) }
}

fn take_ends(reader: &mut Reader<'_>, rows: usize, constant: Option<u32>) -> Result<Vec<u32>, Fault> {
    let mut ends = Vec::with_capacity(rows);
    let mut end = 0u32;
    for _ in 0..rows {
        let len = match constant {
            Some(len) => len,
            None => reader.u32().ok_or(CUT)?,
        };
        end = end.checked_add(len).ok_or(Fault::Malformed("lengths beyond 4 GiB"))?;
        ends.push(end);
    }
    Ok(ends)
}

/// Encodes byte strings: by dictionary where few of them are distinct.
pub(crate) fn put_values(out: &mut Vec<u8>, values: &Values) -> u8 {
    if put_dictionary(out, values).is_some() {
        return DICTIONARY;
    }
    out.clear();
    // Lengths come first with room for their own length, which is known only behind them.
    let mut lengths = Vec::with_capacity(values.ends.len() * 2);
    put_differences(&mut lengths, &values.ends);
    varint::put_bytes(out, &lengths);
    out.extend_from_slice(&values.bytes);
    PLAIN
}

/// `None` where a dictionary is not worth it; `out` then holds nothing of use.
fn put_dictionary(out: &mut Vec<u8>, values: &Values) -> Option<()> {
    let rows = values.ends.len();
    if values.bytes.len() > EXPANDED_BYTES_MAX {
        return None;
    }
    let mut distinct: Vec<&[u8]> = Vec::new();
    let mut code_of: HashMap<&[u8], u8, rapid::Build> = HashMap::default();
    let mut codes = Vec::with_capacity(rows);
    let mut start = 0;
    let mut last: (&[u8], u8) = (&[], 0);
    for (row, &end) in values.ends.iter().enumerate() {
        let value = &values.bytes[start..end as usize];
        start = end as usize;
        if row == 0 || value != last.0 {
            let code = match code_of.get(value) {
                Some(&code) => code,
                None if distinct.len() == DICTIONARY_VALUES_MAX => return None,
                None => {
                    let code = distinct.len() as u8;
                    distinct.push(value);
                    code_of.insert(value, code);
                    code
                }
            };
            last = (value, code);
        }
        codes.push(last.1);
    }
    if distinct.len() > 1 && distinct.len() * 2 > rows {
        return None;
    }
    varint::put_u64(out, distinct.len() as u64);
    distinct.iter().for_each(|value| varint::put_bytes(out, value));
    if distinct.len() > 1 {
        out.extend_from_slice(&codes);
    }
    Some(())
}

/// Reads `rows` byte strings; plain ones share `bytes`.
pub(crate) fn take_values(encoding: u8, bytes: &Bytes, rows: usize) -> Result<LineColumn, Fault> {
    let mut reader = Reader::new(bytes);
    match encoding {
        PLAIN => {
            let mut lengths = Reader::new(reader.bytes().ok_or(CUT)?);
            let ends = take_ends(&mut lengths, rows, None)?;
            if lengths.remaining() > 0 {
                return Err(LONG);
            }
            lines(bytes.slice(reader.position()..), ends)
        }
        DICTIONARY => take_dictionary(&mut reader, rows),
        other => Err(Fault::UnknownEncoding(other.into())),
    }
}

/// Lines and where they end.
pub(crate) fn lines(bytes: Bytes, ends: Vec<u32>) -> Result<LineColumn, Fault> {
    LineColumn::new(bytes, ends).ok_or(Fault::Malformed("values and their lengths disagree"))
}

fn take_dictionary(reader: &mut Reader<'_>, rows: usize) -> Result<LineColumn, Fault> {
    let count = reader.count().filter(|&n| (1..=DICTIONARY_VALUES_MAX).contains(&n)).ok_or(CUT)?;
    let mut distinct: Vec<&[u8]> = Vec::with_capacity(count);
    for _ in 0..count {
        distinct.push(reader.bytes().filter(|v| v.len() <= VALUE_BYTES_MAX).ok_or(CUT)?);
    }
    let codes = if count > 1 { reader.take(rows).ok_or(CUT)? } else { &[] };
    if reader.remaining() > 0 {
        return Err(LONG);
    }
    let of_row = |row: usize| codes.get(row).map_or(0, |&code| code as usize);
    // The expansion is known before anything is allocated for it.
    let mut ends = Vec::with_capacity(rows);
    let mut total = 0usize;
    for row in 0..rows {
        total += distinct.get(of_row(row)).ok_or(Fault::Malformed("code beyond the dictionary"))?.len();
        if total > EXPANDED_BYTES_MAX {
            return Err(Fault::Malformed("dictionary expands too far"));
        }
        ends.push(total as u32);
    }
    let mut values = Vec::with_capacity(total);
    (0..rows).for_each(|row| values.extend_from_slice(distinct[of_row(row)]));
    lines(values.into(), ends)
}

/// A hasher for short-lived tables of byte strings.
pub(crate) mod rapid {
    use std::hash::{BuildHasherDefault, Hasher};

    use xxhash_rust::xxh3::xxh3_64_with_seed;

    /// xxh3 over each slice that is hashed: fast on long keys, and independent of the process.
    #[derive(Debug, Default)]
    pub(crate) struct SliceHasher(u64);

    impl Hasher for SliceHasher {
        fn finish(&self) -> u64 {
            self.0
        }

        fn write(&mut self, bytes: &[u8]) {
            self.0 = xxh3_64_with_seed(bytes, self.0);
        }

        fn write_usize(&mut self, len: usize) {
            self.0 = self.0.rotate_left(5) ^ len as u64;
        }

        fn write_u8(&mut self, byte: u8) {
            self.0 = self.0.rotate_left(5) ^ u64::from(byte);
        }

        fn write_u64(&mut self, number: u64) {
            // Fibonacci multiplication spreads the low bits, which tables index by.
            self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    pub(crate) type Build = BuildHasherDefault<SliceHasher>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip() {
        let cases: &[(&[i64], u8)] = &[
            (&[7], CONSTANT),
            (&[5, 5, 5], CONSTANT),
            (&[1_000_000, 3_000_000, 2_000_000], DELTAS),
            (&[i64::MIN, i64::MAX, 0, -1], DELTAS),
            (&[1, 1_000_000_001, 2_000_000_001], DELTAS),
        ];
        for (values, encoding) in cases {
            let mut out = Vec::new();
            assert_eq!(put_numbers(&mut out, values.iter().copied()), *encoding, "{values:?}");
            assert_eq!(take_numbers(*encoding, &out, values.len()).unwrap(), *values);
        }
    }

    #[test]
    fn lengths_round_trip() {
        for (ends, encoding) in [(vec![4, 8, 12], CONSTANT), (vec![0, 5, 5, 300], VARINTS), (vec![3], CONSTANT)] {
            let mut out = Vec::new();
            assert_eq!(put_lengths(&mut out, &ends), encoding);
            assert_eq!(take_lengths(encoding, &out, ends.len()).unwrap(), ends);
        }
    }

    #[test]
    fn values_round_trip_and_few_become_a_dictionary() {
        let few: Vec<&str> = (0..500).map(|i| ["info", "warn", ""][i % 3]).collect();
        let owned: Vec<String> = (0..500).map(|i| format!("{i:032x}")).collect();
        let many: Vec<&str> = owned.iter().map(String::as_str).collect();
        for (texts, encoding) in
            [(few, DICTIONARY), (vec!["one"; 9], DICTIONARY), (many, PLAIN), (vec!["a", "b"], PLAIN)]
        {
            let mut values = Values::default();
            for text in &texts {
                values.bytes.extend_from_slice(text.as_bytes());
                values.ends.push(values.bytes.len() as u32);
            }
            let mut out = Vec::new();
            assert_eq!(put_values(&mut out, &values), encoding);
            let again = take_values(encoding, &out.into(), texts.len()).unwrap();
            assert!(again.iter().eq(texts.iter().map(|t| t.as_bytes())));
        }
    }

    #[test]
    fn a_dictionary_cannot_expand_without_bound() {
        let mut out = Vec::new();
        varint::put_u64(&mut out, 1);
        varint::put_bytes(&mut out, &vec![b'x'; 1 << 20]);
        let error = take_values(DICTIONARY, &out.into(), 1 << 17).unwrap_err();
        assert_eq!(error, Fault::Malformed("dictionary expands too far"));
    }
}
