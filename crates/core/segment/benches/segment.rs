//! How fast rows become objects and objects rows: first MB of lines per CPU-second beside the limits
//! that must hold, then each step by the clock. Run with `cargo bench -p skald-segment`.
#![allow(clippy::unwrap_used)] // a panic ends a bench

use std::{convert::Infallible, sync::LazyLock};

use bytes::Bytes;
use divan::{Bencher, counter::BytesCount};
use skald_model::{CommitVector, Labels, Rows, StreamBatchBuilder, TenantId, Timestamp};
use skald_segment::*;

const STREAMS: usize = 400;
const LINE_BYTES: usize = 48 << 20;
const BATCH_ROWS: usize = 40;

fn main() {
    println!("{} MB of lines in {STREAMS} streams, stored {:.3} of raw", LINE_BYTES >> 20, stored_ratio());
    println!("{:<28} {:>14} {:>7} {:>7}", "best of 5", "MB/CPU-second", "limit", "ratio");
    let bytes = bytes_of(&PARTS);
    let flush = |parts: Vec<Rows>| write(sort_rows(parts), WriterOptions::default());
    report("sort", 500.0, bytes, || PARTS.clone(), |parts| sort_rows(parts).count());
    report("flush", 250.0, bytes, || PARTS.clone(), flush);
    report(
        "flush, lz4",
        250.0,
        bytes,
        || PARTS.clone(),
        |parts| write(sort_rows(parts), WriterOptions { codec: Codec::Lz4, ..WriterOptions::default() }),
    );
    report("flush, 4.5 KB a stream", 225.0, bytes_of(&MANY_STREAMS), || MANY_STREAMS.clone(), flush);
    let sorted: Vec<Rows> = sort_rows(PARTS.clone()).collect();
    let options = WriterOptions { keep_arrivals: Arrivals::EqualTimestamps, ..WriterOptions::default() };
    report("fold of three replicas", 110.0, bytes, || three_replicas(&sorted), |merge| write(Merged(merge), options));
    let mut compressor = zstd::bulk::Compressor::new(1).unwrap();
    let mut compress = |r: &Rows| compressor.compress(r.lines.buffer()).unwrap();
    report("zstd-1 alone", 500.0, bytes, || (), |()| sorted.iter().map(|r| compress(r).len()).sum::<usize>());
    let frames: Vec<_> = sorted.iter().map(|r| (compress(r), r.lines.buffer().len())).collect();
    let mut decompressor = zstd::bulk::Decompressor::new().unwrap();
    let mut decompress = |(frame, len): &(Vec<u8>, usize)| decompressor.decompress(frame, *len).unwrap().len();
    let alone = report(
        "zstd decompression alone",
        1500.0,
        bytes,
        || (),
        |()| frames.iter().map(&mut decompress).sum::<usize>(),
    );
    let object = write(sorted.iter().cloned(), WriterOptions::default());
    for (name, columns) in [
        ("decode all", Columns::ALL),
        ("decode lines", Columns { metadata: MetadataWanted::None, arrivals: false, ..Columns::ALL }),
    ] {
        let pages = plan(&object, &columns);
        let decode =
            |p: &PageRead| p.decode(&p.ranges.iter().map(|r| cut(&object, r)).collect::<Vec<_>>()).unwrap().len();
        report(name, alone * 0.8, bytes, || (), |()| pages.iter().map(decode).sum::<usize>());
    }
    divan::main();
}

/// Runs `work` five times on fresh `input` and prints the best rate by the thread's own CPU time,
/// which other processes do not disturb as they do the clock.
fn report<I, T>(name: &str, limit: f64, bytes: usize, input: impl Fn() -> I, mut work: impl FnMut(I) -> T) -> f64 {
    let mut best = 0f64;
    for _ in 0..5 {
        let input = input();
        let start = cpu_nanos();
        std::hint::black_box(work(input));
        best = best.max(bytes as f64 * 1e3 / (cpu_nanos() - start) as f64);
    }
    println!("{name:<28} {best:>14.0} {limit:>7.0} {:>7.2}", best / limit);
    best
}

/// CPU time of this thread so far: the first number of its scheduler statistics.
fn cpu_nanos() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the bench runs on Linux");
    text.split_whitespace().next().unwrap().parse().unwrap()
}

fn bytes_of(parts: &[Rows]) -> usize {
    parts.iter().map(|p| p.lines.buffer().len()).sum()
}

fn three_replicas(sorted: &[Rows]) -> Merge<Batches> {
    merge((0..3).map(|_| Batches(Vec::from(sorted).into_iter())).collect())
}

