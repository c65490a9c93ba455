//! The streams table of a section: which streams, with what label sets, and how many rows of each.
//!
//! Label sets of a section resemble one another: they share names, and most values recur. So names
//! stand once, the list of names of a label set (its shape) once, and each value once; per stream
//! there is a shape and per label a code: the value this name had in the stream before, the next new
//! value, or the number of a known one.

use hashbrown::HashMap;
use skald_model::{
    Labels, LabelsBuilder, Timestamp,
    varint::{self, Reader},
};

use crate::{column::rapid, error::Fault, format::LABEL_BYTES_MAX};

/// One stream of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamMeta {
    /// Which stream.
    pub labels: Labels,
    /// Number of rows.
    pub rows: u64,
    /// Number of rows of all streams before it.
    pub first_row: u64,
    /// Earliest timestamp.
    pub tmin: Timestamp,
    /// Latest timestamp.
    pub tmax: Timestamp,
    /// Bytes of lines and metadata values.
    pub raw_bytes: u64,
}

/// The value is that of the same name in the last stream that had it.
const CODE_SAME: u64 = 0;
/// The value is the first one that no code has named yet.
const CODE_NEXT: u64 = 1;
/// The value's number plus this.
const CODE_KNOWN: u64 = 2;

/// Appends the table.
pub(crate) fn encode_streams(out: &mut Vec<u8>, streams: &[StreamMeta]) {
    let mut dictionary = Dictionary::default();
    let [mut shapes, mut codes, mut rows, mut times, mut raw] = [const { Vec::new() }; 5];
    let mut last_tmin = 0i64;
    for stream in streams {
        dictionary.put(&stream.labels, &mut shapes, &mut codes);
        varint::put_u64(&mut rows, stream.rows);
        varint::put_i64(&mut times, stream.tmin.0.wrapping_sub(last_tmin));
        varint::put_u64(&mut times, stream.tmax.0.wrapping_sub(stream.tmin.0) as u64);
        varint::put_u64(&mut raw, stream.raw_bytes);
        last_tmin = stream.tmin.0;
    }
    for texts in [&dictionary.names, &dictionary.values] {
        varint::put_u64(out, texts.list.len() as u64);
        texts.list.iter().for_each(|text| varint::put_bytes(out, text.as_bytes()));
    }
    varint::put_u64(out, dictionary.shapes.len() as u64);
    for shape in &dictionary.shapes {
        varint::put_u64(out, shape.len() as u64);
        shape.iter().for_each(|&name| varint::put_u64(out, name.into()));
    }
    varint::put_u64(out, streams.len() as u64);
    for column in [shapes, codes, rows, times, raw] {
        varint::put_bytes(out, &column);
    }
}

/// Texts in the order of their first appearance.
#[derive(Default)]
struct Texts<'a> {
    list: Vec<&'a str>,
    numbers: HashMap<&'a str, u32, rapid::Build>,
}

impl<'a> Texts<'a> {
    /// The number of `text`, and whether it is new.
    fn number(&mut self, text: &'a str) -> (u32, bool) {
        let next = self.list.len() as u32;
        let number = *self.numbers.entry(text).or_insert(next);
        if number == next {
            self.list.push(text);
        }
        (number, number == next)
    }
}

#[derive(Default)]
struct Dictionary<'a> {
    names: Texts<'a>,
    values: Texts<'a>,
    shapes: Vec<Vec<u32>>,
    shape_numbers: HashMap<Vec<u32>, u32>,
    /// Per name the value it had last.
    last: Vec<Option<u32>>,
    shape: Vec<u32>,
}

impl<'a> Dictionary<'a> {
    fn put(&mut self, labels: &'a Labels, shapes: &mut Vec<u8>, codes: &mut Vec<u8>) {
        self.shape.clear();
        for (name, value) in labels.iter() {
            let (name, new) = self.names.number(name);
            if new {
                self.last.push(None);
            }
            self.shape.push(name);
            let last = &mut self.last[name as usize];
            if last.is_some_and(|last| self.values.list[last as usize] == value) {
                varint::put_u64(codes, CODE_SAME);
                continue;
            }
            let (value, new) = self.values.number(value);
            varint::put_u64(codes, if new { CODE_NEXT } else { CODE_KNOWN + u64::from(value) });
            *last = Some(value);
        }
        let number = match self.shape_numbers.get(&self.shape) {
            Some(&number) => number,
            None => {
                let number = self.shapes.len() as u32;
                self.shapes.push(self.shape.clone());
                self.shape_numbers.insert(self.shape.clone(), number);
                number
            }
        };
        varint::put_u64(shapes, number.into());
    }
}

