//! Pushing: what arrives, and what happens when the server does not take it.

use prost::Message;
use skald_wire::pb::logproto::PushRequest;

use crate::support::{Seen, Server};

fn lines(seen: &[Seen]) -> Vec<Vec<String>> {
    let of = |seen: &Seen| {
        let body = snap::raw::Decoder::new().decompress_vec(&seen.body).unwrap();
        let request = PushRequest::decode(&*body).unwrap();
        assert_eq!(request.streams[0].labels, r#"{app="shop"}"#);
        request.streams[0].entries.iter().map(|entry| entry.line.clone()).collect()
    };
    seen.iter().map(of).collect()
}

#[tokio::test]
async fn files_and_stdin_arrive_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.log");
    std::fs::write(&file, "1\n2\n").unwrap();
    let server = Server::start([(204, "")]).await;
    let run = server.run(&["push", "--labels", "app=shop", file.to_str().unwrap(), "-"], b"3\n4").await;
    assert_eq!((run.code, &*run.stdout), (Some(0), ""), "{}", run.stderr);
    assert_eq!(run.stderr, "sent 4 lines (7 B) in 1 requests\n");
    let seen = server.seen();
    assert_eq!(lines(&seen), [["1", "2", "3", "4"]]);
    assert_eq!(seen[0].uri, "/loki/api/v1/push");
    assert_eq!(seen[0].headers["content-type"], "application/x-protobuf");
    assert_eq!(seen[0].headers["content-encoding"], "snappy");
}

#[tokio::test]
async fn large_inputs_are_cut_into_requests() {
    let input = format!("{}\n", "x".repeat(1000)).repeat(2500);
    let server = Server::start([(204, ""); 9]).await;
    let run = server.run(&["push", "-q", "-l", "app=shop"], input.as_bytes()).await;
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    let counts: Vec<usize> = lines(&server.seen()).iter().map(Vec::len).collect();
    assert_eq!(counts, [984, 984, 532]);
}

#[tokio::test]
async fn answers_that_are_no_success() {
    // Answers, exit status, requests made, what stderr ends with.
    let cases: &[(&[(u16, &'static str)], i32, usize, &str)] = &[
        (&[(503, "busy"), (204, "")], 0, 2, "sent 2 lines (4 B) in 1 requests\n"),
        (
            &[(400, "entry too old")],
            1,
            1,
            "warning: lines were refused: the server answered 400 Bad Request: entry too old\n\
             sent 2 lines (4 B) in 1 requests\nerror: lines of 1 of 1 requests were refused\n",
        ),
        (
            &[(401, "no org id")],
            1,
            1,
            "error: stopped after 0 lines: the server answered 401 Unauthorized: no org id (name the tenant with --org-id)\n",
        ),
    ];
    for (answers, code, requests, stderr) in cases {
        let server = Server::start(answers.iter().copied()).await;
        let run = server.run(&["push", "-l", "app=shop"], b"1\n2\n").await;
        assert_eq!((run.code, server.seen().len()), (Some(*code), *requests), "{run:?}");
        assert!(run.stderr.ends_with(stderr), "{answers:?}: {}", run.stderr);
        let bodies: Vec<_> = server.seen().iter().map(|seen| seen.body.clone()).collect();
        assert!(bodies.iter().all(|body| *body == bodies[0]), "a repetition sends the same bytes");
    }
}
