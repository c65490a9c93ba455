//! Inputs made by our own encoders, from which the fuzzer starts.

use std::io::Write;

use bytes::Bytes;
use prost::Message;
use skald_catalog::{Change, CommitId, Entry, Root, encode_page, encode_seal};
use skald_model::{
    BatchId, CommitVector, Labels, LogPosition, Rows, RowsBuilder, StreamBatchBuilder, TenantId, Timestamp, Writer,
};
use skald_ring::{Instance, Rings, State, encode_tokens};
use skald_segment::{
    Codec, CommitInfo, Directory, Level, Located, ObjectWriter, Receipt, SectionEntry, SectionKey, WriterOptions,
};
use skald_wal::{FrozenFiles, Manifest, Record};
use skald_wire::pb::logproto;

use crate::push::{BARE_MODES, MODES};

/// An input: target, name, bytes.
pub type Seed = (&'static str, String, Vec<u8>);

/// All inputs of all targets.
pub fn seeds() -> Vec<Seed> {
    let mut out = Vec::new();
    let mut add = |target: &'static str, inputs: Vec<Vec<u8>>| {
        out.extend(inputs.into_iter().enumerate().map(|(i, bytes)| (target, format!("seed-{i:02}"), bytes)));
    };
    add("push_body", push_bodies());
    add("logql", QUERIES.iter().map(|query| query.as_bytes().to_vec()).collect());
    add("wal_record", wal_files());
    add("segment", objects());
    add("ring_message", messages());
    add("catalog_root", catalog_bodies());
    add("stream_batch", batches());
    out
}

/// A few rows of two streams, in order.
pub(crate) fn rows() -> Rows {
    const LINES: [&str; 5] = [
        "level=info msg=\"request done\" took=12ms bytes=5KB",
        r#"{"level":"error","took":1.5,"nested":{"a":[1,"x"]},"addr":"10.1.2.3"}"#,
        "",
        "\u{1b}[31m10.0.0.1 - - GET /api 500\u{1b}[0m",
        "a=b c=\"d e\" f=1h30m",
    ];
    let mut builder = RowsBuilder::new();
    for app in ["api", "web"] {
        let labels = Labels::from_pairs([("service_name", app), ("pod", "p-1")]);
        for (i, line) in LINES.iter().enumerate() {
            let at = Timestamp(i as i64 * 5_000_000_000);
            let metadata = [("detected_level", &b"info"[..]), ("trace_id", app.as_bytes())];
            builder.push(&labels, at, i as u64, line.as_bytes(), metadata);
        }
    }
    builder.finish()
}

const QUERIES: &[&str] = &[
    r#"{app="x"}"#,
    r#"{app=~"x|y", b!="c", d!~`e\.f`} |= "a" or "b" != "c" |~ `\d+` !~ "z""#,
    r#"{app="x"} |> "<_> took <_>" !> "y <_>""#,
    r#"{app="x"} |= ip("10.0.0.0/8") | json a="nested.a[0]", level | level="error""#,
    r#"{app="x"} | logfmt --strict --keep-empty x, y="z" | took > 10ms and bytes <= 5KB or f = 1.5"#,
    r#"{app="x"} | regexp "(?P<verb>\\w+) /(?P<path>.*)" | verb!="" | addr = ip("10.0.0.1-10.0.0.9")"#,
    r#"{app="x"} | pattern "<ip> - - <verb> <_>" | unpack | decolorize | drop a, b="c" | keep d"#,
    r#"{app="x"} | line_format "{{.level | ToUpper}} {{if eq .a \"b\"}}{{printf \"%05d\" 7}}{{end}}" | label_format x=y,z="{{.w}}""#,
    r#"sum by (level) (rate({app="x"} | json | __error__="" [5m] offset 1m))"#,
    r#"quantile_over_time(0.99, {app="x"} | logfmt | unwrap duration(took) [30s]) by (service_name)"#,
    r#"topk(3, sum without (pod) (count_over_time({app="x"}[20s]))) / 2 ^ -1 > bool 1"#,
    r#"sum(rate({a="b"}[1m])) / on (x) group_left (y) sum(rate({a="c"}[1m])) or vector(0)"#,
    r#"label_replace(bytes_rate({app="x"}[1h30m]), "d", "$1-${2}", "s", "(.*)-(.*)")"#,
    r#"absent_over_time({app="x"}[1m]) unless sort_desc(stddev by (a) (avg_over_time({a="b"} | unwrap bytes(b) [1m])))"#,
    "1 + 2 * 3 % 4 - 5 / 0",
    "vector(1e300) * vector(-1e300) == vector(0x1F)",
    r#"max(first_over_time({a="b"} | logfmt | unwrap f [9223372036s] offset -290y))"#,
    "{a=\"b\", # a comment\n c=\"\\u00e4\\n\"} |= `\n`",
];