/// Reads what [`encode_streams`] wrote.
pub(crate) fn decode_streams(bytes: &[u8]) -> Result<Vec<StreamMeta>, Fault> {
    let streams = streams(&mut Reader::new(bytes)).ok_or(Fault::Malformed("streams table"))?;
    if streams.windows(2).all(|w| w[0].labels < w[1].labels) {
        Ok(streams)
    } else {
        Err(Fault::Malformed("streams are not sorted"))
    }
}

fn streams(reader: &mut Reader<'_>) -> Option<Vec<StreamMeta>> {
    let mut text = || (0..reader.count()?).map(|_| reader.str()).collect::<Option<Vec<_>>>();
    let (names, values) = (text()?, text()?);
    let mut shapes = Vec::new();
    for _ in 0..reader.count()? {
        let shape = (0..reader.count()?).map(|_| reader.usize().filter(|&name| name < names.len()));
        shapes.push(shape.collect::<Option<Vec<_>>>()?);
    }
    let count = reader.count()?;
    let mut column = || reader.bytes().map(Reader::new);
    let (mut of_shape, mut codes, mut rows, mut times, mut raw) =
        (column()?, column()?, column()?, column()?, column()?);
    let mut last: Vec<Option<usize>> = vec![None; names.len()];
    let mut known = 0;
    let mut label_bytes = 0;
    let mut builder = LabelsBuilder::new();
    let mut streams = Vec::with_capacity(count);
    let (mut first_row, mut last_tmin) = (0u64, 0i64);
    for _ in 0..count {
        builder.clear();
        for &name in shapes.get(of_shape.usize()?)? {
            let value = match codes.u64()? {
                CODE_SAME => last[name]?,
                CODE_NEXT => {
                    known += 1;
                    known - 1
                }
                code => usize::try_from(code - CODE_KNOWN).ok()?,
            };
            last[name] = Some(value);
            let value = *values.get(value)?;
            label_bytes += names[name].len() + value.len();
            if label_bytes > LABEL_BYTES_MAX {
                return None;
            }
            builder.push(names[name], value);
        }
        let tmin = last_tmin.wrapping_add(times.i64()?);
        let tmax = tmin.wrapping_add(times.u64()? as i64);
        let rows = rows.u64().filter(|&rows| rows > 0)?;
        streams.push(StreamMeta {
            labels: builder.build(),
            rows,
            first_row,
            tmin: Timestamp(tmin),
            tmax: Timestamp(tmax),
            raw_bytes: raw.u64()?,
        });
        first_row = first_row.checked_add(rows)?;
        last_tmin = tmin;
    }
    let whole = [&of_shape, &codes, &rows, &times, &raw].iter().all(|r| r.remaining() == 0);
    (whole && reader.remaining() == 0).then_some(streams)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(labels: &[&[(&str, &str)]]) -> Vec<StreamMeta> {
        let mut sorted: Vec<_> = labels.iter().map(|pairs| Labels::from_pairs(pairs.iter().copied())).collect();
        sorted.sort();
        let stream = |(i, labels): (usize, Labels)| StreamMeta {
            labels,
            rows: 2,
            first_row: 2 * i as u64,
            tmin: Timestamp(i as i64 * -50),
            tmax: Timestamp(i64::MAX),
            raw_bytes: 10,
        };
        sorted.into_iter().enumerate().map(stream).collect()
    }

    #[test]
    fn round_trips() {
        let cases: &[&[&[(&str, &str)]]] = &[
            &[],
            &[&[]],
            &[&[("a", "x"), ("b", "x")], &[("a", "x"), ("b", "y")], &[("a", "y"), ("b", "x")], &[("b", "a")]],
            &[&[("service_name", "s"), ("a", "1")], &[("service_name", "s"), ("a", "2")], &[("service_name", "r")]],
        ];
        for case in cases {
            let streams = table(case);
            let mut out = Vec::new();
            encode_streams(&mut out, &streams);
            assert_eq!(decode_streams(&out).unwrap(), streams);
        }
    }

    #[test]
    fn hostile_bytes_never_panic() {
        let mut out = Vec::new();
        encode_streams(&mut out, &table(&[&[("a", "x"), ("b", "x")], &[("a", "x"), ("b", "y")], &[("c", "z")]]));
        for at in 0..out.len() {
            for value in 0..=255 {
                let mut hostile = out.clone();
                hostile[at] = value;
                let _ = decode_streams(&hostile);
            }
            assert!(decode_streams(&out[..at]).is_err(), "cut at {at}");
        }
    }
}