/// A small generator, so that every run sees the same bytes.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Pushes of JSON access logs, logfmt and klog lines, most with a 128-bit identifier.
static PARTS: LazyLock<Vec<Rows>> = LazyLock::new(|| parts(STREAMS, LINE_BYTES, BATCH_ROWS));
/// As little a stream as 256 MB in 57 000 streams have.
static MANY_STREAMS: LazyLock<Vec<Rows>> = LazyLock::new(|| parts(57_000 * (LINE_BYTES >> 20) / 256, LINE_BYTES, 10));

fn parts(streams: usize, bytes: usize, batch_rows: usize) -> Vec<Rows> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let labels: Vec<Labels> = (0..streams)
        .map(|i| {
            let pairs = [
                ("service_name", format!("svc-{}", i % 40)),
                ("pod", format!("svc-{}-{:08x}", i % 40, i * 7919)),
                ("cluster", "eu-1".to_owned()),
            ];
            Labels::from_pairs(pairs)
        })
        .collect();
    let (mut parts, mut total, mut now) = (Vec::new(), 0, 1_700_000_000_000_000_000i64);
    while total < bytes {
        let stream = (random.next() % streams as u64) as usize;
        let mut batch = StreamBatchBuilder::with_capacity(8192);
        for _ in 0..batch_rows {
            now += (random.next() % 400_000) as i64;
            let level = ["info", "info", "info", "warn", "error"][(random.next() % 5) as usize];
            batch.push(
                Timestamp(now),
                line(stream, level, &mut random).as_bytes(),
                [("detected_level", level.as_bytes())],
            );
        }
        total += batch.line_bytes();
        parts.push(batch.finish(&labels[stream], now as u64).unwrap().rows());
    }
    parts
}

fn line(stream: usize, level: &str, random: &mut Random) -> String {
    let id = format!("{:016x}{:016x}", random.next(), random.next());
    let (status, path, took) =
        ([200, 200, 200, 304, 404, 500][(random.next() % 6) as usize], random.next() % 200, random.next() % 3000);
    match stream % 3 {
        0 => format!(
            r#"{{"level":"{level}","method":"GET","path":"/api/v1/items/{path}","status":{status},"took_ms":{took},"trace_id":"{id}"}}"#
        ),
        1 => format!(
            "level={level} caller=handler.go:{path} msg=\"request finished\" status={status} duration={took}ms trace_id={id} component=frontend"
        ),
        _ => format!(
            "I1121 01:02:03.{took:06}   12345 controller.go:{path}] \"Reconciled object\" kind=Pod namespace=default attempt={status} uid={id}"
        ),
    }
}

fn line_bytes(parts: &[Rows]) -> BytesCount {
    BytesCount::new(bytes_of(parts))
}

fn write(rows: impl Iterator<Item = Rows>, options: WriterOptions) -> Bytes {
    let key = SectionKey {
        shard: 0,
        tenant: TenantId::new("fake").unwrap(),
        window_start: Timestamp(0),
        window_len: i64::MAX as u64,
    };
    let mut writer = ObjectWriter::new(Vec::with_capacity(32 << 20), options).unwrap();
    writer.begin_section(key, Level::FLUSHED, 0, CommitVector::new()).unwrap();
    rows.for_each(|rows| writer.push(&rows).unwrap());
    writer.finish(None).unwrap().0.into()
}

fn plan(object: &Bytes, columns: &Columns) -> Vec<PageRead> {
    let Located::Directory(directory) = Directory::locate(object, object.len() as u64).unwrap() else {
        unreachable!("all bytes are at hand")
    };
    let entry = &directory.sections[0];
    let index = SectionIndex::decode(entry, &cut(object, &entry.index)).unwrap();
    plan_read(&index, &|_| true, Timestamp::MIN, Timestamp::MAX, columns).pages
}

fn cut(object: &Bytes, range: &std::ops::Range<u64>) -> Bytes {
    object.slice(range.start as usize..range.end as usize)
}

fn stored_ratio() -> f64 {
    write(sort_rows(PARTS.clone()), WriterOptions::default()).len() as f64 / LINE_BYTES as f64
}

/// Sort a memtable.
#[divan::bench(sample_count = 5)]
fn sort(bencher: Bencher) {
    bencher
        .counter(line_bytes(&PARTS))
        .with_inputs(|| PARTS.clone())
        .bench_values(|parts| sort_rows(parts).map(|rows| rows.len()).sum::<usize>());
}

