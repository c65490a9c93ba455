//! Queries: what is asked, page by page, and what is printed.

use crate::support::Server;

const RANGE: [&str; 4] = ["--from", "1700000000", "--to", "1700000010"];

#[tokio::test]
async fn lines_are_read_in_pages() {
    let server = Server::start([
        (
            200,
            r#"{"status":"success","data":{"resultType":"streams","result":[
                {"stream":{"app":"shop","pod":"a"},"values":[["1700000009000000000","l4"],["1700000005000000000","l2"]]},
                {"stream":{"app":"shop","pod":"b"},"values":[["1700000008000000000","l3"]]}]}}"#,
        ),
        (
            200,
            r#"{"status":"success","data":{"resultType":"streams","result":[
                {"stream":{"app":"shop","pod":"a"},"values":[["1700000005000000000","l2"],["1700000001000000000","l1"]]}]}}"#,
        ),
    ])
    .await;
    let args = [&["query", "{app=\"shop\"}", "--limit", "10", "--batch", "3"][..], &RANGE].concat();
    let run = server.run(&args, b"").await;
    assert_eq!(
        run.stdout,
        "2023-11-14T22:13:29.000Z {pod=\"a\"} l4\n\
         2023-11-14T22:13:28.000Z {pod=\"b\"} l3\n\
         2023-11-14T22:13:25.000Z {pod=\"a\"} l2\n\
         2023-11-14T22:13:21.000Z {}        l1\n"
    );
    assert_eq!(run.stderr, "Common labels: {app=\"shop\"}\nCommon labels: {app=\"shop\", pod=\"a\"}\n");
    let asked: Vec<String> = server.seen().iter().map(|seen| seen.uri.clone()).collect();
    let query = "/loki/api/v1/query_range?query=%7Bapp%3D%22shop%22%7D&start=1700000000000000000";
    assert_eq!(
        asked,
        [
            format!("{query}&end=1700000010000000000&limit=3&direction=backward"),
            format!("{query}&end=1700000005000000001&limit=3&direction=backward"),
        ]
    );
}

#[tokio::test]
async fn options_reach_the_server_and_the_screen() {
    let streams = r#"{"data":{"resultType":"streams","result":[
        {"stream":{"app":"shop"},"values":[["1700000001000000000","x"],["1700000001000000000","y"]]}],
        "stats":{"summary":{"totalBytesProcessed":1500,"totalLinesProcessed":7,"execTime":0.25,"totalEntriesReturned":2}}}}"#;
    let matrix = r#"{"data":{"resultType":"matrix","result":[{"metric":{"app":"shop"},"values":[[1700000000,"2"]]}]},"warnings":["slow"]}"#;
    let scalar = r#"{"data":{"resultType":"scalar","result":[1700000010,"2"]}}"#;
    // Options, answer, stdout, stderr, what the request's address holds.
    let cases: &[(&[&str], &'static str, &str, &str, &str)] = &[
        (&["--forward", "-o", "raw"], streams, "x\ny\n", "", "direction=forward"),
        (
            &["--forward", "-q", "--no-labels"],
            streams,
            "2023-11-14T22:13:21.000Z x\n2023-11-14T22:13:21.000Z y\n",
            "",
            "limit=30",
        ),
        (
            &["--stats", "-o", "raw"],
            streams,
            "x\ny\n",
            "1.5 kB and 7 lines processed in 0.250 s (0.000 s queued), 2 lines returned\n",
            "",
        ),
        (
            &["-z", "Europe/Oslo", "-o", "jsonl", "--limit", "1"],
            streams,
            "{\"labels\":{\"app\":\"shop\"},\"line\":\"x\",\"timestamp\":\"2023-11-14T23:13:21+01:00\"}\n",
            "",
            "limit=1&",
        ),
        (
            &["--step", "90s", "--interval", "1.5s"],
            matrix,
            "{app=\"shop\"}\n  2023-11-14T22:13:20.000Z  2\n",
            "warning: slow\n",
            "step=90&interval=1.5",
        ),
        (&["--instant"], scalar, "2\n", "", "/loki/api/v1/query?query=q&time=1700000010000000000"),
        (
            &["--color", "always", "--forward", "--limit", "1", "-q"],
            streams,
            "\u{1b}[2m2023-11-14T22:13:21.000Z\u{1b}[0m \u{1b}[94m{}\u{1b}[0m x\n",
            "",
            "",
        ),
    ];
    for (options, answer, stdout, stderr, uri) in cases {
        let server = Server::start([(200, *answer)]).await;
        let run = server.run(&[&["query", "q"][..], &RANGE, options].concat(), b"").await;
        assert_eq!((run.code, &*run.stdout), (Some(0), *stdout), "{options:?}: {}", run.stderr);
        let said = run.stderr.replace("Common labels: {app=\"shop\"}\n", "");
        assert_eq!(said, *stderr, "{options:?}");
        assert!(server.seen()[0].uri.contains(uri), "{options:?}: {}", server.seen()[0].uri);
    }
}

#[tokio::test]
async fn instant_queries_print_series() {
    let vector = r#"{"data":{"resultType":"vector","result":[{"metric":{"app":"a"},"value":[4,"2"]}]}}"#;
    let server = Server::start([(200, vector)]).await;
    let run = server.run(&["instant-query", "q", "--time", "4"], b"").await;
    assert_eq!((run.code, &*run.stdout), (Some(0), "2  {app=\"a\"}\n"));
    assert_eq!(server.seen()[0].uri, "/loki/api/v1/query?query=q&time=1970-01-01T00%3A00%3A04Z&limit=30");
}

#[tokio::test]
async fn long_queries_travel_as_a_form() {
    let server = Server::start([(200, r#"{"data":{"resultType":"streams","result":[]}}"#)]).await;
    let query = format!("{{app=\"{}\"}}", "x".repeat(20_000));
    let run = server.run(&["query", &query], b"").await;
    assert_eq!((run.code, &*run.stdout), (Some(0), ""), "{}", run.stderr);
    let seen = server.seen();
    assert_eq!(seen[0].uri, "/loki/api/v1/query_range");
    assert_eq!(seen[0].headers["content-type"], "application/x-www-form-urlencoded");
    assert!(seen[0].body.starts_with(b"query=%7Bapp%3D%22xxx") && seen[0].body.ends_with(b"&direction=backward"));
}

#[tokio::test]
async fn a_crowded_instant_is_explained() {
    let page = r#"{"data":{"resultType":"streams","result":[
        {"stream":{"a":"b"},"values":[["1700000005000000000","x"],["1700000005000000000","y"]]}]}}"#;
    let server = Server::start([(200, page), (400, "max entries limit per query exceeded")]).await;
    let run = server.run(&[&["query", "q", "--batch", "2", "-o", "raw"][..], &RANGE].concat(), b"").await;
    assert_eq!((run.code, &*run.stdout), (Some(1), "x\ny\n"));
    assert_eq!(
        run.stderr,
        "error: at least 2 lines share one instant, and the server returns no 4 at once; narrow the query: \
         the server answered 400 Bad Request: max entries limit per query exceeded\n"
    );
}