fn push_bodies() -> Vec<Vec<u8>> {
    let json = r#"{"streams":[{"stream":{"app":"x","b":"\u00e4\"\n"},"values":[["1700000000000000000","line \ud83d\ude00"],["2","x",{"trace":"y","n":"1"}]]}]}"#;
    let legacy = r#"{"streams":[{"labels":"{app=\"x\", b=`c`}","entries":[{"ts":"2024-01-02T03:04:05.678901234+01:00","line":"x"}]}]}"#;
    let entry = |nanos: i32, line: &str| logproto::EntryAdapter {
        timestamp: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos }),
        line: line.into(),
        structured_metadata: vec![logproto::LabelPairAdapter { name: "trace".into(), value: "y".into() }],
    };
    let request = logproto::PushRequest {
        streams: vec![logproto::StreamAdapter {
            labels: r#"{app="x", b="\u00e4"}"#.into(),
            entries: vec![entry(1, "line"), entry(999_999_999, "")],
            ..logproto::StreamAdapter::default()
        }],
    };
    let proto = request.encode_to_vec();
    let snappy = snap::raw::Encoder::new().compress_vec(&proto).unwrap();
    let body = |mode: usize| {
        let (api, content_type, encoding) = MODES[mode];
        let json = match api {
            skald_wire::push::PushApi::V1 => json.as_bytes(),
            skald_wire::push::PushApi::Legacy => legacy.as_bytes(),
        };
        let inner = match content_type {
            "application/x-protobuf" if mode < BARE_MODES => &proto,
            "application/x-protobuf" => &snappy[..],
            _ => json,
        };
        match encoding {
            "gzip" => gzip(inner),
            "deflate" => deflate(inner),
            _ => inner.to_vec(),
        }
    };
    let with_mode = |mode: usize| [&[mode as u8], &body(mode)[..]].concat();
    let mut out: Vec<Vec<u8>> = (0..MODES.len()).map(with_mode).collect();
    // Shapes at the edge of the formats.
    for text in [
        r#"{"streams":[]}"#,
        r#"{"streams":null}"#,
        r#" { "other" : [1, {"x": null}], "streams" : [ {"values":[],"stream":{}} ] } "#,
        r#"{"streams":[{"stream":{"a":"b"},"values":[[1700000000000000000,"x"]]}]}"#,
    ] {
        out.push([&[0], text.as_bytes()].concat());
    }
    out
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn wal_files() -> Vec<Vec<u8>> {
    let record = |number: u64, batches: Vec<Vec<u8>>| Record {
        tenant: tenant("acme"),
        id: BatchId { distributor: "dist-0".into(), number },
        batches: batches.into_iter().map(Bytes::from).collect(),
    };
    let records =
        [record(1, vec![]), record(u64::MAX, vec![b"one".to_vec(), vec![], b"three".to_vec()]), record(7, batches())];
    let body = |r: &Record| r.encode().unwrap().pieces().collect::<Vec<_>>().concat();
    let framed = |r: &Record| [&r.encode().unwrap().frame(0)[..], &body(r)].concat();
    let mut out: Vec<Vec<u8>> = records.iter().map(body).collect();
    out.extend(records.iter().map(framed));
    let mut file = skald_wal::scan::header(0).to_vec();
    records.iter().for_each(|r| file.extend(framed(r)));
    let mut damaged = file.clone();
    damaged[40] ^= 1;
    damaged.truncate(file.len() - 5);
    out.extend([file, damaged]);
    let mut manifest = Manifest::new(writer("ing-0-b"));
    out.push(manifest.encode().into());
    manifest.former.push((writer("ing-0-a"), 9));
    manifest.committed = 3;
    manifest.active_from = 6;
    manifest.frozen.push(FrozenFiles { seq: 4, flush_id: u128::MAX, files: vec![3, 5] });
    out.push(manifest.encode().into());
    out
}

fn objects() -> Vec<Vec<u8>> {
    let options = |codec, page_bytes| WriterOptions { codec, page_bytes, ..WriterOptions::default() };
    let mut out: Vec<Vec<u8>> = vec![
        object(&[], WriterOptions::default()),
        object(&["t"], options(Codec::None, 1 << 20)),
        object(&["t"], options(Codec::None, 100)),
        object(&["t", "u"], options(Codec::None, 1 << 20)),
        object(&["t"], options(Codec::Zstd(1), 1 << 20)),
        object(&["t"], options(Codec::Lz4, 1 << 20)),
        object(&["t"], options(Codec::Snappy, 1 << 20)),
    ];
    let directory = directory(&out[3].clone().into());
    out.push(directory.encode());
    out.push(directory.sections[0].encode());
    out
}

