//! Exit statuses, errors, environment, and files on disk.

use std::process::Stdio;

use skald_model::{CommitVector, Labels, RowsBuilder, TenantId, Timestamp, Writer};
use skald_segment::{Level, ObjectWriter, SectionKey, WriterOptions};

use crate::support::{Server, command, finish};

#[tokio::test]
async fn errors_have_their_status_and_text() {
    // Arguments, the server's answer, exit status, what stderr holds.
    let cases: &[(&[&str], (u16, &'static str), i32, &str)] = &[
        (&["query"], (200, ""), 2, "Usage:"),
        (&["query", "x", "--from", "now", "--to", "now-1h"], (200, ""), 2, "error: the range is empty"),
        (&["labels", "--header", "x"], (200, ""), 2, "error: \"x\" is no header"),
        (&["labels", "-z", "Atlantis/Deep"], (200, ""), 2, "error: timezone \"Atlantis/Deep\" is not known"),
        (
            &["query", "{"],
            (400, "parse error at line 1, col 2: syntax error"),
            1,
            "error: the server answered 400 Bad Request: parse error at line 1, col 2: syntax error\n",
        ),
        (
            &["labels"],
            (401, "no org id\n"),
            1,
            "error: the server answered 401 Unauthorized: no org id (name the tenant with --org-id)\n",
        ),
        (&["labels"], (500, ""), 1, "error: the server answered 500 Internal Server Error\n"),
        (&["labels"], (200, "<html>"), 1, "answered something else than expected: <html>"),
        (&["segment", "inspect", "/nowhere/x"], (200, ""), 1, "error: cannot read /nowhere/x: No such file"),
        (&["push", "-l", "a=b", "/nowhere/x"], (200, ""), 1, "error: cannot read /nowhere/x: No such file"),
    ];
    for (args, answer, code, stderr) in cases {
        let run = Server::start([*answer]).await.run(args, b"").await;
        assert_eq!(run.code, Some(*code), "{args:?}: {run:?}");
        assert!(run.stderr.contains(stderr), "{args:?}: {run:?}");
        assert_eq!(run.stdout, "", "{args:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let run = finish(command(&["labels", "--addr", &addr]), b"").await;
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.starts_with(&format!("error: cannot reach {addr}/: ")), "{run:?}");
    assert!(run.stderr.contains("refused"), "{run:?}");
}

#[tokio::test]
async fn address_and_tenant_come_from_options_then_environment() {
    // Environment, options, expected tenant.
    let cases: &[(&[(&str, &str)], &[&str], Option<&str>)] = &[
        (&[], &[], None),
        (&[("LOKI_ORG_ID", "loki")], &[], Some("loki")),
        (&[("LOKI_ORG_ID", "loki"), ("SKALD_ORG_ID", "skald")], &[], Some("skald")),
        (&[("SKALD_ORG_ID", "skald")], &["--org-id", "typed"], Some("typed")),
    ];
    for (env, options, tenant) in cases {
        let server = Server::start([(200, r#"{"status":"success"}"#)]).await;
        let mut command = command(&["labels", "--header", "X-Extra: 1"]);
        command.args(*options).env("LOKI_ADDR", &server.addr).envs(env.iter().copied());
        assert_eq!(finish(command, b"").await.code, Some(0));
        let seen = server.seen();
        let header = |name: &str| seen[0].headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!((header("x-scope-orgid"), header("x-extra")), (*tenant, Some("1")), "{env:?} {options:?}");
    }
}

#[tokio::test]
async fn lists_are_sorted_and_asked_for_rightly() {
    // Arguments, answer, stdout, what the request's address holds.
    let cases: &[(&[&str], &'static str, &str, &str)] = &[
        (&["labels"], r#"{"data":["b","a"]}"#, "a\nb\n", "/loki/api/v1/labels?start="),
        (&["labels", "a/b"], r#"{"status":"success"}"#, "", "/loki/api/v1/label/a%2Fb/values?"),
        (&["labels", "--query", "{a=\"b\"}"], r#"{"data":[]}"#, "", "&query=%7Ba%3D%22b%22%7D"),
        (
            &["series", "{a=\"b\"}", "{}"],
            r#"{"data":[{"b":"2","a":"1"},{"a":"1"}]}"#,
            "{a=\"1\"}\n{a=\"1\", b=\"2\"}\n",
            "&match%5B%5D=%7Ba%3D%22b%22%7D&match%5B%5D=%7B%7D",
        ),
        (
            &["stats", "{}", "--from", "1700000000", "--to", "1700000001"],
            r#"{"streams":1,"chunks":2,"bytes":3,"entries":4}"#,
            "streams  1\nchunks   2\nentries  4\nbytes    3 (3 B)\n",
            "/loki/api/v1/index/stats?query=%7B%7D&start=1700000000000000000&end=1700000001000000000",
        ),
        (
            &["ring", "--ring", "distributor"],
            r#"{"shards":[{"id":"d","state":"ACTIVE","address":"x:1","timestamp":""}],"now":""}"#,
            "ID  STATE   ZONE  ADDRESS  HEARTBEAT  OWNS  LOG  VERSION\nd   ACTIVE  -     x:1              -     -  -    -\n",
            "/distributor/ring",
        ),
    ];
    for (args, answer, stdout, uri) in cases {
        let server = Server::start([(200, *answer)]).await;
        let run = server.run(args, b"").await;
        assert_eq!((run.code, &*run.stdout), (Some(0), *stdout), "{args:?}: {}", run.stderr);
        assert!(server.seen()[0].uri.contains(uri), "{args:?}: {}", server.seen()[0].uri);
    }
}

#[tokio::test]
async fn a_reader_that_leaves_is_no_error() {
    let server = Server::start([(200, r#"{"data":["a"]}"#)]).await;
    let mut command = command(&["labels"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.env("SKALD_ADDR", &server.addr).stdout(Stdio::from(writer));
    let run = finish(command, b"").await;
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
}

#[tokio::test]
async fn segments_are_described_and_verified() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("object");
    let path = file.to_str().unwrap();
    let object = segment();
    std::fs::write(&file, &object).unwrap();
    let run = finish(command(&["segment", "inspect", path, "--streams", "--verify"]), b"").await;
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    for text in [
        "1 sections\nsection fake/1699999200+7200s/0 (flushed, run ",
        "2 rows in 1 streams, 2023-11-14T22:13:20.000Z to 2023-11-14T22:13:21.000Z",
        " 2 rows            8 B  2023-11-14T22:13:20.000Z to 2023-11-14T22:13:21.000Z  {app=\"shop\"}\n",
        "verified: 2 rows in 1 pages can be read\n",
    ] {
        assert!(run.stdout.contains(text), "{text:?} is not in {}", run.stdout);
    }

    // Damage is found where it is looked for, and cut or foreign files are refused.
    let mut damaged = object.clone();
    damaged[12] ^= 0xff;
    let cases: &[(&[u8], &[&str], i32, &str)] = &[
        (&damaged, &[], 0, ""),
        (&damaged, &["--verify"], 1, "is damaged: "),
        (&object[..object.len() - 1], &[], 1, "cannot be understood: "),
        (b"hello", &[], 1, "cannot be understood: "),
        (b"", &[], 1, "cannot be understood: "),
    ];
    for (bytes, options, code, stderr) in cases {
        std::fs::write(&file, bytes).unwrap();
        let run = finish(command(&[&["segment", "inspect", path], *options].concat()), b"").await;
        assert_eq!(run.code, Some(*code), "{options:?}: {run:?}");
        assert!(run.stderr.contains(stderr), "{run:?}");
    }
}

fn segment() -> Vec<u8> {
    let labels = Labels::from_pairs([("app", "shop")]);
    let mut rows = RowsBuilder::new();
    for (second, arrival, line) in [(0, 1, "aaaa"), (1, 2, "bbbb")] {
        let timestamp = Timestamp::from_secs(1_700_000_000 + second);
        rows.push(&labels, timestamp, arrival, line.as_bytes(), std::iter::empty());
    }
    let key = SectionKey {
        shard: 0,
        tenant: TenantId::new("fake").unwrap(),
        window_start: Timestamp::from_secs(1_699_999_200),
        window_len: 7_200_000_000_000,
    };
    let sources: CommitVector = [(Writer::new("w").unwrap(), 1)].into_iter().collect();
    let mut writer = ObjectWriter::new(Vec::new(), WriterOptions::default()).unwrap();
    writer.begin_section(key, Level::FLUSHED, 1, sources).unwrap();
    writer.push(&rows.finish()).unwrap();
    writer.finish(None).unwrap().0
}
