//! Bodies byte for byte as agents send them, made from their documented formats and not by our own code.

use anyhow::{Result, ensure};
use skald_testkit::{Client, Line, load::now};

use crate::cluster;

/// Fluent Bit's `out_loki` with `line_format json` and structured metadata: compact JSON, keys in its order.
fn fluent_bit(lines: &[Line]) -> Vec<u8> {
    let value = |l: &Line| format!(r#"["{}","{}",{{"trace":"t1"}}]"#, l.timestamp, l.text.replace('"', "\\\""));
    let values: Vec<_> = lines.iter().map(value).collect();
    format!(r#"{{"streams":[{{"stream":{{"job":"fluentbit"}},"values":[{}]}}]}}"#, values.join(",")).into_bytes()
}

/// Promtail's client: protobuf `logproto.PushRequest` in one raw snappy block.
fn promtail(lines: &[Line]) -> Vec<u8> {
    fn varint(out: &mut Vec<u8>, mut value: u64) {
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }
    fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
        out.push(number << 3 | 2);
        varint(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
    let mut stream = Vec::new();
    field(&mut stream, 1, br#"{filename="/var/log/syslog", job="promtail"}"#);
    for line in lines {
        let mut time = vec![1 << 3];
        varint(&mut time, (line.timestamp / 1_000_000_000) as u64);
        time.push(2 << 3);
        varint(&mut time, (line.timestamp % 1_000_000_000) as u64);
        let mut entry = Vec::new();
        field(&mut entry, 1, &time);
        field(&mut entry, 2, line.text.as_bytes());
        field(&mut stream, 2, &entry);
    }
    let mut request = Vec::new();
    field(&mut request, 1, &stream);
    snappy(&request)
}

/// A raw snappy block of literals only: the length, then literals of up to 60 bytes each.
fn snappy(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut len = bytes.len();
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    for literal in bytes.chunks(60) {
        out.push(((literal.len() - 1) << 2) as u8);
        out.extend_from_slice(literal);
    }
    out
}

async fn check(client: &Client, body: Vec<u8>, content_type: &str, query: &str, lines: &[Line]) -> Result<()> {
    let (status, text) = client.push_body(body, content_type).await?;
    ensure!(status == 204, "{content_type}: {status} {text}");
    let (start, end) = (lines[0].timestamp, lines[lines.len() - 1].timestamp + 1);
    let got = client.lines(query, start, end, 500).await?;
    ensure!(got == lines, "{query}: {} of {} lines", got.len(), lines.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_fluent_bit_and_promtail_comes_back_once() -> Result<()> {
    let (cluster, _turn) = cluster().await;
    let client = cluster.client("agents")?;
    let time = now();
    let lines: Vec<_> = (0..200)
        .map(|i| Line { timestamp: time + i, text: format!(r#"{{"log":"line {i}","level":"info"}}"#) })
        .collect();
    check(&client, fluent_bit(&lines), "application/json", r#"{job="fluentbit"}"#, &lines).await?;
    check(&client, promtail(&lines), "application/x-protobuf", r#"{job="promtail"}"#, &lines).await?;
    let traced = client.lines(r#"{job="fluentbit"} | trace="t1""#, time, time + 200, 500).await?;
    ensure!(traced == lines, "by structured metadata: {} lines", traced.len());
    Ok(())
}