fn object(tenants: &[&str], options: WriterOptions) -> Vec<u8> {
    let mut writer = ObjectWriter::new(Vec::new(), options).unwrap();
    for owner in tenants {
        let key =
            SectionKey { shard: 0, tenant: tenant(owner), window_start: Timestamp(0), window_len: 7_200_000_000_000 };
        writer.begin_section(key, Level::FLUSHED, 1, sources()).unwrap();
        writer.push(&rows()).unwrap();
    }
    let position = LogPosition { writer: self::writer("ing-0"), seq: 3 };
    let receipts = vec![Receipt { distributor: "d-0".into(), batches: vec![1..=4, 9..=9] }];
    writer.finish(Some(CommitInfo { position, flush_id: 7, row_hash: 0, receipts })).unwrap().0
}

fn directory(object: &Bytes) -> Directory {
    match Directory::locate(object, object.len() as u64) {
        Ok(Located::Directory(directory)) => directory,
        other => panic!("the whole object is at hand: {other:?}"),
    }
}

/// An entry for the section of `owner` in `object`.
pub(crate) fn entry(object: &str, owner: &str) -> Entry {
    let bytes = self::object(&[owner], WriterOptions { codec: Codec::None, ..WriterOptions::default() });
    let section: SectionEntry = directory(&bytes.into()).sections.remove(0);
    Entry { object: object.into(), section }
}

fn catalog_bodies() -> Vec<Vec<u8>> {
    let entries =
        [entry("log/ing-0/00000000000000000003", "a"), entry("seg/0/20240101/01M7Q5CQG00000000000000007", "b")];
    let (page, page_bytes) = encode_page(&entries);
    let change = Change {
        consumed: sources(),
        ended: vec![writer("ing-9")],
        added: entries.to_vec(),
        removed: vec![entry("log/ing-0/00000000000000000001", "a").key()],
    };
    let first = Root::genesis(0).successor(CommitId(1), Timestamp(1_700_000_000_000_000_000), Change::default());
    let mut second = first.successor(CommitId(u128::MAX), Timestamp(2), change);
    let plain = second.encode();
    second.added.clear();
    second.pages.push(page);
    second.closed_through.push(skald_catalog::Closed { window_ns: 7_200_000_000_000, through: Timestamp(5) });
    second.unknown.push((1 << 40, Bytes::from_static(b"later")));
    let seal = encode_seal(&LogPosition { writer: writer("ing-1"), seq: 9 });
    let whole = [first.encode(), plain, second.encode(), page_bytes, seal];
    // Without magic, version and checksum, which the target puts around its input.
    let bodies = whole.iter().map(|bytes| bytes[9..bytes.len() - 4].to_vec());
    bodies.chain(whole.iter().map(|bytes| bytes.to_vec())).collect()
}

fn messages() -> Vec<Vec<u8>> {
    let mut rings = Rings::new();
    let mut out = vec![rings.encode(), encode_tokens(&[]), encode_tokens(&[1, 2, u32::MAX])];
    for (i, state) in [State::Pending, State::Active, State::Leaving, State::Left].into_iter().enumerate() {
        let id = format!("ing-{i}");
        let mut instance = Instance::new("ingester", &id, "127.0.0.1:9095");
        instance.state = state;
        instance.zone = "a".into();
        instance.stamp = i as u64 + 1;
        if i > 1 {
            instance.writer = Some(writer(&id));
            instance.last_seq = 1 << (i * 16);
            instance.read_only_since_ms = Some(5);
        }
        let delta = rings.update("ingester", instance, 1_000_000 + i as u64).unwrap();
        out.push(delta.encode());
    }
    out.push(rings.forget("ingester", "ing-0", 2_000_000).encode());
    out.push(rings.raise_head(&writer("ing-7"), 9, 2_000_000).encode());
    out.push(rings.raise_generation("0", 12, 2_000_000).encode());
    out.push(rings.encode());
    out
}

fn batches() -> Vec<Vec<u8>> {
    let rows = rows();
    let mut builder = StreamBatchBuilder::with_capacity(64);
    for i in 0..5 {
        builder.push(Timestamp(rows.timestamps[i]), rows.lines.get(i), rows.metadata.row(i));
    }
    let labels = Labels::from_pairs([("service_name", "api"), ("pod", "p-1")]);
    let batch = builder.finish(&labels, 41).unwrap();
    let mut single = StreamBatchBuilder::with_capacity(0);
    single.push(Timestamp(i64::MIN), b"", []);
    let single = single.finish(&Labels::empty(), u64::MAX).unwrap();
    let all = [
        batch.bytes().clone(),
        single.bytes().clone(),
        Rows::default().encode(),
        rows.encode(),
        rows.slice(3..7).encode(),
    ];
    all.iter().map(|bytes| bytes.to_vec()).collect()
}

fn tenant(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

fn writer(id: &str) -> Writer {
    Writer::new(id).unwrap()
}

fn sources() -> CommitVector {
    [(writer("ing-0"), 3)].into_iter().collect()
}