/// Sort and encode a memtable.
#[divan::bench(sample_count = 5, args = [Codec::Zstd(1), Codec::Lz4, Codec::Snappy, Codec::None])]
fn flush_limit_250(bencher: Bencher, codec: Codec) {
    let options = WriterOptions { codec, ..WriterOptions::default() };
    bencher
        .counter(line_bytes(&PARTS))
        .with_inputs(|| PARTS.clone())
        .bench_values(|parts| write(sort_rows(parts), options));
}

/// The same bytes in thousands of streams.
#[divan::bench(sample_count = 5)]
fn flush_many_streams_limit_225(bencher: Bencher) {
    let options = WriterOptions::default();
    bencher
        .counter(line_bytes(&MANY_STREAMS))
        .with_inputs(|| MANY_STREAMS.clone())
        .bench_values(|parts| write(sort_rows(parts), options));
}

/// All rows of an object.
#[divan::bench(sample_count = 5, args = [Codec::Zstd(1), Codec::Lz4, Codec::Snappy])]
fn decode(bencher: Bencher, codec: Codec) {
    let object = write(sort_rows(PARTS.clone()), WriterOptions { codec, ..WriterOptions::default() });
    let pages = plan(&object, &Columns::ALL);
    let fetched: Vec<Vec<Bytes>> = pages.iter().map(|p| p.ranges.iter().map(|r| cut(&object, r)).collect()).collect();
    bencher
        .counter(line_bytes(&PARTS))
        .bench(|| pages.iter().zip(&fetched).map(|(p, f)| p.decode(f).unwrap().len()).sum::<usize>());
}

/// zstd on the line chunks of the same object, nothing else: what `decode` is measured against.
#[divan::bench(sample_count = 5)]
fn codec_alone(bencher: Bencher) {
    let sorted: Vec<Rows> = sort_rows(PARTS.clone()).collect();
    let mut compressor = zstd::bulk::Compressor::new(1).unwrap();
    let frames: Vec<(Vec<u8>, usize)> =
        sorted.iter().map(|r| (compressor.compress(r.lines.buffer()).unwrap(), r.lines.buffer().len())).collect();
    let mut decompressor = zstd::bulk::Decompressor::new().unwrap();
    bencher.counter(line_bytes(&PARTS)).bench_local(|| {
        frames.iter().map(|(frame, len)| decompressor.decompress(frame, *len).unwrap().len()).sum::<usize>()
    });
}

/// Batches from memory.
struct Batches(std::vec::IntoIter<Rows>);

impl RowSource for Batches {
    type Error = Infallible;

    fn next(&mut self) -> Result<Option<Rows>, Infallible> {
        Ok(self.0.next())
    }
}

/// A merge as an iterator.
struct Merged(Merge<Batches>);

impl Iterator for Merged {
    type Item = Rows;

    fn next(&mut self) -> Option<Rows> {
        let Ok(rows) = self.0.next();
        rows
    }
}

/// Three replicas' copies into one folded segment; MB of lines that come out.
#[divan::bench(sample_count = 5)]
fn fold_three_replicas_limit_110(bencher: Bencher) {
    let sorted: Vec<Rows> = sort_rows(PARTS.clone()).collect();
    let options = WriterOptions { keep_arrivals: Arrivals::EqualTimestamps, ..WriterOptions::default() };
    let copies = || three_replicas(&sorted);
    bencher.counter(line_bytes(&PARTS)).with_inputs(copies).bench_values(|merge| write(Merged(merge), options));
}

/// Three replicas' copies, merged only.
#[divan::bench(sample_count = 5)]
fn merge_three_replicas(bencher: Bencher) {
    let sorted: Vec<Rows> = sort_rows(PARTS.clone()).collect();
    let copies = || three_replicas(&sorted);
    bencher
        .counter(line_bytes(&PARTS))
        .with_inputs(copies)
        .bench_values(|merge| Merged(merge).map(|rows| rows.len()).sum::<usize>());
}

/// Three sources with rows of the same streams at other times.
#[divan::bench(sample_count = 5)]
fn merge_disjoint_sources(bencher: Bencher) {
    let thirds: Vec<Vec<Rows>> =
        PARTS.chunks(PARTS.len().div_ceil(3)).map(|parts| sort_rows(parts.to_vec()).collect()).collect();
    let sources = || merge(thirds.iter().map(|rows| Batches(rows.clone().into_iter())).collect());
    bencher
        .counter(line_bytes(&PARTS))
        .with_inputs(sources)
        .bench_values(|merge| Merged(merge).map(|rows| rows.len()).sum::<usize>());
}
